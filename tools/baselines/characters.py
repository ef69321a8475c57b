"""What a text is worth without a network: character n-grams, and compressors; both in bits per character.

Lines and their newlines are counted as `nmt.evaluation.bits` counts them, so that models and baselines compare.
"""

from __future__ import annotations

import bz2
import lzma
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from nmt.evaluation.bits import characters_of

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "bzip2": lambda data: bz2.compress(data, 9),
    "xz": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
}


class NGrams:
    """Character n-grams, all orders interpolated (Witten & Bell 1991, "The Zero-Frequency Problem", method C).

    p(c given h) = (n(h, c) + t(h) · p(c given h without its first character)) / (n(h) + t(h)), with t(h) the number of
    different characters that followed h. Below the shortest history all characters of the training text, and one that
    it lacks, are equally probable. A line knows nothing of the lines before it.
    """

    def __init__(self, lines: Iterable[str], *, order: int) -> None:
        """Count the lines of a text; a character depends on `order` - 1 before it."""
        self._order = order
        self._counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for line in lines:
            for history, character in _positions(line, order):
                for start in range(len(history) + 1):
                    self._counts[history[start:]][character] += 1
        self._floor = 1 / (len(self._counts[""]) + 1)
        self._sums = {history: sum(following.values()) for history, following in self._counts.items()}

    def bits(self, line: str) -> float:
        """Compute -log2 p of a line and its newline."""
        return -math.fsum(math.log2(self._probability(*each)) for each in _positions(line, self._order))

    def _probability(self, history: str, character: str) -> float:
        probability = self._floor
        for start in range(len(history), -1, -1):
            shorter = history[start:]
            if shorter not in self._sums:
                break
            following = self._counts[shorter]
            kinds = len(following)
            probability = (following.get(character, 0) + kinds * probability) / (self._sums[shorter] + kinds)
        return probability


def _positions(line: str, order: int) -> Iterable[tuple[str, str]]:
    """Yield each character of a line, its newline too, and what stands before it; a newline stands before the line."""
    text = "\n" + " ".join(filter(None, line.split(" "))) + "\n"
    return ((text[max(0, i - order + 1) : i], text[i]) for i in range(1, len(text)))


def ngram_bits(training: Iterable[str], lines: Sequence[str], *, order: int) -> float:
    """Compute the bits per character of n-grams on the lines of a text."""
    model = NGrams(training, order=order)
    return math.fsum(map(model.bits, lines)) / sum(map(characters_of, lines))


def compressed_bits(name: str, training: Iterable[str], lines: Sequence[str]) -> float:
    """Compute the bits per character that a compressor needs for a text behind the training text, which it has seen."""
    compress = COMPRESSORS[name]
    before = "".join(f"{line}\n" for line in training).encode()
    behind = "".join(f"{line}\n" for line in lines).encode()
    return 8 * (len(compress(before + behind)) - len(compress(before))) / sum(map(characters_of, lines))
