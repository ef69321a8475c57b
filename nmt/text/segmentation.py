"""Random segmentations of words into subwords, exact functions of a given stream of random numbers."""

import heapq
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

Draw = Callable[[], float]

_UNKNOWN_PENALTY = 10.0  # SentencePiece's: an unknown character scores this much below the worst piece
_CACHED_WORDS = 50_000
_LISTED_SEGMENTATIONS = 16
_CACHED_CHARACTERS = 24  # longer words are rare, or are whole sentences in a script without spaces


@dataclass(frozen=True)
class Pieces:
    """What a sampler knows of a vocabulary.

    Attributes:
        table: piece → (id, score); control symbols and byte pieces are not in it.
        unk_id: stands for a run of unknown characters, where there are no byte pieces.
        byte_ids: the 256 ids that spell unknown characters in UTF-8, or none.
    """

    table: dict[str, tuple[int, float]]
    unk_id: int
    byte_ids: Sequence[int]

    def spell(self, segments: Iterable[str]) -> list[int]:
        """Ids of consecutive segments: unknown ones become bytes, or one unk a run, as SentencePiece writes them."""
        ids: list[int] = []
        for segment in segments:
            segment_id = self.table.get(segment)
            if segment_id is not None:
                ids.append(segment_id[0])
            elif self.byte_ids:
                ids.extend(self.byte_ids[byte] for byte in segment.encode("utf-8"))
            elif not ids or ids[-1] != self.unk_id:
                ids.append(self.unk_id)
        return ids


class _Arrivals(NamedTuple):
    """The pieces that end at one position of a word."""

    cumulative: list[float]  # their probabilities, summed up to each but the last
    starts: list[int]


class _Choices(NamedTuple):
    """All segmentations of a word that has few."""

    cumulative: list[float]  # as above
    rows: list[list[int]]


@dataclass
class UnigramSampler:
    """Forward filtering, backward sampling over the lattice of all segmentations (Kudo 2018, section 3.2).

    Words are independent, since no piece crosses a space. Lattices of words are cached, or the list of their
    segmentations where that is short. The cache never changes a result.
    """

    pieces: Pieces

    def __post_init__(self) -> None:
        self._cached: tuple[float, dict[str, list[_Arrivals] | _Choices]] = (0.0, {})
        scores = [score for _, score in self.pieces.table.values()]
        self._longest = max(map(len, self.pieces.table), default=1)
        self._unknown_score = min(scores, default=0.0) - _UNKNOWN_PENALTY

    def sample(self, words: Iterable[str], alpha: float, draw: Draw) -> list[int]:
        """Ids of one segmentation of the words, drawn from P(segmentation)^alpha."""
        cached_alpha, cache = self._cached
        if alpha != cached_alpha:
            cache = {}
            self._cached = (alpha, cache)  # at once, so that no thread sees one alpha's cache under another
        ids: list[int] = []
        for word in words:
            cached = cache.get(word)
            if cached is None:
                lattice = self._lattice(word, alpha)
                cached = self._choices(word, lattice) or lattice
                if len(word) <= _CACHED_CHARACTERS and len(cache) < _CACHED_WORDS:
                    cache[word] = cached
            if isinstance(cached, _Choices):
                ids += cached.rows[bisect_right(cached.cumulative, draw())]
            else:
                ids += self.pieces.spell(_walk(word, cached, draw))
        return ids

    def _choices(self, word: str, lattice: list[_Arrivals]) -> _Choices | None:
        """List every segmentation with its probability, or None where there are too many."""
        counts = [1]
        for _, starts in lattice[1:]:
            counts.append(sum(counts[start] for start in starts))
            if counts[-1] > _LISTED_SEGMENTATIONS:
                return None
        paths: list[list[tuple[float, list[str]]]] = [[(1.0, [])]]
        for end, (cumulative, starts) in enumerate(lattice[1:], start=1):
            bounds = [0.0, *cumulative, 1.0]
            paths.append(
                [
                    (probability * (bounds[i + 1] - bounds[i]), [*segments, word[start:end]])
                    for i, start in enumerate(starts)
                    for probability, segments in paths[start]
                ]
            )
        sums = list(accumulate(probability for probability, _ in paths[-1]))
        return _Choices(sums[:-1], [self.pieces.spell(segments) for _, segments in paths[-1]])

    def _lattice(self, word: str, alpha: float) -> list[_Arrivals]:
        """For every end position, the distribution of the last piece given that a piece ends there.

        log_forward[j] = log Σ_i exp(log_forward[i] + alpha · score(word[i:j])).

        A piece i→j has probability exp(log_forward[i] + alpha · score − log_forward[j]).
        """
        table = self.pieces.table
        log_forward = [0.0]
        lattice = [_Arrivals([], [])]
        for end in range(1, len(word) + 1):
            starts: list[int] = []
            logs: list[float] = []
            for start in range(max(0, end - self._longest), end):
                piece = table.get(word[start:end])
                if piece is not None:
                    starts.append(start)
                    logs.append(log_forward[start] + alpha * piece[1])
            if not starts or starts[-1] != end - 1:  # a single character must always be possible
                starts.append(end - 1)
                logs.append(log_forward[end - 1] + alpha * self._unknown_score)
            best = max(logs)
            weights = [math.exp(log - best) for log in logs]
            total = sum(weights)
            log_forward.append(best + math.log(total))
            cumulative, so_far = [], 0.0
            for weight in weights[:-1]:
                so_far += weight / total
                cumulative.append(so_far)
            lattice.append(_Arrivals(cumulative, starts))
        return lattice


def _walk(word: str, lattice: list[_Arrivals], draw: Draw) -> list[str]:
    """Draw the last piece, then the one before it, and so on to the start of the word."""
    end, backwards = len(word), []
    while end:
        cumulative, starts = lattice[end]
        start = starts[bisect_right(cumulative, draw())] if cumulative else starts[0]
        backwards.append(word[start:end])
        end = start
    backwards.reverse()
    return backwards


@dataclass
class BpeSampler:
    """BPE in which every merge is dropped with probability alpha (Provilkov et al. 2020, algorithm 1)."""

    pieces: Pieces

    def sample(self, words: Iterable[str], alpha: float, draw: Draw) -> list[int]:
        """Ids of the words after merging with dropout."""
        segments: list[str] = []
        for word in words:
            segments += self._merge(word, alpha, draw)
        return self.pieces.spell(segments)

    def _merge(self, word: str, alpha: float, draw: Draw) -> list[str]:
        """Best merge first, the leftmost of equals; a dropped pair may still become part of a later merge."""
        table = self.pieces.table
        symbols = list(word)  # a merged symbol sits at its first character's place, its other places are ""
        following = [*range(1, len(word)), -1]
        preceding = [*range(-1, len(word) - 1)]
        agenda: list[tuple[float, int, str]] = []

        def propose(left: int, right: int) -> None:
            if left >= 0 and right >= 0:
                piece = table.get(symbols[left] + symbols[right])
                if piece is not None:
                    heapq.heappush(agenda, (-piece[1], left, symbols[left] + symbols[right]))

        for left in range(len(word) - 1):
            propose(left, left + 1)
        while agenda:
            _, left, merged = heapq.heappop(agenda)
            right = following[left]
            if right < 0 or not symbols[left] or symbols[left] + symbols[right] != merged:
                continue  # one of the two has merged elsewhere since
            if draw() < alpha:
                continue
            symbols[left], symbols[right] = merged, ""
            following[left] = following[right]
            if following[left] >= 0:
                preceding[following[left]] = left
            propose(preceding[left], left)
            propose(left, following[left])
        return [symbol for symbol in symbols if symbol]
