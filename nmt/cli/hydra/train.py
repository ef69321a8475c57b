"""``nmt-train``: Hydra at the door, dataclasses inside."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from nmt.cli.common import run as run_command
from nmt.cli.hydra.chosen import chosen_keys
from nmt.cli.hydra.compose import each_job, explained, to_config
from nmt.cli.hydra.overrides import quote_overrides, split_words
from nmt.cli.hydra.sweep import Sweep
from nmt.version import __version__

if TYPE_CHECKING:
    from omegaconf import DictConfig

_NAME = "nmt-train"


def main(arguments: list[str] | None = None) -> int:
    """Run ``nmt-train``; see `nmt.cli.common.run` for the exit codes."""
    command_line = sys.argv[1:] if arguments is None else arguments
    if "--help" in command_line or "-h" in command_line:
        return run_command(_help, _NAME)
    if "--version" in command_line:
        return run_command(lambda: print(f"{_NAME} {__version__}"), _NAME)
    code = run_command(lambda: _train(command_line), _NAME)
    # Whoever has not imported it is alone.
    if "nmt.training.parallel" in sys.modules:
        from nmt.training.parallel import leave_processes

        if not leave_processes():
            _end_at_once(code)
    return code


def _end_at_once(code: int) -> NoReturn:
    """End the process without shutting Python down, which a thread of PyTorch's would turn into an abort."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # full, closed or missing
            stream.flush()
    os._exit(code)


def _help() -> None:
    """Print the help, before torch and hydra are imported."""
    from nmt.cli.hydra.train_help import help_text

    print(help_text())


def _train(words: list[str]) -> int:
    """Let Hydra compose the configuration of every job and train it; return the exit code."""
    options, settings = split_words(words)
    sweep = Sweep(_NAME) if "-m" in options or "--multirun" in options else None

    def job(composed: DictConfig) -> None:
        if sweep is None:
            _run(composed, options)
            return
        composed.run_dir = os.path.join(composed.run_dir, _job_name(settings))
        # One failed job must not end a sweep.
        sweep.job(Path(composed.run_dir).expanduser(), lambda: _run(composed, options))

    each_job(options, settings, job, multirun=sweep is not None)
    return sweep.finish() if sweep else 0


def _run(composed: DictConfig, options: list[str]) -> None:
    """Train as Hydra composed it."""
    from nmt.runs.results import clear_failure
    from nmt.training.run import run

    config = to_config(composed, options)
    with explained(options):
        # Settings give way to those that were chosen only where a parent or auto settles the others.
        chosen = chosen_keys(composed) if config.init_from or config.auto else set()
    run(config, chosen=chosen)
    # It may have been a job of a sweep, and have failed then.
    clear_failure(config.directory)


def _job_name(settings: list[str]) -> str:
    """Name a job of a sweep by the settings that differ between jobs, as in ``optimizer.lr=0.001,seed=2``."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(quote_overrides(settings, multirun=True))
    shared = {override.get_key_element() for override in parsed if not override.is_sweep_override()}
    differing = [word for word in HydraConfig.get().overrides.task if word.split("=", 1)[0] not in shared]
    return ",".join(sorted(differing)).replace("/", "_") or "default"


if __name__ == "__main__":
    sys.exit(main())
