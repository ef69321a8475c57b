"""Ancestral sampling: every token is drawn from the model's distribution, given those before it.

Training draws from the model as it is, with `sample`. A user may ask for a temperature, for the likeliest alone and for
a prefix; that is `draw_outputs`.

Shapes: B sentences of the batch, B' those that are still here, K samples of each, N positions.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from nmt.search.arrays import Floats
from nmt.search.frontier import Frontier, Growth
from nmt.search.interface import Hypothesis, State
from nmt.search.stepper import Stepper

_PATIENCE = 6
"""Drop finished sentences once they are a sixth of the batch, as greedy search does."""


class Draw(NamedTuple):
    """What the random numbers of a sentence depend on, beside the seed."""

    key: int
    """of its text, see `key_of`"""
    first: int = 1
    """number of the first output that is drawn of it"""


def key_of(*rows: Sequence[int]) -> int:
    """Hash rows of ids into a number of 64 bits, the same on every machine."""
    content = b"".join(np.array([len(row), *row], dtype="<i8").tobytes() for row in rows)
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def uniform_numbers(
    entropy: Sequence[int], *, keys: Sequence[int], streams: int, positions: int, first: Sequence[int] = ()
) -> Floats:
    """Draw random numbers in [0, 1) that depend on (entropy, key, stream) only, and not on the batch.

    Args:
        entropy: non-negative numbers that name a run, such as its seed.
        keys: (B,) non-negative numbers that name sentences.
        streams: K, independent streams of each sentence, one a hypothesis.
        positions: N; a longer stream begins with the numbers of a shorter one.
        first: (B,) number of each sentence's first stream, 1 or more; empty: 1 for all.

    Returns:
        (B, K, N).
    """
    # SeedSequence takes no notice of zeros at the end, so a stream counts from one.
    first = first or [1] * len(keys)
    return np.array(
        [
            [
                np.random.Generator(np.random.Philox(np.random.SeedSequence((*entropy, key, stream)))).random(positions)
                for stream in range(start, start + streams)
            ]
            for key, start in zip(keys, first, strict=True)
        ]
    ).reshape(len(keys), streams, positions)


def sample(stepper: Stepper, uniforms: Floats, *, temperature: float = 1.0) -> list[list[Hypothesis]]:
    """Draw K outputs of every sentence.

    At temperature 1 an output is drawn with the probability that the model gives it, which its `log_prob` is. So no
    rule and no processor of the stepper's options is asked.

    Args:
        stepper: of the batch, with K places (`SearchOptions.beam_size`) and as many hypotheses wanted (`n_best`).
        uniforms: (B, K, N) of `uniform_numbers`, N the most positions of any sentence.
        temperature: above 0; the logits are divided by it.

    Returns:
        K hypotheses of each sentence, which may be equal; those that ended come first, each group by score.

    Raises:
        RunError: the model's scores are not numbers.
    """

    def take(frontier: Frontier, state: State, numbers: Floats) -> Growth:
        return stepper.take_drawn(frontier, state, numbers, temperature=temperature)

    return _drawn(stepper, uniforms, take)


def draw_outputs(stepper: Stepper, draws: Sequence[Draw]) -> list[list[Hypothesis]]:
    """Draw outputs as `SearchOptions.sampling` says, under the rules and processors of the stepper's options.

    An output depends on the seed, on its sentence and on its number, and not on the batch. Its `log_prob` is the
    model's log-probability, whatever distribution it was drawn from.

    Args:
        stepper: of the batch; it draws as many outputs of every sentence as it has places (`SearchOptions.beam_size`).
        draws: one of each sentence.

    Raises:
        RunError: the model's scores are not numbers.
    """
    sampling = stepper.options.sampling
    assert sampling is not None
    keys, first = [each.key for each in draws], [each.first for each in draws]
    size = {"streams": stepper.options.beam_size, "positions": int(stepper.limits.max(initial=0))}
    uniforms = uniform_numbers((sampling.seed,), keys=keys, first=first, **size)
    return _drawn(stepper, uniforms, stepper.take_sampled)


def _drawn(
    stepper: Stepper, uniforms: Floats, take: Callable[[Frontier, State, Floats], Growth]
) -> list[list[Hypothesis]]:
    """Draw position after position; `take` is given a number (B', K) for each place."""
    with stepper.without_gradients():
        # 1. Begin with K places for each sentence that may take a step at all.
        frontier, state = stepper.start()
        if state is not None:
            frontier, state = stepper.widened(frontier, state, places=stepper.options.beam_size)
        while state is not None:
            # 2. Draw the next token of every place.
            numbers = uniforms[frontier.sentences, :, frontier.length]
            growth = take(frontier, state, numbers)

            # 3. What ended or reached its limit goes to the pool.
            frontier, state = stepper.collect(frontier, growth), growth.state

            # 4. Finished sentences leave once they are enough.
            stay = np.asarray(frontier.live.any(1))
            if (len(stay) - np.count_nonzero(stay)) * _PATIENCE >= len(stay):
                frontier, state = stepper.keep(frontier, growth, stay)

    # 5. Read the hypotheses backwards.
    return stepper.hypotheses()
