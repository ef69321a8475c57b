"""Transfer: a run that takes over the weights of its parent, and has subwords of its own.

Zoph et al. (2016, "Transfer Learning for Low-Resource Neural Machine Translation") begin with the weights of a model of
another language pair. The rows of the new subwords come from the parent's, in the first of these ways that is possible:

- a piece that the parent has too keeps its row (Nguyen & Chiang 2017, "Transfer Learning across Low-Resource, Related
  Languages for Neural Machine Translation");
- a piece that pieces of the parent spell has the mean of their rows;
- a source piece whose likely translations the parent knows has the mean of their rows, weighted by probability. Kim
  et al. (2019, "Effective Cross-lingual Transfer of Neural Machine Translation Models without Shared Vocabularies")
  bring new embeddings into the parent's space too, by a linear map;
- the symbol of a target language that the parent has not has the mean of its symbols of languages;
- any other piece is drawn, with the mean and the spread of the parent's rows.

Aji et al. (2020, "In Neural Machine Translation, What Does Transfer Learning Transfer?") compare such ways.

Shapes: V pieces of the child, W width of a row, M members: rows of the parent that rows of the child are means of.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self, TypeAlias

import torch
from torch import Tensor

from nmt.bundle.weights import Bundle
from nmt.config.train import TrainConfig
from nmt.model.seq2seq import Seq2Seq
from nmt.runs.log import LOG
from nmt.text.spelling import spell_all
from nmt.text.subwords import SubwordModel
from nmt.text.vocabulary import subwords_of
from nmt.training.data import TrainingData
from nmt.training.lexicon import Translations, align_text

_TRANSLATIONS = 20
"""Translations of a piece that count, where the model has no lexicon; as many as the presets' lexicons have."""
_LEAST_PROBABILITY = 0.5
"""Of the translations that the parent knows, all together. The discount of the lexicon takes pieces that were hardly
ever seen below it. Their rows would tell their own pairs of the training text, and nothing about new text."""
_SOURCE, _TARGET, _OUTPUT = "source_embedding.weight", "target_embedding.weight", "output.weight"
_BIASES = {"output.bias", "output_bias"}
_OF_PIECES = {_SOURCE, _TARGET, _OUTPUT, *_BIASES}
"""Tensors with a row for each piece, besides those of the lexicon."""

Spelled: TypeAlias = Sequence[Sequence[int]]
"""Of each piece the numbers of the pieces that spell it; none where they cannot."""


class Origins(NamedTuple):
    """How many rows of the embeddings came from the parent in which way."""

    spelling: int
    parts: int
    translations: int
    fresh: int

    def __str__(self) -> str:
        """Write it for people."""
        return (
            f"{self.spelling:,} spelled as the parent's, {self.parts:,} made of parts, "
            f"{self.translations:,} of translations, {self.fresh:,} fresh"
        )


class _Members(NamedTuple):
    """Which rows of a table the rows of a matrix are means of."""

    owners: Tensor
    """(M,) row of the matrix"""
    numbers: Tensor
    """(M,) row of the table"""
    weights: Tensor
    """(M,) above 0"""

    @classmethod
    def of(cls, spelled: Spelled) -> Self:
        """Give the pieces that spell a piece the same weight."""
        lengths = torch.tensor([len(ids) for ids in spelled])
        numbers = torch.tensor([i for ids in spelled for i in ids], dtype=torch.int64)
        return cls(torch.arange(len(spelled)).repeat_interleave(lengths), numbers, torch.ones(len(numbers)))

    def means(self, table: Tensor, size: int) -> Tensor:
        """Take means of rows (·, W): (size, W), 0 where there are no members."""
        sums = table.new_zeros(size, table.size(1))
        sums.index_add_(0, self.owners, table[self.numbers] * self.weights.unsqueeze(1))
        totals = table.new_zeros(size).index_add_(0, self.owners, self.weights)
        return sums / torch.where(totals > 0, totals, 1.0).unsqueeze(1)

    def vectors(self, table: Tensor, size: int) -> Tensor:
        """Take means of vectors, as `means` does, each as long as its members are on average.

        The mean of unlike vectors is short. A piece of many parts would hardly move the model.
        """
        means = self.means(table, size)
        lengths = means.norm(dim=1, keepdim=True)
        wanted = self.means(table.norm(dim=1, keepdim=True), size)
        several = torch.bincount(self.owners, minlength=size).unsqueeze(1) > 1
        return torch.where(several & (lengths > 0), means * wanted / lengths, means)


