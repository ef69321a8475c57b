"""Translations that are drawn: the same draws whatever the batch, with prefixes, by PyTorch and when exported."""

import dataclasses
import random

import numpy as np
import pytest

from nmt.errors import ConfigError
from nmt.evaluation.rescoring import target_ids, token_log_probs
from nmt.search.decode import decode
from nmt.search.distribution import Sampling
from nmt.search.interface import Constraints
from nmt.search.options import SearchOptions
from nmt.search.processors import ForcedPrefix
from nmt.search.sampling import Draw
from nmt.search.stepper import Stepper
from nmt.text.shortlist import Shortlist
from nmt.translation.request import Request
from nmt.translation.rerank import MinimumBayesRisk
from nmt.translation.similarity import chrf_matrix
from nmt.translation.translator import Translator

LINES = ["the old river", "a small red house", "", "a river near the house", "red red red", "the old river"]


@pytest.fixture(scope="module")
def bundle(make_bundle):
    return make_bundle(4)


def translator(bundle, *, n_best=1, **settings):
    search = dataclasses.replace(bundle.search, **{"sample": True} | settings)
    return Translator(bundle, search=search, n_best=n_best)


def test_draws_depend_on_seed_text_and_number_alone(bundle):
    together = translator(bundle, n_best=5).translate(LINES)  # more than the beam has places
    assert [len(each.hypotheses) for each in together] == [5, 5, 1, 5, 5, 5]
    assert together[2].text == ""
    assert together[0] == together[5]
    shuffled = random.Random(2).sample(range(len(LINES)), len(LINES))
    found = translator(bundle, n_best=5, batch_size=1).translate([LINES[i] for i in shuffled])
    for place, i in enumerate(shuffled):
        assert [one.tokens for one in found[place].hypotheses] == [one.tokens for one in together[i].hypotheses]
    for number in range(5):
        [alone] = translator(bundle).translate([Request(LINES[1], draw=number + 1)])
        assert alone.hypotheses[0].tokens == together[1].hypotheses[number].tokens
    assert translator(bundle, n_best=5, seed=2).translate(LINES)[1].hypotheses != together[1].hypotheses


def test_the_log_probability_is_the_models_whatever_the_temperature(bundle):
    for settings in ({}, {"temperature": 0.3}, {"top_k": 2}, {"top_p": 0.5}):
        for line, each in zip(LINES, translator(bundle, **settings).translate(LINES), strict=True):
            if line:
                source = [*bundle.source_subwords.encode(line), bundle.source_subwords.eos_id]
                target = target_ids(bundle, each.hypotheses[0])
                expected = token_log_probs(bundle.model, source, target, bos_id=bundle.target_subwords.bos_id).sum()
                assert each.hypotheses[0].log_prob == pytest.approx(expected, abs=1e-4)


def test_a_prefix_is_kept_and_special_symbols_are_never_drawn(bundle):
    requests = [Request("the old river", prefix="red"), Request("a small red house")]
    forced, free = translator(bundle, n_best=40, temperature=3.0).translate(requests)
    assert all(one.text.startswith("red") for one in forced.hypotheses)
    special = {bundle.target_subwords.unk_id, *range(20)}
    assert not any(special & set(one.tokens) for each in (forced, free) for one in each.hypotheses)
    assert all(one.tokens for one in free.hypotheses)


def test_no_ngram_is_drawn_twice_where_that_is_forbidden(bundle):
    [found] = translator(bundle, n_best=30, no_repeat_ngram=1).translate(["a small red house"])
    for one in found.hypotheses:
        assert len(set(one.tokens)) == len(one.tokens)


def test_little_temperature_is_greedy_search(bundle):
    greedy = Translator(bundle, search=dataclasses.replace(bundle.search, beam_size=1)).translate(LINES)
    for settings in ({"temperature": 1e-3}, {"top_k": 1}):
        drawn = translator(bundle, **settings).translate(LINES)
        assert [each.hypotheses[0].tokens for each in drawn] == [each.hypotheses[0].tokens for each in greedy]


