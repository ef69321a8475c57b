"""Labelling: each token of a line gets a label. Strict F1 of entities decides where labels are BIO, else accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.config.search import SearchConfig
from nmt.corpus.filters import Filters, is_held_out
from nmt.corpus.labelled import Labelled
from nmt.corpus.reader import CorpusPaths, ParallelText, read_pairs
from nmt.evaluation.labelling import label_scores
from nmt.evaluation.metrics import Score
from nmt.tasks.reference_loss import batched_loss
from nmt.tasks.task import Metric, Side, Task
from nmt.text.vocabulary import Vocabulary
from nmt.text.words import LabelVocabulary, WordVocabulary, take_apart
from nmt.translation.labeller import Labeller

if TYPE_CHECKING:
    from torch import Tensor

    from nmt.bundle.weights import Bundle
    from nmt.corpus.batches import Batch
    from nmt.model.lexicon import Offer
    from nmt.model.loss import Loss
    from nmt.model.tagger import Tagger
    from nmt.model.words import WordTensors

_F1, _ACCURACY = Metric("f1", "F1"), Metric("accuracy", "accuracy")
_UNLIMITED = 10**9


class Labelling(Task):
    """A label for each token, the same number of both in every line."""

    sides = (Side("source", default="tokens", has_subwords=False), Side("target", default="labels", has_subwords=False))
    units = "ids"
    greedy_search = "Viterbi"

    def __init__(self, *, is_bio: bool = True) -> None:
        """Prepare for BIO labels, or for others, which have no entities."""
        self.is_bio = is_bio
        self.metrics = (_F1, _ACCURACY) if is_bio else (_ACCURACY,)
        self.metric = self.metrics[0]

    def settled(self, target: Vocabulary) -> Task:
        """See `Task`; the labels decide by which metric the best weights are chosen."""
        return self if not isinstance(target, LabelVocabulary) else Labelling(is_bio=target.is_bio)

    def find(self, name: str, corpus: Any, *, key: str) -> CorpusPaths:
        """See `Task`; .conll, .bio and .conllu files, or two parallel ones."""
        sides = self.languages(corpus)
        return _form(corpus).find(name, (sides["source"], sides["target"]), key=key)

    def vocabularies(
        self, texts: Sequence[CorpusPaths], *, size: int, hold_out: int
    ) -> tuple[Vocabulary, Vocabulary] | None:
        """See `Task`; words of what is trained on, and labels of all text."""
        source_lines = (pair.source for paths in texts for pair in read_pairs(paths) if not is_held_out(pair, hold_out))
        target_lines = (pair.target for paths in texts for pair in read_pairs(paths))
        return WordVocabulary.train(source_lines, size=size), LabelVocabulary.train(target_lines)

    def filters(self, corpus: Any) -> Filters:
        """See `Task`; a row of words is longer than its line, so that the labels are counted."""
        return Filters(_UNLIMITED, corpus.max_target_tokens, _UNLIMITED)

    def check(self, paths: CorpusPaths, target: Vocabulary) -> list[str]:
        """See `Task`; every label must be known, and those that were repaired are counted."""
        form = paths.form
        if not (isinstance(form, Labelled) and isinstance(target, LabelVocabulary)):
            return []
        form.check(paths, target)
        repaired = sum(sentence.repaired for sentence in form.sentences(paths))
        return [f"{paths.label}: {repaired:,} broken I- labels are read as B- (corpus.repair_bio)"] if repaired else []

    def test_search(self, search: SearchConfig) -> str:
        """See `Task`."""
        return "Viterbi"

    def loss(self, model: Tagger, batch: Batch, *, label_smoothing: float, offer: Offer | None = None) -> Loss:
        """See `Task`; -log p of the CRF, without smoothing, since the CRF scores sequences and not labels."""
        from nmt.model.loss import Loss

        words, labels = _tensors(model, batch)
        negative = -model.log_likelihood(words, labels).sum()
        return Loss(negative, negative.detach(), int(batch.target_lengths.sum()))

    def reference_loss(self, bundle: Bundle, text: ParallelText, *, batch_size: int) -> tuple[float, int]:
        """See `Task`; lines without tokens say nothing."""
        return batched_loss(self, bundle, text, batch_size=batch_size)

    def outputs(self, bundle: Bundle, lines: Sequence[str], *, search: SearchConfig | None = None) -> list[str]:
        """See `Task`."""
        return [item.text for item in Labeller(bundle, search=search).translate(lines)]

    def scores(self, outputs: Sequence[str], text: ParallelText, *, language: str) -> list[Score]:
        """See `Task`; F1 and accuracy."""
        return label_scores(outputs, text.target, is_bio=self.is_bio)

    def example(self, text: ParallelText, outputs: Sequence[str], line: int) -> str:
        """See `Task`."""
        return f"tokens {text.source[line]} | labels {outputs[line]} | reference {text.target[line]}"

    def warnings(self, text: ParallelText, *, name: str, language: str) -> list[str]:
        """See `Task`; there are none."""
        return []

    def usage(self, bundle: Path) -> str:
        """See `Task`."""
        return f"the labeller is in {bundle}; use it: nmt predict {bundle} < tokens.txt > labels.txt"


def _form(corpus: Any) -> Labelled:
    return Labelled(corpus.repair_bio, corpus.strip_token_digits)


def _tensors(model: Tagger, batch: Batch) -> tuple[WordTensors, Tensor]:
    """Take the rows of a batch apart: its words, and labels (B, T) below Y, any label at padding."""
    source, lengths = batch.source.cpu().numpy(), batch.source_lengths.cpu().numpy()
    word_arrays = take_apart(source, lengths, first_word=model.sizes.first_word)
    # Behind the labels stands EOS, which is none.
    labels = batch.target[:, : int(word_arrays.lengths.max())] - LabelVocabulary.first_label
    return model.tensors(*word_arrays), labels.clamp(min=0)


LABELLING = Labelling()
