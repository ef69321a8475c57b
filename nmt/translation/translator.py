"""Translator: lines of text → batches of subwords → search → lines of text; same count, same order.

A line's translation is a function of that line alone (in fp32): not of its neighbours, the batch size or the order.
Shapes: B sentences, S source length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from nmt.config.search import SearchConfig
from nmt.corpus.reader import is_blank
from nmt.errors import ConfigError
from nmt.search.beam import beam_search
from nmt.search.candidates import Rule
from nmt.search.greedy import greedy_search
from nmt.search.interface import Array, Hypothesis, StepModel
from nmt.search.rules import forbid, minimum_length, no_repeat_ngram
from nmt.text.subwords import SubwordModel

if TYPE_CHECKING:
    import torch

WINDOW_BATCHES = 16
"""Batches of one window: sentences of similar length meet in a batch, and memory does not grow with the text."""

_EXTRA_LENGTH = 10
_LONG = 128
"""Subwords of a row from which a batch takes fewer rows, in proportion, so that its memory is bounded."""
_MOST_POSITIONS = 2**18
"""Source positions of a batch, however large it was asked to be."""
_MOST_SCORES = 2**28
"""Scores of one step of a batch: 1 GiB."""


class Translating(Protocol):
    """What a Translator needs to know of a trained model: a `Bundle` is one, and what `nmt.bundle.loading` loads."""

    @property
    def model(self) -> StepModel:
        """A step model: on torch tensors, in evaluation mode, if it says on which `device`; else on NumPy arrays."""
        ...

    @property
    def source_subwords(self) -> SubwordModel:
        """The subwords that the model reads."""
        ...

    @property
    def target_subwords(self) -> SubwordModel:
        """The subwords that it writes."""
        ...

    @property
    def search(self) -> SearchConfig:
        """How to search unless the caller says otherwise."""
        ...


@dataclass(frozen=True)
class TextHypothesis:
    """One possible translation of a line: a hypothesis of the search, as text."""

    text: str
    """detokenised, in one line"""
    score: float
    """log-probability normalised by length, higher is better"""
    log_prob: float
    """natural logarithm of the model's probability, that of the end included if it is finished"""
    finished: bool
    """whether it ended by itself; False for one cut at the length limit"""
    tokens: list[int]
    """target subword ids, without BOS and EOS"""


@dataclass(frozen=True)
class Translation:
    """All that became of one line."""

    hypotheses: list[TextHypothesis]
    """the best first; one at least, and as many as were asked for where the search found them"""
    warnings: list[str] = field(default_factory=list)
    """what a user should know, each naming the line"""
    unknown: str = ""
    """characters of the line that the vocabulary lacks, so that no translation has them"""

    @property
    def text(self) -> str:
        """The best translation."""
        return self.hypotheses[0].text

    @property
    def target_tokens(self) -> int:
        """Target positions of the best translation, that of EOS included."""
        best = self.hypotheses[0]
        return len(best.tokens) + best.finished if best.tokens else 0


