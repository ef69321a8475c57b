"""Minimum risk training against the risk over all outputs."""

import pytest
import torch

from nmt.config.objective import ObjectiveConfig
from nmt.search.options import SearchOptions
from nmt.training.objectives.minimum_risk import MinimumRisk


@pytest.fixture
def objective(tiny, two_positions):
    def make(places=40, **changes):
        beam = SearchOptions(**tiny.ids, beam_size=places, n_best=places)
        return MinimumRisk(ObjectiveConfig(**two_positions, **changes), tiny.reward, beam=beam)

    return make


def risk(tiny, model, outputs, sharpness):
    """Σ_y Q(y) · (1 - r(y)) of both pairs over these outputs of each, with a gradient."""
    total = torch.zeros((), dtype=torch.float64)
    for row, reference in enumerate(tiny.batch.target.tolist()):
        log_probs = torch.stack([tiny.log_prob(model, tiny.batch, row, output) for output in outputs[row]])
        powers = log_probs.exp() ** sharpness
        rewards = torch.from_numpy(tiny.reward(outputs[row], [reference] * len(outputs[row])))
        total = total + (powers / powers.sum() * (1 - rewards)).sum()
    return total


@pytest.mark.parametrize("with_reference", [False, True])
@pytest.mark.parametrize("sharpness", [5e-3, 1.0])
def test_with_all_outputs_as_candidates_the_gradient_is_that_of_the_risk(tiny, objective, sharpness, with_reference):
    """The reference is one of all outputs already, and counts once."""
    model = tiny.build()
    loss, likelihood, reward = objective(sharpness=sharpness, with_reference=with_reference).loss(model, tiny.batch)
    expected = risk(tiny, model, [tiny.every_output] * 2, sharpness)
    assert loss.item() * sharpness == pytest.approx(expected.item(), abs=1e-12)
    assert reward == pytest.approx(2 - expected.item(), abs=1e-12)
    assert likelihood.isnan()
    found, exact = tiny.gradients(model, loss), tiny.gradients(model, expected / sharpness)
    assert float(exact.norm()) > 1e-3
    torch.testing.assert_close(found, exact, rtol=1e-8, atol=1e-12)


def test_the_reference_joins_the_candidates_that_lack_it(tiny, objective):
    """One place is greedy: this output and the reference are all there is."""
    model = tiny.build()
    with torch.no_grad():
        model.output_bias[3] = 60.0  # EOS at once
    outputs = [[[3], reference] for reference in tiny.batch.target.tolist()]
    loss = objective(1, sharpness=0.1).loss(model, tiny.batch).loss
    assert loss.item() * 0.1 == pytest.approx(risk(tiny, model, outputs, 0.1).item(), abs=1e-12)
    loss = objective(1, sharpness=0.1, with_reference=False).loss(model, tiny.batch).loss
    assert loss.item() * 0.1 == pytest.approx(risk(tiny, model, [[[3]], [[3]]], 0.1).item(), abs=1e-12)


def test_very_unlikely_candidates_do_not_make_the_distribution_vanish(tiny, objective):
    model = tiny.build()
    with torch.no_grad():
        model.output_bias[3] = 900.0
    loss = objective(1, sharpness=1.0).loss(model, tiny.batch).loss
    assert loss.isfinite()
    assert tiny.gradients(model, loss).isfinite().all()
