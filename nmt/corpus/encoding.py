"""Encoded pairs: subword ids and raw text of both sides, as flat arrays with offsets."""

import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import islice
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.corpus.distinct import SeenPairs
from nmt.corpus.filters import FilterCounts, Filters, is_held_out
from nmt.corpus.reader import Pair, ParallelText, has_text
from nmt.errors import CorpusError
from nmt.text.spans import PairMarker
from nmt.text.subwords import SubwordModel
from nmt.text.vocabulary import Vocabulary

_CHUNK_PAIRS = 10_000
_SIDES = ("source", "target")
_ARRAYS = ("ids", "offsets", "text", "text_offsets")
_LINES = "lines"
Progress = Callable[[int], None]


class Side(NamedTuple):
    """One language of a corpus of N pairs."""

    ids: npt.NDArray[Any]  # all rows, one after the other, without end of sentence
    offsets: npt.NDArray[np.int64]  # (N + 1,): row i is ids[offsets[i]:offsets[i + 1]]
    text: npt.NDArray[np.uint8]  # UTF-8 of all rows
    text_offsets: npt.NDArray[np.int64]  # (N + 1,)

    def row(self, index: int) -> npt.NDArray[Any]:
        """Ids of one sentence, without end of sentence."""
        return self.ids[self.offsets[index] : self.offsets[index + 1]]

    def line(self, index: int) -> str:
        """Raw text of one sentence."""
        return self.text[self.text_offsets[index] : self.text_offsets[index + 1]].tobytes().decode("utf-8")


@dataclass(frozen=True)
class EncodedCorpus:
    """The training pairs that the filters kept, in file order.

    Attributes:
        source: the source side.
        target: the target side.
        counts: what the filters did.
        source_unknown_rate: share of unknown ids among all source ids.
        target_unknown_rate: the same of the target.
        held_out: raw text of the pairs held out for validation, empty where none were.
        lines: (N,) where each stands in its text: the number of its line, from 0.
    """

    source: Side
    target: Side
    counts: FilterCounts
    source_unknown_rate: float
    target_unknown_rate: float
    held_out: ParallelText
    lines: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.source.offsets) - 1


