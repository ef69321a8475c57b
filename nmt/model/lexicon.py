"""A lexicon inside the model: attention tells which source word is being translated, the lexicon how.

The method is that of Arthur et al. (2016, "Incorporating Discrete Translation Lexicons into NMT", section 3). The
lexical probability of a target word is an attention-weighted sum over source positions, p(v) = Σ_s a_s p(v | s). Its
logarithm, log(p(v) + ε), is added to the word's logit. Softmax does not see a constant, so log(p(v) / ε + 1) does the
same. It is zero for all words but the few that the sentence is offered.

A model of several target languages has a lexicon for each. The first id of a source, the symbol of its target
language, says which one counts.

Shapes: B sentences, S source length, Q queries (places or target positions), V vocabulary. N translations of a source
word, U words that a sentence is offered, G lexicons.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Offer(NamedTuple):
    """What the lexicon says about a batch of sources; one row a sentence, never copied for the places of a beam."""

    words: Tensor
    """(B, U) ids; some stand for nothing and have no probability anywhere"""
    probabilities: Tensor
    """(B, S, U) of each of these words as the translation of each source position"""
    epsilon: float
    """ε: the less it is, the more the lexicon weighs"""

    def keep(self, sentences: Tensor) -> "Offer":
        """Keep the given sentences, (B',)."""
        words, probabilities = (part.index_select(0, sentences) for part in self[:2])
        return Offer(words, probabilities, self.epsilon)

    def lexicon_bias(self, weights: Tensor) -> "LexiconBias":
        """Follow attention: weights (B, Q, S) → what is added to the logits of the words."""
        with torch.autocast(weights.device.type, enabled=False):  # a share of ε is too little for bf16
            likely = torch.bmm(weights.to(self.probabilities.dtype), self.probabilities)
        return LexiconBias(self.words, torch.log1p(likely / self.epsilon))


class LexiconBias(NamedTuple):
    """What the lexicon adds to logits."""

    words: Tensor
    """(B, U) ids"""
    scores: Tensor
    """(B, Q, U)"""

    def select(self, positions: Tensor) -> "LexiconBias":
        """Take positions (N,), counted through all B·Q → words (N, U) and scores (N, U)."""
        sentences = torch.div(positions, self.scores.size(1), rounding_mode="floor")
        return LexiconBias(self.words.index_select(0, sentences), self.scores.flatten(0, 1).index_select(0, positions))

    def add_to(self, logits: Tensor) -> Tensor:
        """Add to the words, in place: logits (B, Q, V), or (N, V) of selected positions."""
        ids = self.words if self.words.dim() == self.scores.dim() else self.words.unsqueeze(1)
        return logits.scatter_add_(-1, ids.expand_as(self.scores), self.scores.to(logits.dtype))


class Lexicon(nn.Module):
    """N translations of every source word; constants, which lie with the weights but are not trained."""

    targets: Tensor
    """(G · source vocabulary, N) ids; all words of the first lexicon come first"""
    probabilities: Tensor
    """(G · source vocabulary, N) p(target | source); 0 where a source word has fewer translations"""

    def __init__(self, source_vocabulary: int, size: int, *, epsilon: float, languages: range = range(0)) -> None:
        """Make an empty lexicon, for `fill` or a state dict; one for each id of `languages`, or one in all."""
        super().__init__()
        self.epsilon, self.languages = epsilon, languages
        rows = source_vocabulary * max(1, len(languages))
        self.register_buffer("targets", torch.zeros(rows, size, dtype=torch.int32))
        self.register_buffer("probabilities", torch.zeros(rows, size))

    def fill(self, targets: Tensor, probabilities: Tensor) -> None:
        """Take up translations, (G · source vocabulary, N) each."""
        self.targets.copy_(targets)
        self.probabilities.copy_(probabilities)

    def forward(self, source: Tensor) -> Offer:
        """Look up sources (B, S)."""
        rows = rows_of(source, self.languages, len(self.targets))
        return lay_out(self.targets[rows], self.probabilities[rows], epsilon=self.epsilon)


def rows_of(source: Tensor, languages: range, count: int) -> Tensor:
    """Find the rows of sources (B, S) in `count` rows of the lexicons of all languages, (B, S)."""
    if not languages:
        return source
    number = (source[:, :1] - languages.start).clamp(0, len(languages) - 1)
    return source + number * (count // len(languages))


def lay_out(targets: Tensor, probabilities: Tensor, *, epsilon: float) -> Offer:
    """Give each sentence its own words, once: what every source position is offered, (B, S, N) each."""
    sentences, length, _ = targets.shape
    targets = targets.flatten(1).long()  # (B, S·N)
    ordered, order = targets.sort(dim=1)
    is_new = torch.ones_like(ordered, dtype=torch.bool)
    is_new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    # Each word's column is how many others come before it.
    columns = torch.empty_like(targets).scatter_(1, order, is_new.cumsum(1) - 1)
    width = int(is_new.sum(1).max())
    ids = targets.new_zeros(sentences, width).scatter_(1, columns, targets)
    laid_out = probabilities.new_zeros(sentences, length, width)
    laid_out.scatter_add_(2, columns.view(sentences, length, -1), probabilities)
    return Offer(ids, laid_out, epsilon)
