"""Ancestral sampling: every token is drawn from the model's distribution, given those before it.

Shapes: B sentences of the batch, B' those that are still here, K samples of each, N positions.
"""

from collections.abc import Sequence

import numpy as np

from nmt.search.arrays import Floats
from nmt.search.interface import Hypothesis
from nmt.search.stepper import Stepper

_PATIENCE = 6
"""Drop finished sentences once they are a sixth of the batch, as greedy search does."""


def uniform_numbers(entropy: Sequence[int], *, keys: Sequence[int], streams: int, positions: int) -> Floats:
    """Draw random numbers in [0, 1) that depend on (entropy, key, stream) only, and not on the batch.

    Args:
        entropy: non-negative numbers that name a run, such as its seed.
        keys: (B,) non-negative numbers that name sentences.
        streams: K, independent streams of each sentence, one a hypothesis.
        positions: N; a longer stream begins with the numbers of a shorter one.

    Returns:
        (B, K, N).
    """
    # SeedSequence takes no notice of zeros at the end, so a stream counts from one.
    return np.array(
        [
            [
                np.random.Generator(np.random.Philox(np.random.SeedSequence((*entropy, key, stream)))).random(positions)
                for stream in range(1, streams + 1)
            ]
            for key in keys
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
    with stepper.without_gradients():
        # 1. Begin with K places for each sentence that may take a step at all.
        frontier, state = stepper.start()
        if state is not None:
            frontier, state = stepper.widened(frontier, state, places=stepper.options.beam_size)
        while state is not None:
            # 2. Draw the next token of every place.
            numbers = uniforms[frontier.sentences, :, frontier.length]
            growth = stepper.take_drawn(frontier, state, numbers, temperature=temperature)

            # 3. What ended or reached its limit goes to the pool.
            frontier, state = stepper.collect(frontier, growth), growth.state

            # 4. Finished sentences leave once they are enough.
            stay = np.asarray(frontier.live.any(1))
            if (len(stay) - np.count_nonzero(stay)) * _PATIENCE >= len(stay):
                frontier, state = stepper.keep(frontier, growth, stay)

    # 5. Read the hypotheses backwards.
    return stepper.hypotheses()
