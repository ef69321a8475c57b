"""Configurations as Hydra composes them from a command line's words: one for each job."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nmt.cli.hydra.explain import explain
from nmt.cli.hydra.overrides import quote_overrides, split_words
from nmt.errors import ConfigError, NmtError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from nmt.config.train import TrainConfig

_NAME = "nmt-train"
_WHERE = ("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd")
"""The options that say where settings are, each with a value."""


def compose(words: list[str]) -> TrainConfig:
    """Compose the configuration of the one training that these words of ``nmt-train`` mean.

    Raises:
        ConfigError: a word is wrong, or asks for something else than a training.
    """
    options, settings = split_words(words)
    if others := [option for option in options[::2] if option not in _WHERE]:
        raise ConfigError(
            f"one configuration is wanted here, nothing that is printed and no sweep; leave off {others[0]}"
        )
    configs: list[TrainConfig] = []
    each_job(options, settings, lambda composed: configs.append(to_config(composed, options)))
    return configs[0]


def each_job(
    options: list[str], settings: list[str], job: Callable[[DictConfig], None], *, multirun: bool = False
) -> None:
    """Let Hydra compose the configuration of every job, and call a function with each.

    Args:
        options: as `split_words` gives them.
        settings: from `split_words` too.
        job: is called with each composed configuration.
        multirun: whether the settings are those of a sweep.

    Raises:
        ConfigError: Hydra cannot compose them.
        Exception: whatever the function raised first.
    """
    # Without this variable Hydra prints its own multi-line errors and exits with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import open_dict

    _store_schema()
    overrides = quote_overrides(settings, multirun=multirun)
    if options or any(word.lstrip("+~").startswith("hydra") for word in overrides):
        _each_job_of_hydra([*options, *overrides], options, job)
        return
    # Hydra's own command composes everything twice, once only to ask whether it is a sweep.
    with hydra.initialize_config_module("nmt.conf", version_base="1.3", job_name=_NAME):
        with explained(options):
            composed = hydra.compose("train", overrides, return_hydra_config=True)
            HydraConfig.instance().set_config(composed)
            with open_dict(composed):
                del composed["hydra"]
        job(composed)


@functools.cache
def _store_schema() -> None:
    """Give Hydra the types of all settings, once."""
    from hydra.core.config_store import ConfigStore

    from nmt.config.train import TrainConfig

    ConfigStore.instance().store(name="schema", node=TrainConfig)


def _each_job_of_hydra(words: list[str], options: list[str], job: Callable[[DictConfig], None]) -> None:
    """Do as `each_job`, by Hydra's own command: it sweeps, prints, and takes its own settings."""
    import hydra

    raised: list[Exception] = []

    @hydra.main(version_base="1.3", config_path="pkg://nmt.conf", config_name="train")
    def call(composed: DictConfig) -> None:
        try:
            job(composed)
        except Exception as error:
            # What leaves this function gets a line from Hydra before ours.
            raised.append(error)

    before = sys.argv
    sys.argv = [_NAME, *words]
    try:
        with explained(options):
            call()
    finally:
        sys.argv = before
    if raised:
        raise raised[0]


def to_config(composed: DictConfig, options: Sequence[str]) -> TrainConfig:
    """Turn what Hydra composed into dataclasses; raises ConfigError."""
    from omegaconf import OmegaConf

    with explained(options):
        built: Any = OmegaConf.to_object(composed)
    config: TrainConfig = built
    return config


@contextlib.contextmanager
def explained(options: Sequence[str]) -> Iterator[None]:
    """Turn Hydra's and OmegaConf's errors into ours.

    Raises:
        ConfigError: in place of one of them.
    """
    try:
        yield
    except NmtError:
        raise
    except Exception as error:
        ours = explain(error, options=options)
        if ours is None:
            raise
        raise ours from error
