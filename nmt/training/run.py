"""One run from its configuration to its bundles: claim the directory, resume or start, train, test, sum up."""

from __future__ import annotations

from collections.abc import Callable, Set
from pathlib import Path

import torch

from nmt.bundle.weights import Bundle, load_bundle, save_metadata
from nmt.config.choices import Precision
from nmt.config.train import TrainConfig
from nmt.errors import ConfigError, RunError
from nmt.evaluation.metrics import corpus_scores
from nmt.files import encoded, saving, write_atomically
from nmt.machine import choose_device, keep_freed_memory, make_deterministic, set_threads
from nmt.model.lexicon import Lexicon
from nmt.model.seq2seq import Seq2Seq, build_model
from nmt.runs.directory import claimed, remove_outputs
from nmt.runs.log import LOG, logging_to
from nmt.runs.metrics import require_tensorboard
from nmt.runs.progress import clock
from nmt.text.subwords import SubwordModel
from nmt.training.checks import warn_of_texts
from nmt.training.data import TrainingData, prepare
from nmt.training.fine_tuning import inherit_settings, restore_inherited
from nmt.training.lexicon import Folds, Sampling, learn_translations
from nmt.training.memory import estimate, processes_here, require_memory
from nmt.training.parallel import Processes, join_processes, logging_warnings
from nmt.training.precision import choose_precision
from nmt.training.resume import (
    lost_best,
    require_best,
    require_one_config,
    require_one_state,
    require_unchanged,
    saved_state,
    way_further,
)
from nmt.training.state import SavedState
from nmt.training.trainer import Trainer
from nmt.translation.translator import Translator


def run(config: TrainConfig, *, config_text: Callable[[TrainConfig], str], chosen: Set[str] = frozenset()) -> None:
    """Train as configured, or go on where an earlier run with the same configuration stopped.

    Args:
        config: what to do.
        config_text: writes it as YAML, which is kept as ``config.yaml`` beside the results.
        chosen: the keys that the user set; with ``init_from``, others of the model and the subwords are the parent's.

    Raises:
        NmtError: the configuration or the corpus is at fault, the run cannot be resumed, or it failed.
        KeyboardInterrupt: stopped by a signal, after saving.
    """
    processes = join_processes()
    processes.from_main(lambda: _require_possible(config))
    require_one_config(config, processes)
    run_dir = Path(config.run_dir).expanduser()
    device = choose_device(config.trainer.device, local_rank=processes.local_rank)
    threads = set_threads(config.trainer.threads)
    keep_freed_memory()
    if device.type == "cuda":
        torch.cuda.set_device(device)
        # As in loading.py: what trains and validates in fp32 shall not round its recurrences to TF32.
        torch.backends.cudnn.allow_tf32 = False
    make_deterministic(config.trainer.deterministic)
    log = logging_to(run_dir / "train.log") if processes.is_main else logging_warnings(processes.rank)
    with claimed(run_dir, from_main=processes.from_main, is_main=processes.is_main), log:
        config, start = processes.main_first(lambda: _start(config, run_dir, chosen))
        processes.from_main(config.validate)
        saved = start if isinstance(start, SavedState) else None
        require_one_state(saved, run_dir, processes)
        if saved:
            saved.position = processes.from_main(lambda: require_best(config, saved, run_dir))
        data = _data(config, run_dir, start=start, processes=processes)
        vocabularies = (data.source_subwords.vocabulary_size, data.target_subwords.vocabulary_size)
        needed = estimate(config, data.corpus, vocabularies=vocabularies, processes=processes.size)
        processes.from_main(lambda: require_memory(needed, config, device, processes=processes_here()))
        processes.from_main(lambda: warn_of_texts(config, data))
        processes.from_main(lambda: _make_ready(config, run_dir, config_text(config)))
        trainer = _trainer(config, data, run_dir, device=device, threads=threads, start=start, processes=processes)
        if saved and saved.position.finished and (reason := trainer.limit_reached()):
            LOG.info("the run in %s is finished: %s; there is nothing left to train", run_dir, reason)
            LOG.info("%s; to start anew add trainer.overwrite=true", way_further(config, reason))
            trainer.close()
        else:
            reason = trainer.train()
            LOG.info("training ended: %s", reason)
            if lost := processes.from_main(lambda: lost_best(run_dir)):
                raise RunError(f"{lost}: somebody else changed it during the training; take {run_dir / 'last'}")
        if data.test is not None:
            score_test(data, config, run_dir, device=device, processes=processes)
        _sum_up(trainer, run_dir)


