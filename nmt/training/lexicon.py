"""The lexicon of a model that has one, learnt from the word alignments of its training text before training begins."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from nmt.config.train import TrainConfig
from nmt.corpus.augmentation import FOLDS
from nmt.corpus.mixture import Mixture
from nmt.model.lexicon import Lexicon, Offer, lay_out, rows_of
from nmt.runs.log import LOG
from nmt.text.alignment import TranslationTable, cross_fit
from nmt.text.subwords import SubwordModel
from nmt.text.vocabulary import subwords_of
from nmt.training.augmentation import Case, letter_cases
from nmt.training.data import TrainingData

_DISCOUNT = 0.5
_SAMPLED = 2
"""Sampled segmentations of each pair that are aligned beside the best one."""
_SURE = 0.95
"""Probability of a mark as its own translation."""
_MAX_CELLS = 60_000_000
"""Bound on the memory and the time of aligning, see nmt.text.alignment. With sampled segmentations 60,000 pairs of 15
subwords fit in, without them three times as many. Of more text a sample is taken."""


class Sampling(NamedTuple):
    """How training samples the segmentations of one side."""

    subwords: SubwordModel
    alpha: float
    """see `SubwordModel.sample_batch`"""
    seed: int


class Cases(NamedTuple):
    """How training writes some lines of one side."""

    subwords: SubwordModel
    changes: tuple[Case, ...]


class Translations(NamedTuple):
    """The N most likely translations of every source subword of V, for `nmt.model.lexicon.Lexicon`."""

    targets: Tensor
    """(V, N) ids"""
    probabilities: Tensor
    """(V, N) p(target | source); 0 where there are fewer"""


@dataclass(frozen=True)
class Folds:
    """What each pair of the training text is offered in training: what the pairs of the other folds say.

    A lexicon knows every word of the text that it was learnt from, the rarest too. A model trained with it would come
    to expect as much of new text, and would itself have nothing to learn about rare words.
    """

    targets: Tensor
    """(K, V, N): of each fold, as in `Translations`"""
    probabilities: Tensor
    """(K, V, N)"""
    epsilon: float
    """of the model's lexicon"""
    languages: range = range(0)
    """ids of target languages, as the lexicon has them"""

    @classmethod
    def of(cls, others: Sequence[Translations], *, epsilon: float, languages: range = range(0)) -> Self:
        """Join what `learn_translations` found for each fold."""
        targets, probabilities = (torch.stack(column) for column in zip(*others, strict=True))
        return cls(targets, probabilities, epsilon, languages)

    def tensors(self) -> dict[str, Tensor]:
        """Give what to save."""
        return {"targets": self.targets, "probabilities": self.probabilities}

    @classmethod
    def restored(cls, tensors: dict[str, Tensor], *, epsilon: float, languages: range = range(0)) -> Self | None:
        """Read what `tensors` gave; None where nothing was saved."""
        return cls(**tensors, epsilon=epsilon, languages=languages) if tensors else None

    def to(self, device: torch.device) -> Self:
        """Copy to a device."""
        return replace(self, targets=self.targets.to(device), probabilities=self.probabilities.to(device))

    def offer(self, source: Tensor, lines: Tensor) -> Offer:
        """Look up sources (B, S) of the pairs in these lines of their texts, (B,)."""
        folds, rows = (lines % len(self.targets)).unsqueeze(1), rows_of(source, self.languages, self.targets.size(1))
        return lay_out(self.targets[folds, rows], self.probabilities[folds, rows], epsilon=self.epsilon)


def fill_lexicon(lexicon: Lexicon, config: TrainConfig, data: TrainingData) -> Folds:
    """Align the training text for a model's lexicon; return what training offers of it to each pair."""
    LOG.info("aligning the training text for the lexicon")
    translations, others = align_text(config, data, size=config.model.lexicon_size)
    lexicon.fill(*translations)
    return Folds.of(others, epsilon=lexicon.epsilon, languages=lexicon.languages)


