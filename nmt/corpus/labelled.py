"""Labelled sentences: CoNLL and CoNLL-U files, and two parallel files, as pairs of tokens and labels.

A sentence becomes Pair("我 爱 北京 天安门", "O O B-LOC I-LOC"). Spaces part tokens, so that a space inside a token
becomes U+00A0.

- CoNLL (.conll, .bio): a token a line, its columns parted by a tab, or by spaces where a line has no tab. The first
  column is the token, the last one its label; all lines have as many columns. A blank line ends a sentence.
- CoNLL-U (.conllu): ten columns parted by tabs, of which FORM and UPOS are read (Nivre et al. 2020). Comments, words of
  several tokens (3-4) and empty nodes (3.1) are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from nmt.corpus.reader import CorpusPaths, Pair, TextFile, find_files, parallel_pairs, read_lines
from nmt.errors import CorpusError
from nmt.text.words import LabelVocabulary, may_follow, split_tokens

_SUFFIXES = (".conll", ".bio", ".conllu")
_COLUMNS = 10
_FORM, _UPOS = 1, 3
_NO_BREAK_SPACE = "\u00a0"
_DOCUMENT = "-DOCSTART-"


class Sentence(NamedTuple):
    """A sentence, and where it stands."""

    tokens: list[str]
    labels: list[str]
    lines: list[int]
    """number of each token's line, counted from 1"""
    file: TextFile
    """which has the labels"""
    repaired: int = 0
    """labels that were I- and are read as B-"""


@dataclass(frozen=True)
class Labelled:
    """How labelled files are read; a `nmt.corpus.reader.Form`."""

    repair_bio: bool = False
    """read an I- label that continues nothing as B-"""
    strip_token_digits: bool = False
    """take the last digit off every token"""

    def digest(self, paths: CorpusPaths) -> str:
        """See `nmt.corpus.reader.Form`."""
        settings = f"labelled {int(self.repair_bio)} {int(self.strip_token_digits)}"
        return f"{settings}{' conllu' * _is_conllu(paths.source)}"

    def find(self, name: str, sides: tuple[str, str], *, key: str) -> CorpusPaths:
        """Find the file of a corpus, or the two of PREFIX; CorpusError as from `nmt.corpus.reader.resolve`."""
        return replace(find_files(name, sides, key=key, suffixes=_SUFFIXES), form=self)

    def pairs(self, paths: CorpusPaths) -> Iterator[Pair]:
        """Yield the sentences of a corpus in file order.

        Raises:
            CorpusError: as `sentences`.
        """
        return (Pair(" ".join(each.tokens), " ".join(each.labels)) for each in self.sentences(paths))

    def sentences(self, paths: CorpusPaths) -> Iterator[Sentence]:
        """Yield the sentences of a corpus with where they stand.

        Raises:
            CorpusError: as `read_lines`. Or a line lacks its label or has too many columns, a sentence is empty, or an
                I- label continues nothing. The message has the file and the line.
        """
        for sentence in self._read(paths):
            repaired = 0
            before = "O"
            for i, label in enumerate(sentence.labels):
                if not may_follow(before, label):
                    label, repaired = self._repaired(sentence, i, before), repaired + 1
                    sentence.labels[i] = label
                before = label
            yield sentence._replace(tokens=self._tokens(sentence), repaired=repaired)

    def check(self, paths: CorpusPaths, labels: LabelVocabulary) -> None:
        """Make sure that a model knows all labels of a text.

        Raises:
            CorpusError: it does not; the message has the label, the file and the line.
        """
        for sentence in self.sentences(paths):
            for label, line in zip(sentence.labels, sentence.lines, strict=True):
                if label not in labels:
                    raise CorpusError(
                        f"{sentence.file}: line {line} has the label {label}, which never occurs in the training text; "
                        "correct it, or add such sentences to the training text"
                    )

    def _read(self, paths: CorpusPaths) -> Iterator[Sentence]:
        if paths.target is not None:
            return _parallel(paths, paths.target)
        return _conllu(paths.source) if _is_conllu(paths.source) else _conll(paths.source)

    def _repaired(self, sentence: Sentence, i: int, before: str) -> str:
        label = sentence.labels[i]
        if self.repair_bio:
            return f"B-{label[2:]}"
        what = f"follows {before}" if i else "begins a sentence"
        raise CorpusError(
            f"{sentence.file}: line {sentence.lines[i]} is broken BIO: {label} {what}, and continues no entity; "
            f"correct it, or set corpus.repair_bio=true to read it as B-{label[2:]}"
        )

    def _tokens(self, sentence: Sentence) -> list[str]:
        if not self.strip_token_digits:
            return sentence.tokens
        for token, line in zip(sentence.tokens, sentence.lines, strict=True):
            if len(token) < 2 or token[-1] not in "0123456789":
                raise CorpusError(
                    f"{sentence.file}: line {line} has the token {token}, which does not end in a digit; set "
                    "corpus.strip_token_digits=false"
                )
        return [token[:-1] for token in sentence.tokens]


