"""The layer of markup: tags are taken out of lines, their text is translated, and the tags are put back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.text.markup import Segment, take_apart
from nmt.text.spans import Place, without_spans
from nmt.translation.links import Linker
from nmt.translation.model import Translating
from nmt.translation.placing import Part, Placement, escaped
from nmt.translation.request import Request, Translation
from nmt.translation.sentences import Sentences, joined_text


class _Work(NamedTuple):
    """A segment, and its sentences."""

    segment: Segment
    places: list[Place]
    translations: list[Translation]
    to: str | None
    """target language, where the line names it"""


class Markup:
    """The layer that cares for tags."""

    def __init__(self, bundle: Translating, search: SearchConfig, kind: str, *, split_sentences: bool) -> None:
        """Prepare for lines of a kind.

        Args:
            bundle: the model that tells where tags go.
            search: how it reads lines.
            kind: one of `nmt.text.markup.KINDS`.
            split_sentences: translate each sentence of a segment by itself.

        Raises:
            ConfigError: sentencex is not installed.
        """
        self._kind, self._linker = kind, Linker(bundle, search)
        self._sentences = Sentences(bundle, search, is_split=split_sentences)

    def translate(
        self, requests: Sequence[Request], inner: Callable[[Sequence[Request]], list[Translation | ConfigError]]
    ) -> list[Translation | ConfigError]:
        """Translate lines with tags. Each segment of a line is translated by itself."""
        apart = [take_apart(request.text, self._kind) for request in requests]
        works: list[list[_Work]] = []
        asked: list[Request] = []
        for request, pieces in zip(requests, apart, strict=True):
            segments = [piece for piece in pieces if isinstance(piece, Segment)]
            works.append([_Work(segment, self._places(segment), [], request.to) for segment in segments])
            for work in works[-1]:
                asked += [replace(request, text=work.segment.text[start:end], prefix="") for start, end in work.places]
        sentence_answers = iter(inner(asked))
        errors: list[ConfigError | None] = []
        for request, line_works in zip(requests, works, strict=True):
            error = _refusal(request)
            for work in line_works:
                answers = [next(sentence_answers) for _ in work.places]
                work.translations.extend(each for each in answers if isinstance(each, Translation))
                error = next((each for each in answers if isinstance(each, ConfigError)), error)
            errors.append(error)
        whole = [work for line_works, error in zip(works, errors, strict=True) if error is None for work in line_works]
        written = iter(self._written(whole))
        return [
            error or self._joined(request, pieces, line_works, written)
            for request, pieces, line_works, error in zip(requests, apart, works, errors, strict=True)
        ]

    def _places(self, segment: Segment) -> list[Place]:
        """Find the sentences of a segment; one without letters and digits has none, and comes back as it is."""
        has_words = any(map(str.isalnum, without_spans(segment.text)))
        return self._sentences.places(segment.text) if has_words else []

    def _written(self, works: Sequence[_Work]) -> list[str]:
        """Write the translations of segments with their tags; one forced pass for all of them that have any."""
        joined = [
            joined_text(work.segment.text, work.places, [each.text for each in work.translations]) for work in works
        ]
        tagged = {
            number
            for number, (work, (text, _)) in enumerate(zip(works, joined, strict=True))
            if work.places and work.segment.root.children and text.split() != work.segment.text.split()
        }
        pairs = [pair for number in sorted(tagged) for pair in _pairs(works[number])]
        languages = [works[number].to for number in sorted(tagged) for _ in works[number].places]
        links = iter(self._linker.link(pairs, languages))
        results = []
        for number, (work, (text, starts)) in enumerate(zip(works, joined, strict=True)):
            segment = work.segment
            if not work.places or text.split() == segment.text.split():
                results.append(segment.raw)
                continue
            if number in tagged:
                parts = [
                    Part(next(links), place.start, start) for place, start in zip(work.places, starts, strict=True)
                ]
                body = Placement(segment, text, parts).rendered()
            else:
                body = escaped(text, segment)
            results.append(segment.lead + _with_kept(body, segment) + segment.trail)
        return results

    def _joined(
        self, request: Request, pieces: Sequence[str | Segment], works: Sequence[_Work], written: Iterator[str]
    ) -> Translation:
        text = "".join(next(written) if isinstance(piece, Segment) else piece for piece in pieces)
        parts = [each for work in works for each in work.translations]
        return self._sentences.whole(text, parts, id=request.id)


def _refusal(request: Request) -> ConfigError | None:
    if not request.prefix:
        return None
    return ConfigError("a prefix is for lines without markup, where tags do not stand in its way: leave it out")


def _pairs(work: _Work) -> list[tuple[str, str]]:
    sources = [work.segment.text[start:end] for start, end in work.places]
    return [(source, each.text) for source, each in zip(sources, work.translations, strict=True)]


def _with_kept(text: str, segment: Segment) -> str:
    """Put elements that stay as they are in the place of their marks, each once; one that is lost goes to the end."""
    for mark, element in segment.kept.items():
        before, separator, behind = text.partition(mark)
        text = before + element + behind.replace(mark, "") if separator else f"{text} {element}"
    return text
