"""A recorded run, run again.

Its command is bash's, run in an empty directory. In it `nmt-train` and `python` are those of this environment,
`$NMT_ROOT` is the checkout, `$NMT_CORPORA` holds the corpora (corpora/ of the checkout, where it is not set). What else
a command names must be set: `$BUNDLE`, the model that is measured; `$PEER_PYTHON`, the Python that has OpenNMT-py.
"""

from __future__ import annotations

import difflib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from nmt.errors import ConfigError, RunError
from recorded.runs import Entry, of_runs


class Compared(NamedTuple):
    """A number then and now."""

    entry: Entry
    now: Decimal

    @property
    def ratio(self) -> float:
        """Now by then."""
        return float(self.now / self.entry.median) if self.entry.median else float("inf")

    @property
    def agrees(self) -> bool:
        """Whether the two are within the entry's tolerance."""
        return abs(self.ratio - 1) <= (self.entry.tolerance or 0)


def entries_to_run(entries: Sequence[Entry], name: str) -> list[Entry]:
    """Find what can be run again under this name.

    Raises:
        ConfigError: the name is unknown, or no command is recorded for it.
    """
    named = of_runs(entries, name)
    if not named:
        near = difflib.get_close_matches(name, [*{entry.run: 0 for entry in entries}, *(e.id for e in entries)], n=1)
        raise ConfigError(f"there is no run {name}: {f'did you mean {near[0]}?' if near else 'see results.py list'}")
    found = [entry for entry in named if entry.command]
    if not found:
        raise ConfigError(f"{name} cannot be run again: no command is recorded for it; docs/log/RESULTS.md tells more")
    return found


def run_again(command: str, *, root: Path, configuration: Sequence[str]) -> str:
    """Run a recorded command in a temporary directory and return what it printed.

    Args:
        command: for bash.
        root: the checkout.
        configuration: what was measured, for the message about a variable.

    Raises:
        ConfigError: the command needs a variable that is not set.
        RunError: it failed.
    """
    environment = dict(os.environ) | {"NMT_ROOT": str(root.absolute())}
    environment["NMT_CORPORA"] = os.path.abspath(environment.get("NMT_CORPORA") or root / "corpora")
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    for variable in re.findall(r"\$([A-Z_]+)", command):
        if not environment.get(variable):
            what = f" ({', '.join(configuration)})" if configuration else ""
            raise ConfigError(f"the command needs ${variable}, which is not set{what}: {variable}=... in front of it")
    with tempfile.TemporaryDirectory() as directory:
        words = ["bash", "-euo", "pipefail", "-c", command]
        # A group of its own: whoever stops this tool stops all that the command started.
        with subprocess.Popen(
            words, cwd=directory, env=environment, stdout=subprocess.PIPE, encoding="utf-8", start_new_session=True
        ) as process:
            try:
                printed, _ = process.communicate()
            except BaseException:
                os.killpg(process.pid, signal.SIGTERM)
                raise
    if process.returncode:
        raise RunError(f"the command ended with exit code {process.returncode}; its message is above: {command}")
    return printed


def compare(entries: Sequence[Entry], printed: str) -> list[Compared]:
    """Read every number out of what the command printed.

    Raises:
        RunError: one is not there.
    """
    compared = []
    for entry in entries:
        numbers = re.findall(str(entry.reads), printed)
        if not numbers:
            raise RunError(f"the command did not print {entry.id}: nothing in its output is like {entry.reads}")
        compared.append(Compared(entry, Decimal(numbers[-1].replace(",", ""))))
    return compared


def report_lines(compared: Sequence[Compared], machine: dict[str, Any]) -> list[str]:
    """Write then and now beside each other."""
    lines = []
    for one in compared:
        entry, verdict = one.entry, "agrees" if one.agrees else "differs"
        lines.append(
            f"{entry.id}: {entry.written()} then, {one.now:,} now ({entry.unit}), ratio {one.ratio:.3f}, "
            f"tolerance {entry.tolerance:.0%}: {verdict}"
        )
    lines += [f"machine then: {_described(compared[0].entry.machine)}", f"machine now: {_described(machine)}"]
    return lines


def this_machine() -> dict[str, Any]:
    """Describe the machine as the recorded runs do."""
    import torch
    from benchmarking.machine import cores
    from benchmarking.processor import cpu_information, emulation_of, processor_of

    from nmt.config.choices import Precision
    from nmt.training.precision import choose_precision

    bf16 = choose_precision(Precision.auto, torch.device("cpu")) is Precision.bf16
    machine = {"processor": processor_of(cpu_information()), "threads": cores(), "bf16": bf16}
    emulated = emulation_of(os.environ)
    return machine | {"emulation": " ".join(emulated)} if emulated else machine


def _described(machine: dict[str, Any] | None) -> str:
    if machine is None:
        return "not recorded"
    count = machine["threads"]
    threads = f"{count or 'unknown number of'} thread{'s' * (count != 1)}"
    precision = "native bf16" if machine["bf16"] else "no native bf16"
    return ", ".join([machine["processor"], threads, precision, *filter(None, [machine.get("emulation")])])
