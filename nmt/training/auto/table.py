"""The rule of `auto` as one table: settings by the number of a text's pairs, and by the passes that are possible.

A row holds from its number of different pairs on, up to the next number, and where the minutes allow at least its
passes. Pairs of long sentences count as so many more of usual length. Of the rows for a text, the first one that the
minutes allow is taken, and the last one asks for none. Each other column is a key of the configuration. Better numbers
are put in here, and nowhere else.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from nmt.config.choices import Sides

MODELS: dict[str, dict[str, int]] = {
    "tiny": {
        "embedding_size": 128,
        "encoder_layers": 1,
        "encoder_hidden_size": 128,
        "decoder_layers": 1,
        "decoder_hidden_size": 256,
        "attentional_size": 256,
    },
    "small": {
        "embedding_size": 256,
        "encoder_layers": 2,
        "encoder_hidden_size": 256,
        "decoder_layers": 1,
        "decoder_hidden_size": 512,
        "attentional_size": 512,
    },
    "base": {
        "embedding_size": 512,
        "encoder_layers": 2,
        "encoder_hidden_size": 512,
        "decoder_layers": 2,
        "decoder_hidden_size": 1024,
        "attentional_size": 1024,
    },
}
"""The sizes of the presets of these names."""


class Row(NamedTuple):
    """What one kind of text wants."""

    pairs: int
    """different pairs, from this number on"""
    passes: float
    """that must be possible"""
    vocabulary: int
    """subwords.vocabulary_size"""
    model: str
    """one of `MODELS`"""
    lexicon: int
    """model.lexicon_size"""
    dropout: float
    """model.dropout"""
    sampling: float
    """subwords.sampling_alpha, of the source"""
    smoothing: float
    """trainer.label_smoothing"""
    batch: int
    """trainer.batch_tokens"""
    lr: float
    """optimizer.lr"""
    warmup: int
    """optimizer.warmup_updates"""
    most_passes: int
    """trainer.max_epochs: more do such a text no good"""


# fmt: off
ROWS = (
    #    pairs  passes   vocab   model  lexicon dropout sampling smooth batch    lr   warm-up most passes
    Row(      0,   10,     500, "tiny",     20,    0.3,    0.0,   0.1,   400, 2.0e-3,   100,   100),
    Row(      0,    0,     500, "tiny",     20,    0.2,    0.0,   0.1,   400, 3.0e-3,   100,   100),
    Row(  1_000,   10,   1_000, "tiny",     20,    0.3,    0.0,   0.1,  1000, 2.0e-3,   200,    80),
    Row(  1_000,    0,   1_000, "tiny",     20,    0.2,    0.0,   0.1,   800, 3.0e-3,   100,    80),
    Row(  5_000,    8,   2_000, "tiny",     20,    0.3,    0.0,   0.1,  1000, 2.0e-3,   200,    60),
    Row(  5_000,    0,   2_000, "tiny",     20,    0.1,    0.0,   0.1,  1000, 3.0e-3,   100,    60),
    Row( 20_000,   20,   6_000, "small",    20,   0.35,    0.3,   0.1,  1800, 2.4e-3,   200,    40),
    Row( 20_000,    5,   6_000, "small",    20,    0.3,    0.0,   0.1,  1200, 2.0e-3,   200,    40),
    Row( 20_000,    0,   4_000, "tiny",     20,    0.1,    0.0,   0.1,  1000, 3.0e-3,   200,    40),
    Row( 60_000,    6,   8_000, "small",    20,    0.2,    0.0,   0.1,  2500, 2.0e-3,   400,    30),
    Row( 60_000,    2,   8_000, "small",    20,    0.1,    0.0,   0.1,  2000, 2.0e-3,   400,    30),
    Row( 60_000,    0,   4_000, "tiny",     20,    0.0,    0.0,   0.1,  1500, 3.0e-3,   200,    30),
    Row(250_000,    8,  16_000, "base",      0,    0.2,    0.0,   0.1,  8000, 1.0e-3,  1000,    20),
    Row(250_000,  1.5,  16_000, "small",    20,    0.1,    0.0,   0.1,  4000, 2.0e-3,   500,    20),
    Row(250_000,    0,   8_000, "tiny",     20,    0.0,    0.0,   0.1,  2000, 3.0e-3,   300,    20),
)
# fmt: on
"""By pairs, then by passes, the most first."""

MINUTES = 60.0
"""Of a training whose length is not set."""
USUAL_LENGTH, USUAL_VOCABULARY = 20, 2000
"""Subwords of a sentence that counts once, the longer side's, with a vocabulary of this size.

Of 14,500 pairs of news, with 45 subwords a sentence, the values of the next rows were better in half of the time. Of as
many pairs of 12 subwords, they were worse (docs/decisions/auto.md)."""
NO_LIMIT = 10_000_000
"""trainer.max_updates where passes or minutes end the training."""
SAME_LETTERS, SAME_WORDS = 0.5, 0.05
"""Shares that both sides must have in common to share one vocabulary."""
FURTHER_LANGUAGE = 0.1
"""Of its row, what a vocabulary has more for each further language: a joint one beyond two, one side's beyond one.

With corpus.pairs, the pairs of all languages choose the row, and more of them have a larger vocabulary already. This
share is not measured."""
FINE_TUNING_LR = 0.25
"""Share of the row's learning rate for weights that were trained before."""
LEAST_UPDATES_OF_A_PASS = 16
"""A batch is smaller where a pass would have fewer."""
LEAST_BATCH = 64
"""Target positions; fewer make no batch."""
WARMUP_SHARE, LEAST_WARMUP = 0.1, 20
"""Of all updates, at most this share warms up; but so many where their number is a guess."""
FEWEST_VALIDATIONS, MOST_VALIDATIONS = 3, 20
"""Of a whole training."""
MINUTES_BETWEEN_VALIDATIONS, UPDATES_BETWEEN_VALIDATIONS = 2, 50
"""At the least; a validation takes some seconds."""
PATIENCE = 8
"""Validations without a better score that end a training."""
LONG_AVERAGE, SHORT_AVERAGE, LONG_TRAINING = 0.999, 0.99, 3000
"""trainer.ema_decay of a training of at least so many updates, and of a shorter one."""


def rows_for(pairs: int) -> Sequence[Row]:
    """Find the rows for a text with this many different pairs: those of the largest number that it reaches."""
    reached = max((row.pairs for row in ROWS if row.pairs <= pairs), default=ROWS[0].pairs)
    return [row for row in ROWS if row.pairs == reached]


def settings_of(row: Row) -> dict[str, Any]:
    """Write a row as keys of the configuration; `Row.most_passes` is not among them."""
    sizes = {f"model.{key}": value for key, value in MODELS[row.model].items()}
    return {
        "subwords.vocabulary_size": row.vocabulary,
        **sizes,
        "model.lexicon_size": row.lexicon,
        "model.dropout": row.dropout,
        "subwords.sampling_alpha": row.sampling,
        **({"subwords.sampled_sides": Sides.source} if row.sampling else {}),
        "trainer.label_smoothing": row.smoothing,
        "trainer.batch_tokens": row.batch,
        "optimizer.lr": row.lr,
        "optimizer.warmup_updates": row.warmup,
    }
