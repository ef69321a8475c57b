"""A model whose promises are checked: the lines that it translates, in several ways, and who judges the differences."""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from nmt.bundle.description import Description
from nmt.config.pairs import target_languages
from nmt.config.search import SearchConfig
from nmt.evaluation.rescoring import source_ids, target_ids, token_log_probs
from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.interface import Constraints, Hypothesis, StepLike, StepModel
from nmt.search.stepper import Stepper
from nmt.text.shortlist import Shortlist
from nmt.text.subwords import SubwordModel
from nmt.translation.options import search_options
from nmt.translation.request import TextHypothesis
from nmt.translation.translator import Translator


class Tolerance(NamedTuple):
    """How exact the log-probabilities of a translation are."""

    tie: float
    """two translations that are no further apart are a tie"""
    rounding: float
    """the most that a search, rescoring, PyTorch and ONNX Runtime may differ"""


FP32, INT8 = Tolerance(1e-5, 1e-3), Tolerance(1e-2, 5e-2)
"""In int8 a sum that is rounded otherwise may change an element of the next product by a whole unit."""
_LONGEST = 20
_SHOWN = 60


class SingleSteps:
    """A step model without its graphs of many positions."""

    multi_step = None

    def __init__(self, model: StepModel) -> None:
        self._model, self.device = model, model.device

    def start(self, source: Any, lengths: Any, constraints: Sequence[Constraints] | None = None) -> Any:
        """See `nmt.search.interface.StepModel`."""
        return self._model.start(source, lengths, constraints)

    def step(self, previous: Any, state: Any, *, with_weights: bool = False) -> StepLike:
        """See `nmt.search.interface.StepModel`."""
        return self._model.step(previous, state, with_weights=with_weights)


