"""All trials of an experiment, a file each, so that the same command goes on where it was stopped."""

import dataclasses
import json
import platform
import re
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nmt.errors import ConfigError
from nmt.files import encoded, read_regular, saving, write_atomically
from nmt.lab.gradients.options import TrialOptions
from nmt.lab.gradients.trial import Flow, Trial, TrialResults, run_trial

_ELSEWHERE = "make it writable or choose another directory"


class Record(NamedTuple):
    """A trial that was run, as its file has it."""

    trial: Trial
    options: TrialOptions
    results: TrialResults
    seconds: float
    """that it took, measurements included"""
    machine: dict[str, str]
    """processor, and PyTorch's version"""


def trials_of(
    tasks: Iterable[str], cells: Iterable[str], distances: Iterable[int], seeds: Iterable[int], clips: Iterable[float]
) -> list[Trial]:
    """List all trials, those of short distances first; a value that is given twice counts once."""
    distances = sorted(set(distances))
    return [
        Trial(task, cell, distance, seed, clip)
        for distance in distances
        for task in dict.fromkeys(tasks)
        for cell in dict.fromkeys(cells)
        for seed in dict.fromkeys(seeds)
        for clip in dict.fromkeys(clips)
    ]


def run_trials(
    directory: Path, trials: Sequence[Trial], options: TrialOptions, *, report: Callable[[str], None]
) -> list[Record]:
    """Run the trials that have no file yet, and return all of them in their order.

    Args:
        directory: has a file for each; it is made if need be.
        trials: what to run.
        options: what they share.
        report: gets a line for each trial that was run.

    Raises:
        ConfigError: a file is damaged, or is of a trial with other options; the directory cannot be made.
        RunError: a file cannot be written.
    """
    with saving(directory, elsewhere=_ELSEWHERE):
        directory.mkdir(parents=True, exist_ok=True)
    # All are read before the first is run: what is wrong with one is not told after hours.
    records = {trial: _read(directory, trial, options) for trial in trials}
    missing = [trial for trial in trials if records[trial] is None]
    if len(missing) < len(trials):
        report(f"{len(trials) - len(missing)} of {len(trials)} trials were there")
    for number, trial in enumerate(missing, start=1):
        began = time.perf_counter()
        results = run_trial(trial, options)
        record = Record(trial, options, results, round(time.perf_counter() - began, 2), machine())
        _write(directory, record)
        records[trial] = record
        course = "solved" if results.solved else "diverged" if results.diverged else "not solved"
        report(
            f"{number} of {len(missing)}: {trial.name}: {course} after {results.updates} updates, "
            f"accuracy {results.accuracy:.3f}, {record.seconds:.1f} seconds"
        )
    return [record for record in records.values() if record]


def machine() -> dict[str, str]:
    """Name the processor and PyTorch's version."""
    import torch

    processor = platform.processor()
    try:
        match = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
        processor = match[1] if match else processor
    except OSError:
        pass  # not Linux
    return {"processor": processor or platform.machine(), "torch": torch.__version__}


def _file(directory: Path, trial: Trial) -> Path:
    return directory / f"{trial.name}.json"


def _write(directory: Path, record: Record) -> None:
    values = {
        "trial": record.trial._asdict(),
        "options": dataclasses.asdict(record.options),
        "results": dataclasses.asdict(record.results),
        "seconds": record.seconds,
        "machine": record.machine,
    }
    path = _file(directory, record.trial)
    with saving(path, elsewhere=_ELSEWHERE):
        write_atomically(path, lambda partial: partial.write_bytes(encoded(json.dumps(values) + "\n")))


def _read(directory: Path, trial: Trial, options: TrialOptions) -> Record | None:
    """Read a trial's file; None where there is none."""
    path = _file(directory, trial)
    if not path.exists():
        return None
    try:
        record = _record(json.loads(read_regular(path)))
    except (OSError, ValueError, TypeError, KeyError):
        raise ConfigError(f"{path} is damaged; delete it, and run the same command again") from None
    if record.trial != trial:
        raise ConfigError(f"{path} is of another trial, {record.trial.name}; delete it, or choose another directory")
    for field in dataclasses.fields(options):
        was, wanted = getattr(record.options, field.name), getattr(options, field.name)
        if was != wanted:
            option = f"--{field.name.replace('_', '-')}"
            raise ConfigError(f"{path} was made with {option} {was}, not {wanted}; choose another directory, or {was}")
    return record


def _record(values: dict[str, Any]) -> Record:
    """Make a record of what a file has; KeyError, TypeError or ValueError where that is not one."""
    results = dict(values["results"])
    for name in ("initial", "trained"):
        results[name] = Flow(*results[name])
    record = Record(
        Trial(**values["trial"]),
        TrialOptions(**values["options"]),
        TrialResults(**results),
        float(values["seconds"]),
        dict(values["machine"]),
    )
    curves = [*record.results.initial, *record.results.trained]
    if any(len(curve) != len(record.results.distances) for curve in curves):
        raise ValueError("a curve is cut off")
    return record
