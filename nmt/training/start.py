"""What a run begins with: nothing, the weights of a trained bundle, or the state in which it stopped."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from nmt.bundle.weights import Bundle
from nmt.config.train import TrainConfig
from nmt.runs.limits import limit_reached
from nmt.tasks.task import Task
from nmt.text.subwords import SubwordModel
from nmt.training.fine_tuning import inherit_settings, restore_inherited
from nmt.training.resume import require_unchanged, saved_state
from nmt.training.state import SavedState

SubwordPair = tuple[SubwordModel, SubwordModel]


@dataclass(frozen=True)
class Start:
    """Fresh, from a bundle, or resumed."""

    parent: Bundle | None = None
    """whose weights a fine-tuning starts from"""
    saved: SavedState | None = None
    """where the run stopped"""
    subwords: SubwordPair | None = None
    """source and target, which the parent or the earlier part of the run settled; None: the text decides"""

    def reason_finished(self, config: TrainConfig, task: Task) -> str:
        """Say which limit a run that was finished is still at; nothing where there is something left to train."""
        saved = self.saved
        if not (saved and saved.position.finished):
            return ""
        return limit_reached(config.trainer, saved.position, metric=task.metric.label)


def find_start(config: TrainConfig, run_dir: Path, *, chosen: Set[str]) -> tuple[TrainConfig, Start]:
    """Find what a run begins with, and fill in the settings that it brings along.

    Args:
        config: of the command.
        run_dir: where its state would be.
        chosen: the keys that the user set, see `nmt.training.fine_tuning.inherit_settings`.

    Raises:
        BundleError: the parent is missing or damaged.
        ConfigError: the state is damaged, or the settings are at odds with it or with the parent.
    """
    saved = None if config.trainer.overwrite else saved_state(run_dir)
    if saved:
        config = restore_inherited(config, saved.config, chosen=chosen)
        require_unchanged(config, saved, run_dir)
        subwords = subword_pair(saved.source_subwords, saved.target_subwords, origin=str(run_dir / "state.pt"))
        return config, Start(saved=saved, subwords=subwords)
    if config.init_from:
        config, parent = inherit_settings(config, chosen=chosen)
        return config, Start(parent=parent, subwords=(parent.source_subwords, parent.target_subwords))
    return config, Start()


def subword_pair(source: bytes, target: bytes, *, origin: str) -> SubwordPair:
    """Read the subword models of both sides; equal ones become the same object."""
    first = SubwordModel(source, origin=origin)
    return first, first if source == target else SubwordModel(target, origin=origin)