def _require_possible(config: TrainConfig) -> None:
    if not config.init_from:  # whose settings may be what it lacks
        config.validate()
    if config.trainer.tensorboard:
        require_tensorboard(Path(config.run_dir))


def _start(config: TrainConfig, run_dir: Path, chosen: Set[str]) -> tuple[TrainConfig, SavedState | Bundle | None]:
    """Find what the run begins with: its own state, a parent bundle, or nothing; and what that settles."""
    saved = None if config.trainer.overwrite else saved_state(run_dir)
    if saved:
        config = restore_inherited(config, saved.config, chosen=chosen)
        require_unchanged(config, saved, run_dir)
        return config, saved
    return inherit_settings(config, chosen=chosen) if config.init_from else (config, None)


def _make_ready(config: TrainConfig, run_dir: Path, config_text: str) -> None:
    """Clear the way for a run that starts anew, and keep its configuration beside its results."""
    # Not before the text was read: a corpus that cannot be read must not cost an earlier run its model.
    if config.trainer.overwrite:
        remove_outputs(run_dir)
    with saving(run_dir / "config.yaml"):
        write_atomically(run_dir / "config.yaml", lambda path: path.write_bytes(encoded(config_text)))


def score_test(
    data: TrainingData, config: TrainConfig, run_dir: Path, *, device: torch.device, processes: Processes
) -> None:
    """Translate the test text with the best bundle and its search settings; log the scores and keep them in it.

    Nothing is done where an earlier start has scored this bundle on that text. Every process translates its share.
    Variants that were exported meanwhile stay.
    """
    assert data.test is not None
    bundle = load_bundle(run_dir / "best", device=device)
    how = f"beam {bundle.search.beam_size}, {config.corpus.test}"
    digest = data.test_digest[:16]
    known = bundle.metadata.get("test", ""), bundle.metadata.get("test_digest", digest)
    if processes.from_main(lambda: str(known[0]).endswith(how) and known[1] == digest):
        return
    own = Translator(bundle).translate(processes.share(data.test.source))
    translations = processes.join_shares([item.text for item in own])
    scores = corpus_scores(translations, data.test.target, metrics=("bleu", "chrf"), language=config.corpus.target)
    text = "; ".join(str(score) for score in scores)
    LOG.info("test (%s): %s", how, text)
    bundle.metadata.update(test=f"{text}, {how}", test_digest=digest)
    processes.from_main(lambda: save_metadata(bundle, run_dir / "best"))


def _data(
    config: TrainConfig, run_dir: Path, *, start: SavedState | Bundle | None, processes: Processes
) -> TrainingData:
    """Prepare the text, with the subwords that the run begins with.

    The main process goes first, so that one alone trains subwords and encodes the text; the others then find it in the
    cache, or encode their own copy with its subwords where machines have a cache each.

    Raises:
        ConfigError: the text is not what the run that goes on was trained on.
    """
    origin = str(run_dir / "state.pt")
    subwords = None
    if isinstance(start, SavedState):
        subwords = _subword_pair(start.source_subwords, start.target_subwords, origin)
    elif start:
        subwords = (start.source_subwords, start.target_subwords)
    made: list[TrainingData] = []

    def prepare_first() -> tuple[bytes, bytes]:
        made.append(prepare(config, subwords=subwords))
        return made[0].source_subwords.to_bytes(), made[0].target_subwords.to_bytes()

    trained = processes.from_main(prepare_first)
    data = made[0] if made else prepare(config, subwords=_subword_pair(*trained, origin))
    if isinstance(start, SavedState):
        _require_same_text(config, data, start, run_dir)
    return data