class Subject:
    """A model, the lines that it translates, and the model that judges its translations, by single steps."""

    def __init__(
        self,
        name: str,
        bundle: Any,
        lines: Sequence[str],
        *,
        judge: StepModel | None = None,
        tolerance: Tolerance = FP32,
        shortlist: Shortlist | None = None,
    ) -> None:
        """Prepare.

        Args:
            name: for messages.
            bundle: a dataclass as `nmt.translation.model.Translating` describes it.
            lines: what to translate.
            judge: whose opinion counts where translations differ; None: the model's own.
            tolerance: of the model.
            shortlist: what the model scores; None: the whole vocabulary.
        """
        self.name, self.bundle, self.lines, self.judge = name, bundle, lines, judge or bundle.model
        self.tolerance, self.shortlist = tolerance, shortlist
        self.beams = (1, max(2, bundle.search.beam_size))
        """greedy search, and the beam that the bundle says"""
        self.alone = functools.cache(functools.partial(self.translate, batch=1))
        """`translate` with a batch for each line, computed once for each beam"""

    def translate_into(self, language: str) -> None:
        """Translate into a language from now on; the model's own where it is empty."""
        search = dataclasses.replace(self.bundle.search, to=language)
        self.bundle = dataclasses.replace(self.bundle, search=search)

    @property
    def options(self) -> tuple[str, ...]:
        """The options of nmt-translate that name the target language."""
        to = self.bundle.search.to
        return ("--to", to) if to else ()

    @property
    def count(self) -> str:
        """How many lines there are, in words."""
        return f"{len(self.lines)} lines"

    def translate(
        self, beam: int, *, batch: int, order: Sequence[int] = (), model: StepModel | None = None
    ) -> list[TextHypothesis]:
        """Translate all lines, perhaps in another order or by another model; hypotheses are in the lines' order."""
        order = order or range(len(self.lines))
        settings: SearchConfig = self.bundle.search.by_beam(beam)
        # Promises are about search: a translation is what it found, and no line is searched twice.
        search = dataclasses.replace(settings, batch_size=batch, protect=False, check_numbers=False, capitals=False)
        bundle = dataclasses.replace(self.bundle, model=model) if model else self.bundle
        translations = Translator(bundle, search=search).translate([self.lines[i] for i in order])
        by_line = dict(zip(order, translations, strict=True))
        return [by_line[i].hypotheses[0] for i in range(len(self.lines))]

    def in_batches(self, beam: int) -> Iterator[tuple[str, list[TextHypothesis]]]:
        """Translate in batches of each kind, with its name."""
        everyone = range(len(self.lines))
        shuffled = random.Random(1).sample(everyone, len(everyone))
        for name, batch, order in (("7", 7, everyone), ("64", 64, everyone), ("64 shuffled", 64, shuffled)):
            yield name, self.translate(beam, batch=batch, order=order)

    def search_both(self) -> tuple[list[TextHypothesis], list[TextHypothesis]]:
        """Translate line by line, by greedy search and by beam search with one place."""
        subwords = self.bundle.target_subwords
        search = self.bundle.search.by_beam(1)
        options = search_options(subwords, search, n_best=1, with_weights=False)
        greedy: list[TextHypothesis] = []
        beam: list[TextHypothesis] = []
        for line in self.lines:
            ids = source_ids(self.bundle, line)
            limits = [int(search.max_length_ratio * len(ids)) if ids else 0]
            source = np.array([ids or [subwords.eos_id]], dtype=np.int64)
            lengths = np.array([source.shape[1]], dtype=np.int64)
            for found, by in ((greedy, greedy_search), (beam, beam_search)):
                stepper = Stepper(self.bundle.model, source, lengths, max_lengths=limits, options=options)
                [[one]] = by(stepper)
                found.append(self._text(one))
        return greedy, beam

    def rescore(self, line: str, hypothesis: TextHypothesis) -> float:
        """Return the judge's log-probability of a hypothesis; 0 for a line without a subword."""
        source = source_ids(self.bundle, line)
        target, bos_id = target_ids(self.bundle, hypothesis), self.bundle.target_subwords.bos_id
        return float(token_log_probs(self.judge, source, target, bos_id=bos_id).sum()) if source else 0.0

    def scored(self, source: Sequence[int], target: Sequence[int]) -> Sequence[int]:
        """List the ids that share the probability of this source's translations; nothing where these are all."""
        if self.shortlist is None:
            return ()
        [ids] = self.shortlist.ids(np.array([source]), np.array([len(source)]), needed=[target])
        return [int(i) for i in ids]

    def compare(self, here: Sequence[TextHypothesis], there: Sequence[TextHypothesis], ways: str) -> tuple[int, str]:
        """Compare translations of all lines made in two ways: how many are ties, and the first that is another."""
        ties = 0
        for number, (line, one, other) in enumerate(zip(self.lines, here, there, strict=True), 1):
            if (one.tokens, one.finished) == (other.tokens, other.finished):
                continue
            gap = abs(self.rescore(line, one) - self.rescore(line, other))
            if not gap <= self.tolerance.tie:
                texts = f"{ways} it is {shown(one.text)} and {shown(other.text)}"
                return ties, f"line {number}, {shown(line)}: {texts}, log-probabilities {gap:.1e} apart"
            ties += 1
        return ties, ""

    def _text(self, hypothesis: Hypothesis) -> TextHypothesis:
        text = self.bundle.target_subwords.decode(hypothesis.tokens)
        return TextHypothesis(text, hypothesis.score, hypothesis.log_prob, hypothesis.finished, hypothesis.tokens)


def random_lines(subwords: SubwordModel, count: int, *, seed: int = 1) -> list[str]:
    """Make lines of 1 to 20 subwords each, drawn evenly from all that spell text, the same for the same seed."""
    draw, spelt_in_bytes = random.Random(seed), set(subwords.byte_ids)
    ids = [i for i in range(subwords.mark_ids.stop, subwords.vocabulary_size) if i not in spelt_in_bytes]
    return [subwords.decode(draw.choices(ids, k=draw.randint(1, _LONGEST))) for _ in range(count)]


def shown(text: str) -> str:
    """Quote a text for a message, its control characters escaped, its end left out where it is long."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def default_language(description: Description) -> str:
    """Choose what a model of several languages translates into: what its settings say, else the first."""
    targets = target_languages(description.pairs)
    return description.search.to or (targets[0] if len(targets) > 1 else "")
