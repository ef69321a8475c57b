"""Generator: prompts → lines that a language model makes of them; same count, same order, each line begins as prompted.

It takes the requests of a `Translator` and answers with the same values, so that what reads and writes lines serves
both. What becomes of a prompt is a function of that prompt, of the settings and of their seed alone (in fp32).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from nmt.config.search import SearchConfig
from nmt.corpus.padding import pad_rows
from nmt.corpus.reader import is_blank
from nmt.errors import ConfigError
from nmt.search.decode import decode
from nmt.search.interface import Constraints, Hypothesis
from nmt.search.sampling import Draw, key_of
from nmt.search.stepper import Stepper
from nmt.text.subwords import SPACE
from nmt.text.vocabulary import subwords_of
from nmt.translation.batching import WINDOW_BATCHES, cut_batches
from nmt.translation.model import Translating
from nmt.translation.options import require_places, scores_of_a_step, search_options
from nmt.translation.prefixes import added_text
from nmt.translation.request import Request, TextHypothesis, Translation, in_one_line

_Tag = TypeVar("_Tag")


class _Row(NamedTuple):
    """All that a line depends on; equal rows are continued once."""

    ids: tuple[int, ...]
    """subwords that it begins with"""
    draw: int
    """number of the first sample"""


class Generator:
    """Continues prompts with a trained language model, window by window.

    A prompt is a forced prefix: search takes its subwords, and then goes on. So `log_prob` is that of the whole line.
    """

    def __init__(self, bundle: Translating, *, search: SearchConfig | None = None, n_best: int = 1) -> None:
        """Prepare to generate.

        Args:
            bundle: the model, in evaluation mode, with its subwords.
            search: how to search; None: as the bundle says.
            n_best: how many lines to return for each prompt: samples, or at most `search.beam_size` of a beam.

        Raises:
            ConfigError: a search setting is impossible, or more lines are asked for than the beam has places.
        """
        self.bundle, self.search = bundle, search or bundle.search
        self.search.validate()
        require_places(self.search, n_best)
        if self.search.min_length >= self.search.max_new_tokens:
            raise ConfigError(
                f"search.min_length={self.search.min_length} is not possible with "
                f"search.max_new_tokens={self.search.max_new_tokens}: it must be below that"
            )
        self.window = self.search.batch_size * WINDOW_BATCHES
        """requests of a full window"""
        self.first_window = self.search.batch_size
        """requests of a window that need not wait for more"""
        self._model, self._subwords = bundle.model, subwords_of(bundle.target_subwords)
        self._options = search_options(self._subwords, self.search, n_best=n_best, with_weights=False)
        # Where subwords are characters, a space behind a prompt is the one before the next word.
        pieces = self._subwords.pieces if self._subwords.kind == "char" else []
        self._space = (pieces.index(SPACE),) if SPACE in pieces else ()

    def translate(self, requests: Iterable[Request | str]) -> list[Translation]:
        """Continue prompts in their order; each text begins with its prompt.

        A blank prompt stays blank, unless the request has a `draw`: then a line is made from nothing. Of a prompt of
        more than `search.max_source_tokens` subwords the last ones are read, with a warning.

        Raises:
            RunError: the model's scores are not numbers.
        """
        asked = [Request(each) if isinstance(each, str) else each for each in requests]
        rows = self._rows(asked)
        hypotheses = self._generate({row for row, _ in rows.values()})
        return [
            self._line(request, *rows[i], hypotheses[rows[i][0]]) if i in rows else Translation(id=request.id)
            for i, request in enumerate(asked)
        ]

    def map(
        self, windows: Iterable[tuple[_Tag, Sequence[Request]]]
    ) -> Iterator[tuple[_Tag, Sequence[Request], list[Translation]]]:
        """Continue windows as they come, each with a tag for the caller's use."""
        for tag, requests in windows:
            yield tag, requests, self.translate(requests)

    def _rows(self, requests: Sequence[Request]) -> dict[int, tuple[_Row, int]]:
        """Give what is to be generated of each request that is no blank line, and how many subwords its prompt has."""
        prompts = [request.text for request in requests]
        rows: dict[int, tuple[_Row, int]] = {}
        for i, (request, ids) in enumerate(zip(requests, self._subwords.encode_batch(prompts), strict=True)):
            begun = () if is_blank(request.text) else (*ids, *(self._space if request.text.endswith(" ") else ()))
            if begun or request.draw is not None:
                draw = (request.draw or 1) if self.search.sample else 1
                rows[i] = _Row(begun[-self.search.max_source_tokens :], draw), len(begun)
        return rows

    def _generate(self, rows: set[_Row]) -> dict[_Row, list[Hypothesis]]:
        """Generate from different rows. The longest go first: what does not fit in memory fails at once."""
        hypotheses: dict[_Row, list[Hypothesis]] = {}
        scores = scores_of_a_step(self._options, self._subwords.vocabulary_size)
        for is_prompted in (True, False):
            group = sorted((row for row in rows if bool(row.ids) == is_prompted), key=lambda row: (-len(row.ids), row))
            for cut in cut_batches([len(row.ids) + 1 for row in group], self.search.batch_size, scores=scores):
                batch = group[cut]
                source, lengths = pad_rows(
                    [()] * len(batch), pad_id=self._subwords.pad_id, eos_id=self._subwords.eos_id
                )
                stepper = Stepper(
                    self._model,
                    source,
                    lengths,
                    max_lengths=[len(row.ids) + self.search.max_new_tokens for row in batch],
                    options=self._options,
                    constraints=[Constraints(row.ids) for row in batch] if is_prompted else [],
                )
                draws = [Draw(key_of(row.ids), row.draw) for row in batch] if self.search.sample else ()
                hypotheses.update(zip(batch, decode(stepper, draws), strict=True))
        return hypotheses

    def _line(self, request: Request, row: _Row, length: int, hypotheses: Sequence[Hypothesis]) -> Translation:
        """Make the translation of a prompt, which has `length` subwords, of its hypotheses."""
        warnings, limit, best = [], self.search.max_source_tokens, hypotheses[0]
        if length > limit:
            warnings.append(f"only the last max_source_tokens={limit} of the prompt's {length} subwords were read")
        unknown = self._subwords.unknown_characters(request.text) if self._subwords.unk_id in row.ids else ""
        if unknown:
            unknown = "".join(dict.fromkeys(unknown))
            warnings.append(f"the model does not know characters of the prompt ({unknown[:10]!r}), and read past them")
        if not best.finished:
            limit = self.search.max_new_tokens
            warnings.append(f"the line did not end and was cut after max_new_tokens={limit} new subwords")
        return Translation([self._text(each, row, request.text) for each in hypotheses], warnings, id=request.id)

    def _text(self, hypothesis: Hypothesis, row: _Row, prompt: str) -> TextHypothesis:
        """Write a line: its prompt as it was given, and what the model added."""
        added = added_text(self._subwords, row.ids, hypothesis.tokens)
        if is_blank(prompt):
            prompt = ""
        elif self._space == () or not added:
            prompt = prompt.rstrip(" ")
        text = in_one_line(prompt + (added.removeprefix(" ") if prompt.endswith(" ") else added))
        return TextHypothesis(text, hypothesis.score, hypothesis.log_prob, hypothesis.finished, hypothesis.tokens)
