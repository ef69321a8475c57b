"""The words that configuration keys may take, which OmegaConf reads and checks by name; the precisions of bundles."""

from enum import StrEnum

VARIANTS = ("int8", "fp32")
"""The precisions in which `nmt-export` writes a model, the fastest first."""

PRECISIONS = ("int8", "bf16", "fp32")
"""The precisions in which a bundle translates; bf16 is PyTorch's, made from the fp32 weights as they are loaded."""


class Word(StrEnum):
    """An allowed word of the configuration; written, printed and stored by its name."""


class TaskName(Word):
    """What a model is trained for; `nmt.tasks` has a module of each name."""

    translation = "translation"
    labelling = "labelling"
    classification = "classification"
    generation = "generation"

    @property
    def does(self) -> str:
        """Say what a model of this task does, as in "it translates"."""
        return _DOES[self]


_DOES = {
    TaskName.translation: "translates",
    TaskName.labelling: "labels tokens",
    TaskName.classification: "classifies lines",
    TaskName.generation: "continues text",
}


class Cell(Word):
    """A recurrence; `nmt.model.cells` has its equations."""

    lstm = "lstm"
    lstm_peephole = "lstm_peephole"
    gru = "gru"
    gru_original = "gru_original"
    rnn = "rnn"
    ssru = "ssru"


class AttentionKind(Word):
    """How a query scores the encoder's positions; none: the decoder has one vector of the whole source."""

    dot = "dot"
    general = "general"
    additive = "additive"
    none = "none"


class Pooling(Word):
    """How the words of a line become the one vector that its class is read from."""

    attention = "attention"
    last = "last"


class Initialization(Word):
    """How weights begin."""

    glorot_orthogonal = "glorot_orthogonal"
    symmetric_uniform = "symmetric_uniform"
    truncated_normal = "truncated_normal"


class MetricName(Word):
    """The score by which validations are compared; auto: the task's own."""

    auto = "auto"
    bleu = "bleu"
    chrf = "chrf"
    perplexity = "perplexity"


class TermMode(Word):
    """What terms are to a search."""

    soft = "soft"
    hard = "hard"


class Tying(Word):
    """Which embedding matrices are one."""

    none = "none"
    target = "target"
    all = "all"


class SubwordKind(Word):
    """The subword segmentation SentencePiece trains."""

    unigram = "unigram"
    bpe = "bpe"
    char = "char"


class Normalization(Word):
    """The Unicode normalisation applied before segmentation."""

    identity = "identity"
    nfc = "nfc"


class Sides(Word):
    """Which sides of a pair."""

    both = "both"
    source = "source"
    target = "target"

    def include(self, side: str) -> bool:
        """Tell whether "source" or "target" is one of them."""
        return self.value in ("both", side)


class Schedule(Word):
    """The course of the learning rate after its warm-up."""

    constant = "constant"
    linear = "linear"
    cosine = "cosine"
    inverse_sqrt = "inverse_sqrt"


class ObjectiveKind(Word):
    """What training minimises; `nmt.training.objectives` has the formulas."""

    cross_entropy = "cross_entropy"
    scheduled_sampling = "scheduled_sampling"
    self_critical = "self_critical"
    minimum_risk = "minimum_risk"
    cutoff = "cutoff"

    @property
    def searches(self) -> bool:
        """Whether it learns from outputs that the model finds by search."""
        return self in (ObjectiveKind.self_critical, ObjectiveKind.minimum_risk)


class Decay(Word):
    """How a probability falls from one to zero."""

    inverse_sigmoid = "inverse_sigmoid"
    linear = "linear"
    exponential = "exponential"


class Precision(Word):
    """The arithmetic of the training's matrix products."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"


class LengthNormalization(Word):
    """How a hypothesis' log-probability becomes its score."""

    gnmt = "gnmt"
    average = "average"
