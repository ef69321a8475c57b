"""Translator: requests → batches of subwords → search → translations; same count, same order.

A request's translation is a function of that request alone (in fp32), whatever its neighbours and their order are.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

from nmt.config.search import SearchConfig
from nmt.corpus.reader import is_blank
from nmt.errors import ConfigError
from nmt.search.interface import Constraints, Hypothesis
from nmt.text.terms import Term
from nmt.text.vocabulary import subwords_of
from nmt.translation.alignment import align_words
from nmt.translation.batching import WINDOW_BATCHES
from nmt.translation.capitals import Capitals, UsualRequest
from nmt.translation.languages import source_prefix
from nmt.translation.layers import Layer, layered
from nmt.translation.model import Translating
from nmt.translation.numbers import NumberCheck
from nmt.translation.options import require_places
from nmt.translation.prefixes import PrefixReader, beginning_with, continued, unread, without_source
from nmt.translation.protection import Attempt, Decoded, ProtectedLine, with_marks
from nmt.translation.request import Request, TextHypothesis, Translation, cut_warnings, in_one_line
from nmt.translation.rerank import Rerank, ways_to_choose
from nmt.translation.rows import Row, RowTranslator
from nmt.translation.terms import TermReader

_Tag = TypeVar("_Tag")


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
        glossary: Sequence[Term] = (),
        deadline: float | None = None,
    ) -> None:
        """Prepare to translate.

        Args:
            bundle: the model, in evaluation mode, with its subwords.
            search: how to search; None: as the bundle says.
            n_best: how many hypotheses to return for each request: samples, or at most `search.beam_size` of a beam
                or `search.mbr_samples`.
            alignments: say for each hypothesis which source word each of its words translates.
            attention: return the attention of each hypothesis.
            rerank: chooses among all hypotheses of the beam, or `n_best` samples; None: the search's order stands, or
                that of `search.mbr_samples`.
            glossary: terms of all lines; those of a request count before them.
            deadline: seconds after which what waits is translated; None: it waits for `flush`.

        Raises:
            ConfigError: a search setting is impossible, also with a glossary, or more hypotheses are asked for than the
                beam has places.
        """
        self.search = search or bundle.search
        self.search.validate()
        require_places(self.search, n_best)
        self.bundle = bundle
        self.window = self.search.batch_size * WINDOW_BATCHES
        """requests of a full window"""
        self.first_window = self.search.batch_size
        """requests of a window that need not wait for more"""
        self._source, self._target = subwords_of(bundle.source_subwords), subwords_of(bundle.target_subwords)
        self._alignments, self._attention = alignments, attention
        choosing = ways_to_choose(self.search, rerank, n_best=n_best)
        self._n_best, self._rerank = n_best, choosing.rerank
        self._rows = RowTranslator(
            bundle, choosing.search, n_best=choosing.n_best, with_weights=alignments or attention
        )
        self._terms, self._prefixes = TermReader(bundle, self.search, glossary=glossary), PrefixReader(self._target)
        self._numbers = NumberCheck(self._terms, source=bundle.source_language, target=bundle.target_language)
        self._capitals = Capitals(bundle, self.search, find_terms=self._terms.find)
        self._deadline, self._answer = deadline, layered(self._translate, ())
        self._waiting: list[tuple[Request, Future[Translation]]] = []
        self._queue, self._computing = threading.Lock(), threading.Lock()
        self._timer: threading.Timer | None = None

    def add_layers(self, layers: Sequence[Layer]) -> "Translator":
        """Do to lines what these do around a translator, the innermost first; return the translator."""
        self._answer = layered(self._answer, layers)
        return self

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
                translations = self._answer([request for request, _ in waiting])
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
        asked = [self._capitals.usual(request) for request in requests]
        requests = [each.request for each in asked]
        lines = {i: self._terms.protect(request) for i, request in enumerate(requests) if not is_blank(request.text)}
        refusals = [self._refusal(request) for request in requests]
        refused = {i: error for i, error in enumerate(refusals) if error}
        attempts = self._attempt(requests, {i: line for i, line in lines.items() if i not in refused})
        warnings = self._check_numbers(requests, attempts) if self.search.check_numbers else {}
        results: list[Translation | ConfigError] = []
        for i, request in enumerate(requests):
            if i in refused:
                results.append(refused[i])
            elif i in attempts:
                results.append(self._translation(asked[i], attempts[i], warnings.get(i, [])))
            else:
                results.append(without_source(request))
        return results

    def _refusal(self, request: Request) -> ConfigError | None:
        try:
            source_prefix(self.bundle, self.search, to=request.to, tag=request.tag)
        except ConfigError as error:
            return error
        return self._terms.refusal(request)

    def _attempt(self, requests: Sequence[Request], lines: Mapping[int, ProtectedLine]) -> dict[int, Attempt]:
        """Translate the lines of some requests."""
        encoded = dict(zip(lines, self._source.encode_batch([line.given for line in lines.values()]), strict=True))
        rows = {i: self._row(requests[i], lines[i], ids) for i, ids in encoded.items() if ids}
        by_row = self._rows.translate(set(rows.values()))
        texts = {row: self._best([self._text(each, row) for each in those]) for row, those in by_row.items()}
        attempts: dict[int, Attempt] = {}
        for i, line in lines.items():
            # What has nothing but spans that the model does not know is its own translation.
            text = beginning_with(line.with_marks(requests[i].prefix), line.marked if line.spans else "")
            untranslated = TextHypothesis(text, 0.0, 0.0, True, [])
            hypotheses = texts[rows[i]] if i in rows else [untranslated]
            missing = self._terms.missing(self._rows.missing_terms(rows[i], by_row[rows[i]])) if i in rows else []
            attempts[i] = Attempt(line, encoded[i], hypotheses, not line.missing(hypotheses[0].text), missing)
        return self._with_all_marks(attempts, rows)

    def _row(self, request: Request, line: ProtectedLine, ids: Sequence[int]) -> Row:
        prefix = line.with_marks(request.prefix)
        constraints = self._prefixes.constraints(prefix) if prefix else Constraints()
        source = tuple(ids[: self.search.max_source_tokens])
        marks = tuple(i for i in source if i in self._source.mark_ids and i in self._target.mark_ids)
        draw = (request.draw or 1) if self.search.sample else 1
        before = source_prefix(self.bundle, self.search, to=request.to, tag=request.tag)
        terms = self._terms.constraints(request, line, shift=len(before), length=len(source))
        return Row(before, source, replace(constraints, marks=marks, terms=terms), draw, prefix)

    def _best(self, hypotheses: list[TextHypothesis]) -> list[TextHypothesis]:
        return self._rerank(hypotheses)[: self._n_best] if self._rerank else hypotheses

    def _with_all_marks(self, attempts: dict[int, Attempt], rows: Mapping[int, Row]) -> dict[int, Attempt]:
        """Put the marks that translations lack where attention says."""
        lacking = [
            (i, number)
            for i, attempt in attempts.items()
            for number, each in enumerate(attempt.hypotheses)
            if attempt.line.missing(each.text)
        ]
        weights = self._rows.attention([(rows[i], attempts[i].hypotheses[number].tokens) for i, number in lacking])
        for (i, number), attention in zip(lacking, weights, strict=True):
            line, hypotheses = attempts[i].line, list(attempts[i].hypotheses)
            each = hypotheses[number]
            surfaces = [*("" for _ in rows[i].tag), *self._source.surfaces(line.given)]
            ends = [len(self._target.decode(each.tokens[: end + 1])) for end in range(len(each.tokens))]
            # A prefix may have other spaces than its subwords.
            shift, begun = len(each.text) - (ends[-1] if ends else 0), len(rows[i].prefix)
            terms = [self._target.decode(form) for term in rows[i].constraints.terms for form in term.forms]
            decoded = Decoded([end + shift for end in ends], surfaces, attention, terms, begun)
            hypotheses[number] = with_marks(each, line, decoded)
            attempts[i] = attempts[i]._replace(hypotheses=hypotheses)
        return attempts

    def _check_numbers(self, requests: Sequence[Request], attempts: dict[int, Attempt]) -> dict[int, list[str]]:
        """Translate lines again whose numbers are gone, with these protected; return the warnings of lines."""
        missing = {i: self._numbers.missing(requests[i], each) for i, each in attempts.items()}
        missing = {i: numbers for i, numbers in missing.items() if numbers}
        protected = {i: self._numbers.protect(requests[i], attempts[i].line, missing[i]) for i in missing}
        # A model that knows no marks would translate the line without its numbers.
        again = self._attempt(requests, protected) if self._source.marks and self._target.marks else {}
        for i, second in again.items():
            keeps_terms = len(second.warnings) <= len(attempts[i].warnings)
            if second.is_whole and keeps_terms and not self._numbers.missing(requests[i], second):
                attempts[i] = second
                del missing[i]
        gone = {i: ", ".join(number.text for number in numbers) for i, numbers in missing.items()}
        return {i: [f"its translation lacks a number of the source ({numbers})"] for i, numbers in gone.items()}

    def _text(self, hypothesis: Hypothesis, row: Row) -> TextHypothesis:
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

    def _translation(self, asked: UsualRequest, attempt: Attempt, warnings: list[str]) -> Translation:
        """Put together what became of a request."""
        request = asked.request
        line, ids, hypotheses, _, attempt_warnings = attempt
        warnings = [*unread(self._target, line.with_marks(request.prefix)), *attempt_warnings, *warnings]
        warnings += cut_warnings(self.search, source_tokens=len(ids), best=hypotheses[0])
        unknown = self._source.unknown_characters(line.given) if self._source.unk_id in ids else ""
        if line.spans or asked.language is not None:
            written = [line.restored(asked.written(each.text)) for each in hypotheses]
            hypotheses = [replace(each, text=in_one_line(text)) for each, text in zip(hypotheses, written, strict=True)]
        return Translation(hypotheses, warnings, unknown, request.id)
