"""One run from its configuration to its bundles: claim the directory, resume or start, train, test, sum up."""

from collections.abc import Callable, Set
from pathlib import Path

import torch

from nmt.config.choices import Precision
from nmt.config.train import TrainConfig
from nmt.errors import RunError
from nmt.files import encoded, saving, write_atomically
from nmt.machine import choose_device, keep_freed_memory, make_deterministic, set_threads
from nmt.model.seq2seq import Seq2Seq, build_model
from nmt.runs.directory import claimed, remove_outputs
from nmt.runs.log import LOG, logging_to
from nmt.runs.metrics import require_tensorboard
from nmt.runs.progress import clock
from nmt.tasks.task import Task
from nmt.tasks.translation import TRANSLATION
from nmt.training.checks import warn_of_texts
from nmt.training.data import TrainingData, prepare, read_scored_text
from nmt.training.lexicon import fill_lexicon
from nmt.training.memory import estimate, processes_here, require_memory
from nmt.training.parallel import Processes, join_processes, logging_warnings
from nmt.training.position import Position
from nmt.training.precision import choose_precision
from nmt.training.resume import (
    lost_best,
    require_best,
    require_one_config,
    require_one_state,
    require_same_text,
    way_further,
)
from nmt.training.start import Start, find_start, subword_pair
from nmt.training.trainer import Trainer
from nmt.training.validation import score_test


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
    task = TRANSLATION
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
        config, start = processes.main_first(lambda: find_start(config, run_dir, chosen=chosen))
        processes.from_main(config.validate)
        require_one_state(start.saved, run_dir, processes)
        if saved := start.saved:
            saved.position = processes.from_main(lambda: require_best(config, saved, run_dir))
        if saved and (reason := start.reason_finished(config, task)):
            LOG.info("the run in %s is finished: %s; there is nothing left to train", run_dir, reason)
            LOG.info("%s; to start anew add trainer.overwrite=true", way_further(config, reason))
            position, test = saved.position, read_scored_text(config, task, "test")
            processes.from_main(lambda: _make_ready(config, run_dir, config_text(config)))
        else:
            data = _data(config, task, run_dir, start=start, device=device, processes=processes)
            processes.from_main(lambda: _make_ready(config, run_dir, config_text(config)))
            trainer = _trainer(config, data, run_dir, device=device, threads=threads, start=start, processes=processes)
            LOG.info("training ended: %s", trainer.train())
            if lost := processes.from_main(lambda: lost_best(run_dir)):
                raise RunError(f"{lost}: somebody else changed it during the training; take {run_dir / 'last'}")
            position, test = trainer.position, data.test
        if test is not None:
            score_test(task, test, config, run_dir=run_dir, device=device, processes=processes)
        _sum_up(task, position, run_dir)


def _require_possible(config: TrainConfig) -> None:
    if not config.init_from:  # whose settings may be what it lacks
        config.validate()
    if config.trainer.tensorboard:
        require_tensorboard(Path(config.run_dir))


def _make_ready(config: TrainConfig, run_dir: Path, config_text: str) -> None:
    """Clear the way for a run that starts anew, and keep its configuration beside its results."""
    # Not before the text was read: a corpus that cannot be read must not cost an earlier run its model.
    if config.trainer.overwrite:
        remove_outputs(run_dir)
    with saving(run_dir / "config.yaml"):
        write_atomically(run_dir / "config.yaml", lambda path: path.write_bytes(encoded(config_text)))


def _data(
    config: TrainConfig, task: Task, run_dir: Path, *, start: Start, device: torch.device, processes: Processes
) -> TrainingData:
    """Prepare the text, with the subwords that the run begins with; make sure that the training fits memory.

    The main process goes first, so that one alone trains subwords and encodes the text. The others then find it in the
    cache. Where machines have a cache each, they encode their own copy with its subwords.

    Raises:
        ConfigError: the text is not what the run that goes on was trained on, or there is too little memory.
    """
    prepared: list[TrainingData] = []

    def prepare_first() -> tuple[bytes, bytes]:
        prepared.append(prepare(config, task, subwords=start.subwords))
        return prepared[0].source_subwords.to_bytes(), prepared[0].target_subwords.to_bytes()

    trained = processes.from_main(prepare_first)
    subwords = start.subwords or subword_pair(*trained, origin=str(run_dir / "state.pt"))
    data = prepared[0] if prepared else prepare(config, task, subwords=subwords)
    if start.saved:
        require_same_text(config, data, start.saved, run_dir)
    vocabularies = (data.source_subwords.vocabulary_size, data.target_subwords.vocabulary_size)
    needed = estimate(config, data.corpus, vocabularies=vocabularies, processes=processes.size)
    processes.from_main(lambda: require_memory(needed, config, device, processes=processes_here()))
    processes.from_main(lambda: warn_of_texts(config, data))
    return data


def _trainer(
    config: TrainConfig,
    data: TrainingData,
    run_dir: Path,
    *,
    device: torch.device,
    threads: int,
    start: Start,
    processes: Processes,
) -> Trainer:
    """Build model and trainer, saying in the log what they are."""
    torch.manual_seed(config.seed)
    model = build_model(
        config.model,
        source_vocabulary=data.source_subwords.vocabulary_size,
        target_vocabulary=data.target_subwords.vocabulary_size,
    ).to(device)
    saved = start.saved
    wanted = Precision[saved.precision] if saved else config.trainer.precision
    precision = processes.from_main(lambda: choose_precision(wanted, device, model=config.model))
    _introduce(config, data, model, device=device, threads=threads, precision=precision)
    if processes.size > 1:
        LOG.info("%d processes, each with its share of every batch", processes.size)
    folds = None
    if saved:
        LOG.info("resuming %s after update %d, epoch %d", run_dir, saved.position.update, saved.position.epoch)
        if saved.threads != threads:
            LOG.warning("threads changed from %d to %d: sums are rounded differently", saved.threads, threads)
    elif start.parent:
        LOG.info("starting from the weights of %s", config.init_from)
        model.load_state_dict(start.parent.model.state_dict())
    elif model.lexicon is not None:
        folds = fill_lexicon(model.lexicon, config, data)
    return Trainer(
        config, data, model=model, run_dir=run_dir, precision=precision, processes=processes, folds=folds, saved=saved
    )


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


def _sum_up(task: Task, position: Position, run_dir: Path) -> None:
    LOG.info(
        "best validation %s %.2f at update %d of %d, %s of training",
        task.metric.label,
        position.best_score,
        position.best_update,
        position.update,
        clock(position.seconds),
    )
    LOG.info("%s", task.usage(run_dir / "best"))
