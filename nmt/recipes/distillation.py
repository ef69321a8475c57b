"""Training text for a smaller model: sequence-level knowledge distillation (Kim & Rush 2016, section 3.2).

A teacher translates the source side of the training text, and the smaller model, the student, learns from these
translations. The best hypothesis of a beam search stands for the teacher's whole distribution. A teacher may be an
ensemble, which so becomes one model (Freitag et al. 2017, "Ensemble Distillation for Neural Machine Translation").
"""

from __future__ import annotations

from pathlib import Path

from nmt.corpus.reader import read_pairs, resolve
from nmt.errors import ConfigError
from nmt.recipes.teacher import Teacher
from nmt.recipes.translated_text import Files, Text, translate_text


def distill(teacher: Teacher, train: str, prefix: str, *, overwrite: bool = False) -> None:
    """Write PREFIX.SOURCE with the sources of a training text, and PREFIX.TARGET with the teacher's translations.

    Every pair is kept, so that line n stays line n; the filters of training leave out bad pairs.

    Args:
        teacher: translates; SOURCE and TARGET are its languages.
        train: the training text, as `nmt.corpus.reader.resolve` finds it.
        prefix: of the files that are written.
        overwrite: replace what another call left there.

    Raises:
        NmtError: the teacher, the text or the files are not what they should be.
        OSError: a file cannot be written.
    """
    description = teacher.describe()
    source, target = description.source_language, description.target_language
    if Path(prefix) == Path(train):
        raise ConfigError(f"--output {prefix} is the training text itself; choose another --output")
    paths = resolve(train, source=source, target=target, key="--train")
    originals = tuple(file for file in paths.files if isinstance(file, Path))
    text = Text(f"--train {train}", originals, lambda: (pair.source for pair in read_pairs(paths)))
    translate_text(teacher, text, Files.of(prefix, given=source, made=target), overwrite=overwrite)