class Translator:
    """Translates lines with a trained model; keeps nothing from one call to the next."""

    def __init__(
        self, bundle: Translating, *, search: SearchConfig | None = None, device: torch.device | str | None = None
    ) -> None:
        """Prepare to translate.

        Args:
            bundle: the model, in evaluation mode, with its subwords.
            search: how to search; None: as the bundle says.
            device: where the model's weights are; None: where the model says.

        Raises:
            ConfigError: a search setting is impossible.
        """
        self.search = search or bundle.search
        self.search.validate()
        if getattr(bundle.model, "training", False):
            raise ValueError("the model is in training mode, where dropout would garble it: call model.eval() first")
        self._model = bundle.model
        self._source, self._target = bundle.source_subwords, bundle.target_subwords
        self._to_model = _arrays(device or getattr(bundle.model, "device", None))
        self._rules = _rules(self._target, self.search)
        self._prefix = self._source.tag_prefix(self.search.source_tag)

    def translate(self, lines: Sequence[str], *, n_best: int = 1, first_line: int = 1) -> list[Translation]:
        """Translate lines of text, each to one `Translation`, in their order.

        A blank line's translation is empty, and so is that of a line without a single subword. A source of more than
        `search.max_source_tokens` subwords is cut there, with a warning. The tag that `search.source_tag` puts before
        every source counts neither there nor for the length of the translation.

        Args:
            lines: raw text, a sentence each.
            n_best: how many hypotheses to return for each, at most `search.beam_size`.
            first_line: the number of the first line, for warnings.

        Raises:
            ConfigError: more hypotheses are asked for than the beam has places.
            RunError: the model's scores are not numbers.
        """
        if not 1 <= n_best <= self.search.beam_size:
            raise ConfigError(
                f"n_best={n_best} is not possible with beam_size={self.search.beam_size}: "
                "it must be between 1 and the beam size"
            )
        limit = self.search.max_source_tokens
        written = [i for i, line in enumerate(lines) if not is_blank(line)]
        encoded = dict(zip(written, self._source.encode_batch([lines[i] for i in written]), strict=True))

        # A line that occurs twice is translated once, and the longest go first: what does not fit fails at once.
        rows = {tuple(ids[:limit]) for ids in encoded.values() if ids}
        order = sorted(rows, key=lambda ids: (-len(ids), ids))
        found: dict[tuple[int, ...], list[TextHypothesis]] = {}
        scores = self.search.beam_size * self._target.vocabulary_size
        for cut in cut_batches([len(ids) for ids in order], self.search.batch_size, scores=scores):
            batch = order[cut]
            found.update(zip(batch, self._translate_batch(batch, n_best), strict=True))

        translations = []
        for i in range(len(lines)):
            ids = encoded.get(i, [])
            hypotheses = found[tuple(ids[:limit])] if ids else [TextHypothesis("", 0.0, 0.0, True, [])]
            warnings = self._warnings(first_line + i, len(ids), hypotheses[0])
            unknown = self._source.unknown_characters(lines[i]) if self._source.unk_id in ids else ""
            translations.append(Translation(hypotheses, warnings, unknown))
        return translations

    def _translate_batch(self, batch: Sequence[Sequence[int]], n_best: int) -> list[list[TextHypothesis]]:
        source, lengths = self._pad(batch)
        max_lengths = [int(self.search.max_length_ratio * len(ids)) + _EXTRA_LENGTH for ids in batch]
        bos_id, eos_id = self._target.bos_id, self._target.eos_id
        length_penalty, normalization = self.search.length_penalty, str(self.search.normalization)
        if self.search.beam_size == 1:
            best = greedy_search(
                self._model,
                source,
                lengths,
                max_lengths=max_lengths,
                bos_id=bos_id,
                eos_id=eos_id,
                length_penalty=length_penalty,
                normalization=normalization,
                rules=self._rules,
            )
            return [[self._text(hypothesis)] for hypothesis in best]
        found = beam_search(
            self._model,
            source,
            lengths,
            max_lengths=max_lengths,
            bos_id=bos_id,
            eos_id=eos_id,
            beam_size=self.search.beam_size,
            n_best=n_best,
            length_penalty=length_penalty,
            normalization=normalization,
            rules=self._rules,
        )
        return [[self._text(hypothesis) for hypothesis in hypotheses] for hypotheses in found]

    def _pad(self, batch: Sequence[Sequence[int]]) -> tuple[Array, Array]:
        """Pad sources given without tag and EOS: ids with both (B, S) and their lengths (B,)."""
        sources = [[*self._prefix, *ids, self._source.eos_id] for ids in batch]
        lengths = np.array([len(ids) for ids in sources], dtype=np.int64)
        source = np.full((len(batch), int(lengths.max())), self._source.pad_id, dtype=np.int64)
        for row, ids in zip(source, sources, strict=True):
            row[: len(ids)] = ids
        return self._to_model(source), self._to_model(lengths)

    def _text(self, hypothesis: Hypothesis) -> TextHypothesis:
        text = self._target.decode(hypothesis.tokens)
        # A lone "\r" too: it ends a line for many a tool downstream.
        text = text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
        return TextHypothesis(text, hypothesis.score, hypothesis.log_prob, hypothesis.finished, hypothesis.tokens)

    def _warnings(self, line: int, source_tokens: int, best: TextHypothesis) -> list[str]:
        warnings = []
        limit = self.search.max_source_tokens
        if source_tokens > limit:
            warnings.append(
                f"line {line}: its {source_tokens} subwords were cut to max_source_tokens={limit}; "
                "give one sentence a line"
            )
        if not best.finished:
            warnings.append(
                f"line {line}: the translation did not end and was cut after {len(best.tokens)} subwords "
                f"(max_length_ratio={self.search.max_length_ratio:g})"
            )
        return warnings


def cut_batches(lengths: Sequence[int], size: int, *, scores: int = 1) -> Iterator[slice]:
    """Cut rows, the longest first, into batches whose memory is bounded.

    Args:
        lengths: of the rows, in subwords.
        size: rows of a batch at most; of long rows, or with many scores, it has fewer.
        scores: floats that a step computes for each row.
    """
    start = 0
    while start < len(lengths):
        most = min(_MOST_POSITIONS // lengths[start], _MOST_SCORES // scores)
        count = max(1, min(size, size * _LONG // lengths[start], most))
        yield slice(start, start + count)
        start += count


def windows(lines: Sequence[str], size: int) -> Iterable[tuple[int, Sequence[str]]]:
    """Cut lines into windows of `size`, each with the number of its first line, counted from 1."""
    for start in range(0, len(lines), size):
        yield start + 1, lines[start : start + size]


def _arrays(device: torch.device | str | None) -> Callable[[npt.NDArray[Any]], Array]:
    """Choose how arrays reach a model: as tensors on its device, or as they are if it has none."""
    if device is None:
        return lambda array: array
    import torch

    return lambda array: torch.from_numpy(array).to(device)


def _rules(subwords: SubwordModel, search: SearchConfig) -> list[Rule]:
    """List what may be emitted: text, and its end after one subword at least, since no sentence translates to nothing.

    The unknown symbol is forbidden too: it stands for text that nobody knows, and decodes to nothing, so that the
    second-best subword, which a reader sees, is always the better one.
    """
    rules = [
        forbid([subwords.pad_id, subwords.unk_id, subwords.bos_id, *subwords.control_ids]),
        minimum_length(1, eos_id=subwords.eos_id),
    ]
    if search.no_repeat_ngram:
        rules.append(no_repeat_ngram(search.no_repeat_ngram))
    return rules
