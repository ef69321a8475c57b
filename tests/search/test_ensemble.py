"""An ensemble scores by the mean of its models' probabilities, whatever they are and whatever they score."""

import math

import numpy as np
import pytest

from nmt.search.arrays import operations_for
from nmt.search.beam import beam_search
from nmt.search.ensemble import Ensemble
from nmt.search.forced import score_targets
from nmt.search.greedy import greedy_search
from nmt.search.interface import Constraints
from nmt.search.options import SearchOptions
from nmt.search.rules import Forbidden
from nmt.search.stepper import Stepper
from nmt.text.shortlist import Shortlist

SOURCE, LENGTHS = np.random.default_rng(3).integers(4, 50, (5, 8)), np.array([8, 3, 5, 1, 7])


def shortlist(seed, size=6):
    draw = np.random.default_rng(seed)
    return Shortlist(np.arange(51, dtype=np.int64) * size, draw.integers(4, 50, 50 * size), np.array([0, 1, 2, 3]), 50)


def found_by(model, *, beam_size=4, source=SOURCE, lengths=LENGTHS, constraints=(), processors=()):
    options = {"rules": (Forbidden([0, 1, 2]),), "processors": processors, "with_weights": True}
    options = SearchOptions(bos_id=2, eos_id=3, beam_size=beam_size, n_best=beam_size, **options)
    stepper = Stepper(model, source, lengths, max_lengths=[15] * len(source), options=options, constraints=constraints)
    return (beam_search if beam_size > 1 else greedy_search)(stepper)


class Averaged:
    """Two table models as one, by the definition: for the searches in plain Python."""

    def __init__(self, *models):
        self.models = models
        self.following = self

    def log_probs(self, nodes):
        rows = [model.log_probs(node) for model, node in zip(self.models, nodes, strict=True)]
        return [math.log(sum(map(math.exp, column)) / len(rows)) for column in zip(*rows, strict=True)]

    def __getitem__(self, key):
        nodes, token = key
        return tuple(model.following[node, token] for model, node in zip(self.models, nodes, strict=True))


@pytest.mark.parametrize("seed", range(8))
def test_the_beam_is_that_of_the_mean_of_probabilities(tables, kind, seed):
    models = [tables.random_model(seed + 100 * i, kind=kind, nodes=10 + i) for i in range(3)]
    ensemble = Ensemble(models)
    ensemble.batch, ensemble.bos = models[0].batch, models[0].bos
    averaged, options = Averaged(*models), {"beam_size": 4, "n_best": 4}
    for start, found in enumerate(tables.search(beam_search, ensemble, range(4), limits=7, **options)):
        expected = tables.reference_beam(
            averaged, (start,) * 3, limit=7, penalty=1.0, normalization="average", **options
        )
        tables.assert_same(tables.plain(found), expected)
    # All that it can say has probability one, and the best of all is found by a beam that is wide enough.
    endings = tables.every_ending(averaged, (0, 0, 0), limit=4)
    assert math.fsum(math.exp(log_prob) for _, log_prob, _ in endings) == pytest.approx(1)
    [[best, *_]] = tables.search(beam_search, ensemble, [0], limits=4, beam_size=400, n_best=400)
    assert best.score == pytest.approx(tables.ranked(endings, 1.0, "average")[0][2], abs=1e-5)


@pytest.mark.parametrize("of", ["pytorch", "fp32", "int8", "shortlist", "mixed"])
@pytest.mark.parametrize("beam_size", [1, 4])
def test_equal_models_say_what_one_says(make_models, of, beam_size):
    precision = "int8" if of == "int8" else "fp32"
    models = make_models(precision=precision, shortlist=shortlist(1) if of == "shortlist" else None, lexicon_size=4)
    one = models.network if of == "pytorch" else models.exported
    several = Ensemble([models.network, models.exported] if of == "mixed" else [one] * 3)
    for here, there in zip(found_by(several, beam_size=beam_size), found_by(one, beam_size=beam_size), strict=True):
        assert [each.tokens for each in here] == [each.tokens for each in there]
        for mine, its in zip(here, there, strict=True):
            assert mine.log_prob == pytest.approx(its.log_prob, abs=1e-5 if precision == "fp32" else 1e-4)
            np.testing.assert_allclose(mine.weights, its.weights, atol=1e-5)


