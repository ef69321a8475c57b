"""One run from its configuration to its bundles: claim the directory, resume or start, train, test, sum up."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import torch

from nmt.checkpoint import load_bundle, save_bundle, saving, write_atomically
from nmt.choices import Precision, Schedule
from nmt.config import TrainConfig
from nmt.devices import choose_device, make_deterministic, set_threads
from nmt.errors import ConfigError
from nmt.evaluation.metrics import corpus_scores, default_tokenizer
from nmt.model.seq2seq import Seq2Seq, build_model
from nmt.schema import to_dict
from nmt.subwords import SubwordModel
from nmt.training.monitor import LOG, clock, logging_to, require_writable
from nmt.training.parallel import World, join_world, logging_warnings
from nmt.training.precision import choose_precision
from nmt.training.setup import Material, prepare
from nmt.training.state import SavedState, load_state
from nmt.training.trainer import Trainer
from nmt.translator import Translator

# A run may go on after these change: they shape neither the weights reached so far nor the course ahead.
_HARMLESS = {
    "name",
    "run_dir",
    "init_from",  # the state has its weights, and more
    "corpus.train",  # the text itself is compared by its digest
    "corpus.test",
    "corpus.cache_dir",
    "trainer.max_epochs",
    "trainer.max_minutes",
    "trainer.patience",
    "trainer.valid_batch_size",
    "trainer.log_every",
    "trainer.max_skipped",
    "trainer.accumulation",  # the parts' gradients have the same sum
    "trainer.device",
    "trainer.threads",
    "trainer.deterministic",
    "trainer.overwrite",
    "trainer.progress",
    "trainer.tensorboard",
}
# Machines may have caches and devices of their own.
_EACH_ITS_OWN = ("corpus.cache_dir ", "trainer.device ", "trainer.threads ")
_OUTPUTS = ("state.pt", "metrics.jsonl", "best", "last")


def run(config: TrainConfig, *, config_text: str) -> None:
    """Train as configured, or go on where an earlier run with the same configuration stopped.

    Args:
        config: what to do.
        config_text: the same as YAML, kept as ``config.yaml`` beside the results.

    Raises:
        NmtError: the configuration or the corpus is at fault, the run cannot be resumed, or it failed.
        KeyboardInterrupt: stopped by a signal, after saving.
    """
    world = join_world()
    world.from_main(config.validate)
    _require_one_config(config, world)
    run_dir = Path(config.run_dir).expanduser()
    device = choose_device(config.trainer.device, local_rank=world.local_rank)
    threads = set_threads(config.trainer.threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    make_deterministic(config.trainer.deterministic)
    with _claimed(run_dir, world):
        saved = None if config.trainer.overwrite else world.main_first(lambda: _saved_state(run_dir, config))
        _require_one_state(saved, run_dir, world)
        with logging_to(run_dir / "train.log") if world.is_main else logging_warnings(world.rank):
            material = _material(config, run_dir, saved=saved, world=world)
            world.from_main(lambda: _make_ready(config, run_dir, config_text))
            trainer = _trainer(config, material, run_dir, device=device, threads=threads, saved=saved, world=world)
            if saved and saved.position.finished and (reason := trainer.limit_reached()):
                LOG.info("the run in %s is finished: %s; there is nothing left to train", run_dir, reason)
                LOG.info("%s; to start anew add trainer.overwrite=true", _way_further(config, reason))
                trainer.close()
            else:
                reason = trainer.train()
                LOG.info("training ended: %s", reason)
            if material.test is not None:
                score_test(material, config, run_dir, device=device, world=world)
            _sum_up(trainer, run_dir)


def _make_ready(config: TrainConfig, run_dir: Path, config_text: str) -> None:
    """Clear the way for a run that starts anew, and keep its configuration beside its results."""
    # Not before the text was read: a corpus that cannot be read must not cost an earlier run its model.
    if config.trainer.overwrite:
        _remove_outputs(run_dir)
    with saving(run_dir / "config.yaml"):
        write_atomically(run_dir / "config.yaml", lambda path: path.write_text(config_text, encoding="utf-8"))


def _require_one_config(config: TrainConfig, world: World) -> None:
    """Refuse to train one model as two configurations say, as when the commands on two machines differ."""
    own = _flatten(to_dict(config))
    for rank, other in enumerate(world.gather(own)):
        changed = [f"{key} ({own[key]} and {other[key]})" for key in own if own[key] != other[key]]
        changed = [text for text in changed if not text.startswith(_EACH_ITS_OWN)]
        if changed:
            raise ConfigError(
                f"processes {world.rank} and {rank} of this run were started with different settings: "
                f"{', '.join(changed)}; start all with the same command"
            )


def _require_one_state(saved: SavedState | None, run_dir: Path, world: World) -> None:
    """Refuse to go on where the processes see different states: the run directory must be the same for all."""
    updates = world.gather(saved.position.update if saved else 0)
    if len(set(updates)) > 1:
        raise ConfigError(
            f"the processes of this run see different states in run_dir={run_dir} (after updates "
            f"{', '.join(map(str, updates))}); it must lie on a file system that all machines share"
        )


def _way_further(config: TrainConfig, reason: str) -> str:
    """Say how a finished run could go on."""
    ended = config.optimizer.schedule in (Schedule.linear, Schedule.cosine)
    if ended and reason.startswith("trainer.max_updates"):
        return (
            "its learning rate has come down to zero, so it cannot go further (with optimizer=adamw_open_end it could)"
        )
    return "to go further raise that limit"


def score_test(material: Material, config: TrainConfig, run_dir: Path, *, device: torch.device, world: World) -> None:
    """Translate the test text with the best bundle and its search settings; log the scores and keep them in it.

    Nothing is done where an earlier start has scored this bundle on that text. Every process translates its share.
    """
    assert material.test is not None
    bundle = load_bundle(run_dir / "best", device=device)
    how = f"beam {bundle.search.beam_size}, {config.corpus.test}"
    if world.from_main(lambda: str(bundle.metadata.get("test", "")).endswith(how)):
        return
    own = material.test.source[world.rank :: world.size]
    shares = world.gather([item.text for item in Translator(bundle, device=device).translate(own)])
    translations = [""] * len(material.test.source)
    for rank, share in enumerate(shares):
        translations[rank :: world.size] = share
    tokenizer = default_tokenizer(config.corpus.target)
    scores = corpus_scores(translations, material.test.target, metrics=("bleu", "chrf"), tokenize=tokenizer)
    text = "; ".join(str(score) for score in scores)
    LOG.info("test (%s): %s", how, text)
    bundle.metadata["test"] = f"{text}, {how}"
    world.from_main(lambda: save_bundle(bundle, run_dir / "best"))


def _material(config: TrainConfig, run_dir: Path, *, saved: SavedState | None, world: World) -> Material:
    """Prepare the text, with the subwords of the run that goes on.

    The main process goes first, so that one alone trains subwords and encodes the text; the others then find it in the
    cache, or encode their own copy with its subwords where machines have a cache each.

    Raises:
        ConfigError: the text is not what that run was trained on.
    """
    origin = str(run_dir / "state.pt")
    subwords = _subword_pair(saved.source_subwords, saved.target_subwords, origin) if saved else None
    made: list[Material] = []

    def prepare_first() -> tuple[bytes, bytes]:
        made.append(prepare(config, subwords=subwords))
        return made[0].source_subwords.to_bytes(), made[0].target_subwords.to_bytes()

    trained = world.from_main(prepare_first)
    material = made[0] if made else prepare(config, subwords=_subword_pair(*trained, origin))
    if saved and saved.corpus_digest != material.corpus_digest:
        raise ConfigError(
            f"{run_dir} holds a run on other text than corpus.train={config.corpus.train} has now; "
            "choose another run_dir, or add trainer.overwrite=true to start anew"
        )
    return material


def _subword_pair(source: bytes, target: bytes, origin: str) -> tuple[SubwordModel, SubwordModel]:
    first = SubwordModel.from_bytes(source, origin=origin)
    return first, first if source == target else SubwordModel.from_bytes(target, origin=origin)


def _trainer(
    config: TrainConfig,
    material: Material,
    run_dir: Path,
    *,
    device: torch.device,
    threads: int,
    saved: SavedState | None,
    world: World,
) -> Trainer:
    """Build model and trainer, saying in the log what they are."""
    torch.manual_seed(config.seed)
    model = build_model(
        config.model,
        source_vocabulary=material.source_subwords.vocabulary_size,
        target_vocabulary=material.target_subwords.vocabulary_size,
    ).to(device)
    wanted = Precision[saved.precision] if saved else config.trainer.precision
    precision = world.from_main(lambda: choose_precision(wanted, device))
    _introduce(config, material, model, device=device, threads=threads, precision=precision)
    if world.size > 1:
        LOG.info("%d processes, each with its share of every batch", world.size)
    if saved:
        LOG.info("resuming %s after update %d, epoch %d", run_dir, saved.position.update, saved.position.epoch)
        if saved.threads != threads:
            LOG.warning("threads changed from %d to %d: sums are rounded differently", saved.threads, threads)
    return Trainer(config, material, model=model, run_dir=run_dir, precision=precision, world=world, saved=saved)


def _introduce(
    config: TrainConfig,
    material: Material,
    model: Seq2Seq,
    *,
    device: torch.device,
    threads: int,
    precision: Precision,
) -> None:
    parameters = sum(p.numel() for p in model.parameters())
    LOG.info(
        "%s → %s: %s training pairs, %s validation pairs, %s and %s subwords",
        config.corpus.source,
        config.corpus.target,
        f"{len(material.corpus):,}",
        f"{len(material.valid.source):,}",
        f"{material.source_subwords.vocabulary_size:,}",
        f"{material.target_subwords.vocabulary_size:,}",
    )
    LOG.info(
        "%s parameters, %s on %s with %d threads, torch %s",
        f"{parameters:,}",
        precision,
        device,
        threads,
        torch.__version__,
    )


def _sum_up(trainer: Trainer, run_dir: Path) -> None:
    position = trainer.position
    LOG.info(
        "best validation BLEU %.2f at update %d of %d, %s of training",
        position.best_bleu,
        position.best_update,
        position.update,
        clock(position.seconds),
    )
    LOG.info(
        "the translator is in %s; use it: nmt-translate %s < input.txt > output.txt", run_dir / "best", run_dir / "best"
    )


@contextlib.contextmanager
def _claimed(run_dir: Path, world: World) -> Iterator[None]:
    """Make the run directory and keep other runs out of it; the main process holds the lock for all."""
    lock = filelock.FileLock(run_dir / ".lock")
    world.from_main(lambda: _acquire(lock, run_dir))
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: filelock.BaseFileLock, run_dir: Path) -> None:
    try:
        require_writable(run_dir)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ConfigError(
            f"run_dir={run_dir} is in use by another nmt-train; wait for it or choose another run_dir"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"run_dir={run_dir} cannot be written ({error.strerror or error}); choose another run_dir"
        ) from None


def _remove_outputs(run_dir: Path) -> None:
    for name in _OUTPUTS:
        path = run_dir / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _saved_state(run_dir: Path, config: TrainConfig) -> SavedState | None:
    """Load the state of an earlier run, or find that there is none.

    Raises:
        ConfigError: the earlier run had another configuration, or left a bundle but no state.
    """
    path = run_dir / "state.pt"
    if not path.exists():
        if (run_dir / "best").exists():
            raise ConfigError(
                f"{run_dir} holds a bundle but no state.pt, so its run cannot be resumed; "
                "choose another run_dir, or add trainer.overwrite=true to replace it"
            )
        return None
    saved = load_state(path)
    harmless = set(_HARMLESS)
    if config.optimizer.schedule in (Schedule.constant, Schedule.inverse_sqrt):
        harmless.add("trainer.max_updates")
    before, now = _flatten(saved.config), _flatten(to_dict(config))
    changed = [
        f"{key} ({before.get(key)} → {now.get(key)})"
        for key in sorted(before | now)
        if key not in harmless and not key.startswith("search.") and before.get(key) != now.get(key)
    ]
    if changed:
        raise ConfigError(
            f"{run_dir} holds a run with another configuration: {', '.join(changed)}; "
            "set them back to resume it, choose another run_dir, or add trainer.overwrite=true to start anew"
        )
    return saved


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
