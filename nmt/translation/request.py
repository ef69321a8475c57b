"""What goes in and what comes out of a translator: plain values that JSON carries."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.text.terms import checked_terms
from nmt.translation.tags import check_tag


@dataclass(frozen=True)
class Request:
    """A line of text, and what is asked for it alone.

    Equal requests, which may have different ids, are translated once.

    Raises:
        ConfigError: the tag, the number or a term is impossible.
    """

    text: str
    """a sentence"""
    prefix: str = ""
    """what the translation begins with, exactly; it may end inside a word, or with a space that a new word follows"""
    tag: int | str | None = None
    """control symbol (0 to 15) put before the source, as corpus.tags did in training, or its name, where the bundle has
    names; -1: none; None: as the search settings say"""
    to: str | None = None
    """target language, of a model of several; None: as the search settings say"""
    draw: int | None = None
    """with sampling, the number of the first sample, counted from 1; None: 1. A language model makes a line from
    nothing where a blank text has a number"""
    terms: Sequence[tuple[str, Sequence[str]]] = ()
    """what becomes of words of the source: pairs of these words, and their target in every form that is allowed"""
    id: str | int | None = field(default=None, compare=False)
    """comes back with the translation"""

    def __post_init__(self) -> None:
        if self.tag is not None:
            check_tag(self.tag)
        if self.to is not None and not (isinstance(self.to, str) and self.to):
            raise ConfigError(f"to {self.to!r} is not possible: it must be a language, as gn")
        if self.draw is not None and self.draw < 1:
            raise ConfigError(f"draw {self.draw} is not possible: samples are counted from 1")
        if self.terms:
            object.__setattr__(self, "terms", checked_terms(self.terms))

    def to_dict(self) -> dict[str, Any]:
        """Turn it into plain values; what is as always is left out."""
        return {key: value for key, value in asdict(self).items() if value not in ("", None, ()) or key == "text"}


def in_one_line(text: str) -> str:
    """Replace line ends by spaces; a lone carriage return too, which ends a line for many a tool downstream."""
    return text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")


@dataclass(frozen=True)
class TextHypothesis:
    """One possible translation of a line: a hypothesis of the search, as text."""

    text: str
    """detokenised, in one line"""
    score: float
    """what ranks it, higher is better: log-probability normalised by length"""
    log_prob: float
    """natural logarithm of the model's probability, that of the end included if it is finished"""
    finished: bool
    """whether it ended by itself; False for one cut at the length limit"""
    tokens: list[int]
    """target subword ids, without BOS and EOS"""
    alignment: list[tuple[int, int]] | None = None
    """pairs (source word, target word), counted from 0, words being what spaces part; None unless asked for"""
    attention: list[list[float]] | None = field(default=None, repr=False)
    """(T, S) weights of each target subword over the source's subwords and its end; None unless asked for"""


@dataclass(frozen=True)
class Decision:
    """What the label of a line was chosen among, and what was read of the line."""

    probabilities: dict[str, float] = field(default_factory=dict)
    """of each label, the most probable first"""
    words: list[str] = field(default_factory=list)
    """that were read"""
    attention: list[float] | None = None
    """weight of each of these words, 1 together; None where the model has no attention"""


_NOTHING = TextHypothesis("", 0.0, 0.0, True, [])


@dataclass(frozen=True)
class Translation:
    """All that became of one request."""

    hypotheses: list[TextHypothesis] = field(default_factory=lambda: [_NOTHING])
    """the best first; one at least, and as many as were asked for where the search found them"""
    warnings: list[str] = field(default_factory=list)
    """what a user should know of this line"""
    unknown: str = ""
    """characters of the line that the vocabulary lacks, so that no translation has them"""
    id: str | int | None = None
    """the request's"""
    decision: Decision | None = None
    """of a model that classifies lines"""

    @property
    def text(self) -> str:
        """The best translation."""
        return self.hypotheses[0].text

    @property
    def target_tokens(self) -> int:
        """Target positions of the best translation, that of EOS included."""
        best = self.hypotheses[0]
        return len(best.tokens) + best.finished if best.tokens else 0

    def to_dict(self) -> dict[str, Any]:
        """Turn it into plain values, for JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Translation":
        """Build what `to_dict` wrote."""
        decision = values.get("decision")
        nested_values = {
            "hypotheses": [_hypothesis(each) for each in values["hypotheses"]],
            "decision": None if decision is None else Decision(**decision),
        }
        return Translation(**{**values, **nested_values})


def cut_warnings(search: SearchConfig, *, source_tokens: int, best: TextHypothesis) -> list[str]:
    """Warn of a source that was cut, and of a translation that did not end."""
    warnings, limit = [], search.max_source_tokens
    if source_tokens > limit:
        warnings.append(f"its {source_tokens} subwords were cut to max_source_tokens={limit}; give one sentence a line")
    if not best.finished:
        impossible = f", too little for min_length={search.min_length}" * (search.min_length >= len(best.tokens))
        warnings.append(
            f"the translation did not end and was cut after {len(best.tokens)} subwords "
            f"(max_length_ratio={search.max_length_ratio:g}{impossible})"
        )
    return warnings


def _hypothesis(values: Mapping[str, Any]) -> TextHypothesis:
    alignment = values["alignment"]
    pairs = None if alignment is None else [(source, target) for source, target in alignment]
    return TextHypothesis(**{**values, "alignment": pairs})
