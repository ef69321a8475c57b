"""Plain text of one side: a file of lines, gzipped or not.

What is read, filtered, held out and compared is a pair of lines everywhere. So a line stands on both sides of its pair.
A language model learns from the target, and reads nothing of the source.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from nmt.corpus.reader import CorpusPaths, Pair, find_file, read_lines
from nmt.errors import CorpusError


@dataclass(frozen=True)
class Plain:
    """How a file of lines is read; a `nmt.corpus.reader.Form`."""

    def digest(self, paths: CorpusPaths) -> str:
        """See `nmt.corpus.reader.Form`; names say nothing."""
        return "plain"

    def find(self, name: str, suffix: str, *, key: str) -> CorpusPaths:
        """Find the file of a text: NAME itself, NAME.SUFFIX, or either of them with .gz.

        Raises:
            CorpusError: there is none of them.
        """
        label = f"{key}={name}"
        if not name:
            raise CorpusError(f"{key} is not set: name a file of lines, as in {key}=data/train.en")
        file = find_file((name, f"{name}.{suffix}", f"{name}.gz", f"{name}.{suffix}.gz"), label)
        if file is None:
            raise CorpusError(f"{label}: there is no file {name} (nor {name}.{suffix}); check the path")
        return CorpusPaths(label, file, None, self)

    def pairs(self, paths: CorpusPaths) -> Iterator[Pair]:
        """Yield every line in file order, on both sides of a pair; CorpusError as `nmt.corpus.reader.read_lines`."""
        return (Pair(line, line) for line in read_lines(paths.source))
