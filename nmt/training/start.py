"""What a run begins with: nothing, the weights of a trained bundle, or the state in which it stopped."""

import dataclasses
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from nmt.bundle.weights import Bundle, load_bundle
from nmt.config.choices import Schedule, TaskName
from nmt.config.schema import flatten, to_dict
from nmt.config.train import BEFORE, REMOVED, TrainConfig
from nmt.errors import BundleError, ConfigError
from nmt.runs.limits import limit_reached
from nmt.runs.log import LOG
from nmt.text.vocabulary import Vocabulary, read_vocabulary
from nmt.training.auto.settle import restore_choices
from nmt.training.data import TrainingData
from nmt.training.fine_tuning import inherit_settings, restore_inherited
from nmt.training.parallel import Processes
from nmt.training.state import Position, SavedState, load_state

SubwordPair = tuple[Vocabulary, Vocabulary]

_ANEW = "choose another run_dir, or add trainer.overwrite=true to start anew"

# A run may go on after these change. They shape neither the weights reached so far nor the course ahead. Minutes and
# epochs say how long that is.
_HARMLESS = {
    # Of auto, the values that it settled are compared.
    *("name", "run_dir", "auto"),
    # The training text itself is compared by its digest.
    *("corpus.train", "corpus.extra", "corpus.test", "corpus.tag_names", "corpus.cache_dir"),
    *("trainer.max_epochs", "trainer.max_minutes", "trainer.patience", "trainer.max_skipped"),
    # The gradients of a batch's parts have the same sum, dropout's masks aside.
    *("trainer.accumulation", "trainer.device", "trainer.threads", "trainer.deterministic"),
    *("trainer.valid_batch_size", "trainer.log_every", "trainer.progress", "trainer.tensorboard", "trainer.overwrite"),
}
# Machines may have caches and devices of their own.
_EACH_ITS_OWN = ("corpus.cache_dir ", "trainer.device ", "trainer.threads ")


@dataclass(frozen=True)
class Start:
    """Fresh, from a bundle, or resumed."""

    config: TrainConfig
    """with what the parent or the earlier part of the run settled"""
    parent: Bundle | None = None
    """whose weights a fine-tuning starts from"""
    saved: SavedState | None = None
    """where the run stopped"""
    subwords: SubwordPair | None = None
    """source and target, which the parent or the earlier part of the run settled; None: the text decides"""

    def require_same_text(self, data: TrainingData) -> None:
        """Refuse to go on with other training text, or to compare scores on other validation text with those before."""
        run_dir, saved = self.config.directory, self.saved
        if saved and saved.corpus_digest != data.corpus_digest:
            texts = ", ".join(text.paths.label for text in data.texts)
            raise ConfigError(f"{run_dir} holds a run on other text than {texts} has now; {_ANEW}")
        if saved and saved.valid_digest not in ("", data.valid_digest):
            raise ConfigError(
                f"{run_dir} holds a run whose best weights were chosen on other text than "
                f"corpus.valid={self.config.corpus.valid} has now; {_ANEW}"
            )


def find_start(config: TrainConfig, processes: Processes, *, chosen: Set[str]) -> Start:
    """Find what a run begins with, the same for all its processes, and fill in the settings that it brings along.

    Args:
        config: of the command.
        processes: of the run.
        chosen: the keys that the user set, see `nmt.training.fine_tuning.inherit_settings`.

    Raises:
        BundleError: the parent is missing or damaged.
        ConfigError: the state is damaged, or the settings are impossible, or at odds with it or with the parent.
    """
    start = processes.main_first(lambda: _find_start(config, chosen))
    processes.from_main(start.config.validate)
    _require_one_state(start, processes)
    if saved := start.saved:
        saved.position = processes.from_main(lambda: _require_best(start.config, saved))
    return start


def _find_start(config: TrainConfig, chosen: Set[str]) -> Start:
    if saved := None if config.trainer.overwrite else _saved_state(config):
        config = restore_choices(restore_inherited(config, saved.config, chosen=chosen), saved.config, chosen=chosen)
        _require_unchanged(config, saved)
        subwords = subword_pair(saved.source_subwords, saved.target_subwords, config)
        return Start(config, saved=saved, subwords=subwords)
    if config.init_from:
        config, parent = inherit_settings(config, chosen=chosen)
        inherited = (parent.source_subwords, parent.target_subwords) if config.subwords.inherit else None
        return Start(config, parent, subwords=inherited)
    return Start(config)


def subword_pair(source: bytes, target: bytes, /, config: TrainConfig) -> SubwordPair:
    """Read the vocabularies that a run keeps in its state; equal ones become the same object."""
    origin = str(config.directory / "state.pt")
    first = read_vocabulary(source, origin=origin)
    return first, first if source == target else read_vocabulary(target, origin=origin)


