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
from nmt.devices import choose_device, set_threads
from nmt.errors import ConfigError
from nmt.evaluation.metrics import corpus_scores, default_tokenizer
from nmt.model.seq2seq import Seq2Seq, build_model
from nmt.schema import to_dict
from nmt.subwords import SubwordModel
from nmt.training.monitor import LOG, clock, logging_to, require_writable
from nmt.training.precision import choose_precision
from nmt.training.setup import Material, prepare
from nmt.training.state import SavedState, load_state
from nmt.training.trainer import Trainer
from nmt.translator import Translator

# A run may go on after these change: they shape neither the weights reached so far nor the course ahead.
_HARMLESS = {
    "name",
    "run_dir",
    "corpus.train",  # the text itself is compared by its digest
    "corpus.test",
    "corpus.cache_dir",
    "trainer.max_epochs",
    "trainer.max_minutes",
    "trainer.patience",
    "trainer.valid_batch_size",
    "trainer.log_every",
    "trainer.device",
    "trainer.threads",
    "trainer.overwrite",
    "trainer.progress",
}
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
    config.validate()
    run_dir = Path(config.run_dir).expanduser()
    device = choose_device(config.trainer.device)
    threads = set_threads(config.trainer.threads)
    with _claimed(run_dir):
        saved = None if config.trainer.overwrite else _saved_state(run_dir, config)
        with logging_to(run_dir / "train.log"):
            material = _material(config, run_dir, saved=saved)
            # Not before now: a corpus that cannot be read must not cost an earlier run its model.
            if config.trainer.overwrite:
                _remove_outputs(run_dir)
            with saving(run_dir / "config.yaml"):
                write_atomically(run_dir / "config.yaml", lambda path: path.write_text(config_text, encoding="utf-8"))
            trainer = _trainer(config, material, run_dir, device=device, threads=threads, saved=saved)
            if saved and saved.position.finished and (reason := trainer.limit_reached()):
                LOG.info("the run in %s is finished: %s; there is nothing left to train", run_dir, reason)
                LOG.info("%s; to start anew add trainer.overwrite=true", _way_further(config, reason))
                trainer.close()
            else:
                reason = trainer.train()
                LOG.info("training ended: %s", reason)
            if material.test is not None:
                score_test(material, config, run_dir)
            _sum_up(trainer, run_dir)


def _way_further(config: TrainConfig, reason: str) -> str:
    """Say how a finished run could go on."""
    ended = config.optimizer.schedule in (Schedule.linear, Schedule.cosine)
    if ended and reason.startswith("trainer.max_updates"):
        return (
            "its learning rate has come down to zero, so it cannot go further (with optimizer=adamw_open_end it could)"
        )
    return "to go further raise that limit"


def score_test(material: Material, config: TrainConfig, run_dir: Path) -> None:
    """Translate the test text with the best bundle and its search settings; log the scores and keep them in it.

    Nothing is done where an earlier start has scored this bundle on that text.
    """
    assert material.test is not None
    bundle = load_bundle(run_dir / "best")
    how = f"beam {bundle.search.beam_size}, {config.corpus.test}"
    if str(bundle.metadata.get("test", "")).endswith(how):
        return
    translations = [item.text for item in Translator(bundle).translate(material.test.source)]
    tokenizer = default_tokenizer(config.corpus.target)
    scores = corpus_scores(translations, material.test.target, metrics=("bleu", "chrf"), tokenize=tokenizer)
    text = "; ".join(str(score) for score in scores)
    LOG.info("test (%s): %s", how, text)
    bundle.metadata["test"] = f"{text}, {how}"
    save_bundle(bundle, run_dir / "best")


def _material(config: TrainConfig, run_dir: Path, *, saved: SavedState | None) -> Material:
    """Prepare the text, with the subwords of the run that goes on.

    Raises:
        ConfigError: the text is not what that run was trained on.
    """
    subwords = None
    if saved:
        source = SubwordModel.from_bytes(saved.source_subwords, origin=str(run_dir / "state.pt"))
        joint = saved.source_subwords == saved.target_subwords
        target = source if joint else SubwordModel.from_bytes(saved.target_subwords, origin=str(run_dir / "state.pt"))
        subwords = (source, target)
    material = prepare(config, subwords=subwords)
    if saved and saved.corpus_digest != material.corpus_digest:
        raise ConfigError(
            f"{run_dir} holds a run on other text than corpus.train={config.corpus.train} has now; "
            "choose another run_dir, or add trainer.overwrite=true to start anew"
        )
    return material


def _trainer(
    config: TrainConfig,
    material: Material,
    run_dir: Path,
    *,
    device: torch.device,
    threads: int,
    saved: SavedState | None,
) -> Trainer:
    """Build model and trainer, saying in the log what they are."""
    torch.manual_seed(config.seed)
    model = build_model(
        config.model,
        source_vocabulary=material.source_subwords.vocabulary_size,
        target_vocabulary=material.target_subwords.vocabulary_size,
    ).to(device)
    precision = choose_precision(Precision[saved.precision] if saved else config.trainer.precision, device)
    _introduce(config, material, model, device=device, threads=threads, precision=precision)
    if saved:
        LOG.info("resuming %s after update %d, epoch %d", run_dir, saved.position.update, saved.position.epoch)
        if saved.threads != threads:
            LOG.warning("threads changed from %d to %d: sums are rounded differently", saved.threads, threads)
    return Trainer(config, material, model=model, run_dir=run_dir, precision=precision, saved=saved)


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
def _claimed(run_dir: Path) -> Iterator[None]:
    """Make the run directory and keep other runs out of it."""
    try:
        require_writable(run_dir)
        lock = filelock.FileLock(run_dir / ".lock")
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ConfigError(
            f"run_dir={run_dir} is in use by another nmt-train; wait for it or choose another run_dir"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"run_dir={run_dir} cannot be written ({error.strerror or error}); choose another run_dir"
        ) from None
    try:
        yield
    finally:
        lock.release()


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
