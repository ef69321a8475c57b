"""Scorer: pairs of a source and a target → log-probabilities of the targets; same count, same order.

A search gives the same subwords the same log-probability. A pair's score depends on that pair alone (in fp32).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from nmt.config.search import SearchConfig
from nmt.corpus.padding import pad_rows
from nmt.corpus.reader import is_blank
from nmt.errors import ConfigError
from nmt.search.forced import ForcedTarget, score_targets
from nmt.search.scores import LengthNormalizer
from nmt.text.vocabulary import subwords_of
from nmt.translation.alignment import align_words
from nmt.translation.batching import WINDOW_BATCHES, cut_batches
from nmt.translation.languages import source_prefix
from nmt.translation.model import Translating
from nmt.translation.protection import ProtectedLine, Protector, words_left


class _Row(NamedTuple):
    """All that a score depends on; equal rows are scored once."""

    source: tuple[int, ...]
    """subwords, without tag and EOS"""
    target: tuple[int, ...]
    """subwords, without EOS"""


class _Pair(NamedTuple):
    """Both sides of a pair, with marks for what is protected."""

    line: ProtectedLine
    """the source"""
    target: str

    @property
    def given(self) -> str:
        """What the model is given of the target: without the marks that it does not know."""
        return self.line.without_unknown(self.target)


@dataclass(frozen=True)
class ScoredPair:
    """What a model thinks of a target."""

    log_prob: float = 0.0
    """natural logarithm of its probability, that of EOS included"""
    score: float = 0.0
    """what a search would rank it by: log-probability normalised by length"""
    target_tokens: int = 0
    """target positions, that of EOS included"""
    alignment: list[tuple[int, int]] | None = None
    """pairs (source word, target word), counted from 0; None unless asked for"""
    warnings: list[str] = field(default_factory=list)
    """what a user should know of this pair"""
    unknown: str = ""
    """characters of the target that the vocabulary lacks; the model scores its unknown symbol for them"""


class Scorer:
    """Scores given translations with a trained model."""

    def __init__(self, bundle: Translating, *, search: SearchConfig | None = None, alignments: bool = False) -> None:
        """Prepare to score.

        Args:
            bundle: the model, in evaluation mode, with its subwords.
            search: how scores are normalised, the tag, how many pairs go together; None: as the bundle says.
            alignments: say which source word each target word translates.

        Raises:
            ConfigError: a setting is impossible.
        """
        self.search = search or bundle.search
        self.search.validate()
        self.window = self.search.batch_size * WINDOW_BATCHES
        """pairs of a full window"""
        self._model, self._alignments = bundle.model, alignments
        self._source, self._target = subwords_of(bundle.source_subwords), subwords_of(bundle.target_subwords)
        self._protector = Protector(self._source, self._target)
        self._tag = source_prefix(bundle, self.search)
        self._normalizer = LengthNormalizer(self.search.length_penalty, str(self.search.normalization))

    def score(self, pairs: Iterable[tuple[str, str]]) -> list[ScoredPair]:
        """Score pairs of a source and a target in their order.

        The target's subwords are its own best segmentation. Spans that the source protects are protected in the target
        too. Of a blank pair nothing is asked: both numbers are 0, as of
        the translation of a blank line. A source of more than `search.max_source_tokens` subwords is cut there.

        Raises:
            ConfigError: alignments are asked for, and the model has no attention.
            RunError: the model's scores are not numbers.
        """
        asked = [self._marked(*("" if is_blank(side) else side for side in pair)) for pair in pairs]
        sources = self._source.encode_batch([pair.line.given for pair in asked])
        targets = self._target.encode_batch([pair.given for pair in asked])
        limit = self.search.max_source_tokens
        rows = [_Row(tuple(ids[:limit]), tuple(own)) for ids, own in zip(sources, targets, strict=True)]
        scored = self._score_rows({row for row in rows if row.source or row.target})
        results: list[ScoredPair] = []
        for pair, ids, row in zip(asked, sources, rows, strict=True):
            if row not in scored:
                results.append(ScoredPair(alignment=[] if self._alignments else None))
                continue
            cut = f"its {len(ids)} subwords were cut to max_source_tokens={limit}; give one sentence a line"
            unknown = self._target.unknown_characters(pair.given) if self._target.unk_id in row.target else ""
            alignment = self._alignment(pair, row, scored[row]) if self._alignments else None
            results.append(self._pair(scored[row], alignment, [cut] * (len(ids) > limit), unknown))
        return results

    def _marked(self, source: str, target: str) -> _Pair:
        """Put marks for protected spans into both sides, as a translator does."""
        line = self._protector.protect(source) if self.search.protect else ProtectedLine(source)
        return _Pair(line, line.with_marks(target))

    def _score_rows(self, rows: set[_Row]) -> dict[_Row, ForcedTarget]:
        """Score different rows, those of similar length together, the longest first."""
        group = sorted(rows, key=lambda row: (-max(map(len, row)), -len(row.target), row))
        lengths = [max(map(len, row)) + 1 for row in group]
        scored: dict[_Row, ForcedTarget] = {}
        for cut in cut_batches(lengths, self.search.batch_size, scores=self._target.vocabulary_size):
            batch = group[cut]
            source, own_lengths = pad_rows(
                [(*self._tag, *row.source) for row in batch], pad_id=self._source.pad_id, eos_id=self._source.eos_id
            )
            forced_targets = score_targets(
                self._model,
                source,
                own_lengths,
                [(*row.target, self._target.eos_id) for row in batch],
                bos_id=self._target.bos_id,
                with_weights=self._alignments,
            )
            scored.update(zip(batch, forced_targets, strict=True))
        return scored

    def _alignment(self, pair: _Pair, row: _Row, forced_target: ForcedTarget) -> list[tuple[int, int]]:
        """Align the words of a pair; what the model was not given has no link."""
        if forced_target.weights is None:
            raise ConfigError(
                "the model has no attention (model.attention=none), which would tell what each word translates; "
                "leave out alignments"
            )
        source_words = [*(-1 for _ in self._tag), *self._source.words_of(row.source), -1]
        links = align_words(forced_target.weights[:-1], source_words, self._target.words_of(row.target))
        sources, targets = (words_left(text, pair.line.unknown) for text in (pair.line.marked, pair.target))
        return [(sources[i], targets[j]) for i, j in links if i < len(sources) and j < len(targets)]

    def _pair(
        self, found: ForcedTarget, alignment: list[tuple[int, int]] | None, warnings: list[str], unknown: str
    ) -> ScoredPair:
        log_prob, length = float(found.log_probs.sum()), len(found.log_probs)
        score = float(self._normalizer.score(log_prob, length))
        return ScoredPair(log_prob, score, length, alignment, warnings, unknown)