def _is_conllu(file: TextFile) -> bool:
    return str(file).removesuffix(".gz").endswith(".conllu")


def _conll(file: TextFile) -> Iterator[Sentence]:
    tokens: list[str] = []
    labels: list[str] = []
    lines: list[int] = []
    width = blank = 0
    for number, line in enumerate(read_lines(file), 1):
        if not line.strip():
            if tokens:
                yield Sentence(tokens, labels, lines, file)
            tokens, labels, lines = [], [], []
            blank += 1
            continue
        if blank > 1 and width:
            raise CorpusError(f"{file}: line {number - 1} ends an empty sentence; one blank line parts two sentences")
        blank = 0
        columns = line.split("\t") if "\t" in line else line.split()
        width = width or max(2, len(columns))
        if len(columns) != width or not columns[0].strip() or not columns[-1].strip():
            raise CorpusError(_columns(file, number, [each for each in columns if each.strip()], width))
        if columns[0] == _DOCUMENT:
            continue
        tokens.append(_token(columns[0]))
        labels.append(_label(columns[-1], file, number))
        lines.append(number)
    if tokens:
        yield Sentence(tokens, labels, lines, file)


def _columns(file: TextFile, number: int, columns: list[str], width: int) -> str:
    if len(columns) < 2:
        return f"{file}: line {number} has a token and no label; write both, parted by a tab"
    lines = "the others have" if number > 1 else "this needs"
    return (
        f"{file}: line {number} has {len(columns)} columns, and {lines} {width} (token first, label last); correct it"
    )


def _conllu(file: TextFile) -> Iterator[Sentence]:
    tokens: list[str] = []
    labels: list[str] = []
    lines: list[int] = []
    began = 0
    for number, line in enumerate(read_lines(file), 1):
        if not line.strip():
            if tokens:
                yield Sentence(tokens, labels, lines, file)
            elif began:
                raise CorpusError(f"{file}: line {number} ends an empty sentence, which began in line {began}")
            tokens, labels, lines, began = [], [], [], 0
            continue
        began = began or number
        if line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != _COLUMNS:
            raise CorpusError(
                f"{file}: line {number} has {len(columns)} columns, and CoNLL-U has {_COLUMNS}, parted by tabs"
            )
        if not columns[0].isdecimal():
            if not columns[0].replace("-", "").replace(".", "").isdecimal():
                raise CorpusError(f"{file}: line {number} begins with {columns[0]!r} instead of a token's number")
            continue
        if not columns[_FORM].strip() or columns[_UPOS].strip() in ("", "_"):
            what = "label (UPOS)" if columns[_FORM].strip() else "token (FORM)"
            raise CorpusError(f"{file}: line {number} has no {what}; add it")
        tokens.append(_token(columns[_FORM]))
        labels.append(_label(columns[_UPOS], file, number))
        lines.append(number)
    if tokens:
        yield Sentence(tokens, labels, lines, file)


def _parallel(paths: CorpusPaths, labels: TextFile) -> Iterator[Sentence]:
    for number, pair in enumerate(parallel_pairs(paths), 1):
        tokens, tags = map(split_tokens, pair)
        if len(tokens) != len(tags):
            raise CorpusError(
                f"{labels}: line {number} has {len(tags)} labels for the {len(tokens)} tokens of {paths.source}; give "
                "every token one label"
            )
        yield Sentence(tokens, tags, [number] * len(tags), labels)


def _token(text: str) -> str:
    return text.strip().replace(" ", _NO_BREAK_SPACE)


def _label(text: str, file: TextFile, number: int) -> str:
    if " " in text.strip():
        raise CorpusError(
            f"{file}: line {number} has the label {text.strip()!r}, and labels have no spaces; correct it"
        )
    return text.strip()
