"""``nmt-train``: Hydra at the door, dataclasses inside (the only importer of hydra and omegaconf)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from nmt import __version__
from nmt.cli.common import report
from nmt.cli.common import run as run_command
from nmt.cli.overrides import explain, quote_overrides, split_words
from nmt.errors import NmtError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from nmt.config import TrainConfig

_NAME = "nmt-train"


def main(arguments: list[str] | None = None) -> int:
    """Run ``nmt-train``; see `nmt.cli.common.run` for the exit codes."""
    words = sys.argv[1:] if arguments is None else arguments
    if "--help" in words or "-h" in words:
        return run_command(_help, _NAME)
    if "--version" in words:
        print(f"{_NAME} {__version__}")
        return 0
    return run_command(lambda: _train(words), _NAME)


def _help() -> None:
    """Print the help, before torch and hydra are imported."""
    from nmt.cli.train_help import help_text

    print(help_text())


def _train(words: list[str]) -> int:
    """Let Hydra compose the configuration of every job and train it; return the last failure's exit code, or 0."""
    options, settings = split_words(words)
    # Without this variable Hydra prints its own multi-line errors and exits with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    import hydra
    from hydra.core.config_store import ConfigStore

    from nmt.config import TrainConfig

    ConfigStore.instance().store(name="schema", node=TrainConfig)
    multirun = "-m" in options or "--multirun" in options
    failures: list[int] = []
    raised: list[Exception] = []

    @hydra.main(version_base="1.3", config_path="pkg://nmt.conf", config_name="train")
    def job(composed: DictConfig) -> None:
        from nmt.training.run import run

        try:
            if multirun:
                composed.run_dir = os.path.join(composed.run_dir, _job_name(settings))
            config, text = _to_dataclasses(composed)
            run(config, config_text=text)
        except NmtError as error:
            if not multirun:
                raised.append(error)
                return
            # One failed job must not end a sweep.
            failures.append(error.exit_code)
            report(_NAME, f"error: {error}; the sweep goes on with its next job")
        except Exception as error:
            # What leaves this function gets a line from Hydra before ours.
            raised.append(error)

    before = sys.argv
    sys.argv = [_NAME, *options, *quote_overrides(settings, multirun=multirun)]
    try:
        job()
        if raised:
            raise raised[0]
    except NmtError:
        raise
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        raise explained from error
    finally:
        sys.argv = before
    return failures[-1] if failures else 0


def _to_dataclasses(composed: DictConfig) -> tuple[TrainConfig, str]:
    """Turn what Hydra composed into dataclasses and YAML."""
    from omegaconf import OmegaConf

    config: Any = OmegaConf.to_object(composed)
    return config, OmegaConf.to_yaml(composed, resolve=True)


def _job_name(settings: list[str]) -> str:
    """Name a job of a sweep by what it has and other jobs have not, as in ``optimizer.lr=0.001,seed=2``."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(quote_overrides(settings, multirun=True))
    shared = {override.get_key_element() for override in parsed if not override.is_sweep_override()}
    own = [word for word in HydraConfig.get().overrides.task if word.split("=", 1)[0] not in shared]
    return ",".join(sorted(own)).replace("/", "_") or "default"


if __name__ == "__main__":
    sys.exit(main())
