"""More from the same text: data diversification (Nguyen et al. 2020, algorithm 1, k = 1).

One model is trained on the text, and one in the opposite direction. The first translates the sources of the text, the
second its targets. A third model is trained on the text and both translations; this model is the result.
"""

from __future__ import annotations

import filecmp
import importlib.util
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from nmt.config.train import CorpusConfig, TrainConfig
from nmt.corpus.distinct import distinct_pairs
from nmt.corpus.filters import hold_out_threshold, is_held_out
from nmt.corpus.reader import CorpusPaths, Pair, read_lines, read_pairs, resolve
from nmt.errors import ConfigError
from nmt.files import sibling, write_atomically
from nmt.recipes.processes import call_each
from nmt.recipes.teacher import Teacher
from nmt.recipes.translated_text import Files, Text, translate_text
from nmt.runs.log import LOG


@dataclass(frozen=True)
class Plan:
    """The three trainings, and where their files are."""

    config: TrainConfig
    """of the last model"""
    teacher_config: TrainConfig
    """of the first two: the same, with settings of their own"""
    share: float

    @property
    def directory(self) -> Path:
        """The run directory of the last model, with all else in it."""
        return self.config.directory

    @property
    def text(self) -> Path:
        """Where the training and the validation text are as all three models read them."""
        return self.directory / "text"

    @property
    def extra(self) -> list[str]:
        """Prefixes of further training texts in there."""
        return [str(self.text / f"extra{number}") for number, _ in enumerate(self.config.corpus.extra, start=1)]

    @property
    def languages(self) -> tuple[str, str]:
        """What the last model reads and writes."""
        return self.config.corpus.source, self.config.corpus.target

    @property
    def threads(self) -> int:
        """CPU threads of all processes together."""
        return self.config.trainer.threads or _cores()

    @property
    def at_once(self) -> bool:
        """Whether the first two models are trained at the same time."""
        from nmt.machine import choose_device

        return self.threads > 1 and choose_device(self.config.trainer.device).type == "cpu"

    def teachers(self) -> dict[str, TrainConfig]:
        """Configure the first two trainings, by the names of their directories."""
        together = 2 if self.at_once else 1
        forward = _on_text(self, self.teacher_config, self.extra)
        forward.run_dir, forward.corpus.test = str(self.directory / "forward"), ""
        forward.trainer.threads = self.threads // together
        if minutes := self.config.trainer.max_minutes:
            forward.trainer.max_minutes = round(minutes * self.share * together / 2, 4)
        return {"forward": forward, "backward": replace(_opposite(forward), run_dir=str(self.directory / "backward"))}

    def last(self, taken: float) -> TrainConfig:
        """Configure the last training, in the minutes that translating has left.

        Raises:
            ConfigError: it has left none.
        """
        translations = [str(self.text / name) for name in ("forward", "backward")]
        config = _on_text(self, self.config, [*self.extra, *translations])
        # A translation has the weight and the tag of its text.
        config.corpus.weights += config.corpus.weights[:1] * 2
        config.corpus.tags += config.corpus.tags[:1] * 2
        if minutes := self.config.trainer.max_minutes:
            left = round(minutes * (1 - self.share) - taken, 4)
            if left <= 0:
                raise ConfigError(
                    f"trainer.max_minutes={minutes:g} leaves no time for the last training: translating took "
                    f"{taken:.1f} minutes; raise it"
                )
            config.trainer.max_minutes = left
        return config


def diversify(config: TrainConfig, teacher_config: TrainConfig, *, share: float) -> None:
    """Train, translate and train, without the parts that are done; ``run_dir`` is then an ordinary run.

    ``trainer.max_minutes`` is the time of all three trainings and of the translating together. On a CPU with two cores
    or more the first two models are trained at the same time, each on half of the threads.

    Args:
        config: of the last model.
        teacher_config: of the first two, composed of the same settings and some of their own.
        share: of the minutes, for the first two trainings.

    Raises:
        NmtError: a setting is not possible here, the text cannot be read, or a training failed.
        KeyboardInterrupt: stopped by a signal, after saving.
    """
    plan = Plan(config, teacher_config, share)
    _require_possible(plan)
    _write_text(plan)
    _train_teachers(plan)
    minutes = _translate(plan)
    last = plan.last(minutes)
    LOG.info("training %s", plan.directory)
    _train(last)


def _require_possible(plan: Plan) -> None:
    """Refuse what cannot be done with three models; raises ConfigError."""
    for config in (plan.config, plan.teacher_config):
        if config.trainer.overwrite:
            raise ConfigError(
                f"trainer.overwrite=true would begin again at every start; remove {plan.directory} instead"
            )
        if config.corpus.pairs:
            raise ConfigError("corpus.pairs is not possible here: the models are of one pair; name source and target")
        if config.init_from:
            raise ConfigError("init_from is not possible here: the models of the two directions begin anew")
        config.validate()
    if (plan.directory / "state.pt").exists() and not plan.text.exists():
        raise ConfigError(f"{plan.directory} holds a training on the text alone; choose another name or run_dir")


