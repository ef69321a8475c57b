"""What the processes do that share the cases: each draws its cases itself, and tells of them in words."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Sequence

from robustness.models import Model, make_model
from robustness.oracle import last_lines
from robustness.report import Told, describe, signature
from robustness.run import KINDS, Result, Runner

Task = tuple[Sequence[Model], str, int]
"""Models, kind and number of a case."""


class Worker:
    """One of the processes that run cases: the one that calls it."""

    _runner: Runner
    _seed: int

    @classmethod
    def start(cls, runner: Runner, seed: int) -> None:
        """Keep what every case takes; to be called before anything else, in each process."""
        cls._runner, cls._seed = runner, seed
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # which ends this process when all is done

    @classmethod
    def make_model(cls, name: str) -> Model:
        """Train and export a model; RunError if that is not possible."""
        return make_model(cls._runner.commands, cls._runner.scratch / "models", name)

    @classmethod
    def run(cls, task: Task) -> Told:
        """Run a case."""
        return _told(cls._run(task))

    @classmethod
    def run_smaller(cls, task: Task) -> Told:
        """Run a bad case once more, with less and less of what is odd about it."""
        result = cls._run(task)
        runner = cls._with(task[0])
        return _told(runner.smaller(result) if result.complaints else result)

    @classmethod
    def _with(cls, models: Sequence[Model]) -> Runner:
        return dataclasses.replace(cls._runner, models={model.name: model for model in models})

    @classmethod
    def _run(cls, task: Task) -> Result:
        models, kind, number = task
        return cls._with(models).run(KINDS[kind](cls._seed, number, models))


def _told(result: Result) -> Told:
    rule, evidence = result.complaints[0] if result.complaints else ("", "")
    return Told(
        kind=result.case.kind,
        number=result.case.number,
        command=result.case.command,
        code=result.outcome.code,
        seconds=result.outcome.seconds,
        rule=rule,
        evidence=" ".join(evidence.split()),
        signature=signature(result),
        size=len(result.case.parts) * 1000 + len(result.case.shell()) + len(result.case.text),
        lines=tuple(describe(result)),
        stderr=last_lines(result.outcome, 5),
    )
