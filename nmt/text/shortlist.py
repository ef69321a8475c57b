"""Shortlist: the few target subwords that a sentence's translation may be made of, chosen by its source subwords.

Scoring the whole vocabulary takes most of the time of a step, and a sentence can use little of it (Jean et al. 2015,
L'Hostis et al. 2016). For every source subword, the list holds the targets that the training text aligns with it most
often. For every sentence, it holds the most frequent targets of all.

A model of several target languages has such lists for each. The first id of a source, the symbol of its target
language, says which count.

Shapes: B sentences, S source length, N ids of a sentence's shortlist, C of all sentences together, G languages.
"""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nmt.errors import BundleError
from nmt.files import require_regular
from nmt.text.alignment import Ints, learn_table
from nmt.text.subwords import SubwordModel

_FORMAT = 1
_ROWS = 10_000
_ARRAYS = ("format", "target_vocabulary", "offsets", "targets", "common")
_ARRAYS_OF_LANGUAGES = ("languages", "common_offsets")


class Shortlist:
    """Target ids for every source subword, and for every sentence."""

    def __init__(
        self,
        offsets: Ints,
        targets: npt.NDArray[Any],
        common: npt.NDArray[Any],
        vocabulary: int,
        *,
        languages: range = range(0),
        common_offsets: Ints | None = None,
    ) -> None:
        """Take the lists as they are.

        Args:
            offsets: (G · source vocabulary + 1,): those of source id s are ``targets[offsets[s]:offsets[s + 1]]``, of
                the first language; those of the next follow.
            targets: all these lists, one after the other.
            common: those of every sentence, language after language.
            vocabulary: size of the target vocabulary.
            languages: source ids that name the target language; empty: there is one.
            common_offsets: (G + 1,) where those of each language begin; None: all are of one.
        """
        self._offsets, self._targets, self._common, self._languages = offsets, targets, common, languages
        self._common_offsets = np.array([0, len(common)]) if common_offsets is None else common_offsets
        self.target_vocabulary = vocabulary

    @property
    def source_vocabulary(self) -> int:
        """How many source ids there are."""
        return (len(self._offsets) - 1) // max(1, len(self._languages))

    @staticmethod
    def join(shortlists: "Sequence[Shortlist]", languages: range) -> "Shortlist":
        """Join the lists of several target languages, whose symbols are the ids `languages` of sources."""
        starts = np.cumsum([0, *(len(each._targets) for each in shortlists)])
        rows = [each._offsets[:-1] + start for each, start in zip(shortlists, starts, strict=False)]
        return Shortlist(
            np.concatenate([*rows, starts[-1:]]),
            np.concatenate([each._targets for each in shortlists]),
            np.concatenate([each._common for each in shortlists]),
            shortlists[0].target_vocabulary,
            languages=languages,
            common_offsets=np.cumsum([0, *(len(each._common) for each in shortlists)]),
        )

    @staticmethod
    def train(
        sources: Sequence[Sequence[int] | npt.NDArray[Any]],
        targets: Sequence[Sequence[int] | npt.NDArray[Any]],
        *,
        source_subwords: SubwordModel,
        target_subwords: SubwordModel,
        size: int,
    ) -> "Shortlist":
        """Choose target ids by aligning parallel text: the same text gives the same lists.

        A list always holds the target subword that is spelt like the source subword, for names and numbers. Every
        sentence also has pad, unk, BOS, EOS, the control symbols and the bytes of unknown characters.

        Args:
            sources: rows of source ids, without BOS and EOS, or anything that gives them by index.
            targets: rows of target ids of the same sentences.
            source_subwords: what made the source ids.
            target_subwords: what made the target ids.
            size: target ids of each source subword; so many of the most frequent targets are in the list of every
                sentence too.

        Raises:
            CorpusError: there is nothing to align.
        """
        source_size, target_size = source_subwords.vocabulary_size, target_subwords.vocabulary_size
        table = learn_table(sources, targets, target_vocabulary=target_size)
        # The first `size` of each source, best first, of equals the lowest id.
        order = np.lexsort((table.targets, -table.probabilities, table.sources))
        ordered = table.sources[order]
        order = order[np.arange(len(order)) - np.searchsorted(ordered, ordered) < size]
        copies = _identical(source_subwords, target_subwords)
        keys = np.unique(
            np.concatenate([table.sources[order], copies[:, 0]]) * target_size
            + np.concatenate([table.targets[order], copies[:, 1]])
        )
        listed, chosen = np.divmod(keys, target_size)
        counts = _occurrences(targets, target_size)
        most = np.argsort(-counts, kind="stable")[:size]
        special = [target_subwords.pad_id, target_subwords.unk_id, target_subwords.bos_id, target_subwords.eos_id]
        always = [*special, *target_subwords.control_ids, *target_subwords.byte_ids]
        common = np.unique(np.concatenate([most[counts[most] > 0], np.array(always, dtype=np.int64)]))
        return Shortlist(np.searchsorted(listed, np.arange(source_size + 1)), chosen, common, target_size)

    def ids(self, source: npt.NDArray[Any], lengths: npt.NDArray[Any], *, needed: Sequence[Sequence[int]] = ()) -> Ints:
        """List the target ids of each sentence's translation, which depend on that sentence alone.

        Args:
            source: (B, S) source ids.
            lengths: (B,) how many of the S are the sentence's own.
            needed: further ids for each sentence; empty: none for any.

        Returns:
            (B, N) target ids, each row ascending, padded with -1 to the longest.
        """
        rows, positions = np.nonzero(np.arange(source.shape[1]) < lengths[:, None])
        numbers = self._numbers(source)
        ids = source[rows, positions] + numbers[rows] * self.source_vocabulary
        starts, counts = self._offsets[ids], self._offsets[ids + 1] - self._offsets[ids]
        ends = np.cumsum(counts)
        listed = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - counts), counts)
        chosen = np.zeros((len(source), self.target_vocabulary), dtype=np.bool_)
        for number in np.unique(numbers):
            common = self._common[slice(*self._common_offsets[number : number + 2])]
            chosen[np.ix_(numbers == number, common)] = True
        chosen[np.repeat(rows, counts), self._targets[listed]] = True
        for row, further in enumerate(needed):
            chosen[row, list(further)] = True
        return columns_of(chosen, fill=-1)

    def _numbers(self, source: npt.NDArray[Any]) -> Ints:
        """Tell which lists count for each source (B, S): (B,), counted from 0."""
        if not self._languages:
            return np.zeros(len(source), dtype=np.int64)
        return np.clip(source[:, 0].astype(np.int64) - self._languages.start, 0, len(self._languages) - 1)

    def to_bytes(self) -> bytes:
        """Return all that `load` needs, as the content of a file."""
        narrow = np.min_scalar_type(self.target_vocabulary)
        arrays: dict[str, Any] = {
            "format": _FORMAT,
            "target_vocabulary": self.target_vocabulary,
            "offsets": self._offsets.astype(np.uint32),
            "targets": self._targets.astype(narrow),
            "common": self._common.astype(narrow),
        }
        if self._languages:
            arrays["languages"] = np.array([self._languages.start, len(self._languages)])
            arrays["common_offsets"] = self._common_offsets
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        return content.getvalue()

    @staticmethod
    def load(path: Path) -> "Shortlist":
        """Read a file of what `to_bytes` returned.

        Raises:
            BundleError: it is missing, damaged, or written by a newer nmt.
        """
        try:
            require_regular(path)
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as found:
                names = (*_ARRAYS, *(name for name in _ARRAYS_OF_LANGUAGES if name in found.files))
                arrays = {name: found[name].astype(np.int64) for name in names}
        except OSError as error:
            raise BundleError(f"{path} is missing or damaged ({error.strerror}); export the bundle again") from None
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise BundleError(f"{path} is missing or damaged ({error}); export the bundle again") from None
        offsets, targets, common = arrays["offsets"], arrays["targets"], arrays["common"]
        vocabulary = int(arrays["target_vocabulary"])
        if int(arrays["format"]) > _FORMAT:
            raise BundleError(f"{path} was written by a newer nmt; install that, or export the bundle again")
        whole = offsets.ndim == targets.ndim == common.ndim == 1 and len(offsets) > 0
        if not (whole and offsets[-1] == len(targets) and (np.diff(offsets) >= 0).all()) or (
            max(targets.max(initial=0), common.max(initial=0)) >= vocabulary
        ):
            raise BundleError(f"{path} is damaged (its lists do not fit together); export the bundle again")
        shortlist = Shortlist(offsets, targets, common, vocabulary)
        return _of_languages(path, shortlist, arrays) if len(arrays) > len(_ARRAYS) else shortlist


