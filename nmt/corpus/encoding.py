"""Encoded pairs: subword ids and raw text of both sides, as flat arrays with offsets."""

import io
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.corpus.filters import FilterCounts, Filters, is_held_out
from nmt.corpus.reader import Pair, ParallelText, has_text
from nmt.errors import CorpusError
from nmt.text.subwords import SubwordModel

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


def encode_pairs(
    pairs: Iterable[Pair],
    *,
    source_subwords: SubwordModel,
    target_subwords: SubwordModel,
    filters: Filters,
    hold_out: int = 0,
    validation: frozenset[str] = frozenset(),
    label: str = "corpus",
) -> EncodedCorpus:
    """Encode pairs in memory; equal to a store of the same pairs."""
    encoder = Encoder(source_subwords, target_subwords, filters, hold_out, validation)
    sinks = {name: io.BytesIO() for name in array_names()}
    meta = encoder.write(pairs, sinks, label, None)
    arrays = {name: np.frombuffer(sink.getvalue(), meta["dtypes"][name]) for name, sink in sinks.items()}
    return assemble(arrays, meta)


def array_names() -> list[str]:
    """List the arrays of a corpus, as ``source.ids``."""
    return [*(f"{side}.{array}" for side in _SIDES for array in _ARRAYS), _LINES]


@dataclass
class Encoder:
    """Streams pairs through filters and subwords into the arrays of `array_names`; memory holds one chunk.

    Attributes:
        source_subwords: model of the source side.
        target_subwords: model of the target side.
        filters: which pairs to leave out.
        hold_out: threshold of `hold_out_threshold`; 0 holds nothing out.
        validation: sources, without the space around them, whose pairs are validation text of another corpus.
    """

    source_subwords: SubwordModel
    target_subwords: SubwordModel
    filters: Filters
    hold_out: int
    validation: frozenset[str] = field(default_factory=frozenset)

    def write(
        self, pairs: Iterable[Pair], sinks: dict[str, Any], label: str, progress: Progress | None
    ) -> dict[str, Any]:
        """Write the arrays' bytes into the sinks and return what meta.json says about them."""
        reasons: Counter[str] = Counter()
        unknown: Counter[str] = Counter()
        held_out = ParallelText([], [])
        ends = dict.fromkeys(array_names(), 0)
        dtypes = self._dtypes()
        for name in ends:
            if name.endswith("offsets"):
                sinks[name].write(np.zeros(1, np.int64).tobytes())
        iterator, read = iter(pairs), 0
        while chunk := list(islice(iterator, _CHUNK_PAIRS)):
            kept, lines = self._filter(chunk, reasons, held_out)
            sinks[_LINES].write((read + np.array(lines, np.int64)).tobytes())
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
        counts = FilterCounts.of(reasons)
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

    def _filter(
        self, chunk: list[Pair], reasons: Counter[str], held_out: ParallelText
    ) -> tuple[dict[str, list[tuple[list[int], str]]], list[int]]:
        """Encode a chunk and split it: held-out pairs are appended, left-out ones counted.

        Returns:
            The kept pairs by side, and where in the chunk they were.
        """
        training: list[Pair] = []
        places: list[int] = []
        for place, pair in enumerate(chunk):
            if not has_text(pair):
                reasons["empty"] += 1
            elif is_held_out(pair, self.hold_out):
                held_out.source.append(pair.source)
                held_out.target.append(pair.target)
            elif pair.source.strip() in self.validation:
                reasons["validation"] += 1
            else:
                training.append(pair)
                places.append(place)
        sources = self.source_subwords.encode_batch([pair.source for pair in training])
        targets = self.target_subwords.encode_batch([pair.target for pair in training])
        buffered: dict[str, list[tuple[list[int], str]]] = {side: [] for side in _SIDES}
        lines: list[int] = []
        for place, pair, source, target in zip(places, training, sources, targets, strict=True):
            reason = self.filters.reason(len(source), len(target))
            reasons[reason] += 1
            if reason == "kept":
                buffered["source"].append((source, pair.source))
                buffered["target"].append((target, pair.target))
                lines.append(place)
        return buffered, lines

    def _dtypes(self) -> dict[str, str]:
        dtypes = {name: "<u1" if name.endswith("text") else "<i8" for name in array_names()}
        for side, subwords in zip(_SIDES, (self.source_subwords, self.target_subwords), strict=True):
            dtypes[f"{side}.ids"] = "<u2" if subwords.vocabulary_size <= 1 << 16 else "<i4"
        return dtypes


def assemble(arrays: dict[str, Any], meta: dict[str, Any]) -> EncodedCorpus:
    """Give the arrays of `array_names` and what `Encoder.write` returned about them the face of a corpus."""
    source, target = (Side(*(arrays[f"{side}.{array}"] for array in _ARRAYS)) for side in _SIDES)
    source_rate, target_rate = meta["unknown_rates"]
    held_out = ParallelText(*meta["held_out"])
    counts = FilterCounts(**meta["counts"])
    return EncodedCorpus(source, target, counts, source_rate, target_rate, held_out, arrays[_LINES])
