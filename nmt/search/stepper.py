"""What greedy and beam search share: how a search moves on, by one position or by many, and what it keeps.

A model takes many positions at once where it can and nothing forbids what it took.

Shapes: B sentences of the batch, B' those that are still here, K places of each, T positions taken at once.
"""

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from nmt.search.allocation import allocated_candidates
from nmt.search.arrays import Bools, Continuations, Floats, Ints, Operations, operations_for
from nmt.search.candidates import best_candidates, not_numbers
from nmt.search.distribution import draw_sampled, forbid
from nmt.search.frontier import Frontier, Growth, Pool
from nmt.search.history import History
from nmt.search.interface import Constraints, Hypothesis, State, StepLike, StepModel, Taken
from nmt.search.options import SearchOptions
from nmt.search.processors import Processor, process
from nmt.search.rules import Prefix, allowed_by


class Stepper:
    """One search over a batch: asks the model for positions, under rules and processors, and collects what ends."""

    def __init__(
        self,
        model: StepModel,
        source: Ints,
        lengths: Ints,
        *,
        max_lengths: Sequence[int] | Ints,
        options: SearchOptions,
        constraints: Sequence[Constraints] = (),
    ) -> None:
        """Prepare a search.

        Args:
            model: what scores the next token.
            source: (B, S) source ids.
            lengths: (B,) how many of the S are the sentence's own.
            max_lengths: (B,) for each sentence, the most target positions it may take, that of EOS included. What is
                live then is cut: unfinished, with so many tokens and no EOS. So is what the rules leave no token at
                all.
            options: how to search.
            constraints: what each sentence is held to; empty where none is.
        """
        self.options = options
        self.limits = np.asarray(max_lengths, dtype=np.int64)
        """(B,) the most positions of every sentence"""
        self.pool = Pool(len(source), options)
        """what has ended"""
        self._model, self._source, self._lengths = model, source, lengths
        self._operations, self._history = operations_for(model.device), History(len(source))
        self.without_gradients = self._operations.without_gradients
        self._constraints = constraints if options.processors else ()
        self._with_weights = options.with_weights or any(each.terms for each in self._constraints)
        self._multi_step = None if self._with_weights else model.multi_step
        self._declined = sys.maxsize
        """The model declined many positions for this many sentences. It is asked again when there are fewer."""

    def start(self) -> tuple[Frontier, State | None]:
        """Begin with one place a sentence; what may not take a step is cut at once.

        Returns:
            the frontier, and its state; None where no sentence is left.
        """
        frontier = Frontier.at_start(np.arange(len(self.limits)), self.options.bos_id)
        stay = self.limits > 0
        self.pool.add(frontier, ~stay[:, None], finished=False)
        if not stay.any():
            return frontier.keep(stay), None
        constraints = (self._constraints,) if self._constraints else ()
        source, lengths = map(self._operations.from_host, (self._source, self._lengths))
        state = self._model.start(source, lengths, *constraints)
        if not stay.all():
            state = state.keep(self._operations.from_host(np.flatnonzero(stay)))
        return frontier.keep(stay), state

    def widened(self, frontier: Frontier, state: State, *, places: int) -> tuple[Frontier, State]:
        """Copy the only place of every sentence to K places, all of them live."""
        parents = np.zeros((len(frontier.sentences), places), dtype=np.int64)
        tokens, totals = frontier.tokens.repeat(places, axis=1), frontier.totals.repeat(places, axis=1)
        return frontier._replace(tokens=tokens, totals=totals), state.reorder(self._operations.from_host(parents))

    def take_many(self, frontier: Frontier, state: State, *, width: int, enough: int) -> Growth | None:
        """Take many positions at once.

        Args:
            frontier: what to extend; sentences of which no place is live have ended and only wait.
            state: the model's, at the frontier.
            width: how many continuations of each sentence.
            enough: stop once so many sentences have ended.

        Returns:
            what was taken; None where the model has only steps, or something forbids any of it.
        """
        count = len(frontier.sentences)
        if self._multi_step is None or count >= self._declined or self._active(frontier) or frontier.added is not None:
            return None
        waiting = np.asarray(~frontier.live.any(1))
        positions = self._multi_step(
            self._operations.from_host(frontier.tokens),
            state,
            log_probs=frontier.totals,
            width=width,
            most=int(self.limits[frontier.sentences[~waiting]].min()) - frontier.length,
            eos_id=self.options.eos_id,
            ended=waiting,
            enough=enough,
        )
        if positions is None:
            self._declined = count
            return None
        are_numbers = np.isfinite(positions.log_probs).all((0, 2)) | waiting
        if not are_numbers.all() or self._is_forbidden(positions, frontier, waiting):
            self._multi_step = None
            return None
        return Growth(positions.tokens, positions.parents, positions.log_probs, positions.state, follows=True)

    def take_one(self, frontier: Frontier, state: State, *, count: int) -> Growth:
        """Take the best continuations of every sentence at one position: `count`, or fewer if none has as many."""
        options, operations, added = self.options, self._operations, frontier.added
        places, rules = frontier.tokens.shape[1], options.rules
        step, weights = self._step(frontier, state)
        active, prefix, change = self._active(frontier), self._prefix(frontier), None
        if active:
            here, prefix.weights = self._here(frontier), weights
            prefix.forced = np.array([each.forces(frontier.length) for each in here])
            step, change = process(step, active, prefix, here, operations)
            operations = Operations()  # the processed scores are on the host
        if options.terms is not None and any(each.requires_terms for each in prefix.constraints):
            widths = np.minimum(options.beam_size - self.pool.counts[frontier.sentences], count)
            sizes = frontier.totals, widths, self.limits[frontier.sentences] - frontier.length - 1
            best = allocated_candidates(step, *sizes, rules=rules, prefix=prefix, terms=options.terms)
        else:
            best = best_candidates(step, frontier.totals, count, rules=rules, prefix=prefix, operations=operations)
        if change is not None:
            added = best.added(change, added, step.shortlist)
        elif added is not None:
            added = np.take_along_axis(added, best.parents, axis=1)
        follows = places == best.parents.shape[1] == 1
        return Growth(best.tokens[None], best.parents[None], best.totals[None], step.state, follows, weights, added)

    def take_drawn(self, frontier: Frontier, state: State, uniforms: Floats, *, temperature: float) -> Growth:
        """Draw one continuation of every place from the model's distribution; no rule or processor is asked.

        Args:
            frontier: what to extend.
            state: the model's, at the frontier.
            uniforms: (B', K) random numbers in [0, 1).
            temperature: see `Operations.draw`.

        Raises:
            RunError: the model's scores are not numbers.
        """
        step: StepLike = self._model.step(self._operations.from_host(frontier.tokens), state)
        try:
            tokens, log_probs = self._operations.draw(
                step.logits, uniforms, temperature=temperature, normalized=step.normalized
            )
        except FloatingPointError:
            raise not_numbers(frontier.length + 1) from None
        if step.shortlist is not None:
            tokens = np.take_along_axis(self._operations.to_host(step.shortlist), tokens, axis=1)
        parents = np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape)
        return Growth(tokens[None], parents[None], (frontier.totals + log_probs)[None], step.state, follows=True)

    def take_sampled(self, frontier: Frontier, state: State, uniforms: Floats) -> Growth:
        """Draw one continuation of every place as `SearchOptions.sampling` says, under rules and processors.

        A place to which the rules leave nothing becomes empty, and is cut as it was.

        Args:
            frontier: what to extend.
            state: the model's, at the frontier.
            uniforms: (B', K) random numbers in [0, 1).

        Raises:
            RunError: the model's scores are not numbers.
        """
        options = self.options
        assert options.sampling is not None
        step, weights = self._step(frontier, state)
        prefix, here = self._prefix(frontier), self._here(frontier) if self._constraints else []
        prefix.weights = weights
        prefix.forced = np.array([each.forces(frontier.length) for each in here]) if here else None
        processed, added = process(step, self._active(frontier), prefix, here, self._operations)
        scores: Floats = processed.logits
        if not np.isfinite(scores.max(-1)).all():
            raise not_numbers(frontier.length + 1)
        forbid(scores, processed.shortlist, options.rules, prefix)
        columns = draw_sampled(scores, options.sampling, uniforms)
        tokens = columns
        if processed.shortlist is not None:
            tokens = np.take_along_axis(processed.shortlist, columns, axis=1)
        # What an empty place takes is -inf; elsewhere it is what the model says.
        log_probs = np.subtract(*(np.take_along_axis(each, columns[..., None], -1)[..., 0] for each in (scores, added)))
        parents = np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape)
        totals = frontier.totals + log_probs
        return Growth(tokens[None], parents[None], totals[None], step.state, follows=True, weights=weights)

    def collect(self, before: Frontier, growth: Growth) -> Frontier:
        """Keep what was taken; put what ended or was cut by it into the pool.

        Returns:
            the frontier after it, where the places of these are empty.
        """
        self._history.append(before, growth)
        is_end, last = growth.tokens == self.options.eos_id, len(growth.tokens) - 1
        over = growth.totals[0] == -np.inf  # (B', K')
        if np.count_nonzero(over):
            # Where the rules leave no token to any prefix of a sentence, these are cut as they were; so is each sample.
            stuck = over if self.options.sampling else over.all(1, keepdims=True)
            self.pool.add(before, before.live & stuck, finished=False)
        inside = np.flatnonzero(is_end[:last].any((1, 2))).tolist() if last else ()
        for position in (*inside, last):
            frontier = before.after(growth, position)
            ended = is_end[position] & ~over
            self.pool.add(frontier, ended, finished=True)
            over = over | ended
        cut = (self.limits[frontier.sentences] <= frontier.length)[:, None] & ~over
        self.pool.add(frontier, cut, finished=False)
        gone = over | cut
        if not np.count_nonzero(gone):
            return frontier
        return frontier._replace(totals=np.where(gone, -np.inf, frontier.totals))

    def keep(self, frontier: Frontier, growth: Growth, stay: Bools) -> tuple[Frontier, State | None]:
        """Go on with the sentences that stay, (B',) bool: the frontier, and its state; None where none stays."""
        state, parents = growth.state, growth.parents[-1]
        if not np.count_nonzero(stay):
            return frontier.keep(stay), None
        if np.count_nonzero(stay) < len(stay):
            state, parents = state.keep(self._operations.from_host(np.flatnonzero(stay))), parents[stay]
        if not growth.follows:
            state = state.reorder(self._operations.from_host(parents))
        return frontier.keep(stay), state

    def hypotheses(self) -> list[list[Hypothesis]]:
        """Read the best of each pool backwards."""
        return self._history.hypotheses(self.pool.best(), self._lengths if self.options.with_weights else None)

    def most_added(self, frontier: Frontier) -> Floats | float:
        """Bound what processors may still add to a hypothesis of each sentence, (B',)."""
        if not self._constraints:
            return 0.0
        here = self._here(frontier)
        bounds = [each.most_added(here, frontier.length) for each in self.options.processors]
        return np.asarray(sum(bounds, np.zeros(len(here))))

    def _step(self, frontier: Frontier, state: State) -> tuple[StepLike, npt.NDArray[Any] | None]:
        """Ask the model for a position; with its attention (B', K, S) where that is wanted, and the model has some."""
        previous = self._operations.from_host(frontier.tokens)
        step: StepLike = self._model.step(previous, state, with_weights=self._with_weights)
        return step, None if step.weights is None else self._operations.to_host(step.weights)

    def _here(self, frontier: Frontier) -> list[Constraints]:
        """Return the constraints of the sentences that are still here."""
        return [self._constraints[sentence] for sentence in frontier.sentences.tolist()]

    def _active(self, frontier: Frontier) -> list[Processor]:
        """List the processors that change something at this position."""
        if not self._constraints:
            return []
        here = self._here(frontier)
        return [each for each in self.options.processors if each.is_active(here, frontier.length)]

    def _prefix(self, frontier: Frontier, taken: Sequence[tuple[Ints, Ints, Floats]] = ()) -> Prefix:
        """Say what has been emitted at the frontier, or after positions that were taken at once behind it."""
        read = partial(self._tokens, frontier, taken)
        here = self._here(frontier) if self._constraints else ()
        return Prefix(frontier.sentences, frontier.length + len(taken), read, here)

    def _tokens(self, frontier: Frontier, taken: Sequence[tuple[Ints, Ints, Floats]]) -> Ints:
        """Read these prefixes: (B', K, length)."""
        prefixes = self._history.prefixes(frontier.sentences, frontier.tokens.shape[1])
        rows = np.arange(len(prefixes))[:, None]
        for tokens, parents, _ in taken:
            prefixes = np.concatenate([prefixes[rows, parents], tokens[:, :, None]], axis=2)
        return prefixes

    def _is_forbidden(self, taken: Taken, frontier: Frontier, over: Bools) -> bool:
        """Tell whether a rule forbids any of what a model took, of sentences that were not over (B',) before."""
        rules = [rule for rule in self.options.rules if not rule.allows_all(taken.tokens, frontier.length)]
        positions = list(zip(*taken[:3], strict=True)) if rules else []
        for number, (tokens, parents, log_probs) in enumerate(positions):
            rows = np.arange(len(tokens)).repeat(tokens.shape[1])
            continuations = Continuations(rows, parents.reshape(-1), tokens.reshape(-1), log_probs.reshape(-1))
            allowed = allowed_by(rules, continuations, self._prefix(frontier, positions[:number]))
            if allowed is not None and not (allowed.reshape(tokens.shape).all(1) | over).all():
                return True
            over = over | (tokens == self.options.eos_id).any(1)
        return False