def take_over(model: Seq2Seq, parent: Bundle, *, data: TrainingData, config: TrainConfig) -> dict[str, Origins]:
    """Give a new model the weights of its parent, which has other subwords and is alike in all else.

    A piece that both sides of the parent have is that of the same side. Where the child has one side, it is that of the
    source.

    Args:
        model: its lexicon, where it has one, is that of the child's text, and stays as it is.
        parent: whose weights are taken over.
        data: text and subwords of the child.
        config: of the child; its seed draws the fresh rows.

    Returns:
        Where the rows of the embeddings came from, by the side that has them: source, target or both.
    """
    given, weights = parent.model.state_dict(), model.state_dict()
    for name in given.keys() & weights.keys() - _OF_PIECES:
        if not name.startswith("lexicon."):
            weights[name].copy_(given[name])
    source, target = subwords_of(data.source_subwords), subwords_of(data.target_subwords)
    old_source, old_target = subwords_of(parent.source_subwords), subwords_of(parent.target_subwords)
    table = torch.cat((given.get(_SOURCE, given[_TARGET]), given[_TARGET]))
    source_first = (old_source, 0), (old_target, old_source.vocabulary_size)
    generator = torch.Generator().manual_seed(config.seed)
    origins: dict[str, Origins] = {}
    for side in ("both",) if model.source_embedding is None else ("source", "target"):
        pieces, order = (target, source_first[::-1]) if side == "target" else (source, source_first)
        spelled = _spell(pieces, order)
        rows, known = _Members.of(spelled).vectors(table, len(spelled)), torch.tensor(list(map(bool, spelled)))
        translated = 0
        if side != "target" and not known.all():
            readable = _spell(target, source_first)
            translations = _translated(readable, _translations(model, data, config), new=~known)
            translated = len(set(translations.owners.tolist()))
            vectors = _Members.of(readable).vectors(table, len(readable))
            rows += translations.vectors(vectors, len(rows))
            known[translations.owners] = True
        weights[_SOURCE if side == "source" else _TARGET].copy_(_completed(rows, known, table, generator))
        alike, apart = (sum(len(ids) == 1 for ids in spelled)), sum(len(ids) > 1 for ids in spelled)
        origins[side] = Origins(alike, apart, translated, int((~known).sum()))
    _take_over_output(given, weights, _spell(target, ((old_target, 0),)), generator)
    return origins


def _take_over_output(
    given: dict[str, Tensor], weights: dict[str, Tensor], spelled: Spelled, generator: torch.Generator
) -> None:
    """Fill the output matrix and its bias, where the model has them; no translation tells how likely a word is."""
    members, known = _Members.of(spelled), torch.tensor(list(map(bool, spelled)))
    if _OUTPUT in weights:
        rows = members.vectors(given[_OUTPUT], len(spelled))
        weights[_OUTPUT].copy_(_completed(rows, known, given[_OUTPUT], generator))
    for name in weights.keys() & _BIASES:
        biases = members.means(given[name].unsqueeze(1), len(spelled)).squeeze(1)
        weights[name].copy_(torch.where(known, biases, given[name].mean()))


def _spell(pieces: SubwordModel, vocabularies: Sequence[tuple[SubwordModel, int]]) -> Spelled:
    """Spell pieces with the fewest pieces of a vocabulary, of equals those of the first.

    Args:
        pieces: all pieces of a vocabulary.
        vocabularies: each with the number of its first piece.
    """
    spellings = [[[first + i for i in ids] for ids in spell_all(pieces, known)] for known, first in vocabularies]
    spelled: list[list[int]] = [min(filter(None, each), key=len, default=[]) for each in zip(*spellings, strict=True)]
    known, first = vocabularies[0]
    for i in pieces.language_ids:
        spelled[i] = spelled[i] or [first + symbol for symbol in known.language_ids]
    return spelled


def _translations(model: Seq2Seq, data: TrainingData, config: TrainConfig) -> Translations:
    """Return the translations in the model's lexicon, or learn them where it has none."""
    if model.lexicon is not None:
        return Translations(model.lexicon.targets.cpu(), model.lexicon.probabilities.cpu())
    LOG.info("aligning the training text for its new subwords")
    return align_text(config, data, size=_TRANSLATIONS)[0]


def _translated(readable: Spelled, translations: Translations, *, new: Tensor) -> _Members:
    """Say which target pieces the new source pieces are means of: those translations that the parent spells.

    Args:
        readable: how the parent spells the target pieces.
        translations: (V, N), or (L V, N) where L target languages have translations of their own.
        new: (V,), which source pieces want some.
    """
    is_readable = torch.tensor(list(map(bool, readable)))
    targets = translations.targets.long()
    wanted = new.repeat(len(targets) // len(new)).unsqueeze(1)
    weights = torch.where(is_readable[targets] & wanted, translations.probabilities, 0.0)
    weights = torch.where(weights.sum(dim=1, keepdim=True) >= _LEAST_PROBABILITY, weights, 0.0)
    owners, columns = weights.nonzero(as_tuple=True)
    return _Members(owners % len(new), targets[owners, columns], weights[owners, columns])


def _completed(rows: Tensor, known: Tensor, table: Tensor, generator: torch.Generator) -> Tensor:
    """Draw the rows (V, W) that are not known, each column with the mean and the spread of a table's."""
    drawn = torch.randn(rows.shape, generator=generator) * table.std(dim=0) + table.mean(dim=0)
    return torch.where(known.unsqueeze(1), rows, drawn)
