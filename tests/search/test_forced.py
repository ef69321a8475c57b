"""Forced scoring says what a search says of its own outputs, and what one sentence alone has."""

import numpy as np
import pytest

from nmt.config.choices import AttentionKind
from nmt.errors import RunError
from nmt.search.beam import beam_search
from nmt.search.forced import score_targets
from nmt.search.options import SearchOptions
from nmt.search.rules import Forbidden
from nmt.search.stepper import Stepper
from nmt.text.shortlist import Shortlist

LENGTHS = np.array([9, 2, 14, 1, 6, 5, 11])


def shortlist():
    """Few ids for each source id, and EOS."""
    draw = np.random.default_rng(1)
    return Shortlist(np.arange(51, dtype=np.int64) * 4, draw.integers(4, 50, 200), np.array([0, 1, 2, 3]), 50)


def sources():
    ids = np.random.default_rng(2).integers(4, 50, (len(LENGTHS), LENGTHS.max()))
    return np.where(np.arange(ids.shape[1]) < LENGTHS[:, None], ids, 0)


@pytest.mark.parametrize("kind", ["pytorch", "fp32", "int8", "int8 shortlist"])
def test_it_is_what_a_search_says_of_its_outputs(make_models, kind):
    precision = kind.split()[0].replace("pytorch", "fp32")
    models = make_models(precision=precision, shortlist=shortlist() if "shortlist" in kind else None, lexicon_size=4)
    model = models.network if kind == "pytorch" else models.exported
    options = SearchOptions(bos_id=2, eos_id=3, beam_size=4, rules=(Forbidden([0, 1, 2]),), with_weights=True)
    stepper = Stepper(model, sources(), LENGTHS, max_lengths=[20] * len(LENGTHS), options=options)
    found = [hypotheses[0] for hypotheses in beam_search(stepper)]
    targets = [[*one.tokens, *[3] * one.finished] for one in found]
    scored = score_targets(model, sources(), LENGTHS, targets, bos_id=2, with_weights=True)
    assert len({len(target) for target in targets}) > 1
    for one, target, own in zip(found, targets, scored, strict=True):
        assert own.log_probs.shape == (len(target),)
        assert own.log_probs.sum() == pytest.approx(one.log_prob, abs=1e-4)
        np.testing.assert_allclose(own.weights[: len(one.tokens)], one.weights, atol=1e-5)
    for row, target in enumerate(targets):  # alone in its batch
        length = LENGTHS[row]
        ids = sources()[row : row + 1, :length]
        [alone] = score_targets(model, ids, LENGTHS[row : row + 1], [target], bos_id=2)
        np.testing.assert_allclose(alone.log_probs, scored[row].log_probs, atol=1e-5)
        assert alone.weights is None


def test_a_shortlist_is_made_to_have_the_target(make_models):
    models = make_models(shortlist=shortlist())
    targets = [[45, 46, 3], [], *[[7, 3]] * 5]
    scored = score_targets(models.exported, sources(), LENGTHS, targets, bos_id=2)
    assert [len(each.log_probs) for each in scored] == [3, 0, *[2] * 5]
    assert all(np.isfinite(each.log_probs).all() for each in scored)


def test_it_is_the_table(tables, kind):
    for seed in range(10):
        model = tables.random_model(seed, kind=kind, vocabulary=5)
        targets = [[1, 2, 0], [3, 0], [4, 4, 4, 4, 0], [0], [2, 2]]
        source, lengths = model.batch(range(5))
        found = score_targets(model, source, lengths, targets, bos_id=model.bos)
        for start, (target, one) in enumerate(zip(targets, found, strict=True)):
            assert one.log_probs.sum() == pytest.approx(model.rescore(start, target, False), abs=1e-5)


def test_a_model_without_attention_has_none(make_bundle):
    model = make_bundle(attention=AttentionKind.none).model
    found = score_targets(model, sources() % 20, LENGTHS, [[5, 3]] * 7, bos_id=2, with_weights=True)
    assert all(each.weights is None for each in found)


def test_scores_that_are_no_numbers_are_told(tables, kind):
    model = tables.random_model(1, kind=kind)
    model.logits[:] = np.nan
    with pytest.raises(RunError, match="scores at target position 1 are not numbers"):
        score_targets(model, *model.batch([0]), [[1]], bos_id=model.bos)