@dataclass(frozen=True)
class Encoder:
    """Streams pairs through filters and subwords into arrays; memory holds one chunk.

    Attributes:
        source_subwords: model of the source side.
        target_subwords: model of the target side.
        filters: which pairs to leave out.
        hold_out: threshold of `hold_out_threshold`; 0 holds nothing out.
        hold_out_side: the side of a pair that decides: "target" where the text is also that of the other direction.
        validation: sources, without the space around them, whose pairs are validation text of another corpus.
        deduplicate: leave out pairs that stand there before, held-out ones too.
    """

    source_subwords: Vocabulary
    target_subwords: Vocabulary
    filters: Filters = field(default_factory=Filters)
    hold_out: int = 0
    hold_out_side: str = "source"
    validation: frozenset[str] = frozenset()
    deduplicate: bool = False

    def encode(self, pairs: Iterable[Pair], *, label: str = "corpus") -> EncodedCorpus:
        """Encode pairs in memory; equal to a store of the same pairs.

        Raises:
            CorpusError: no pair is left after filtering; `label` is named.
        """
        sinks = {name: io.BytesIO() for name in self.dtypes()}
        meta = self.write(pairs, sinks, label)
        return assemble(
            {name: np.frombuffer(sinks[name].getvalue(), dtype) for name, dtype in self.dtypes().items()}, meta
        )

    def dtypes(self) -> dict[str, str]:
        """Name the arrays of a corpus, as ``source.ids``, and the type of each."""
        dtypes: dict[str, str] = {_LINES: "<i8"}
        for side, subwords in zip(_SIDES, (self.source_subwords, self.target_subwords), strict=True):
            ids = "<u2" if subwords.vocabulary_size <= 1 << 16 else "<i4"
            dtypes |= zip((f"{side}.{array}" for array in _ARRAYS), (ids, "<i8", "<u1", "<i8"), strict=True)
        return dtypes

    def write(
        self, pairs: Iterable[Pair], sinks: Mapping[str, IO[bytes]], label: str, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Write the arrays' bytes into their sinks and return what meta.json says about them."""
        reasons: Counter[str] = Counter()
        unknown: Counter[str] = Counter()
        held_out, seen = ParallelText([], []), SeenPairs() if self.deduplicate else None
        dtypes = self.dtypes()
        ends = dict.fromkeys(dtypes, 0)
        for name in ends:
            if name.endswith("offsets"):
                sinks[name].write(np.zeros(1, np.int64).tobytes())
        iterator, read = iter(pairs), 0
        while chunk := list(islice(iterator, _CHUNK_PAIRS)):
            places, kept = self._filter(chunk, reasons, held_out, seen)
            sinks[_LINES].write((read + np.array(places, np.int64)).tobytes())
            read += len(chunk)
            for side, subwords in zip(_SIDES, (self.source_subwords, self.target_subwords), strict=True):
                rows = [ids for ids, _ in kept[side]]
                texts = [text.encode("utf-8") for _, text in kept[side]]
                ids = np.fromiter((i for row in rows for i in row), dtypes[f"{side}.ids"])
                unknown[side] += int((ids == subwords.unk_id).sum())
                sinks[f"{side}.ids"].write(ids.tobytes())
                sinks[f"{side}.text"].write(b"".join(texts))
                for array, lengths in (("offsets", map(len, rows)), ("text_offsets", map(len, texts))):
                    name = f"{side}.{array}"
                    offsets = ends[name] + np.cumsum(np.fromiter(lengths, np.int64, len(rows)), dtype=np.int64)
                    sinks[name].write(offsets.tobytes())
                    ends[name] = int(offsets[-1]) if len(offsets) else ends[name]
            if progress is not None:
                progress(read)
        counts = FilterCounts(**{"kept": 0} | reasons)
        if counts.kept == 0:
            raise CorpusError(
                f"{label}: no pair is left to train on ({counts.summary()}); check the corpus and filters"
            )
        return {
            "dtypes": dtypes,
            "counts": asdict(counts),
            "unknown_rates": [unknown[side] / ends[f"{side}.offsets"] for side in _SIDES],
            "held_out": [held_out.source, held_out.target],
        }

    @cached_property
    def _marker(self) -> PairMarker | None:
        """Puts marks into the pairs; None where the vocabularies have none."""
        sides = self.source_subwords, self.target_subwords
        if not (isinstance(sides[0], SubwordModel) and isinstance(sides[1], SubwordModel)):
            return None
        marker = PairMarker(sides[0], sides[1])
        return marker if marker.marks else None

    def _filter(
        self, chunk: list[Pair], reasons: Counter[str], held_out: ParallelText, seen: SeenPairs | None
    ) -> tuple[list[int], dict[str, list[tuple[list[int], str]]]]:
        """Encode a chunk and split it: held-out pairs are appended, left-out ones counted.

        The text of what is kept has marks for its protected spans, see `nmt.text.spans.PairMarker`.

        Returns:
            Where in the chunk the kept pairs were, and each side's ids and text of them.
        """
        repeated = seen.add(chunk) if seen is not None else np.zeros(len(chunk), np.bool_)
        training: list[tuple[int, Pair]] = []
        for place, pair in enumerate(chunk):
            if not has_text(pair):
                reasons["empty"] += 1
            elif repeated[place]:
                reasons["repeated"] += 1
            elif is_held_out(pair, self.hold_out, side=self.hold_out_side):
                held_out.source.append(pair.source)
                held_out.target.append(pair.target)
            elif pair.source.strip() in self.validation:
                reasons["validation"] += 1
            else:
                training.append((place, pair))
        if self._marker is not None:
            training = [(place, Pair(*self._marker(pair.source, pair.target))) for place, pair in training]
        sources = self.source_subwords.encode_batch([pair.source for _, pair in training])
        targets = self.target_subwords.encode_batch([pair.target for _, pair in training])
        places: list[int] = []
        lines: dict[str, list[tuple[list[int], str]]] = {side: [] for side in _SIDES}
        for (place, pair), source, target in zip(training, sources, targets, strict=True):
            reason = self.filters.reason(len(source), len(target))
            reasons[reason] += 1
            if reason == "kept":
                places.append(place)
                lines["source"].append((source, pair.source))
                lines["target"].append((target, pair.target))
        return places, lines


def assemble(arrays: dict[str, Any], meta: dict[str, Any]) -> EncodedCorpus:
    """Give the arrays and what `Encoder.write` returned about them the face of a corpus."""
    source, target = (Side(*(arrays[f"{side}.{array}"] for array in _ARRAYS)) for side in _SIDES)
    source_rate, target_rate = meta["unknown_rates"]
    held_out = ParallelText(*meta["held_out"])
    counts = FilterCounts(**meta["counts"])
    return EncodedCorpus(source, target, counts, source_rate, target_rate, held_out, arrays[_LINES])
