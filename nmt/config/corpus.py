"""The parallel text of nmt-train."""

from dataclasses import dataclass, field, replace

from nmt.config.pairs import LanguagePair, parse_pairs
from nmt.config.schema import check_ranges, within
from nmt.errors import ConfigError

MOST_TAGS = 16
"""So many control symbols does every subword model have."""
UNLIKE_TAG = 11
"""The control symbol of `CorpusConfig.tag_unlike`."""


@dataclass
class CorpusConfig:
    """The parallel text."""

    train: str = ""
    """training text: PREFIX of PREFIX.SOURCE and PREFIX.TARGET (each may end in .gz), or one .tsv file; with
    task=generation a file of lines"""
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
    tag_unlike: bool = False
    """put control symbol 11 before the sources of pairs that are written otherwise than corpus.valid, where there are
    such. Without the symbol, translations are then written as corpus.valid is; auto settles true"""
    tag_names: list[str] = field(default_factory=list)
    """names of the control symbols from 0 on, such as [formal,informal], which --tag takes; empty: numbers alone"""
    pairs: list[str] = field(default_factory=list)
    """language pairs of one model, such as [es-gn,es-shp], instead of corpus.source and corpus.target. With them
    corpus.train=data/train means data/es-gn/train and so on; {pair}, {source} and {target} may stand in a name"""
    temperature: float = field(default=5.0, metadata=within(1, 1000))
    """T of corpus.pairs: the share of a pair is in proportion to n^(1/T) of its n sentence pairs (Arivazhagan et al.
    2019); 1: as they are"""
    source: str = ""
    """source language, the suffix of the source files"""
    target: str = ""
    """target language, the suffix of the target files"""
    max_source_tokens: int = field(default=256, metadata=within(1, 1_000_000))
    """pairs with more source subwords are left out of training; with task=classification, longer texts are cut to so
    many words"""
    max_target_tokens: int = field(default=256, metadata=within(1, 1_000_000))
    """pairs with more target subwords are left out of training"""
    max_length_ratio: float = field(default=4.0, metadata=within(1, 1_000_000))
    """pairs whose longer side has more than this many times the subwords of the shorter (plus 10) are left out"""
    valid_pairs: int = field(default=1000, metadata=within(1, 1_000_000_000))
    """pairs to hold out when corpus.valid is empty, and never more than a tenth of the corpus"""
    repair_bio: bool = False
    """with task=labelling, read an I- label that continues no entity as B-, and count such labels, instead of refusing
    them"""
    strip_token_digits: bool = False
    """with task=labelling, take the last digit off every token, which in some corpora is its place in a word"""
    coarse_labels: bool = False
    """with task=classification, take of a label what stands before its first colon, as NUM of NUM:dist"""
    deduplicate: bool = False
    """read a pair once that stands several times in a text, in training and for subwords; auto settles true"""
    cache_dir: str = ""
    """where encoded corpora are kept; empty: the user's cache directory, or $NMT_CACHE"""

    def validate(self, *, languages: bool = True) -> None:
        """Raise ConfigError when a key is missing or impossible; without `languages` the sides may have no names."""
        if not self.train:
            raise ConfigError(
                "corpus.train is not set: name the training text, as in corpus.train=data/train for data/train.en"
            )
        for key in ("source", "target"):
            value = getattr(self, key)
            if value and self.pairs:
                raise ConfigError(f"corpus.{key}={value} and corpus.pairs both name languages: leave corpus.{key} out")
            if not value and languages and not self.pairs:
                raise ConfigError(
                    f"corpus.{key} is not set: name the {key} language, the suffix of its files, as in corpus.{key}=en"
                )
            if value in ("True", "False"):
                raise ConfigError(
                    f"corpus.{key} is {value}: YAML reads the words no, off, yes and on as truth values; "
                    f"write {key}: 'no' in quotes"
                )
        if self.source == self.target != "":
            raise ConfigError(f"corpus.source and corpus.target are both {self.source!r}: they must name two languages")
        check_ranges(self, "corpus.")
        parse_pairs(self.pairs)
        if not self.pairs and self.temperature != CorpusConfig.temperature:
            raise ConfigError(
                f"corpus.temperature={self.temperature:g} is for corpus.pairs, which is empty: leave it out"
            )
        self._validate_lists()

    def by_pair(self) -> "dict[LanguagePair | None, CorpusConfig]":
        """Give each pair's own corpus, or, where there are no pairs, this one for None."""
        corpora: dict[LanguagePair | None, CorpusConfig] = {pair: self.of(pair) for pair in parse_pairs(self.pairs)}
        return corpora or {None: self}

    def of(self, pair: LanguagePair) -> "CorpusConfig":
        """Give the corpus of one pair, with its languages and the names of its texts."""
        return replace(
            self,
            pairs=[],
            source=pair.source,
            target=pair.target,
            train=pair.text(self.train),
            valid=pair.text(self.valid),
            test=pair.text(self.test),
            extra=[pair.text(name) for name in self.extra],
        )

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
        if self.tag_unlike and UNLIKE_TAG in self.tags:
            raise ConfigError(
                f"corpus.tags has {UNLIKE_TAG}, the control symbol of corpus.tag_unlike; choose another tag"
            )
        if self.tag_unlike and not self.valid:
            raise ConfigError(
                "corpus.tag_unlike=true compares with a validation text: name it in corpus.valid, or leave this out"
            )
        names = [name for name in self.tag_names if name]
        if len(self.tag_names) > MOST_TAGS or len(set(names)) < len(names):
            raise ConfigError(
                f"corpus.tag_names={self.tag_names} is not possible: give different names, {MOST_TAGS} at most"
            )
        for name in names:
            if name.removeprefix("-").isdigit() or name != name.strip() or not name.isprintable():
                raise ConfigError(f"corpus.tag_names has {name!r}: a name is a word, and no number; choose another")
