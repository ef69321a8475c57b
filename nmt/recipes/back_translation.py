"""Parallel text from text in the target language alone: back-translation (Sennrich et al. 2016).

A bundle of the opposite direction translates the text. Models then train on both texts, with a tag that tells them
which sources are synthetic (tagged back-translation, Caswell et al. 2019).
"""

from __future__ import annotations

from pathlib import Path

from nmt.corpus.reader import read_lines
from nmt.errors import ConfigError, CorpusError
from nmt.recipes.teacher import Teacher
from nmt.recipes.translated_text import Files, Text, translate_text

TAG = 0
"""Control symbol before synthetic sources in training; text cannot spell it."""


def back_translate(
    teacher: Teacher, text: Path, prefix: str, *, source: str, target: str, overwrite: bool = False
) -> None:
    """Write PREFIX.TARGET with the lines of a text, and PREFIX.SOURCE with their translations.

    Args:
        teacher: translates `target` to `source`.
        text: a sentence a line, plain or gzipped.
        prefix: of the files that are written.
        source: the language that the new model will read.
        target: the language that it will write, and that the text is in.
        overwrite: replace what another call left there.

    Raises:
        NmtError: the teacher, the text or the files are not what they should be.
        OSError: a file cannot be written.
    """
    if source == target:
        raise ConfigError(f"--source and --target are both {source}: they must name two languages")
    if not text.is_file():
        raise CorpusError(f"--input {text}: there is no such file; check the path")
    _require_direction(teacher, source=target, target=source)
    monolingual = Text(f"--input {text}", (text,), lambda: read_lines(text))
    translate_text(teacher, monolingual, Files.of(prefix, given=target, made=source), overwrite=overwrite)


def _require_direction(teacher: Teacher, *, source: str, target: str) -> None:
    """Make sure that the teacher translates from the one language to the other; raises ConfigError."""
    description = teacher.describe()
    has, wanted = (description.source_language, description.target_language), (source, target)
    if has == wanted:
        return
    hint = "name a bundle of that direction, or correct --source and --target"
    if has == wanted[::-1]:
        hint = "back-translation needs a model of the opposite direction: train one with the languages exchanged"
    raise ConfigError(f"{teacher.path} translates {' → '.join(has)}, not {' → '.join(wanted)}; {hint}")