def _on_text(plan: Plan, config: TrainConfig, extra: list[str]) -> TrainConfig:
    """Let a training read the text as it was written for all three."""
    corpus = replace(
        config.corpus,
        train=str(plan.text / "train"),
        valid=str(plan.text / "valid"),
        extra=extra,
        weights=[*config.corpus.weights],
        tags=[*config.corpus.tags],
    )
    return replace(config, corpus=corpus, trainer=replace(config.trainer))


def _opposite(config: TrainConfig) -> TrainConfig:
    """Exchange the two sides of a configuration."""
    corpus, subwords = config.corpus, config.subwords
    return replace(
        config,
        corpus=replace(
            corpus,
            source=corpus.target,
            target=corpus.source,
            max_source_tokens=corpus.max_target_tokens,
            max_target_tokens=corpus.max_source_tokens,
        ),
        subwords=replace(subwords, source_model=subwords.target_model, target_model=subwords.source_model),
    )


def _write_text(plan: Plan) -> None:
    """Write the training text without pairs of the validation text, so that no model of either direction sees them.

    Raises:
        ConfigError: an earlier call wrote another text there.
        CorpusError: it cannot be read.
    """
    corpus = plan.config.corpus
    train = _resolve(corpus, corpus.train, "corpus.train")
    if corpus.valid:
        valid = list(read_pairs(_resolve(corpus, corpus.valid, "corpus.valid")))
    else:
        threshold = hold_out_threshold(train, corpus.valid_pairs, deduplicate=corpus.deduplicate)
        read = distinct_pairs(read_pairs(train)) if corpus.deduplicate else read_pairs(train)
        valid = [pair for pair in read if is_held_out(pair, threshold)]
    sources, targets = ({pair[side].strip() for pair in valid} for side in (0, 1))

    def rest(paths: CorpusPaths) -> Iterator[Pair]:
        return (p for p in read_pairs(paths) if p.source.strip() not in sources and p.target.strip() not in targets)

    extra = [_resolve(corpus, name, "corpus.extra") for name in corpus.extra]
    plan.text.mkdir(parents=True, exist_ok=True)
    _write_pairs(plan, "train", rest(train), key="corpus.train")
    _write_pairs(plan, "valid", valid, key="corpus.valid")
    for prefix, paths in zip(plan.extra, extra, strict=True):
        _write_pairs(plan, Path(prefix).name, rest(paths), key="corpus.extra")


def _resolve(corpus: CorpusConfig, name: str, key: str) -> CorpusPaths:
    return resolve(name, source=corpus.source, target=corpus.target, key=key)


def _write_pairs(plan: Plan, name: str, pairs: Iterable[Pair], *, key: str) -> None:
    """Write both sides, or find that they are there already; raises ConfigError if others are."""
    paths = [plan.text / f"{name}.{language}" for language in plan.languages]
    drafts = [sibling(path, "partial") for path in paths]
    with open(drafts[0], "wb") as sources, open(drafts[1], "wb") as targets:
        for pair in pairs:
            sources.write(f"{pair.source}\n".encode())
            targets.write(f"{pair.target}\n".encode())
    for new, path in zip(drafts, paths, strict=True):
        if path.exists() and not filecmp.cmp(new, path, shallow=False):
            for each in drafts:
                each.unlink()
            raise ConfigError(
                f"{path} was made of another text than {key} is now; choose another run_dir, or remove {plan.directory}"
            )
    for new, path in zip(drafts, paths, strict=True):
        os.replace(new, path)


def _train_teachers(plan: Plan) -> None:
    """Train a model of each direction on the text."""
    configs = plan.teachers()
    for config in configs.values():
        config.validate()
        LOG.info("training %s", config.run_dir)
    call_each({name: partial(_train, each) for name, each in configs.items()}, at_once=plan.at_once)


def _train(config: TrainConfig) -> None:
    from nmt.training.run import run

    run(config)


def _translate(plan: Plan) -> float:
    """Let each of the two translate its side of the text; return the minutes that took, this time or before."""
    record = plan.directory / "translating.json"
    progress = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {"minutes": 0.0, "done": False}
    if progress.get("done", True):
        return float(progress["minutes"])
    began, calls = time.monotonic(), {}
    source, target = plan.languages
    threads = plan.threads // 2 if plan.at_once else plan.threads
    for name, given, made in (("forward", source, target), ("backward", target, source)):
        files = Files.of(str(plan.text / name), given=given, made=made)
        if not files.made.exists():
            LOG.info("translating with %s", plan.directory / name / "best")
            teacher = Teacher(plan.directory / name / "best", threads=threads)
            calls[name] = partial(_translate_side, teacher, plan.text / f"train.{given}", files)
    try:
        call_each(calls, at_once=plan.at_once)
        progress["done"] = True
    finally:
        progress["minutes"] += (time.monotonic() - began) / 60
        write_atomically(record, lambda partial: partial.write_text(json.dumps(progress), encoding="utf-8"))
    return float(progress["minutes"])


def _translate_side(teacher: Teacher, text: Path, files: Files) -> None:
    """Translate one side of the text, in int8 where that can be made: it takes less of the time."""
    if all(importlib.util.find_spec(package) for package in ("onnx", "onnxruntime")):
        from nmt.export.variant import export

        if "int8" not in teacher.describe().variants:
            export(teacher.path, "int8")
    translate_text(teacher, Text(str(text), (text,), partial(read_lines, text)), files)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