def _saved_state(config: TrainConfig) -> SavedState | None:
    """Load the state of an earlier run, or find that there is none.

    Raises:
        ConfigError: it is damaged, or an earlier run left a bundle but no state.
    """
    run_dir = config.directory
    path = run_dir / "state.pt"
    if path.exists():
        saved = load_state(path)
        return saved if saved.position.update else None  # that it began is all there is to know of such a run
    if (run_dir / "best").exists():
        raise ConfigError(
            f"{run_dir} holds a bundle but no state.pt, so its run cannot be resumed; "
            "choose another run_dir, or add trainer.overwrite=true to replace it"
        )
    return None


def _require_unchanged(config: TrainConfig, saved: SavedState) -> None:
    """Refuse to go on with a configuration that would have led elsewhere: ConfigError names keys and both values."""
    harmless = set(_HARMLESS)
    if config.optimizer.schedule in (Schedule.constant, Schedule.inverse_sqrt):
        harmless.add("trainer.max_updates")
    # A parent may move, or go, once its weights were taken over; none can be added to a run from scratch.
    if config.init_from and saved.config.get("init_from"):
        harmless.add("init_from")
    # A state that an older nmt wrote lacks the keys that came later, and was trained with what are their defaults.
    before = flatten(to_dict(TrainConfig())) | _before(config.task) | flatten(saved.config)
    for key, removed in REMOVED.items():
        if (value := before.pop(key, removed.harmless)) != removed.harmless:
            raise ConfigError(
                f"{config.directory} holds a run with {key}={value}, which this nmt cannot go on with: "
                f"{removed.advice} and {_ANEW}"
            )
    now = flatten(to_dict(config))
    changed = [
        f"{key} ({before.get(key)} → {now.get(key)})"
        for key in sorted(before | now)
        if key not in harmless and not key.startswith("search.") and before.get(key) != now.get(key)
    ]
    if changed:
        raise ConfigError(
            f"{config.directory} holds a run with another configuration: {', '.join(changed)}; "
            f"set them back to resume it, {_ANEW}"
        )


def _before(task: TaskName) -> dict[str, Any]:
    """Give what an older nmt did, by keys that it did not have, where that is not what their defaults do."""
    return BEFORE | ({"trainer.metric": "bleu"} if task is TaskName.translation else {})


def require_one_config(config: TrainConfig, processes: Processes) -> None:
    """Refuse to train one model as two configurations say, as when the commands on two machines differ."""
    settings = flatten(to_dict(config))
    for rank, other in enumerate(processes.gather(settings)):
        changed = [f"{key} ({settings[key]} and {other[key]})" for key in settings if settings[key] != other[key]]
        changed = [text for text in changed if not text.startswith(_EACH_ITS_OWN)]
        if changed:
            raise ConfigError(
                f"processes {processes.rank} and {rank} of this run were started with different settings: "
                f"{', '.join(changed)}; start all with the same command"
            )


def _require_one_state(start: Start, processes: Processes) -> None:
    """Refuse to go on where the processes see different states: the run directory must be the same for all."""
    updates = processes.gather(start.saved.position.update if start.saved else 0)
    if len(set(updates)) > 1:
        raise ConfigError(
            f"the processes of this run see different states in run_dir={start.config.directory} (after updates "
            f"{', '.join(map(str, updates))}); it must lie on a file system that all machines share"
        )


def lost_best(config: TrainConfig) -> str:
    """Say what is wrong with the bundle of the best weights so far; nothing where it is whole."""
    best = config.directory / "best"
    if not best.exists():
        return f"{best} is missing"
    try:
        load_bundle(best)
    except BundleError as error:
        return str(error).rpartition("; ")[0]
    return ""


def _require_best(config: TrainConfig, saved: SavedState) -> Position:
    """Look whether the best weights of a run that goes on are there; where they are lost, the next ones count as best.

    Returns:
        The run's position, with the best score that its bundle has.

    Raises:
        ConfigError: they are lost, and the run is finished, so that nothing would write them again.
    """
    position = saved.position
    lost = lost_best(config) if position.best_update else ""
    if not lost:
        return position
    if limit_reached(config.trainer, position):
        raise ConfigError(
            f"{lost}, and the run in {config.directory} is finished, so that nothing writes it again; put it back, "
            f"take {config.directory / 'last'}, or add trainer.overwrite=true to start anew"
        )
    LOG.warning(f"{lost}; the next validation writes it anew")
    return dataclasses.replace(position, best_score=-1.0, best_update=0, validations_since_best=0)


def way_further(config: TrainConfig, reason: str) -> str:
    """Say how a finished run could go on."""
    ended = config.optimizer.schedule in (Schedule.linear, Schedule.cosine)
    if ended and reason.startswith("trainer.max_updates"):
        return (
            "its learning rate has come down to zero, so it cannot go further (with optimizer=adamw_open_end it could)"
        )
    if ended and reason.startswith(("trainer.max_minutes", "trainer.max_epochs")):
        return "to go further raise that limit: its learning rate will rise again and fall until then"
    return "to go further raise that limit"