def align_text(config: TrainConfig, data: TrainingData, *, size: int) -> tuple[Translations, list[Translations]]:
    """Learn translations as `learn_translations` does, from the training text as it is sampled; marks keep theirs.

    Those of each target language that the vocabulary has a symbol for are learnt from its own text. They stand one
    after the other: the row of source subword v of language number i is i V + v.
    """
    source, target = subwords_of(data.source_subwords), subwords_of(data.target_subwords)
    changes = tuple(letter_cases(config.augmentation))
    copies, probability = _copies(source, target), config.model.lexicon_copies
    by_language: list[list[Translations]] = []
    for corpus in _by_language(data.corpus, source.language_ids):
        if not corpus.parts:  # a language of the vocabulary that the text has not
            by_language.append([_nothing(source.vocabulary_size, size)] * (1 + FOLDS))
            continue
        translations, others = learn_translations(
            corpus,
            **data.vocabularies,
            size=size,
            source_sampling=_sampling(config, "source", source),
            target_sampling=_sampling(config, "target", target),
            cases=(Cases(source, changes), Cases(target, changes)) if changes else None,
        )
        for each in (translations, *others):
            if probability:
                add_copies(each, *copies, probability=probability)
            _keep_marks(each, source.mark_ids[: len(data.marks)])
        by_language.append([translations, *others])
    whole, *folds = [Translations(*map(torch.cat, zip(*each, strict=True))) for each in zip(*by_language, strict=True)]
    return whole, folds


def _by_language(corpus: Mixture, languages: range) -> list[Mixture]:
    """Divide a mixture by the target languages that the prefixes of its parts name; without any, it stays whole."""
    if not languages:
        return [corpus]
    return [Mixture([part for part in corpus.parts if part.prefix[0] == each]) for each in languages]


def _nothing(vocabulary: int, size: int) -> Translations:
    """Give no source subword any translation."""
    return Translations(torch.zeros(vocabulary, size, dtype=torch.int32), torch.zeros(vocabulary, size))


def _keep_marks(translations: Translations, marks: range) -> None:
    """Let every mark for a protected span be its own translation, in place; training text has few or none."""
    for mark in marks:
        translations.targets[mark], translations.probabilities[mark] = 0, 0.0
        translations.targets[mark, 0], translations.probabilities[mark, 0] = mark, _SURE


def _copies(source: SubwordModel, target: SubwordModel) -> tuple[Tensor, Tensor]:
    """List the ids, (C,) each, of source subwords and of the target subwords of the same spelling."""
    first = source.language_ids.stop, target.language_ids.stop
    places = {piece: i for i, piece in enumerate(target.pieces) if i >= first[1]}
    pairs = [(i, places[piece]) for i, piece in enumerate(source.pieces) if i >= first[0] and piece in places]
    sources, targets = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).unbind(1)
    return sources, targets


def add_copies(translations: Translations, sources: Tensor, targets: Tensor, *, probability: float) -> None:
    """Let source subwords be translated by target subwords, (C,) each, with this probability at least, in place.

    Such a translation takes the place of the least likely one where a subword has as many as there may be. It is the
    lexicon of Arthur et al. (2016) that copies, rather than a distribution of its own (See et al. 2017).
    """
    ids, likely = translations.targets, translations.probabilities
    is_there = (ids[sources] == targets.unsqueeze(1)) & (likely[sources] > 0)  # (C, N)
    columns = torch.where(is_there.any(1), is_there.int().argmax(1), likely[sources].argmin(1))
    ids[sources, columns] = targets.to(ids.dtype)
    before = torch.where(is_there.any(1), likely[sources, columns], 0.0)
    likely[sources, columns] = before.clamp(min=probability)


def _sampling(config: TrainConfig, side: str, subwords: SubwordModel) -> Sampling | None:
    """Say how training samples one side; None: not at all."""
    settings = config.subwords
    if not (settings.sampling_alpha and settings.sampled_sides.include(side)):
        return None
    return Sampling(subwords, settings.sampling_alpha, config.seed)


