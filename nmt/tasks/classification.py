"""Classification: each line gets a label. Macro F1 decides, so that rare labels count as much as frequent ones."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.config.search import SearchConfig
from nmt.corpus.classified import Classified
from nmt.corpus.filters import Filters, is_held_out
from nmt.corpus.reader import CorpusPaths, ParallelText, read_pairs
from nmt.errors import CorpusError
from nmt.evaluation.classification import class_scores
from nmt.evaluation.metrics import Score
from nmt.tasks.reference_loss import batched_loss
from nmt.tasks.task import Metric, Side, Task
from nmt.text.vocabulary import Vocabulary
from nmt.text.words import ClassVocabulary, WordVocabulary, take_apart
from nmt.translation.classifier import Classifier

if TYPE_CHECKING:
    from torch import Tensor

    from nmt.bundle.weights import Bundle
    from nmt.corpus.batches import Batch
    from nmt.model import classifier, words
    from nmt.model.lexicon import Offer
    from nmt.model.loss import Loss

_UNLIMITED = 10**9
_TRAINED_ON = ("corpus.train", "corpus.extra")
_MOST_LISTED = 10
"""Labels of a text that the log lists."""


class Classification(Task):
    """A label for each line; a line has two target positions, its label and its end, of which the end costs nothing."""

    metrics = (Metric("macro_f1", "macro F1"), Metric("accuracy", "accuracy"))
    metric = metrics[0]
    sides = (Side("source", default="text", has_subwords=False), Side("target", default="labels", has_subwords=False))
    units = "ids"
    greedy_search = "most probable"

    def find(self, name: str, corpus: Any, *, key: str) -> CorpusPaths:
        """See `Task`; .tsv and .label files, or two parallel ones. Long texts are cut, where they are trained on."""
        sides = self.languages(corpus)
        form = Classified(corpus.coarse_labels, corpus.max_source_tokens if key in _TRAINED_ON else 0)
        return form.find(name, (sides["source"], sides["target"]), key=key)

    def vocabularies(
        self, texts: Sequence[CorpusPaths], *, size: int, hold_out: int
    ) -> tuple[Vocabulary, Vocabulary] | None:
        """See `Task`; words of what is trained on, whatever their case, and labels of all text.

        Raises:
            CorpusError: there is one label only.
        """
        labels = sorted({pair.target for paths in texts for pair in read_pairs(paths)})
        if len(labels) == 1:
            raise CorpusError(
                f"{', '.join(paths.label for paths in texts)}: every line has the label {labels[0]}, and there is "
                "nothing to learn; name a text with two labels or more"
            )
        source_texts = (pair.source for paths in texts for pair in read_pairs(paths) if not is_held_out(pair, hold_out))
        return WordVocabulary.train(source_texts, size=size, ignore_case=True), ClassVocabulary(labels)

    def filters(self, corpus: Any) -> Filters:
        """See `Task`; nothing is left out, since long texts were cut when they were read."""
        return Filters(_UNLIMITED, _UNLIMITED, _UNLIMITED)

    def check(self, paths: CorpusPaths, target: Vocabulary) -> list[str]:
        """See `Task`; every label must be known. Lines that are not UTF-8 are warned of, labels and cuts counted."""
        form = paths.form
        if not (isinstance(form, Classified) and isinstance(target, ClassVocabulary)):
            return []
        for note in form.check(paths, target):
            logging.getLogger("nmt").warning(note)
        counts: Counter[str] = Counter()
        cut = 0
        for example in form.examples(paths):
            counts[example.label] += 1
            cut += example.is_cut
        listed = [f"{label} {count:,}" for label, count in counts.most_common(_MOST_LISTED)]
        more = f", {len(counts) - _MOST_LISTED:,} more" if len(counts) > _MOST_LISTED else ""
        notes = [f"{paths.label}: {counts.total():,} lines, {len(counts):,} labels: {', '.join(listed)}{more}"]
        limit = f"corpus.max_source_tokens={form.most_words}"
        return [*notes, *([f"{paths.label}: {cut:,} texts are cut to their first {limit} words"] if cut else [])]

    def test_search(self, search: SearchConfig) -> str:
        """See `Task`."""
        return self.greedy_search

    def loss(
        self, model: classifier.Classifier, batch: Batch, *, label_smoothing: float, offer: Offer | None = None
    ) -> Loss:
        """See `Task`; cross-entropy of the labels, smoothed over all of them."""
        import torch
        from torch.nn.functional import cross_entropy

        from nmt.model.loss import Loss

        lines, labels = _tensors(model, batch)
        logits, _ = model(lines)
        logits = logits.float()
        with torch.autocast(logits.device.type, enabled=False):
            smoothed = cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="sum")
            plain = cross_entropy(logits.detach(), labels, reduction="sum")
        return Loss(smoothed, plain, int(batch.target_lengths.sum()))

    def reference_loss(self, bundle: Bundle, text: ParallelText, *, batch_size: int) -> tuple[float, int]:
        """See `Task`."""
        return batched_loss(self, bundle, text, batch_size=batch_size)

    def outputs(self, bundle: Bundle, lines: Sequence[str], *, search: SearchConfig | None = None) -> list[str]:
        """See `Task`."""
        return [item.text for item in Classifier(bundle, search=search).translate(lines)]

    def scores(self, outputs: Sequence[str], text: ParallelText, *, language: str) -> list[Score]:
        """See `Task`; macro F1 and accuracy."""
        return class_scores(outputs, text.target)

    def example(self, text: ParallelText, outputs: Sequence[str], line: int) -> str:
        """See `Task`."""
        return f"text {text.source[line]} | label {outputs[line]} | reference {text.target[line]}"

    def warnings(self, text: ParallelText, *, name: str, language: str) -> list[str]:
        """See `Task`; there are none."""
        return []

    def usage(self, bundle: Path) -> str:
        """See `Task`."""
        return f"the classifier is in {bundle}; use it: nmt predict {bundle} < texts.txt > labels.txt"


def _tensors(model: classifier.Classifier, batch: Batch) -> tuple[words.WordTensors, Tensor]:
    """Take the rows of a batch apart: its words, and the label of each line, (B,) below Y."""
    source, lengths = batch.source.cpu().numpy(), batch.source_lengths.cpu().numpy()
    lines = take_apart(source, lengths, first_word=model.sizes.first_word)
    return model.tensors(*lines), batch.target[:, 0] - ClassVocabulary.first_label


CLASSIFICATION = Classification()
