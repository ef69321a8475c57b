"""Subtitles (.srt), by the library pysubs2."""

import re
import warnings

import pysubs2

from nmt.documents.document import Document, TranslatesTexts, in_its_space

_BREAK = "\\N"
_TIME = re.compile(r"\d{1,2}:\d{1,2}:\d{1,2}[.,]\d{1,3}")
_SPEECH = re.compile(r"\s*(?:<[^<>]*>|\{[^{}]*\})*\s*[-–—]")


def translated_subtitles(document: Document, translate: TranslatesTexts) -> bytes:
    """Translate subtitles; times and numbers of lines stay. Lines that begin with a dash are of different speakers.

    Raises:
        ConfigError: the file is broken, or not UTF-8.
    """
    text = document.text
    for number, line in enumerate(text.split("\n"), 1):
        if "-->" in line and len(_TIME.findall(line)) == 1:
            raise document.broken(f"line {number} has one time and needs two")
    tags = {"keep_html_tags": True, "keep_unknown_html_tags": True}
    try:
        with warnings.catch_warnings():
            # A time in the text of a subtitle is none of the file's.
            warnings.simplefilter("ignore")
            subtitles = pysubs2.SSAFile.from_string(text, format_="srt", **tags)
    except (pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        raise document.broken(error) from None
    if text.strip() and not len(subtitles):
        raise document.broken("it has no times")
    parts = [_parts(event.text) for event in subtitles]
    flat = [" ".join(part) for each in parts for part in each]
    translations = (in_its_space(old, new) for old, new in zip(flat, translate(flat, markup="tags"), strict=True))
    changed = False
    for event, subtitle_parts in zip(subtitles, parts, strict=True):
        lines = [line for part in subtitle_parts for line in _lines(next(translations), part)]
        changed |= _BREAK.join(lines) != event.text
        event.text = _BREAK.join(lines)
    if not changed:
        return document.content
    written = subtitles.to_string("srt", keep_ssa_tags=True).rstrip() + (text[len(text.rstrip()) :] or "\n")
    return document.encoded(re.sub("\r?\n", "\r\n", written) if "\r\n" in text else written)


def _parts(text: str) -> list[list[str]]:
    """Cut a subtitle into what is translated together: its lines, or those of each speaker."""
    parts: list[list[str]] = []
    for line in text.split(_BREAK):
        if not parts or _SPEECH.match(line):
            parts.append([])
        parts[-1].append(line)
    return parts


def _lines(text: str, before: list[str]) -> list[str]:
    """Cut a translation into as many lines as its source had, of about the same length, outside of tags."""
    if " ".join(before) == text:
        return before
    borders = [match.start() for match in re.finditer(r" (?![^<>]*>)", text)]
    lines, start = [], 0
    for left in range(len(before), 1, -1):
        middle = start + (len(text) - start) / left
        cut = min((border for border in borders if border > start), key=lambda border: abs(border - middle), default=-1)
        if cut < 0:
            break
        lines.append(text[start:cut])
        start = cut + 1
    return [*lines, text[start:]]