def _require_same_text(config: TrainConfig, data: TrainingData, saved: SavedState, run_dir: Path) -> None:
    """Refuse to go on with other training text, or to compare scores on other validation text with those before."""
    otherwise = "choose another run_dir, or add trainer.overwrite=true to start anew"
    if saved.corpus_digest != data.corpus_digest:
        raise ConfigError(f"{run_dir} holds a run on other text than {_texts(config)} has now; {otherwise}")
    if saved.valid_digest not in ("", data.valid_digest):
        raise ConfigError(
            f"{run_dir} holds a run whose best weights were chosen on other text than "
            f"corpus.valid={config.corpus.valid} has now; {otherwise}"
        )


def _texts(config: TrainConfig) -> str:
    extra = f" with corpus.extra={config.corpus.extra}" if config.corpus.extra else ""
    return f"corpus.train={config.corpus.train}{extra}"


def _subword_pair(source: bytes, target: bytes, origin: str) -> tuple[SubwordModel, SubwordModel]:
    first = SubwordModel.from_bytes(source, origin=origin)
    return first, first if source == target else SubwordModel.from_bytes(target, origin=origin)


def _trainer(
    config: TrainConfig,
    data: TrainingData,
    run_dir: Path,
    *,
    device: torch.device,
    threads: int,
    start: SavedState | Bundle | None,
    processes: Processes,
) -> Trainer:
    """Build model and trainer, saying in the log what they are."""
    torch.manual_seed(config.seed)
    model = build_model(
        config.model,
        source_vocabulary=data.source_subwords.vocabulary_size,
        target_vocabulary=data.target_subwords.vocabulary_size,
    ).to(device)
    saved = start if isinstance(start, SavedState) else None
    wanted = Precision[saved.precision] if saved else config.trainer.precision
    sizes = {"input_size": config.model.embedding_size, "hidden_size": config.model.decoder_hidden_size}
    precision = processes.from_main(lambda: choose_precision(wanted, device, **sizes))
    _introduce(config, data, model, device=device, threads=threads, precision=precision)
    if processes.size > 1:
        LOG.info("%d processes, each with its share of every batch", processes.size)
    folds = None
    if saved:
        LOG.info("resuming %s after update %d, epoch %d", run_dir, saved.position.update, saved.position.epoch)
        if saved.threads != threads:
            LOG.warning("threads changed from %d to %d: sums are rounded differently", saved.threads, threads)
    elif isinstance(start, Bundle):
        LOG.info("starting from the weights of %s", config.init_from)
        model.load_state_dict(start.model.state_dict())
    elif model.lexicon is not None:
        folds = _fill_lexicon(model.lexicon, config, data)
    return Trainer(
        config, data, model=model, run_dir=run_dir, precision=precision, processes=processes, folds=folds, saved=saved
    )


def _fill_lexicon(lexicon: Lexicon, config: TrainConfig, data: TrainingData) -> Folds:
    """Align the training text for the lexicon; return what training offers of it to each pair."""
    LOG.info("aligning the training text for the lexicon")
    translations, others = learn_translations(
        data.corpus,
        source_vocabulary=data.source_subwords.vocabulary_size,
        target_vocabulary=data.target_subwords.vocabulary_size,
        size=config.model.lexicon_size,
        source_sampling=_sampling(config, "source", data.source_subwords),
        target_sampling=_sampling(config, "target", data.target_subwords),
    )
    lexicon.fill(*translations)
    return Folds.of(others, epsilon=lexicon.epsilon)


def _sampling(config: TrainConfig, side: str, subwords: SubwordModel) -> Sampling | None:
    """Say how training samples one side; None: not at all."""
    settings = config.subwords
    if not (settings.sampling_alpha and settings.sampled_sides.include(side)):
        return None
    return Sampling(subwords, settings.sampling_alpha, config.seed)


def _introduce(
    config: TrainConfig,
    data: TrainingData,
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
        f"{len(data.corpus):,}",
        f"{len(data.valid.source):,}",
        f"{data.source_subwords.vocabulary_size:,}",
        f"{data.target_subwords.vocabulary_size:,}",
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
