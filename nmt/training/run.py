"""One run from its configuration to its bundles: claim the directory, resume or start, train, test, sum up."""

import dataclasses
import os
from collections.abc import Set
from pathlib import Path

import torch

from nmt.bundle.networks import build_network
from nmt.config.choices import Precision
from nmt.config.pairs import parse_pairs, target_languages
from nmt.config.train import TrainConfig
from nmt.errors import RunError
from nmt.files import encoded, saving, write_atomically
from nmt.machine import choose_device, keep_freed_memory, set_threads
from nmt.runs.directory import claimed, remove_outputs
from nmt.runs.limits import limit_reached
from nmt.runs.log import LOG, clock, logging_to, logging_warnings
from nmt.runs.metrics import require_tensorboard
from nmt.runs.results import settings_text
from nmt.tasks.task import Metric, Task, task_named
from nmt.training.auto.settle import made_consistent, settle_run
from nmt.training.checks import warn_of_texts
from nmt.training.data import TrainingData, prepare
from nmt.training.lexicon import fill_lexicon
from nmt.training.memory import estimate, require_memory
from nmt.training.parallel import Processes, join_processes
from nmt.training.precision import choose_precision
from nmt.training.search_choice import choose_search
from nmt.training.start import Start, find_start, lost_best, require_one_config, subword_pair, way_further
from nmt.training.state import Position
from nmt.training.texts import read_scored_texts
from nmt.training.trainer import Trainer
from nmt.training.transfer import take_over
from nmt.training.validation import score_test


def run(config: TrainConfig, *, chosen: Set[str] | None = None) -> None:
    """Train as configured, or go on where an earlier run with the same configuration stopped.

    Args:
        config: what to do.
        chosen: the keys that the user set. With ``init_from``, others of the model and the subwords are the parent's.
            With ``auto``, the rest is settled by the text. None: all is as configured, and ``auto`` is off.

    Raises:
        NmtError: the configuration or the corpus is at fault, the run cannot be resumed, or it failed.
        KeyboardInterrupt: stopped by a signal, after saving.
    """
    config, chosen = made_consistent(config, chosen), chosen or frozenset()
    task, run_dir = task_named(config.task), config.directory
    processes = join_processes()
    processes.from_main(lambda: _require_possible(config))
    require_one_config(config, processes)
    device = _set_up_machine(config, processes)
    log = logging_to(run_dir / "train.log") if processes.is_main else logging_warnings(processes.rank)
    with claimed(run_dir, from_main=processes.from_main, is_main=processes.is_main), log:
        start = find_start(config, processes, chosen=chosen)
        if not start.saved:
            settled = settle_run(start.config, task, chosen=chosen, device=device, processes=processes)
            processes.from_main(settled.validate)
            start = dataclasses.replace(start, config=settled)
        config, saved = start.config, start.saved
        task = task.settled(start.subwords[1]) if start.subwords else task
        metric = task.deciding(config.trainer.metric)
        reason = limit_reached(config.trainer, saved.position, metric=metric.label) if saved else ""
        if saved and saved.position.finished and reason:
            LOG.info(f"the run in {run_dir} is finished: {reason}; there is nothing left to train")
            LOG.info(f"{way_further(config, reason)}; to start anew add trainer.overwrite=true")
            position, valid, test = saved.position, None, read_scored_texts(config, task, "test")
            processes.from_main(lambda: _make_ready(config))
        else:
            data = _data(start, task, device=device, processes=processes)
            metric = data.task.deciding(config.trainer.metric)
            processes.from_main(lambda: _make_ready(config))
            trainer = _trainer(start, data, device=device, processes=processes)
            LOG.info(f"training ended: {trainer.train()}")
            if lost := processes.from_main(lambda: lost_best(config)):
                raise RunError(f"{lost}: somebody else changed it during the training; take {run_dir / 'last'}")
            position, valid, test = trainer.position, data.valid_texts, data.test_texts
        if config.trainer.choose_search:
            choose_search(task, config, valid, device=device, processes=processes)
        if test:
            score_test(task, test, config, device=device, processes=processes)
        _sum_up(config, task, position, metric)


def _sum_up(config: TrainConfig, task: Task, position: Position, metric: Metric) -> None:
    """Say how good the best model is, and how it is used."""
    LOG.info(
        f"best validation {metric.label} {metric.shown(position.best_score)} at update "
        f"{position.best_update} of {position.update}, {clock(position.seconds)} of training"
    )
    LOG.info(task.usage(config.directory / "best"))
    if len(targets := target_languages(parse_pairs(config.corpus.pairs))) > 1:
        LOG.info(f"--to names the target language: {', '.join(targets)}")


