"""Several corpora as one: how often an epoch goes through each, in which order, and which tag its sources bear."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.corpus.encoding import EncodedCorpus, Side
from nmt.corpus.permutation import Permutation

_Integers = npt.NDArray[np.int64]
# What a permutation is for: the last number of its key. Batches use 1 to 4 for what they draw.
_EPOCH, _PASS = 5, 6


@dataclass(frozen=True)
class Part:
    """One corpus of a mixture.

    Attributes:
        corpus: its pairs, one at least.
        weight: passes of an epoch through it, above 0, taken as the decimal number that it is printed as.
        prefix: ids before every source, such as a control symbol's.
        epochs: after which no epoch takes any of its pairs; 0: none is the last.
        is_reversed: whether these are pairs of another part, read from target to source.
        marked: (N,) pairs with more ids before their sources; None: none.
        mark: those ids, which stand behind the prefix.
    """

    corpus: EncodedCorpus
    weight: float = 1.0
    prefix: tuple[int, ...] = ()
    epochs: float = 0.0
    is_reversed: bool = False
    marked: npt.NDArray[np.bool_] | None = None
    mark: tuple[int, ...] = ()

    def prefix_of(self, row: int) -> tuple[int, ...]:
        """Give the ids before the source of one pair."""
        return (*self.prefix, *self.mark) if self.marked is not None and self.marked[row] else self.prefix

    def stream(self, epoch: int) -> tuple[int, int]:
        """Positions, from the first to before the last, that an epoch takes from the endless stream of the pairs."""
        per_epoch = Fraction(str(self.weight)) * len(self.corpus)
        start, stop = int(epoch * per_epoch), int((epoch + 1) * per_epoch)
        if not self.epochs:
            return start, stop
        last = int(Fraction(str(self.epochs)) * per_epoch)
        return min(start, last), min(stop, last)


class Chosen(NamedTuple):
    """B pairs of a mixture."""

    parts: _Integers  # (B,) which corpus
    rows: _Integers  # (B,) which pair of it


@dataclass(frozen=True)
class Mixture:
    """The pairs of every epoch, as functions of (seed, epoch); nothing of the size of a corpus is ever made.

    The pairs of a corpus follow each other in an endless stream, each pass through it a permutation of its own. Epoch e
    takes the positions ⌊e·w·n⌋ to ⌊(e+1)·w·n⌋ of the stream of a corpus with n pairs and weight w. So all its pairs are
    seen equally often, whatever the weight. The pairs that an epoch takes from all corpora are permuted as a whole.

    Attributes:
        parts: the corpora, one at least.
        digest: names the content: texts, subwords, weights and prefixes; empty where nothing is to be remembered.
    """

    parts: Sequence[Part]
    digest: str = ""

    def __len__(self) -> int:
        """Count the pairs of all corpora; those that are read in reverse too count once."""
        return sum(len(part.corpus) for part in self.parts if not part.is_reversed)

    def pairs(self, epoch: int) -> int:
        """How many pairs an epoch has; with weights below 1 perhaps none."""
        return sum(stop - start for start, stop in (part.stream(epoch) for part in self.parts))

    def choose(self, positions: _Integers, *, seed: int, epoch: int) -> Chosen:
        """Find the pairs at (B,) positions of an epoch, each below `pairs(epoch)`."""
        streams = np.array([part.stream(epoch) for part in self.parts])  # (corpora, 2)
        ends = np.cumsum(streams[:, 1] - streams[:, 0])
        listed = Permutation(int(ends[-1]), (seed, epoch, 0, _EPOCH))(positions)
        chosen = Chosen(np.searchsorted(ends, listed, side="right"), np.empty_like(listed))
        for number, part in enumerate(self.parts):
            mine = np.flatnonzero(chosen.parts == number)
            passes, within = np.divmod(listed[mine] - ends[number] + streams[number, 1], len(part.corpus))
            for one in np.unique(passes).tolist():
                there = passes == one
                permutation = Permutation(len(part.corpus), (seed, number, one, _PASS))
                chosen.rows[mine[there]] = permutation(within[there])
        return chosen

    def lines(self, chosen: Chosen) -> _Integers:
        """Say where the chosen pairs, (B,), stand in their texts; see `EncodedCorpus`."""
        lines = np.empty_like(chosen.rows)
        for number, part in enumerate(self.parts):
            mine = np.flatnonzero(chosen.parts == number)
            lines[mine] = part.corpus.lines[chosen.rows[mine]]
        return lines

    def prefixes(self, chosen: Chosen) -> list[tuple[int, ...]]:
        """List the ids before each of the chosen sources."""
        each = zip(chosen.parts.tolist(), chosen.rows.tolist(), strict=True)
        return [self.parts[number].prefix_of(row) for number, row in each]

    def ids(self, chosen: Chosen, side: str) -> list[npt.NDArray[Any]]:
        """List the ids of the chosen pairs' "source" or "target" as stored: without prefix, without end of sentence.

        The rows are views of the stores; nothing is copied.
        """
        return self._rows(chosen, [(each.ids, each.offsets) for each in self._sides(side)])

    def texts(self, chosen: Chosen, side: str) -> list[str]:
        """List the raw text of the chosen pairs' "source" or "target"."""
        rows = self._rows(chosen, [(each.text, each.text_offsets) for each in self._sides(side)])
        return [row.tobytes().decode("utf-8") for row in rows]

    def _sides(self, side: str) -> list[Side]:
        return [part.corpus.source if side == "source" else part.corpus.target for part in self.parts]

    @staticmethod
    def _rows(chosen: Chosen, columns: Sequence[tuple[npt.NDArray[Any], _Integers]]) -> list[npt.NDArray[Any]]:
        """Slice the chosen rows, (B,), out of each corpus' flat array by its offsets."""
        starts, ends = np.empty_like(chosen.rows), np.empty_like(chosen.rows)
        for number, (_, offsets) in enumerate(columns):
            mine = np.flatnonzero(chosen.parts == number)
            starts[mine], ends[mine] = offsets[chosen.rows[mine]], offsets[chosen.rows[mine] + 1]
        flat = [np.asarray(column) for column, _ in columns]  # slicing a memory map itself is several times slower
        spans = zip(chosen.parts.tolist(), starts.tolist(), ends.tolist(), strict=True)
        return [flat[number][start:end] for number, start, end in spans]
