"""What stands behind a forced prefix spells its end, as all endings of a model show."""

import random

import numpy as np
import pytest

from nmt.search.beam import beam_search
from nmt.search.interface import Constraints
from nmt.search.prefix_end import PrefixEnd, Spelling
from nmt.search.processors import ForcedPrefix

PIECES = ["", "_ab", "a", "_a", "b", "_"]  # EOS is 0


def spelt(tokens):
    return "".join(PIECES[token] for token in tokens)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("prefix", "end"), [((4,), "_"), ((), "_a"), ((3, 3), "ab"), ((2,), "ba"), ((2,), "")])
def test_the_best_of_all_endings_that_spell_the_prefix_is_found(tables, kind, seed, prefix, end):
    model = tables.random_model(seed, kind=kind, vocabulary=6)
    [found] = tables.search(
        beam_search,
        model,
        [0],
        limits=4,
        beam_size=500,
        n_best=500,
        processors=[ForcedPrefix(), PrefixEnd(lambda: PIECES, space="_", eos_id=0)],
        constraints=[Constraints(prefix, end=end)],
    )
    whole = spelt(prefix) + end
    endings = [
        (tokens, log_prob, finished)
        for tokens, log_prob, finished in tables.every_ending(model, 0, limit=4)
        if tokens[: len(prefix)] == prefix
        and (spelt(tokens).startswith(whole) or (finished and spelt(tokens) + "_" == whole))
    ]
    expected = tables.ranked(endings, 1.0, "average")
    assert found[0].score == pytest.approx(expected[0][2], abs=1e-5)
    # What was cut at the limit before its prefix was spelt is there too, behind the others.
    scores = {tuple(one.tokens): one.log_prob for one in found if one.finished}
    assert scores == pytest.approx({one[0]: one[1] for one in expected if one[3]}, abs=1e-5)


def test_tokens_are_found_by_what_they_spell():
    draw = random.Random(1)
    pieces = ["", *sorted({"".join(draw.choices("_abc", k=draw.randint(1, 4))) for _ in range(60)})]
    spelling = Spelling(pieces)
    for text in ("".join(draw.choices("_abc", k=draw.randint(1, 5))) for _ in range(100)):
        by = {
            name: {i for i, piece in enumerate(pieces) if piece and test(piece)}
            for name, test in {
                "within": lambda piece, text=text: piece in text,
                "beginning": lambda piece, text=text: piece.startswith(text),
                "agreeing": lambda piece, text=text: piece.startswith(text) or text.startswith(piece),
            }.items()
        }
        assert {name: getattr(spelling, name)(text) for name in by} == by


def test_a_shortlist_is_looked_up_by_its_ids():
    processor = PrefixEnd(lambda: PIECES, space="_", eos_id=0)
    ids = np.array([[0, 2, 3, 4, -1]])

    class Emitted:
        length, tokens = 0, np.zeros((1, 2, 0), dtype=np.int64)

    scores = processor.process(np.zeros((1, 2, 5)), ids, Emitted, [Constraints(end="_a")])
    assert np.isfinite(scores[0, 0, :4]).tolist() == [False, False, True, False]


def test_a_dead_end_is_left_as_it_is():
    """Of a vocabulary without b, what begins with a cannot be spelt to its end."""
    processor = PrefixEnd(lambda: ["", "a", "abc", "c"], space="_", eos_id=0)

    class Emitted:
        length, tokens = 1, np.array([[[1], [3]]])

    scores = processor.process(np.zeros((1, 2, 4)), None, Emitted, [Constraints(end="ab")])
    assert np.isfinite(scores).all()
