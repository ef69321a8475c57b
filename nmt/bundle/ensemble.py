"""Several bundles loaded as one ensemble, with the languages and the search settings of the first."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from nmt.bundle.loading import LoadedBundle, load
from nmt.config.choices import TaskName
from nmt.errors import ConfigError
from nmt.search.ensemble import Ensemble

_ENSEMBLES = (TaskName.translation, TaskName.generation)


def load_all(
    paths: Sequence[Path | str], *, precision: str | None = None, device: str = "auto", threads: int = 0
) -> LoadedBundle:
    """Load one bundle, or several as an ensemble; for the arguments see `nmt.bundle.loading.load`.

    Raises:
        BundleError: one of them is missing or damaged.
        ConfigError: they have different tasks, subwords or names of tags, or a setting is impossible.
    """
    bundles = [load(path, precision=precision, device=device, threads=threads) for path in paths]
    first = bundles[0]
    if len(bundles) == 1:
        return first
    for path, bundle in zip(paths[1:], bundles[1:], strict=True):
        _require_alike(paths[0], first, path, bundle)
    return dataclasses.replace(
        first,
        model=Ensemble([bundle.model for bundle in bundles]),
        precision=", ".join(dict.fromkeys(bundle.precision for bundle in bundles)),
        device=f"ensemble of {len(bundles)}: " + "; ".join(dict.fromkeys(bundle.device for bundle in bundles)),
    )


def _require_alike(here: Path | str, first: LoadedBundle, there: Path | str, other: LoadedBundle) -> None:
    """Refuse models that cannot score the same subwords: ConfigError names both."""
    both = f"{here} and {there} cannot be one ensemble"
    for path, bundle in ((here, first), (there, other)):
        if bundle.task not in _ENSEMBLES:
            raise ConfigError(f"{both}: {path} {bundle.task.does}; name one model")
    if first.task is not other.task:
        raise ConfigError(f"{both}: one {first.task.does} and the other {other.task.does}; name models of one task")
    for side in ("source", "target"):
        if getattr(first, f"{side}_subwords").digest != getattr(other, f"{side}_subwords").digest:
            raise ConfigError(
                f"{both}: their {side} subwords differ; train models of one ensemble with the same subword model "
                "(subwords.model)"
            )
    if set(first.pairs) != set(other.pairs):
        named = [", ".join(map(str, bundle.pairs)) or "one direction" for bundle in (first, other)]
        raise ConfigError(f"{both}: they were trained in other directions ({named[0]}; and {named[1]})")
    if first.tags != other.tags:
        raise ConfigError(f"{both}: their tags have different names ({[*first.tags]} and {[*other.tags]})")
