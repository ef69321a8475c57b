"""Translator: requests → batches of subwords → search → translations; same count, same order.

A request's translation is a function of that request alone (in fp32): not of its neighbours, the batch size or the
order.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import NamedTuple, TypeVar

from nmt.config.search import SearchConfig
from nmt.corpus.padding import pad_rows
from nmt.corpus.reader import is_blank
from nmt.errors import ConfigError
from nmt.search.decode import decode
from nmt.search.interface import Constraints, Hypothesis
from nmt.search.sampling import Draw, key_of
from nmt.search.stepper import Stepper
from nmt.text.vocabulary import subwords_of
from nmt.translation.alignment import align_words
from nmt.translation.batching import WINDOW_BATCHES, cut_batches
from nmt.translation.model import Translating
from nmt.translation.options import require_places, scores_of_a_step, search_options
from nmt.translation.prefixes import PrefixReader, continued, unread, without_source
from nmt.translation.request import Request, TextHypothesis, Translation, in_one_line
from nmt.translation.rerank import Rerank
from nmt.translation.tags import tag_number

_EXTRA_LENGTH = 10
"""Target positions that every translation may have beyond what the length of its source allows."""

_FREE = Constraints()
_Tag = TypeVar("_Tag")


class _Row(NamedTuple):
    """All that a translation depends on; equal rows are translated once."""

    tag: tuple[int, ...]
    """the control symbol before the source, or nothing"""
    ids: tuple[int, ...]
    """source subwords, without tag and EOS"""
    constraints: Constraints
    """what the translation is held to"""
    draw: int
    """number of the first sample"""
    prefix: str
    """the text that the translation begins with"""


class Translator:
    """Translates requests with a trained model, window by window; threads may share it.

    What is submitted waits until a window is full, until `flush`, or until its deadline. One window is computed at a
    time, by the thread that completed it.
    """

    def __init__(
        self,
        bundle: Translating,
        *,
        search: SearchConfig | None = None,
        n_best: int = 1,
        alignments: bool = False,
        attention: bool = False,
        rerank: Rerank | None = None,
        deadline: float | None = None,
    ) -> None:
        """Prepare to translate.

        Args:
            bundle: the model, in evaluation mode, with its subwords.
            search: how to search; None: as the bundle says.
            n_best: how many hypotheses to return for each request: samples, or at most `search.beam_size` of a beam.
            alignments: say for each hypothesis which source word each of its words translates.
            attention: return the attention of each hypothesis.
            rerank: chooses among all hypotheses of the beam, or `n_best` samples; None: the search's order stands.
            deadline: seconds after which what waits is translated; None: it waits for `flush`.

        Raises:
            ConfigError: a search setting is impossible, or more hypotheses are asked for than the beam has places.
        """
        self.search = search or bundle.search
        self.search.validate()
        require_places(self.search, n_best)
        self.bundle = bundle
        self.window = self.search.batch_size * WINDOW_BATCHES
        """requests of a full window"""
        self.first_window = self.search.batch_size
        """requests of a window that need not wait for more"""
        self._model = bundle.model
        self._source, self._target = subwords_of(bundle.source_subwords), subwords_of(bundle.target_subwords)
        self._alignments, self._attention = alignments, attention
        self._n_best, self._rerank = n_best, rerank
        self._options = search_options(
            self._target,
            self.search,
            n_best=self.search.beam_size if rerank and not self.search.sample else n_best,
            with_weights=alignments or attention,
        )
        self._prefixes = PrefixReader(self._target)
        self._deadline = deadline
        self._waiting: list[tuple[Request, Future[Translation]]] = []
        self._queue, self._computing = threading.Lock(), threading.Lock()
        self._timer: threading.Timer | None = None

    def submit(self, request: Request) -> Future[Translation]:
        """Queue a request; its translation, or the error that it ran into, comes with the future."""
        future = self._enqueue(request)
        with self._queue:
            if self._waiting and self._deadline is not None and self._timer is None:
                self._timer = threading.Timer(self._deadline, self.flush)
                self._timer.daemon = True
                self._timer.start()
        return future

    def flush(self) -> None:
        """Translate what waits."""
        with self._queue:
            waiting = self._take()
        self._run(waiting)

    def translate(self, requests: Iterable[Request | str]) -> list[Translation]:
        """Translate requests, or lines of text, in their order.

        A blank line's translation is empty, or its prefix, and so is that of a line without a single subword. A source
        of more than `search.max_source_tokens` subwords is cut there, with a warning. The tag before a source counts
        neither there nor for the length of the translation.

        Raises:
            ConfigError: a request cannot be fulfilled.
            RunError: the model's scores are not numbers.
        """
        futures = [self._enqueue(Request(each) if isinstance(each, str) else each) for each in requests]
        self.flush()  # so that no deadline is needed
        return [future.result() for future in futures]

    def map(
        self, windows: Iterable[tuple[_Tag, Sequence[Request]]]
    ) -> Iterator[tuple[_Tag, Sequence[Request], list[Translation]]]:
        """Translate windows as they come, each with a tag for the caller's use."""
        for tag, requests in windows:
            yield tag, requests, self.translate(requests)

    def _enqueue(self, request: Request) -> Future[Translation]:
        """Queue a request, and translate the window if it is full."""
        future: Future[Translation] = Future()
        with self._queue:
            self._waiting.append((request, future))
            full = self._take() if len(self._waiting) >= self.window else []
        self._run(full)
        return future

    def _take(self) -> list[tuple[Request, Future[Translation]]]:
        """Take all that waits, and its deadline; the queue is the caller's."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        return waiting

    def _run(self, waiting: Sequence[tuple[Request, Future[Translation]]]) -> None:
        """Translate requests and complete their futures, but for those that somebody cancelled."""
        waiting = [(request, future) for request, future in waiting if future.set_running_or_notify_cancel()]
        if not waiting:
            return
        try:
            with self._computing:
                translations = self._translate([request for request, _ in waiting])
        except BaseException as error:
            for _, future in waiting:
                future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), translation in zip(waiting, translations, strict=True):
            if isinstance(translation, ConfigError):
                future.set_exception(translation)
            else:
                future.set_result(translation)

    def _translate(self, requests: Sequence[Request]) -> list[Translation | ConfigError]:
        """Translate requests; where one of them cannot be fulfilled, its error stands in its place."""
        written = [i for i, request in enumerate(requests) if not is_blank(request.text)]
        encoded = dict(zip(written, self._source.encode_batch([requests[i].text for i in written]), strict=True))
        refused = {i: error for i, request in enumerate(requests) if (error := self._refusal(request))}
        rows = {i: self._row(requests[i], ids) for i, ids in encoded.items() if ids and i not in refused}
        hypotheses = self._translate_rows(set(rows.values()))
        results: list[Translation | ConfigError] = []
        for i, request in enumerate(requests):
            if i in refused:
                results.append(refused[i])
            elif i in rows:
                results.append(self._translation(request, encoded[i], hypotheses[rows[i]]))
            else:
                results.append(without_source(request))
        return results

    def _row(self, request: Request, ids: Sequence[int]) -> _Row:
        tag = self.search.source_tag if request.tag is None else tag_number(request.tag, self.bundle.tags)
        constraints = self._prefixes.constraints(request.prefix) if request.prefix else _FREE
        source = tuple(ids[: self.search.max_source_tokens])
        draw = (request.draw or 1) if self.search.sample else 1
        return _Row(self._source.tag_prefix(tag), source, constraints, draw, request.prefix)

    def _refusal(self, request: Request) -> ConfigError | None:
        """Say why a request cannot be fulfilled."""
        try:
            tag_number(-1 if request.tag is None else request.tag, self.bundle.tags)
        except ConfigError as error:
            return error
        return None

    def _translate_rows(self, rows: set[_Row]) -> dict[_Row, list[TextHypothesis]]:
        """Translate different rows. The longest go first: what does not fit in memory fails at once.

        Constrained rows have batches of their own, so that the others keep what is faster without constraints.
        """
        scores = scores_of_a_step(self._options, self._target.vocabulary_size)
        hypotheses: dict[_Row, list[TextHypothesis]] = {}
        for constrained in (False, True):
            group = [row for row in rows if (row.constraints != _FREE) == constrained]
            group.sort(key=lambda row: (-len(row.ids), row.ids, row.tag, row.draw))
            for cut in cut_batches([len(row.ids) for row in group], self.search.batch_size, scores=scores):
                hypotheses.update(zip(group[cut], self._translate_batch(group[cut]), strict=True))
        return hypotheses

    def _translate_batch(self, batch: Sequence[_Row]) -> list[list[TextHypothesis]]:
        sources = [(*row.tag, *row.ids) for row in batch]
        source, lengths = pad_rows(sources, pad_id=self._source.pad_id, eos_id=self._source.eos_id)
        constraints = [row.constraints for row in batch] if batch[0].constraints != _FREE else []
        limits = [self._max_length(row) for row in batch]
        stepper = Stepper(
            self._model, source, lengths, max_lengths=limits, options=self._options, constraints=constraints
        )
        sampled = batch if self.search.sample else ()
        results = decode(stepper, [Draw(key_of(row.tag, row.ids, row.constraints.prefix), row.draw) for row in sampled])
        texts = [[self._text(each, row) for each in hypotheses] for hypotheses, row in zip(results, batch, strict=True)]
        return [self._rerank(each)[: self._n_best] for each in texts] if self._rerank else texts

    def _max_length(self, row: _Row) -> int:
        by_source = int(self.search.max_length_ratio * len(row.ids))
        return max(by_source, row.constraints.least_length) + _EXTRA_LENGTH

    def _text(self, hypothesis: Hypothesis, row: _Row) -> TextHypothesis:
        text = in_one_line(continued(self._target, row.prefix, hypothesis.tokens))
        weights = hypothesis.weights
        if weights is None and (self._alignments or self._attention):
            raise ConfigError(
                "the model has no attention (model.attention=none), which would tell what each word translates; "
                "leave out alignments and attention"
            )
        alignment = attention = None
        if weights is not None and self._alignments:
            source_words = [*(-1 for _ in row.tag), *self._source.words_of(row.ids), -1]
            alignment = align_words(weights, source_words, self._target.words_of(hypothesis.tokens))
        if weights is not None and self._attention:
            attention = weights.tolist()
        return TextHypothesis(
            text, hypothesis.score, hypothesis.log_prob, hypothesis.finished, hypothesis.tokens, alignment, attention
        )

    def _translation(self, request: Request, ids: Sequence[int], hypotheses: list[TextHypothesis]) -> Translation:
        """Put together what became of a request whose source has these subwords."""
        warnings, limit, best = unread(self._target, request.prefix), self.search.max_source_tokens, hypotheses[0]
        if len(ids) > limit:
            warnings.append(f"its {len(ids)} subwords were cut to max_source_tokens={limit}; give one sentence a line")
        if not best.finished:
            impossible = f", too little for min_length={self.search.min_length}"
            warnings.append(
                f"the translation did not end and was cut after {len(best.tokens)} subwords "
                f"(max_length_ratio={self.search.max_length_ratio:g}"
                f"{impossible if self.search.min_length >= len(best.tokens) else ''})"
            )
        unknown = self._source.unknown_characters(request.text) if self._source.unk_id in ids else ""
        return Translation(hypotheses, warnings, unknown, request.id)
