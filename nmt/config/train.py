"""The configuration of nmt-train: its groups, and the checks that concern several of them.

Those of the model and of its search are files of their own, because a trained bundle has them too. Those of the corpus
and of the objective are files of their own as well.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from nmt.config.augmentation import AugmentationConfig
from nmt.config.choices import MetricName, Normalization, Precision, Sides, SubwordKind, TaskName, Tying
from nmt.config.corpus import CorpusConfig as CorpusConfig
from nmt.config.model import ModelConfig
from nmt.config.objective import ObjectiveConfig
from nmt.config.optimizer import OptimizerConfig
from nmt.config.pairs import parse_pairs, require_known
from nmt.config.schema import MOST_COUNTED, check_ranges, flatten, to_dict, within
from nmt.config.search import SearchConfig
from nmt.config.tasks import refuse_meaningless, require_metric
from nmt.errors import ConfigError, require

MOST_THREADS = 1024
"""More threads are a mistake, and the errors of PyTorch and ONNX Runtime are hard to read."""


@dataclass
class SubwordsConfig:
    """The subword layer between text and model."""

    kind: SubwordKind = SubwordKind.unigram
    """segmentation: unigram, bpe or char"""
    vocabulary_size: int = field(default=8000, metadata=within(32, 1_000_000))
    """subwords of one model, special symbols included; lowered to what the text supports"""
    joint: bool = True
    """one model for both languages; false: one for each"""
    model: str = ""
    """a SentencePiece model file to use for both sides instead of training one"""
    source_model: str = ""
    """a SentencePiece model file for the source side; needs subwords.target_model"""
    target_model: str = ""
    """a SentencePiece model file for the target side; needs subwords.source_model"""
    inherit: bool = True
    """with init_from, take the parent's subwords; false: train subwords of its own, and take over the weights alone"""
    byte_fallback: bool = False
    """spell unknown characters as bytes instead of the unknown symbol"""
    normalization: Normalization = Normalization.identity
    """Unicode normalisation before segmentation: identity (text as it is) or nfc"""
    character_coverage: float = field(default=0.0, metadata=within(0.98, 1, also=0))
    """share of the text's characters that get a symbol of their own; 0: all, up to half of the vocabulary"""
    sampling_alpha: float = field(default=0.0, metadata=within(0, 1))
    """subword regularisation in training: unigram smoothing (0.1 to 0.5) or BPE dropout; 0: always the best split"""
    sampled_sides: Sides = Sides.both
    """whose splits are sampled: both, source or target"""
    marks: int = field(default=8, metadata=within(0, 64))
    """symbols that stand for URLs, placeholders, emoji and the like, which are brought through a translation as they
    are: so many of a line go through the model"""
    mark_rate: float = field(default=0.03, metadata=within(0, 1))
    """share of the training pairs in which marks are put at random, so that the model learns to bring them through"""

    def validate(self) -> None:
        """Raise ConfigError when a value is impossible."""
        check_ranges(self, "subwords.")
        if bool(self.source_model) != bool(self.target_model):
            raise ConfigError(
                "subwords.source_model and subwords.target_model belong together: set both, "
                "or use subwords.model for both sides"
            )
        if self.model and self.source_model:
            raise ConfigError("subwords.model and subwords.source_model are both set: keep one")