def probabilities(step, row, vocabulary):
    """(V,) what a model says, by id."""
    logits = np.asarray(step.logits.detach() if hasattr(step.logits, "detach") else step.logits)[row, 0]
    ids = np.arange(vocabulary) if step.shortlist is None else step.shortlist[row]
    found = np.zeros(vocabulary)
    found[ids[ids >= 0]] = np.exp(logits[ids >= 0] - np.log(np.exp(logits[ids >= 0]).sum()))
    return found


@pytest.mark.parametrize("of", ["two shortlists", "one shortlist", "none"])
def test_a_sentence_has_the_union_of_its_shortlists(make_models, of):
    lists = {"two shortlists": (shortlist(1), shortlist(2, 3)), "one shortlist": (shortlist(1), None)}
    models = [make_models(shortlist=each, seed=seed).exported for seed, each in enumerate(lists.get(of, (None, None)))]
    models += [make_models(seed=9).network] if of == "none" else []
    ensemble = Ensemble(models)
    tokens = np.full((5, 1), 2), np.array([[7, 40], [41, 8]])
    state = ensemble.start(SOURCE, LENGTHS, [Constraints(prefix=(40 + row,)) for row in range(5)])
    first = ensemble.step(tokens[0], state)
    kept = first.state.keep(np.array([1, 4])).reorder(np.zeros((2, 2), dtype=np.int64))
    second = ensemble.step(tokens[1], kept)
    for step, rows, before, previous in zip((first, second), (range(5), (1, 4)), (state, kept), tokens, strict=True):
        each_step = [
            model.step(operations_for(model.device).from_host(previous), own)
            for model, own in zip(models, before.states, strict=True)
        ]
        assert step.normalized
        assert (step.shortlist is None) is (of != "two shortlists")
        for place, row in enumerate(rows):
            ids = np.arange(50) if step.shortlist is None else step.shortlist[place]
            found = np.zeros(50)
            found[ids[ids >= 0]] = np.exp(step.logits[place, 0][ids >= 0])
            expected = np.mean([probabilities(own, place, 50) for own in each_step], axis=0)
            np.testing.assert_allclose(found, expected, atol=1e-6)
            assert found.sum() == pytest.approx(1, abs=1e-5)
            assert ids[ids >= 0].tolist() == sorted(set(ids[ids >= 0].tolist()))
            assert 40 + row in ids
            assert (step.logits[place][:, ids < 0] == -np.inf).all()


@pytest.mark.parametrize("same", [True, False])
def test_a_translation_does_not_depend_on_its_batch(make_models, same):
    lists = shortlist(1, 3), shortlist(1 if same else 2, 3)
    ensemble = Ensemble([make_models(shortlist=each, seed=seed).exported for seed, each in enumerate(lists)])
    for row, expected in enumerate(found_by(ensemble)):
        one = {"source": SOURCE[row : row + 1, : LENGTHS[row]], "lengths": LENGTHS[row : row + 1]}
        [alone] = found_by(ensemble, **one)
        assert [each.tokens for each in alone] == [each.tokens for each in expected]
        assert [each.log_prob for each in alone] == pytest.approx([each.log_prob for each in expected], abs=1e-4)
        if same:  # else what a target needs is in both lists, and the search's lists are shorter
            targets = [[*each.tokens, *[3] * each.finished] for each in expected]
            source, lengths = SOURCE[[row] * len(targets)], LENGTHS[[row] * len(targets)]
            scored = score_targets(ensemble, source, lengths, targets, bos_id=2)
            totals = [each.log_probs.sum() for each in scored]
            assert totals == pytest.approx([each.log_prob for each in expected], abs=1e-4)
