"""Rescoring by single steps: equal to teacher forcing, and to what a search says."""

import numpy as np
import pytest
import torch

from nmt.evaluation.rescoring import source_ids, target_ids, token_log_probs
from nmt.text.shortlist import Shortlist
from nmt.translation.request import TextHypothesis
from nmt.translation.translator import Translator

SOURCE, TARGET = [20, 21, 22, 3], [30, 31, 32, 3]


@torch.inference_mode()
def teacher_forced(network, *, among=None):
    """The log-probability of each token by the fused forward pass."""
    hidden = network(torch.tensor([SOURCE]), torch.tensor([len(SOURCE)]), torch.tensor([[2, *TARGET[:-1]]]))
    logits = network.project(hidden)[0].double()
    if among is not None:
        logits = torch.full_like(logits, -torch.inf).index_copy(1, torch.tensor(among), logits[:, among])
    return logits.log_softmax(-1)[range(len(TARGET)), TARGET].numpy()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_it_is_teacher_forcing(make_models, cell):
    from nmt.config.choices import Cell

    models = make_models(cell=Cell[cell], decoder_layers=2, input_feeding=True)
    expected = teacher_forced(models.network)
    for model in (models.network, models.exported):
        np.testing.assert_allclose(token_log_probs(model, SOURCE, TARGET, bos_id=2), expected, atol=1e-4)
    precise = token_log_probs(models.network.double(), SOURCE, TARGET, bos_id=2)
    np.testing.assert_allclose(precise, teacher_forced(models.network), atol=1e-12)


def test_a_shortlist_shares_the_probability_among_its_own(make_models):
    offsets = np.arange(51, dtype=np.int64) * 2
    shortlist = Shortlist(offsets, np.tile(np.array([40, 41]), 50), np.array([3, 31]), 50)
    models = make_models(shortlist=shortlist)
    among = sorted({40, 41, 3, 31, *TARGET})
    found = token_log_probs(models.exported, SOURCE, TARGET, bos_id=2)
    np.testing.assert_allclose(found, teacher_forced(models.network, among=among), atol=1e-4)
    of_all = token_log_probs(models.network, SOURCE, TARGET, bos_id=2, among=among)
    np.testing.assert_allclose(of_all, found, atol=1e-4)


def test_a_search_says_what_rescoring_says(make_bundle):
    bundle = make_bundle()
    for line in ("a small red house", "river"):
        [translation] = Translator(bundle).translate([line])
        hypothesis = translation.hypotheses[0]
        target = target_ids(bundle, hypothesis)
        assert (target[-1] == 3) is hypothesis.finished
        scores = token_log_probs(bundle.model, source_ids(bundle, line), target, bos_id=2)
        assert scores.sum() == pytest.approx(hypothesis.log_prob, abs=1e-4)


def test_a_source_is_encoded_as_the_translator_does(make_bundle):
    from dataclasses import replace

    bundle = make_bundle()
    ids = bundle.source_subwords.encode("a small red house")
    assert source_ids(bundle, "a small red house") == [*ids, 3]
    assert source_ids(bundle, " \t") == []
    tagged = replace(bundle, search=replace(bundle.search, source_tag=2, max_source_tokens=2))
    assert source_ids(tagged, "a small red house") == [6, *ids[:2], 3]


def test_tokens_behind_a_cut_have_no_end(make_bundle):
    cut = TextHypothesis("a", 0.0, 0.0, False, [30, 31])
    assert target_ids(make_bundle(), cut) == [30, 31]
