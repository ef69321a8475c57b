"""Configuration as plain dataclasses: one docstring per field, and ``validate()`` that names the key at fault.

Only the standard library is imported here, so that ``--help`` answers at once and models load without Hydra.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nmt.choices import (
    AttentionKind,
    Cell,
    LengthNormalization,
    Normalization,
    Sides,
    SubwordKind,
    Tying,
)
from nmt.config_training import OptimizerConfig, TrainerConfig
from nmt.errors import ConfigError, require
from nmt.schema import check_ranges, within


@dataclass
class CorpusConfig:
    """The parallel text."""

    train: str = ""
    """training text: PREFIX of PREFIX.SOURCE and PREFIX.TARGET (each may end in .gz), or one .tsv file"""
    valid: str = ""
    """validation text, named like corpus.train; empty: held out from the training text by hash of the source"""
    test: str = ""
    """test text, named like corpus.train, scored once at the end; empty: none"""
    extra: list[str] = field(default_factory=list)
    """further training texts, each named like corpus.train, as in corpus.extra=[data/synthetic]"""
    weights: list[float] = field(default_factory=list, metadata=within(0.001, 1000))
    """how many times an epoch goes through corpus.train and each of corpus.extra; empty: once through each"""
    tags: list[int] = field(default_factory=list, metadata=within(0, 15, also=-1))
    """control symbol (0 to 15) before the sources of corpus.train and each of corpus.extra, -1: none; empty: no tags"""
    source: str = ""
    """source language, the suffix of the source files"""
    target: str = ""
    """target language, the suffix of the target files"""
    max_source_tokens: int = field(default=256, metadata=within(1, 1_000_000))
    """pairs with more source subwords are left out of training"""
    max_target_tokens: int = field(default=256, metadata=within(1, 1_000_000))
    """pairs with more target subwords are left out of training"""
    max_length_ratio: float = field(default=4.0, metadata=within(1, 1_000_000))
    """pairs whose longer side has more than this many times the subwords of the shorter (plus 10) are left out"""
    valid_pairs: int = field(default=1000, metadata=within(1, 1_000_000_000))
    """pairs to hold out when corpus.valid is empty, and never more than a tenth of the corpus"""
    cache_dir: str = ""
    """where encoded corpora are kept; empty: the user's cache directory, or $NMT_CACHE"""

    def validate(self) -> None:
        """Raise ConfigError when a key is missing or impossible."""
        if not self.train:
            raise ConfigError(
                "corpus.train is not set: name the training text, as in corpus.train=data/train for data/train.en"
            )
        for key in ("source", "target"):
            value = getattr(self, key)
            if not value:
                raise ConfigError(
                    f"corpus.{key} is not set: name the {key} language, the suffix of its files, as in corpus.{key}=en"
                )
            if value in ("True", "False"):
                raise ConfigError(
                    f"corpus.{key} is {value}: YAML reads the words no, off, yes and on as truth values; "
                    f"write {key}: 'no' in quotes"
                )
        if self.source == self.target:
            raise ConfigError(f"corpus.source and corpus.target are both {self.source!r}: they must name two languages")
        check_ranges(self, "corpus.")
        self._validate_lists()

    def _validate_lists(self) -> None:
        """Check that weights and tags belong to the corpora, one by one."""
        corpora = 1 + len(self.extra)
        for key in ("weights", "tags"):
            values = getattr(self, key)
            if values and len(values) != corpora:
                raise ConfigError(
                    f"corpus.{key}={values} has {len(values)} entries for {corpora} training texts: give one for "
                    "corpus.train and one for each of corpus.extra, or none"
                )


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
class ModelConfig:
    """The network."""

    cell: Cell = Cell.lstm
    """recurrence: lstm or gru"""
    embedding_size: int = field(default=256, metadata=within(1, 65_536))
    """E, width of the embeddings"""
    encoder_layers: int = field(default=1, metadata=within(1, 64))
    """layers of the bidirectional encoder"""
    encoder_hidden_size: int = field(default=256, metadata=within(1, 65_536))
    """H of the encoder, in each direction"""
    decoder_layers: int = field(default=1, metadata=within(1, 64))
    """layers of the decoder"""
    decoder_hidden_size: int = field(default=512, metadata=within(1, 65_536))
    """H of the decoder"""
    attention: AttentionKind = AttentionKind.general
    """scoring of encoder positions: dot, general (Luong et al. 2015) or additive (Bahdanau et al. 2015)"""
    attention_size: int = field(default=256, metadata=within(1, 65_536))
    """A, width of additive attention's hidden layer"""
    attentional_size: int = field(default=0, metadata=within(0, 65_536))
    """width of the attentional vector, which is projected to the embeddings' where the output is tied to them; 0: the
    embedding size"""
    input_feeding: bool = False
    """feed the attentional vector back into the next step (Luong et al. 2015, section 3.3); slower to train"""
    tying: Tying = Tying.all
    """shared embedding matrices: none, target (target and output) or all (source too; needs one joint subword model)"""
    dropout: float = field(default=0.2, metadata=within(0, 1, below=True))
    """dropout on the inputs and outputs of every layer"""
    lexicon_size: int = field(default=0, metadata=within(0, 1000))
    """translations of each source subword, from word alignments of the training text, that are favoured where attention
    reads it (Arthur et al. 2016); 0: none"""
    lexicon_epsilon: float = field(default=1e-4, metadata=within(0, 1, above=True))
    """added to the probability that they give a word: the less it is, the more they weigh"""

    def validate(self) -> None:
        """Raise ConfigError when a value is impossible or two of them exclude each other."""
        check_ranges(self, "model.")
        if self.attention is AttentionKind.dot and self.decoder_hidden_size != 2 * self.encoder_hidden_size:
            raise ConfigError(
                f"model.attention=dot needs model.decoder_hidden_size ({self.decoder_hidden_size}) to be twice "
                f"model.encoder_hidden_size ({self.encoder_hidden_size}); use attention=general otherwise"
            )