def test_alignments_come_with_samples_too(bundle):
    search = dataclasses.replace(bundle.search, sample=True)
    [found] = Translator(bundle, search=search, alignments=True).translate(LINES[:1])
    assert found.hypotheses[0].alignment is not None


def test_samples_are_reranked_all_of_them(bundle):
    search, rerank = dataclasses.replace(bundle.search, sample=True), MinimumBayesRisk(chrf_matrix, 0.0)
    drawn = Translator(bundle, search=search, n_best=6).translate(LINES)
    for one, other in zip(
        Translator(bundle, search=search, n_best=6, rerank=rerank).translate(LINES), drawn, strict=True
    ):
        assert one.hypotheses == rerank(other.hypotheses)


def test_an_exported_model_with_a_shortlist_draws_from_its_ids(make_models):
    """Ids are drawn, not columns, and the padding of a shortlist never is."""
    targets = np.random.default_rng(1).integers(20, 50, 150).astype(np.int32)
    shortlist = Shortlist(np.arange(0, 151, 3), targets, np.array([3, 21, 22], dtype=np.int32), 50)
    models = make_models(shortlist=shortlist)
    options = SearchOptions(
        bos_id=2, eos_id=3, beam_size=8, n_best=8, sampling=Sampling(), processors=(ForcedPrefix(),)
    )
    source, lengths = np.array([[30, 31, 3], [32, 3, 0]]), np.array([3, 2])
    constraints = [Constraints(), Constraints((45,))]
    stepper = Stepper(models.exported, source, lengths, max_lengths=[6, 6], options=options, constraints=constraints)
    free, forced = decode(stepper, [Draw(1), Draw(2)])
    [allowed, others] = shortlist.ids(source, lengths, needed=[(), (45,)])
    assert {token for one in free for token in one.tokens} <= set(allowed.tolist())
    assert {token for one in forced for token in one.tokens} <= set(others.tolist())
    assert all(one.tokens[0] == 45 for one in forced)


def test_mbr_samples_are_the_samples_that_are_ranked_by_hand(bundle):
    draws = translator(bundle, n_best=6, temperature=0.8).translate(LINES)
    chosen = translator(bundle, sample=False, mbr_samples=6, temperature=0.8, n_best=3).translate(LINES)
    for line, drawn, best in zip(LINES, draws, chosen, strict=True):
        expected = MinimumBayesRisk(chrf_matrix, 0.0)(drawn.hypotheses)[:3] if line else drawn.hypotheses
        assert [each.text for each in best.hypotheses] == [each.text for each in expected]
    assert len({each.text for each in draws[1].hypotheses}) > 1
    alone = translator(bundle, sample=False, mbr_samples=6, temperature=0.8, batch_size=1).translate(LINES[::-1])
    assert [each.text for each in alone[::-1]] == [each.text for each in chosen]


def test_what_mbr_samples_cannot_do_is_refused(bundle):
    with pytest.raises(ConfigError, match="n_best=7 is not possible with mbr_samples=6"):
        translator(bundle, sample=False, mbr_samples=6, n_best=7)
    with pytest.raises(ConfigError, match=r"search.sample=true writes samples as they are drawn, and .*mbr_samples=6"):
        translator(bundle, mbr_samples=6)


def test_a_rerank_of_the_callers_own_takes_the_beam(bundle):
    def backwards(hypotheses):
        return list(hypotheses)[::-1]

    settings = {"sample": False, "beam_size": 4}
    search = dataclasses.replace(bundle.search, **settings, mbr_samples=6)
    found = Translator(bundle, search=search, n_best=4, rerank=backwards).translate(LINES[:2])
    expected = Translator(bundle, search=search.by_beam(4), n_best=4).translate(LINES[:2])
    for one, other in zip(found, expected, strict=True):
        assert [each.text for each in one.hypotheses] == [each.text for each in other.hypotheses[::-1]]
