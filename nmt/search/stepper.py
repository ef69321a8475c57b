"""How a search moves on: by one position, or by many where the model takes them and nothing forbids what it took.

Shapes: B' sentences that are still here, K places of each, T positions taken at once.
"""

import sys
from collections.abc import Sequence
from functools import partial

import numpy as np

from nmt.search.arrays import Bools, Continuations, Floats, Ints, NumpyOperations, Operations, to_host
from nmt.search.candidates import Candidates, best_candidates
from nmt.search.frontier import Frontier, Growth, Pool
from nmt.search.history import History
from nmt.search.interface import Array, Constraints, State, StepLike, StepModel, Taken
from nmt.search.options import SearchOptions
from nmt.search.processors import Processor, process
from nmt.search.rules import Prefix, allowed_by


class Stepper:
    """Asks a model for the next positions of a frontier, under the rules and processors of a search."""

    def __init__(
        self, model: StepModel, options: SearchOptions, constraints: Sequence[Constraints], operations: Operations
    ) -> None:
        """Prepare; `constraints` has one entry a sentence of the batch, or none where no sentence has any."""
        self._model, self._options, self._operations = model, options, operations
        self._constraints = constraints if options.processors else ()
        self._multi_step = None if options.with_weights else model.multi_step
        self._declined = sys.maxsize
        """The model declined many positions for this many sentences. It is asked again when there are fewer."""

    def start(self, source: Array, lengths: Array, limits: Ints, pool: Pool) -> tuple[Frontier, State | None]:
        """Begin with one place a sentence; what may not take a step is cut at once.

        Returns:
            the frontier, and its state; None where no sentence is left.
        """
        frontier = Frontier.at_start(np.arange(len(limits)), self._options.bos_id)
        stay = limits > 0
        pool.add(frontier, ~stay[:, None], finished=False)
        if not stay.any():
            return frontier.keep(stay), None
        constraints = (self._constraints,) if self._constraints else ()
        state = self._model.start(source, lengths, *constraints)
        if not stay.all():
            state = state.keep(self._operations.from_host(np.flatnonzero(stay)))
        return frontier.keep(stay), state

    def take_many(
        self,
        frontier: Frontier,
        state: State,
        history: History,
        *,
        width: int,
        limits: Ints,
        ended: Bools,
        enough: int,
    ) -> Growth | None:
        """Take many positions at once.

        Args:
            frontier: what to extend.
            state: the model's, at the frontier.
            history: what was taken before.
            width: how many continuations of each sentence.
            limits: (B,) the most positions of every sentence of the batch.
            ended: (B',) the sentences that have ended and only wait.
            enough: stop once so many sentences have ended.

        Returns:
            what was taken; None where the model has only steps, or something forbids any of it.
        """
        count = len(frontier.sentences)
        if self._multi_step is None or count >= self._declined or self._active(frontier) or frontier.added is not None:
            return None
        positions = self._multi_step(
            self._operations.from_host(frontier.tokens),
            state,
            log_probs=frontier.totals,
            width=width,
            most=int(limits[frontier.sentences[~ended]].min()) - frontier.length,
            eos_id=self._options.eos_id,
            ended=ended,
            enough=enough,
        )
        if positions is None:
            self._declined = count
            return None
        if not np.isfinite(positions.log_probs).all() or self._is_forbidden(positions, frontier, history, ended):
            self._multi_step = None
            return None
        return Growth(positions.tokens, positions.parents, positions.log_probs, positions.state, follows=True)

    def take_one(self, frontier: Frontier, state: State, history: History, *, count: int) -> Growth:
        """Take the best continuations of every sentence at one position: `count`, or fewer if none has as many."""
        places = frontier.tokens.shape[1]
        step = self._model.step(
            self._operations.from_host(frontier.tokens), state, with_weights=self._options.with_weights
        )
        weights = self._operations.to_host(step.weights)[None] if step.weights is not None else None
        read = partial(history.prefixes, frontier.sentences, places)
        active = self._active(frontier)
        added = None
        if active:
            here = self._here(frontier)
            forced = np.array([each.forces(frontier.length) for each in here])
            prefix = Prefix(frontier.sentences, frontier.length, read, forced=forced)
            processed, change = process(step, active, prefix, here, self._operations)
            best = self._best(processed, frontier, count, prefix, NumpyOperations())
            added = _added(frontier, best, change, to_host(processed.shortlist) if step.shortlist is not None else None)
        else:
            prefix = Prefix(frontier.sentences, frontier.length, read)
            best = self._best(step, frontier, count, prefix, self._operations)
            if frontier.added is not None:
                added = np.take_along_axis(frontier.added, best.parents, axis=1)
        follows = places == best.parents.shape[1] == 1
        return Growth(best.tokens[None], best.parents[None], best.totals[None], step.state, follows, weights, added)

    def follow(self, growth: Growth, stay: Bools) -> State:
        """Let the state follow: keep the sentences that stay, (B',) bool, then take each place from its parent."""
        state, parents = growth.state, growth.parents[-1]
        if np.count_nonzero(stay) < len(stay):
            state, parents = state.keep(self._operations.from_host(np.flatnonzero(stay))), parents[stay]
        return state if growth.follows else state.reorder(self._operations.from_host(parents))

    def most_added(self, frontier: Frontier) -> Floats | float:
        """Bound what processors may still add to a hypothesis of each sentence, (B',)."""
        if not self._constraints:
            return 0.0
        here = self._here(frontier)
        bounds = [each.most_added(here, frontier.length) for each in self._options.processors]
        return np.asarray(sum(bounds, np.zeros(len(here))))

    def _best(
        self, step: StepLike, frontier: Frontier, count: int, prefix: Prefix, operations: Operations
    ) -> Candidates:
        rules = self._options.rules
        return best_candidates(step, frontier.totals, count, rules=rules, prefix=prefix, operations=operations)

    def _here(self, frontier: Frontier) -> list[Constraints]:
        """Return the constraints of the sentences that are still here."""
        return [self._constraints[sentence] for sentence in frontier.sentences.tolist()]

    def _active(self, frontier: Frontier) -> list[Processor]:
        """List the processors that change something at this position."""
        if not self._constraints:
            return []
        here = self._here(frontier)
        return [each for each in self._options.processors if each.is_active(here, frontier.length)]

    def _is_forbidden(self, taken: Taken, frontier: Frontier, history: History, ended: Bools) -> bool:
        """Tell whether a rule forbids any of what a model took, of sentences that had not ended before."""
        rules = [rule for rule in self._options.rules if not rule.allows_all(taken.tokens, frontier.length)]
        if not rules:
            return False
        over = ended
        for position, (tokens, parents, log_probs) in enumerate(zip(*taken[:3], strict=True)):
            read = partial(_prefixes_inside, frontier, history, taken, position)
            prefix = Prefix(frontier.sentences, frontier.length + position, read)
            rows = np.arange(len(tokens)).repeat(tokens.shape[1])
            continuations = Continuations(rows, parents.reshape(-1), tokens.reshape(-1), log_probs.reshape(-1))
            allowed = allowed_by(rules, continuations, prefix)
            if allowed is not None and not (allowed.reshape(tokens.shape).all(1) | over).all():
                return True
            over = over | (tokens == self._options.eos_id).any(1)
        return False


def _prefixes_inside(frontier: Frontier, history: History, taken: Taken, position: int) -> Ints:
    """Read the prefixes before a position of those that were taken at once: (B', K, T)."""
    tokens = history.prefixes(frontier.sentences, frontier.tokens.shape[1])
    rows = np.arange(len(tokens))[:, None]
    for before in range(position):
        tokens = np.concatenate([tokens[rows, taken.parents[before]], taken.tokens[before][:, :, None]], axis=2)
    return tokens


def _added(frontier: Frontier, best: Candidates, change: Floats, ids: Ints | None) -> Floats | None:
    """Sum up what processors added to each continuation, (B', K'); None where it is nothing."""
    rows = np.arange(len(best.tokens))[:, None]
    columns = best.tokens if ids is None else (ids[:, None, :] == best.tokens[:, :, None]).argmax(2)
    added = change[rows, best.parents, columns]
    if frontier.added is not None:
        added = added + frontier.added[rows, best.parents]
    return added if added.any() else None