@dataclass
class SearchConfig:
    """How a trained model searches for a translation; stored in the bundle as its default."""

    beam_size: int = field(default=5, metadata=within(1, 1000))
    """places of the beam; 1 is greedy"""
    length_penalty: float = field(default=1.0, metadata=within(0, 10))
    """exponent of the length normalisation; 0: plain log-probability"""
    normalization: LengthNormalization = LengthNormalization.average
    """length normalisation: gnmt (Wu et al. 2016, equation 14) or average (log-probability / length^penalty)"""
    max_length_ratio: float = field(default=2.0, metadata=within(0, 1000, above=True))
    """a translation may have this many subwords for each source subword, plus 10"""
    max_source_tokens: int = field(default=512, metadata=within(1, 1_000_000))
    """longer sources are cut here, with a warning"""
    batch_size: int = field(default=64, metadata=within(1, 1_000_000))
    """sentences decoded together, fewer where they have more than 128 subwords"""
    no_repeat_ngram: int = field(default=0, metadata=within(0, 1_000_000))
    """no sequence of this many subwords may occur twice in a translation; 0: off"""
    source_tag: int = field(default=-1, metadata=within(0, 15, also=-1))
    """control symbol (0 to 15) put before every source, as corpus.tags did in training; -1: none"""

    def validate(self) -> None:
        """Raise ConfigError when a value is impossible."""
        check_ranges(self, "search.")


@dataclass
class TrainConfig:
    """Everything nmt-train needs."""

    name: str = "run"
    """name of the run"""
    run_dir: str = "runs/${name}"
    """directory of the run: best/ and last/ (bundles), train.log, metrics.jsonl, state.pt, config.yaml"""
    seed: int = field(default=1, metadata=within(0, 2**63 - 1))
    """seed of initial weights, batches, dropout and subword sampling"""
    init_from: str = ""
    """a bundle whose weights, subwords and model settings training starts from; empty: from scratch"""
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    subwords: SubwordsConfig = field(default_factory=SubwordsConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    search: SearchConfig = field(default_factory=SearchConfig)

    def validate(self) -> None:
        """Raise ConfigError for the first key, in any group, that is missing, impossible or at odds with another."""
        for group in (self.corpus, self.subwords, self.model, self.optimizer, self.trainer, self.search):
            group.validate()
        check_ranges(self)
        require(bool(self.run_dir), "run_dir", "''", "a directory")
        one_model = self.subwords.joint if not self.subwords.source_model else False
        if self.model.tying is Tying.all and not (one_model or self.subwords.model):
            raise ConfigError(
                "model.tying=all needs one subword model for both sides: use subwords.joint=true, or model.tying=target"
            )