def _of_languages(path: Path, shortlist: Shortlist, arrays: dict[str, Ints]) -> Shortlist:
    """Divide lists that were read by languages; BundleError: these do not fit together."""
    described, starts = (arrays.get(name, np.zeros(0, dtype=np.int64)) for name in _ARRAYS_OF_LANGUAGES)
    if described.shape == (2,) and described[1] > 0 and starts.shape == (described[1] + 1,):
        languages = range(int(described[0]), int(described.sum()))
        is_whole = shortlist.source_vocabulary % len(languages) == 0 and (np.diff(starts) >= 0).all()
        if is_whole and starts[0] == 0 and starts[-1] == len(arrays["common"]):
            return Shortlist(
                arrays["offsets"],
                arrays["targets"],
                arrays["common"],
                shortlist.target_vocabulary,
                languages=languages,
                common_offsets=starts,
            )
    raise BundleError(f"{path} is damaged (its lists do not fit together); export the bundle again")


def pooled(shortlist: Ints, vocabulary: int) -> tuple[Ints, Ints]:
    """List what any sentence may use once: ids (B, N), padded with -1 → ids (C,), and their places (B, N).

    The ids ascend; if there is padding, -1 is the last of them.
    """
    chosen = np.zeros(vocabulary + 1, dtype=np.bool_)
    chosen[shortlist] = True  # the last place is that of -1
    pool = np.flatnonzero(chosen)
    return np.where(pool < vocabulary, pool, -1), (np.cumsum(chosen) - 1)[shortlist]


def columns_of(chosen: npt.NDArray[np.bool_], *, fill: int) -> Ints:
    """List the columns that are chosen in each row of (B, V): (B, N) ascending, filled up to the longest."""
    widths = chosen.sum(1)
    columns = np.full((len(chosen), int(widths.max(initial=0))), fill, dtype=np.int64)
    columns[np.arange(columns.shape[1]) < widths[:, None]] = np.flatnonzero(chosen) % chosen.shape[1]
    return columns


def _occurrences(rows: Sequence[Any], vocabulary: int) -> Ints:
    """(vocabulary,) how often each id occurs."""
    counts = np.zeros(vocabulary, dtype=np.int64)
    for start in range(0, len(rows), _ROWS):
        some = [rows[i] for i in range(start, min(start + _ROWS, len(rows)))]
        counts += np.bincount(np.concatenate(some).astype(np.int64), minlength=vocabulary)
    return counts


def _identical(source: SubwordModel, target: SubwordModel) -> Ints:
    """Pair the ids (N, 2) of the subwords that are spelt alike on both sides."""
    ids = {piece: i for i, piece in enumerate(target.pieces)}
    pairs = [(i, ids[piece]) for i, piece in enumerate(source.pieces) if piece in ids]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