def learn_translations(
    corpus: Mixture,
    *,
    source_vocabulary: int,
    target_vocabulary: int,
    size: int,
    source_sampling: Sampling | None = None,
    target_sampling: Sampling | None = None,
    cases: tuple[Cases, Cases] | None = None,
) -> tuple[Translations, list[Translations]]:
    """Learn the `size` most likely translations of every source subword, and the same without each fold's pairs.

    The pair in line i of a text is of fold i modulo their number. A mixture may have a text and its translations, which
    say the same line by line: these are of the same folds too.

    Of what was seen once little is to be expected in the next text: absolute discounting (Ney et al. 1994) takes half
    an occurrence from each.

    Where training samples segmentations, some sampled ones of each pair count beside the best: their subwords need
    translations too. Where training has lines in other letter cases, which `cases` has for both sides, each pair counts
    in these as well.
    """
    source_cases, target_cases = cases or (None, None)
    segmentations = 1 + (_SAMPLED if source_sampling or target_sampling else 0)
    segmentations += len(source_cases.changes) if source_cases else 0
    pairs = sum(len(part.corpus) for part in corpus.parts)
    whole, others, aligned = cross_fit(
        _Rows(corpus, 0, ways=segmentations, sampling=source_sampling, cases=source_cases),
        _Rows(corpus, 1, ways=segmentations, sampling=target_sampling, cases=target_cases),
        target_vocabulary=target_vocabulary,
        fold_of=np.concatenate([(part.corpus.lines % FOLDS).astype(np.uint8) for part in corpus.parts]),
        folds=FOLDS,
        least_count=_DISCOUNT,
        alternatives=segmentations,
        max_cells=_MAX_CELLS,
    )
    if aligned < pairs:
        LOG.info(f"the lexicon is of a sample of the training text: {aligned:,} of {pairs:,} pairs")
    translations = [_most_likely(table, source_vocabulary, size) for table in (whole, *others)]
    return translations[0], translations[1:]


def _most_likely(table: TranslationTable, vocabulary: int, size: int) -> Translations:
    """Take the first `size` of each source, best first, of equals the lowest id."""
    discounted = np.maximum(table.counts - _DISCOUNT, 0) / np.maximum(table.counts, _DISCOUNT)
    probabilities = table.probabilities * discounted
    order = np.lexsort((table.targets, -probabilities, table.sources))
    sources = table.sources[order]
    places = np.arange(len(order)) - np.searchsorted(sources, sources)
    chosen = (places < size) & (probabilities[order] > 0)
    order, rows, columns = order[chosen], sources[chosen], places[chosen]
    translations = _nothing(vocabulary, size)
    translations.targets[rows, columns] = torch.from_numpy(table.targets[order]).int()
    translations.probabilities[rows, columns] = torch.from_numpy(probabilities[order]).float()
    return translations


class _Rows(Sequence[Any]):
    """One side of all pairs of a mixture, with end of sentence, as the model reads them.

    Each pair is there in several ways, one after the other: as it is best segmented, as it is sampled, in other letter
    cases.
    """

    def __init__(
        self, corpus: Mixture, side: int, *, ways: int, sampling: Sampling | None, cases: Cases | None = None
    ) -> None:
        self._sides = [(part.corpus.source, part.corpus.target)[side] for part in corpus.parts]
        self._parts = corpus.parts
        self._ends = np.cumsum([len(part.corpus) for part in corpus.parts])
        self._side, self._ways, self._sampling, self._cases = side, ways, sampling, cases

    def __len__(self) -> int:
        return int(self._ends[-1]) * self._ways

    def __getitem__(self, index: Any) -> Any:
        number, way = divmod(index, self._ways)
        part = int(np.searchsorted(self._ends, number, side="right"))
        place = number - (self._ends[part - 1] if part else 0)
        ids: Any = self._sides[part].row(place)
        if self._cases and (case := way - self._ways + len(self._cases.changes)) >= 0:
            ids = self._cases.subwords.encode(self._cases.changes[case](self._sides[part].line(place)))
        elif way and self._sampling:
            subwords, alpha, seed = self._sampling
            seed = int(np.random.SeedSequence((seed, index, self._side)).generate_state(1, np.uint64)[0])
            [ids] = subwords.sample_batch([self._sides[part].line(place)], alpha=alpha, seed=seed)
        prefix = () if self._side else self._parts[part].prefix_of(int(place))
        return np.array([*prefix, *ids, SubwordModel.eos_id])
