"""Beam search: the K best prefixes of every sentence, extended side by side.

Shapes: B sentences of the batch, B' those that are still here, K places of each (which varies from step to step),
C candidates of a sentence, V vocabulary. All but the logits is bookkeeping on the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from nmt.errors import ConfigError
from nmt.search.arrays import Bools, Floats, Ints, Operations, operations_for, to_host
from nmt.search.candidates import Prefix, Rule, best_candidates, forbidden_ahead, in_question
from nmt.search.history import Endings, History
from nmt.search.interface import Ahead, Array, Hypothesis, State, StepLike, StepModel
from nmt.search.scores import LengthNormalizer


def beam_search(
    model: StepModel,
    source: Array,
    lengths: Array,
    *,
    max_lengths: Array | Sequence[int],
    bos_id: int,
    eos_id: int,
    beam_size: int = 5,
    n_best: int = 1,
    length_penalty: float = 1.0,
    normalization: str = "average",
    rules: Sequence[Rule] = (),
    with_weights: bool = False,
) -> list[list[Hypothesis]]:
    """Translate a batch by keeping the `beam_size` best prefixes of every sentence.

    A hypothesis that ends keeps its place, so each end narrows the beam by one; it counts as an end only if it is
    among the best candidates of its step, as many as places are live. A sentence is done when no place is live, or
    when no live hypothesis can reach the score of its `n_best`-th best finished one: the result is what a search
    without this shortcut gives. Of equal candidates the one from the lower place, then with the lower id, comes first.

    A model that looks ahead (`nmt.search.interface.LooksAhead`) takes many positions at once until something ends, as
    long as the rules allow all that it takes; where they do not, and for attention weights, it takes steps.

    Args:
        model: what scores the next token.
        source: (B, S) source ids, a torch tensor or a NumPy array: the model takes and gives arrays of that kind.
        lengths: (B,) how many of the S are the sentence's own.
        max_lengths: (B,) for each sentence, the most target positions it may take, that of EOS included. What is live
            then is cut: unfinished, with so many tokens and no EOS; so is what the rules leave no token at all.
        bos_id: what the first step reads.
        eos_id: what ends a hypothesis.
        beam_size: places of the beam; 1 is greedy.
        n_best: how many hypotheses are wanted of each sentence.
        length_penalty: exponent of the length normalisation, see nmt.search.scores.
        normalization: "gnmt" or "average".
        rules: what may be emitted, see nmt.search.rules.
        with_weights: attach attention weights, if the model has any.

    Returns:
        for each sentence of the batch, in order, at least one and at most `n_best` hypotheses, all different: the
        finished ones first, then those cut; each group by score, the best first (of equals, the one found first).

    Raises:
        ConfigError: an option is impossible.
        RunError: the model's scores are not numbers.
    """
    if beam_size < 1:
        raise ConfigError(f"beam_size is {beam_size}; give the beam 1 place or more")
    if not 1 <= n_best <= beam_size:
        raise ConfigError(f"n_best is {n_best}, beam_size {beam_size}; ask for 1 to beam_size hypotheses")
    normalizer = LengthNormalizer(length_penalty, normalization)
    batch_size = len(source)
    limits = to_host(max_lengths).reshape(batch_size)
    operations = operations_for(source)
    history, pool = History(batch_size), _Pool(batch_size, beam_size, n_best, normalizer)
    look_ahead = None if with_weights else getattr(model, "look_ahead", None)

    with operations.without_gradients():
        # 1. Begin with one place a sentence; a sentence that may not take a step is cut at once.
        everyone, nothing = np.arange(batch_size), np.zeros((batch_size, 1))
        beam = _Beam(everyone, np.full((batch_size, 1), bos_id), nothing, np.full(batch_size, beam_size), length=0)
        stay = limits > 0
        pool.add(beam, ~stay[:, None], finished=False)
        if stay.any():
            state = _follow(
                model.start(source, lengths), stay, np.zeros_like(beam.tokens), places=1, operations=operations
            )
        beam = beam.keep(stay)
        while len(beam.sentences):
            # 2. Take the best continuations of every sentence, as many as it has places that have not ended: of many
            #    positions if the model can and the rules let it, or of one.
            growth = None
            if look_ahead is not None and (beam.widths == beam_size).all():
                most = int(limits[beam.sentences].min()) - beam.length
                ended = np.zeros(len(beam.sentences), dtype=np.bool_)
                ahead = look_ahead(
                    operations.from_host(beam.tokens),
                    state,
                    log_probs=beam.log_probs,
                    width=beam_size,
                    most=most,
                    eos_id=eos_id,
                    ended=ended,
                    enough=1,
                )
                growth = None if ahead is None else _grown_ahead(beam, ahead, history, rules)
                look_ahead = look_ahead if growth else None
            if growth is None:
                step = model.step(operations.from_host(beam.tokens), state, with_weights=with_weights)
                growth = _grown(beam, step, history, rules, with_weights=with_weights, operations=operations)
                del step  # its logits are large; the next ones need the memory

            # 3. What ended or was cut goes to the pool, and leaves its place empty.
            beam, stay = _collect(growth.before, growth.beam, pool, limits=limits, eos_id=eos_id)

            # 4. The sentences that are done leave, and the state follows the places of the others.
            beam = beam.keep(stay)
            if len(beam.sentences):
                state = _follow(growth.state, stay, growth.parents, places=growth.places, operations=operations)

    # 5. Read the best of each pool backwards.
    endings = pool.best(n_best)
    hypotheses = iter(history.hypotheses(endings, to_host(lengths) if with_weights else None))
    counts = np.bincount(endings.sentences, minlength=batch_size)
    return [[next(hypotheses) for _ in range(count)] for count in counts.tolist()]


class _Beam(NamedTuple):
    """The prefixes of all sentences that are still here."""

    sentences: Ints
    """(B',) rows of the caller's batch, ascending."""
    tokens: Ints
    """(B', K) what each place emitted last."""
    log_probs: Floats
    """(B', K), -inf for an empty place."""
    widths: Ints
    """(B',) how many of a sentence's places have not ended."""
    length: int
    """How many tokens every place has emitted."""

    @property
    def live(self) -> Bools:
        """(B', K) which places hold a prefix to extend."""
        return self.log_probs > -np.inf

    def keep(self, stay: Bools) -> _Beam:
        """Stay with these sentences only: (B',) bool."""
        if np.count_nonzero(stay) == len(stay):
            return self
        return _Beam(self.sentences[stay], self.tokens[stay], self.log_probs[stay], self.widths[stay], self.length)


class _Pool:
    """The hypotheses of all B sentences that ended or were cut, up to K each, in the order in which they did.

    A place that ends is not filled again, so what a sentence has here and what it has live are never more than K.
    """

    def __init__(self, batch_size: int, beam_size: int, n_best: int, normalizer: LengthNormalizer) -> None:
        shape = batch_size, beam_size
        self.normalizer = normalizer
        self.counts = np.zeros(batch_size, dtype=np.int64)  # (B,), how many of each row below are taken
        self.nth_best = np.full(batch_size, -np.inf)  # (B,), the score of the n-th best, -inf where there are fewer
        self._n_best = n_best
        self._scores = np.full(shape, -np.inf)
        self._log_probs = np.full(shape, -np.inf)
        self._places, self._lengths = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        self._finished = np.zeros(shape, dtype=np.bool_)

    def add(self, beam: _Beam, chosen: Bools, *, finished: bool) -> None:
        """Add the chosen places (B', K) of a beam, as finished or as cut."""
        if not np.count_nonzero(chosen):
            return
        rows, places = np.nonzero(chosen)
        sentences = beam.sentences[rows]
        slots = self.counts[sentences] + (chosen.cumsum(1) - 1)[rows, places]
        self._places[sentences, slots] = places
        self._lengths[sentences, slots] = beam.length
        self._log_probs[sentences, slots] = beam.log_probs[rows, places]
        self._scores[sentences, slots] = self.normalizer.score(beam.log_probs[rows, places], beam.length)
        self._finished[sentences, slots] = finished
        self.counts[beam.sentences] += chosen.sum(1)
        self.nth_best[sentences] = np.sort(self._scores[sentences], axis=1)[:, -self._n_best]

    def best(self, count: int) -> Endings:
        """Rank each sentence's hypotheses, finished before cut, then by score, and take the best of each."""
        order = np.lexsort((-self._scores, ~self._finished), axis=-1)[:, :count]
        sentences, ranks = np.nonzero(np.arange(order.shape[1]) < self.counts[:, None])
        at = sentences, order[sentences, ranks]
        return Endings(
            sentences, self._places[at], self._lengths[at], self._log_probs[at], self._scores[at], self._finished[at]
        )


class _Growth(NamedTuple):
    """What a beam became by a step, or by many."""

    before: _Beam
    """as it was before the last"""
    beam: _Beam
    state: State
    places: int
    """of the state"""
    parents: Ints
    """(B', K) of these places, those that the beam's continue"""


def _grown(
    beam: _Beam,
    step: StepLike,
    history: History,
    rules: Sequence[Rule],
    *,
    with_weights: bool,
    operations: Operations,
) -> _Growth:
    """Let a beam grow by a token: to each sentence as many of the best as it is wide; places beyond are empty.

    All prefixes are of one length here, so log-probability and score rank them alike.
    """
    places, widths = beam.tokens.shape[1], beam.widths
    prefix = Prefix(beam.sentences, beam.length, partial(history.prefixes, beam.sentences, places))
    count = int(widths.max())
    best = best_candidates(step, beam.log_probs, count, rules=rules, prefix=prefix, operations=operations)
    log_probs = best.log_probs
    if widths.min() < log_probs.shape[1]:
        log_probs = np.where(np.arange(log_probs.shape[1]) < widths[:, None], log_probs, -np.inf)
    weights = operations.to_host(step.weights) if with_weights and step.weights is not None else None
    history.append(beam.sentences, best.parents, best.tokens, weights)
    grown = _Beam(beam.sentences, best.tokens, log_probs, widths, beam.length + 1)
    return _Growth(beam, grown, step.state, places, best.parents)


def _grown_ahead(beam: _Beam, ahead: Ahead, history: History, rules: Sequence[Rule]) -> _Growth | None:
    """Let a beam grow by what a model took ahead; None if a rule forbids any of it, or its scores are not numbers."""
    if not np.isfinite(ahead.log_probs).all():
        return None
    rules = in_question(rules, ahead, beam.length)
    before = beam
    for position, (tokens, parents, log_probs) in enumerate(zip(*ahead[:3], strict=True)):
        before = beam
        prefix = Prefix(beam.sentences, beam.length, partial(history.prefixes, beam.sentences, beam.tokens.shape[1]))
        if forbidden_ahead(ahead, position, rules=rules, prefix=prefix) is not None:
            history.take_back(position)
            return None
        history.append(beam.sentences, parents, tokens, None)
        beam = _Beam(beam.sentences, tokens, log_probs, beam.widths, beam.length + 1)
    places = beam.tokens.shape[1]
    return _Growth(before, beam, ahead.state, places, np.tile(np.arange(places), (len(beam.sentences), 1)))


def _collect(before: _Beam, grown: _Beam, pool: _Pool, *, limits: Ints, eos_id: int) -> tuple[_Beam, Bools]:
    """Put what the step from `before` to `grown` ended into the pool: what is live of it, and who stays (B',)."""
    live = grown.live
    ended = live & (grown.tokens == eos_id)
    beam = grown
    if np.count_nonzero(ended):  # of few a fifth of the time that any() takes
        pool.add(grown, ended, finished=True)
        log_probs = np.where(ended, -np.inf, grown.log_probs)
        beam = grown._replace(log_probs=log_probs, widths=grown.widths - ended.sum(1))
    if np.count_nonzero(live) < live.size:
        # Where the rules leave no token to any prefix of a sentence, these are cut as they were.
        pool.add(before, before.live & ~live.any(1, keepdims=True), finished=False)
    at_limit = limits[beam.sentences] <= beam.length
    if np.count_nonzero(at_limit):
        pool.add(beam, beam.live & at_limit[:, None], finished=False)
    return beam, ~(at_limit | _settled(beam, pool, limits))


def _settled(beam: _Beam, pool: _Pool, limits: Ints) -> Bools:
    """Tell which sentences (B',) are done: no live hypothesis can still score above their n-th best finished one.

    With fewer than n finished that score is -inf, and so is the bound where nothing is live.
    """
    best, nth_best = beam.log_probs.max(1), pool.nth_best[beam.sentences]
    if nth_best.max() == -np.inf:
        return np.asarray(best == -np.inf)
    reachable = pool.normalizer.bound(best, beam.length + 1, limits[beam.sentences])
    return np.asarray(reachable <= nth_best)


def _follow(state: State, stay: Bools, parents: Ints, *, places: int, operations: Operations) -> State:
    """Let the state follow: keep the sentences that stay, (B',) bool, then take each place from its parent (B', K).

    `places` is how many the state has; a beam of 1 has nothing to move.
    """
    if np.count_nonzero(stay) < len(stay):
        state, parents = state.keep(operations.from_host(np.flatnonzero(stay))), parents[stay]
    if parents.shape[1] == places == 1:
        return state
    return state.reorder(operations.from_host(parents))
