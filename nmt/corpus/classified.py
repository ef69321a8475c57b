"""Classified text: lines with a label each, as pairs of words and label.

A line becomes Pair("How far is it ?", "NUM"): its words as `nmt.text.tokenizer` cuts them, parted by spaces.

- .tsv: text, tab, label;
- .label: label, tab, text; where a line has no tab, a space ends the label, as in the questions of Li & Roth (2002,
  "Learning Question Classifiers");
- two parallel files: texts, and labels.

Bytes that are not UTF-8 become U+FFFD, since a label is worth keeping where a letter of its text is lost.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from nmt.corpus.reader import CorpusPaths, Pair, TextFile, find_files, parallel_pairs, read_lines
from nmt.errors import CorpusError
from nmt.text.tokenizer import tokenize
from nmt.text.words import ClassVocabulary

_COLUMNS, _LABEL_FIRST = ".tsv", ".label"

_Told = Callable[[str], None]


class Example(NamedTuple):
    """A line of text and its label, and where they stand."""

    words: list[str]
    label: str
    file: TextFile
    """which has the label"""
    line: int
    """its number, counted from 1"""
    is_cut: bool = False
    """whether it has more words than these"""


@dataclass(frozen=True)
class Classified:
    """How classified files are read; a `nmt.corpus.reader.Form`."""

    coarse: bool = False
    """take of a label what stands before its first colon"""
    most_words: int = 0
    """words of a text that are read; 0: all"""

    def digest(self, paths: CorpusPaths) -> str:
        """See `nmt.corpus.reader.Form`."""
        return f"classified {int(self.coarse)} {self.most_words}{' label first' * _is_label_first(paths.source)}"

    def find(self, name: str, sides: tuple[str, str], *, key: str) -> CorpusPaths:
        """Find the file of a corpus, or the two of PREFIX; CorpusError as from `nmt.corpus.reader.resolve`."""
        return replace(find_files(name, sides, key=key, suffixes=(_COLUMNS, _LABEL_FIRST)), form=self)

    def pairs(self, paths: CorpusPaths) -> Iterator[Pair]:
        """Yield the words and label of each line, in file order; CorpusError as `examples`."""
        return (Pair(" ".join(each.words), each.label) for each in self.examples(paths))

    def examples(self, paths: CorpusPaths, *, told: _Told = lambda message: None) -> Iterator[Example]:
        """Yield the lines of a corpus with where they stand.

        Args:
            paths: its files.
            told: is called with a message about each line that is not UTF-8.

        Raises:
            CorpusError: as `read_lines`. Or a line lacks its label or its text, or has a column too many. The message
                has the file and the line.
        """
        for number, (text, label) in enumerate(self._read(paths, told), 1):
            file = paths.target or paths.source
            label = label.strip()
            if self.coarse:
                label = label.partition(":")[0].strip()
            if not label:
                raise CorpusError(f"{file}: line {number} has no label; add it, or take the line out")
            text_words = tokenize(text)
            if not text_words:
                raise CorpusError(f"{paths.source}: line {number} has no text; add it, or take the line out")
            if self.most_words and len(text_words) > self.most_words:
                yield Example(text_words[: self.most_words], label, file, number, is_cut=True)
            else:
                yield Example(text_words, label, file, number)

    def check(self, paths: CorpusPaths, labels: ClassVocabulary) -> list[str]:
        """Make sure that a model knows all labels of a text; say which of its lines are not UTF-8.

        Raises:
            CorpusError: as `examples`, or a label is unknown; the message has the label, the file and the line.
        """
        notes: list[str] = []
        for example in self.examples(paths, told=notes.append):
            if example.label not in labels:
                raise CorpusError(
                    f"{example.file}: line {example.line} has the label {example.label}, which never occurs in the "
                    "training text; correct it, or add such lines to the training text"
                )
        return notes

    def _read(self, paths: CorpusPaths, told: _Told) -> Iterator[tuple[str, str]]:
        if paths.target is not None:
            return iter(parallel_pairs(paths, replaced=told))
        return (_label_first if _is_label_first(paths.source) else _columns)(paths.source, told)


def _is_label_first(file: TextFile) -> bool:
    return str(file).removesuffix(".gz").endswith(_LABEL_FIRST)


def _columns(file: TextFile, told: _Told) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_lines(file, replaced=told), 1):
        columns = line.split("\t")
        if len(columns) > 2:
            raise CorpusError(
                f"{file}: line {number} has {len(columns)} columns instead of two (text, tab, label); correct it"
            )
        yield columns[0], columns[1] if len(columns) > 1 else ""


def _label_first(file: TextFile, told: _Told) -> Iterator[tuple[str, str]]:
    for line in read_lines(file, replaced=told):
        label, _, text = line.partition("\t" if "\t" in line else " ")
        yield text, label