@dataclass
class TrainerConfig:
    """The training loop."""

    max_updates: int = field(default=20000, metadata=within(1, MOST_COUNTED))
    """optimiser steps; the schedules linear and cosine end here at the latest"""
    max_epochs: int = field(default=0, metadata=within(0, MOST_COUNTED))
    """passes over the corpus after which training stops; linear and cosine then end here; 0: no limit"""
    max_minutes: float = field(default=0.0, metadata=within(0, 10_000_000))
    """minutes of training after which it stops; linear and cosine then end here, at the pace of the run; 0: no limit"""
    batch_tokens: int = field(default=2000, metadata=within(1, 100_000_000))
    """target positions of a batch, end of sentence and padding counted; on any number of processes together"""
    accumulation: int = field(default=1, metadata=within(1, 1_000_000))
    """parts in which a process computes the gradient of its share of a batch; more parts need less memory; never
    more parts than pairs"""
    label_smoothing: float = field(default=0.1, metadata=within(0, 1, below=True))
    """probability mass spread over the whole vocabulary (Szegedy et al. 2016)"""
    ema_decay: float = field(default=0.999, metadata=within(0, 1, below=True))
    """decay of the moving average of the weights that is validated and saved, at the peak rate; 0: the raw weights"""
    metric: MetricName = MetricName.auto
    """what decides which weights are the best: bleu, chrf, perplexity, or auto (the task's own, for translation
    chrf)"""
    validate_every: int = field(default=500, metadata=within(1, MOST_COUNTED))
    """updates between validations, each of which also saves"""
    patience: int = field(default=10, metadata=within(0, MOST_COUNTED))
    """validations without a better score after which training stops; 0: never"""
    valid_batch_size: int = field(default=64, metadata=within(1, 1_000_000))
    """sentences decoded together in validation"""
    choose_search: bool = False
    """at the end, let the validation text decide how the best model searches: by beam, or by choosing among samples.
    Its bundle keeps that; for translation; auto settles true"""
    log_every: int = field(default=50, metadata=within(1, MOST_COUNTED))
    """updates between two lines of metrics.jsonl"""
    max_unknown_rate: float = field(default=0.05, metadata=within(0, 1, above=True))
    """share of unknown subwords above which training refuses to start"""
    max_skipped: int = field(default=20, metadata=within(1, MOST_COUNTED))
    """skipped updates in a row after which the run has failed; see optimizer.skip_norm"""
    precision: Precision = Precision.auto
    """arithmetic of the matrix products: fp32, bf16, or auto (bf16 where this machine is faster with it)"""
    device: str = "auto"
    """cpu, cuda, cuda:N, or auto (the GPU if there is one)"""
    threads: int = field(default=0, metadata=within(0, MOST_THREADS))
    """CPU threads of a process; 0: as many as PyTorch takes"""
    deterministic: bool = False
    """repeat a run exactly on a GPU too, where that needs slower kernels; a CPU always does"""
    overwrite: bool = False
    """throw away an earlier run in run_dir and start anew"""
    progress: bool = True
    """show a progress bar when standard error is a terminal, and progress lines otherwise"""
    tensorboard: bool = False
    """also write the metrics for TensorBoard, into run_dir/tensorboard; needs: pip install tensorboard"""

    def validate(self) -> None:
        """Raise ConfigError when a value is impossible."""
        check_ranges(self, "trainer.")


class Removed(NamedTuple):
    """A key that an earlier nmt had."""

    harmless: Any
    """the value that had no effect: a run that had it resumes"""
    advice: str
    """what replaced it, and what to do"""


REMOVED = {
    "trainer.sampled_words": Removed(0, "sampled softmax was given up, and the loss looks at all words; leave it out"),
}

BEFORE = {"auto": False}
"""What runs had that know nothing of a key, where that is not its default now."""


@dataclass
class TrainConfig:
    """Everything nmt-train needs."""

    task: TaskName = TaskName.translation
    """what is learnt: translation, labelling (a label for each token), classification (a label for each line), or
    generation (a language model of one text)"""
    name: str = "run"
    """name of the run"""
    run_dir: str = "runs/${name}"
    """directory of the run: best/ and last/ (bundles), train.log, metrics.jsonl, state.pt, config.yaml"""
    auto: bool = True
    """of a translation, settle the keys that are not set: by the text, the minutes, and this machine's speed"""
    seed: int = field(default=1, metadata=within(0, 2**63 - 1))
    """seed of initial weights, batches, dropout and subword sampling"""
    init_from: str = ""
    """a bundle whose weights, subwords and model settings training starts from; empty: from scratch"""
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    subwords: SubwordsConfig = field(default_factory=SubwordsConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    search: SearchConfig = field(default_factory=SearchConfig)

    @property
    def directory(self) -> Path:
        """The directory that ``run_dir`` names."""
        return Path(self.run_dir).expanduser()

    def validate(self) -> None:
        """Raise ConfigError for the first key, in any group, that is missing, impossible or at odds with another."""
        self.corpus.validate(languages=self.task is TaskName.translation)
        for group in (self.subwords, self.model, self.objective, self.optimizer, self.trainer, self.search):
            group.validate()
        check_ranges(self)
        # First of these, since an objective without meaning for the task would ask for a parent.
        refuse_meaningless(self.task, flatten(to_dict(self)), flatten(to_dict(TrainConfig())))
        require_metric(self.task, self.trainer.metric)
        self.objective.require_parent(self.init_from, inherits=self.subwords.inherit)
        require_known(parse_pairs(self.corpus.pairs), to=self.search.to, source_language=self.search.source_language)
        if not self.subwords.inherit and not self.init_from:
            raise ConfigError(
                "subwords.inherit=false is for a run with a parent: name its bundle, as in init_from=runs/mine/best, "
                "or leave subwords.inherit out"
            )
        require(bool(self.run_dir), "run_dir", "''", "a directory")
        one_model = bool(self.subwords.model) or (self.subwords.joint and not self.subwords.source_model)
        self.augmentation.validate(tags=self.corpus.tags, is_joint=one_model, has_pairs=bool(self.corpus.pairs))
        if self.model.tying is Tying.all and not one_model:
            raise ConfigError(
                "model.tying=all needs one subword model for both sides: use subwords.joint=true, or model.tying=target"
            )
        if self.model.pointer and not one_model:
            raise ConfigError(
                "model.pointer=true needs one subword model for both sides: use subwords.joint=true, or "
                "model.pointer=false"
            )