def _require_possible(config: TrainConfig) -> None:
    if not config.init_from:  # whose settings may be what it lacks
        config.validate()
    if config.trainer.tensorboard:
        require_tensorboard(Path(config.run_dir))


def _set_up_machine(config: TrainConfig, processes: Processes) -> torch.device:
    """Let PyTorch compute as configured; return where."""
    device = choose_device(config.trainer.device, local_rank=processes.local_rank)
    set_threads(config.trainer.threads)
    keep_freed_memory()
    if device.type == "cuda":
        torch.cuda.set_device(device)
        # As in loading.py: what trains and validates in fp32 shall not round its recurrences to TF32.
        torch.backends.cudnn.allow_tf32 = False
    if config.trainer.deterministic:
        # cuBLAS reads this when it starts; without it, its products may differ from run to run.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # The call imports PyTorch's compiler, which takes a second or two.
    if torch.are_deterministic_algorithms_enabled() != config.trainer.deterministic:
        torch.use_deterministic_algorithms(config.trainer.deterministic)
    return device


def _make_ready(config: TrainConfig) -> None:
    """Clear the way for a run that starts anew, and keep its configuration beside its results."""
    # Not before the text was read: a corpus that cannot be read must not cost an earlier run its model.
    if config.trainer.overwrite:
        remove_outputs(config.directory)
    path = config.directory / "config.yaml"
    with saving(path):
        write_atomically(path, lambda partial: partial.write_bytes(encoded(settings_text(config))))


def _data(start: Start, task: Task, *, device: torch.device, processes: Processes) -> TrainingData:
    """Prepare the text, with the subwords that the run begins with; make sure that the training fits memory.

    The main process goes first, so that one alone trains subwords and encodes the text. The others then find it in the
    cache. Where machines have a cache each, they encode their own copy with its subwords.

    Raises:
        ConfigError: the text is not what the run that goes on was trained on, or there is too little memory.
    """
    config = start.config
    prepared: list[TrainingData] = []

    def prepare_first() -> tuple[bytes, bytes]:
        prepared.append(prepare(config, task, subwords=start.subwords))
        return prepared[0].source_subwords.to_bytes(), prepared[0].target_subwords.to_bytes()

    trained = processes.from_main(prepare_first)
    subwords = start.subwords or subword_pair(*trained, config)
    data = prepared[0] if prepared else prepare(config, task, subwords=subwords)
    start.require_same_text(data)
    needed = estimate(config, data, processes=processes.size)
    processes.from_main(lambda: require_memory(needed, config, device, processes=processes.local_size))
    processes.from_main(lambda: warn_of_texts(config, data))
    return data


def _trainer(start: Start, data: TrainingData, *, device: torch.device, processes: Processes) -> Trainer:
    """Build model and trainer, saying in the log what they are."""
    config, saved, threads = start.config, start.saved, torch.get_num_threads()
    torch.manual_seed(config.seed)
    model = build_network(config.task, config.model, data.source_subwords, data.target_subwords).to(device)
    wanted = Precision[saved.precision] if saved else config.trainer.precision
    precision = processes.from_main(lambda: choose_precision(wanted, device, model=config.model))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    source_vocabulary, target_vocabulary = data.vocabularies.values()
    languages = ", ".join(config.corpus.pairs) or " → ".join(data.task.languages(config.corpus).values())
    LOG.info(
        f"{languages}: {len(data.corpus):,} training pairs, "
        f"{len(data.valid.source):,} validation pairs, {source_vocabulary:,} and {target_vocabulary:,} "
        f"{data.task.units}"
    )
    LOG.info(f"{parameters:,} parameters, {precision} on {device} with {threads} threads, torch {torch.__version__}")
    if processes.size > 1:
        LOG.info(f"{processes.size} processes, each with its share of every batch")
    folds = None
    if saved:
        LOG.info(f"resuming {config.directory} after update {saved.position.update}, epoch {saved.position.epoch}")
        if saved.threads != threads:
            LOG.warning(f"threads changed from {saved.threads} to {threads}: sums are rounded differently")
    elif start.parent and config.subwords.inherit:
        LOG.info(f"starting from the weights of {config.init_from}")
        model.load_state_dict(start.parent.model.state_dict())
    else:
        folds = fill_lexicon(model.lexicon, config, data) if model.lexicon is not None else None
        if start.parent:
            origins = take_over(model, start.parent, data=data, config=config)
            counts = "; ".join(f"subwords of {side}: {count}" for side, count in origins.items())
            LOG.info(f"starting from the weights of {config.init_from}; {counts}")
    return Trainer(config, data, model=model, precision=precision, processes=processes, folds=folds, saved=saved)
