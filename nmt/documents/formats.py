"""The formats of documents, by the suffixes of their files; a format's library is imported when it is asked for.

To add one, write a function from a `Document` and what translates to bytes, and name it in FORMATS.
"""

from collections.abc import Callable
from pathlib import Path

from nmt.documents.document import Document, TranslatesTexts, in_its_space
from nmt.errors import ConfigError


def format_of(path: Path) -> Callable[[Document, TranslatesTexts], bytes]:
    """Find the format of a file by its suffix; ConfigError: it has none of ours."""
    translate_document = FORMATS.get(path.suffix.lower())
    if translate_document is None:
        raise ConfigError(f"{path} is of no format that is known: {', '.join(FORMATS)}; rename it, or convert it")
    return translate_document


def _text(document: Document, translate: TranslatesTexts) -> bytes:
    lines = document.text.split("\n")
    answers = translate([line.strip() for line in lines])
    return document.encoded("\n".join(map(in_its_space, lines, answers)))


def _html(document: Document, translate: TranslatesTexts) -> bytes:
    return document.encoded(translate([document.text], markup="html")[0])


def _gettext(document: Document, translate: TranslatesTexts) -> bytes:
    from nmt.documents.gettext import translated_catalogue

    return translated_catalogue(document, translate)


def _xliff(document: Document, translate: TranslatesTexts) -> bytes:
    from nmt.documents.xliff import translated_xliff

    return translated_xliff(document, translate)


def _subtitles(document: Document, translate: TranslatesTexts) -> bytes:
    from nmt.documents.subtitles import translated_subtitles

    return translated_subtitles(document, translate)


FORMATS: dict[str, Callable[[Document, TranslatesTexts], bytes]] = {
    ".txt": _text,
    ".html": _html,
    ".htm": _html,
    ".po": _gettext,
    ".xliff": _xliff,
    ".xlf": _xliff,
    ".srt": _subtitles,
}
"""Each gives the content of the translated file, or raises ConfigError."""
