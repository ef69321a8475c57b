"""The jobs of a sweep, one by one: a job that fails is reported and leaves the others alone; a table compares them."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from nmt.cli.common import EXIT_FAILED, Explained, explained, report
from nmt.version import __version__

TABLE = "sweep.md"
"""In the directory of the sweep: the table of its runs so far."""


class Sweep:
    """Runs jobs and remembers their results; a signal still ends the sweep."""

    def __init__(self, name: str) -> None:
        """Stand before the first job.

        Args:
            name: the command's name, before its messages.
        """
        self._name = name
        self._run_dirs: list[Path] = []
        self._tables: dict[Path, None] = {}
        self._codes: list[int] = []
        # Of several processes, as torchrun starts them, all run the same jobs and the first one tells of them.
        self._tells = os.environ.get("RANK", "0") == "0"

    def job(self, run_dir: Path, train: Callable[[], None]) -> None:
        """Run a job in its directory, which lies in that of the sweep; an error is reported and recorded there."""
        from nmt.runs.results import FAILURE, clear_failure, record_failure

        self._run_dirs.append(run_dir)
        self._tables[run_dir.parent / TABLE] = None
        if self._tells:
            clear_failure(run_dir)
        try:
            train()
        except Exception as error:
            explanation, trace = explained(error), ""
            if explanation is None:
                trace = "".join(traceback.format_exception(error))
                what = " ".join(f"{type(error).__name__}: {error}".split())
                explanation = Explained(f"{what}; this is a defect of nmt {__version__}: please report it", EXIT_FAILED)
            self._codes.append(explanation.exit_code)
            if not self._tells:
                return
            record_failure(run_dir, explanation.message, trace=trace)
            where = f" with the lines in {run_dir / FAILURE}" if trace else ""
            report(self._name, f"error: {explanation.message}{where}; the sweep goes on with its next job")
        # After every job: whoever looks in, or stops the sweep, has the table of what was trained.
        if self._tells:
            self._write_table()

    def finish(self) -> int:
        """Print the table of all jobs; return 0, 1 if a run failed, or 2 if all that failed can be mended."""
        if self._tells and self._run_dirs and sys.stderr is not None:
            lines = ["", *self._summary("text").splitlines()]
            if written := [str(path) for path in self._tables if path.exists()]:
                lines.append(f"this table: {', '.join(written)}")
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write("".join(f"{line}\n" for line in lines))
                sys.stderr.flush()
        return EXIT_FAILED if EXIT_FAILED in self._codes else max(self._codes, default=0)

    def _summary(self, style: str) -> str:
        from nmt.runs.results import read_results
        from nmt.runs.tables import Summary

        return Summary(read_results(path) for path in dict.fromkeys(self._run_dirs)).text(style)

    def _write_table(self) -> None:
        from nmt.files import encoded, write_atomically

        text = f"# Runs of a sweep\n\n{self._summary('markdown')}"
        for path in self._tables:
            # The table can be made anew from the runs (nmt runs table), which must not end for want of it.
            with contextlib.suppress(OSError):
                write_atomically(path, lambda partial: partial.write_bytes(encoded(text)))
