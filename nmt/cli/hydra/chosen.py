"""Which settings of a run its user chose, as opposed to those that have their defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nmt.config.schema import flatten

if TYPE_CHECKING:
    from omegaconf import DictConfig


def chosen_keys(composed: DictConfig) -> set[str]:
    """Return the keys of a running job that were given on the command line or differ from the composed defaults.

    A group's choice, as in ``model=tiny``, chooses every key that its file states. What an experiment states is chosen
    where it differs from what ``nmt-train`` composes without a word.

    Args:
        composed: the configuration of the job; Hydra must be running it.

    Returns:
        Dotted names of leaves, as in ``{"model.cell", "optimizer.lr"}``.
    """
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.override_parser.overrides_parser import OverridesParser

    overrides = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
    choices = HydraConfig.get().runtime.choices
    named: set[str] = set()
    for override in overrides:
        key = override.key_or_group
        if key == "experiment":
            continue
        # An experiment's file may change the choice that the command line made.
        named |= _leaves(hydra.compose(f"{key}/{choices[key]}")).keys() if key in choices else {key}
    now, defaults = _leaves(composed), _leaves(_defaults())
    return {key for key, value in now.items() if defaults.get(key) != value or key in named}


def _defaults() -> Any:
    """Compose what nmt-train has without a word; the dataclasses' own defaults where -cp took its files away."""
    import hydra
    from hydra.errors import MissingConfigException
    from omegaconf import OmegaConf

    from nmt.config.train import TrainConfig

    try:
        return hydra.compose("train")
    except MissingConfigException:
        return OmegaConf.structured(TrainConfig)


def _leaves(node: Any) -> dict[str, Any]:
    """Flatten a configuration, values as they are written: ``{"model.cell": "lstm", ...}``."""
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(node, resolve=False, enum_to_str=True)
    return flatten(plain)
