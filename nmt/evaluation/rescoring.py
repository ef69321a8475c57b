"""A model's log-probability of a given translation, one target position after another.

Shapes: S source length, T target length, V vocabulary, N ids of a shortlist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nmt.search.arrays import operations_for
from nmt.search.interface import Constraints, StepModel
from nmt.text.vocabulary import subwords_of
from nmt.translation.languages import source_prefix
from nmt.translation.model import Translating
from nmt.translation.request import TextHypothesis


def source_ids(bundle: Translating, line: str) -> list[int]:
    """Encode a line as the translator does: (S,) ids with tag and EOS; nothing for a line without a subword."""
    subwords, search = subwords_of(bundle.source_subwords), bundle.search
    ids = subwords.encode(line)[: search.max_source_tokens] if line.strip() else []
    return [*source_prefix(bundle, search), *ids, subwords.eos_id] if ids else []


def target_ids(bundle: Translating, hypothesis: TextHypothesis) -> list[int]:
    """List the ids that a hypothesis was scored with: (T,) tokens, and EOS if it ended with it."""
    return [*hypothesis.tokens, *[bundle.target_subwords.eos_id] * hypothesis.finished]


def token_log_probs(
    model: StepModel, source: Sequence[int], target: Sequence[int], *, bos_id: int, among: Sequence[int] = ()
) -> npt.NDArray[np.float64]:
    """Score a given target with single steps, alone in its batch.

    Args:
        model: whose opinion it is; one of double precision computes in float64.
        source: (S,) ids with EOS.
        target: (T,) ids; a shortlist is made to have them.
        bos_id: what the first step reads.
        among: the ids that share all probability, the target's among them, of a model that scores all; none: all.

    Returns:
        (T,) natural logarithms of the probability of each token after those before it.
    """
    operations, scores = operations_for(model.device), np.zeros(len(target))
    with operations.without_gradients():
        ids, lengths = (operations.from_host(np.array(each, dtype=np.int64)) for each in ([source], [len(source)]))
        state: Any = model.start(ids, lengths, [Constraints(prefix=tuple(target))])
        for position, (previous, token) in enumerate(zip([bos_id, *target], target, strict=False)):
            step = model.step(operations.from_host(np.array([[previous]], dtype=np.int64)), state)
            logits = operations.to_host(step.logits)[0, 0].astype(np.float64)  # (V) or (N)
            ids_scored = np.arange(len(logits)) if step.shortlist is None else operations.to_host(step.shortlist)[0]
            if len(among):
                ids_scored, logits = np.asarray(among), logits[np.asarray(among)]
            [column] = np.flatnonzero(ids_scored == token)
            is_normalized = step.normalized and not len(among)
            scores[position] = logits[column] - (0.0 if is_normalized else _log_sum_exp(logits))
            state = step.state
    return scores


def _log_sum_exp(logits: npt.NDArray[np.float64]) -> float:
    largest = logits.max()
    return float(largest + np.log(np.exp(logits - largest).sum()))
