"""A document that was read, and what its text needs in every format."""

import codecs
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from nmt.errors import ConfigError


class TranslatesTexts(Protocol):
    """What translates."""

    def __call__(self, texts: Sequence[str], *, markup: str | None = None) -> list[str]:
        """Translate texts, with tags of this kind of markup in them: same count, same order."""


class Document(NamedTuple):
    """A file that was read."""

    path: Path
    content: bytes
    translates_all: bool = False
    """whether texts that have a translation get another one"""

    @property
    def text(self) -> str:
        """The content as text, without a byte order mark; ConfigError: it is not UTF-8."""
        try:
            return self.content.decode("utf-8").removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"{self.path} is not UTF-8 (byte 0x{self.content[error.start]:02x} at position {error.start}): "
                "convert it, as with iconv"
            ) from None

    def encoded(self, text: str) -> bytes:
        """Encode the new text as the content was."""
        return text.encode("utf-8-sig" if self.content.startswith(codecs.BOM_UTF8) else "utf-8")

    def broken(self, reason: object) -> ConfigError:
        """Make the error of a file that is not of its format."""
        return ConfigError(f"{self.path} is no whole {self.path.suffix[1:]} file ({reason}): repair it")


def in_its_space(source: str, translation: str) -> str:
    """Give a translation the white space around its source; a text that stayed the same stays so to the byte."""
    if source.split() == translation.split():
        return source
    lead, trail = len(source) - len(source.lstrip()), len(source.rstrip())
    return source[:lead] + translation + source[trail:]


def translated(texts: Sequence[str], translate: TranslatesTexts) -> list[str]:
    """Translate texts of several lines, line by line; those with tags keep them."""
    lines = [text.split("\n") for text in texts]
    flat = [line for each in lines for line in each if line.strip()]
    translations: dict[str, str] = {}
    for markup in ("tags", None):
        distinct_lines = list(dict.fromkeys(line for line in flat if ("<" in line) is (markup is not None)))
        answers = translate([line.strip() for line in distinct_lines], markup=markup)
        translations |= {line: in_its_space(line, answer) for line, answer in zip(distinct_lines, answers, strict=True)}
    return ["\n".join(translations.get(line, line) for line in each) for each in lines]
