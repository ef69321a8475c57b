"""Self-critical training against the expectation over all outputs, and against its formula."""

import pytest
import torch

from nmt.config.objective import ObjectiveConfig
from nmt.search.greedy import greedy_search
from nmt.search.options import SearchOptions
from nmt.search.sampling import sample, uniform_numbers
from nmt.training.objectives.objective import Moment
from nmt.training.objectives.outputs import Outputs, Started
from nmt.training.objectives.self_critical import SelfCritical


@pytest.fixture
def objective(tiny, two_positions):
    def make(samples=1):
        config = ObjectiveConfig(samples=samples, **two_positions)
        return SelfCritical(config, tiny.reward, greedy=SearchOptions(**tiny.ids))

    return make


def expected_reward(tiny, model):
    """Σ_y p(y) · r(y) of both pairs, with a gradient, over all outputs."""
    total = torch.zeros((), dtype=torch.float64)
    for row, reference in enumerate(tiny.batch.target.tolist()):
        log_probs = torch.stack([tiny.log_prob(model, tiny.batch, row, output) for output in tiny.every_output])
        assert log_probs.exp().sum().item() == pytest.approx(1.0, abs=1e-12)
        rewards = tiny.reward(tiny.every_output, [reference] * len(tiny.every_output))
        total = total + (log_probs.exp() * torch.from_numpy(rewards)).sum()
    return total


def test_the_mean_gradient_is_that_of_the_expected_reward(tiny, objective):
    model = tiny.build()
    exact = tiny.gradients(model, -expected_reward(tiny, model))
    drawn = torch.stack(
        [
            tiny.gradients(model, objective(100).loss(model, tiny.batch, moment=Moment(1, update)).loss)
            for update in range(40)
        ]
    )
    mean, error = drawn.mean(0), drawn.std(0) / len(drawn) ** 0.5
    assert ((mean - exact).abs() <= 5 * error + 1e-12).all()
    # The bound above is a narrow one: one draw is far off, and so would be a gradient of something else.
    assert float((mean - exact).norm()) < 0.1 * float(exact.norm())
    assert float(torch.cosine_similarity(mean, exact, dim=0)) > 0.995


@pytest.mark.parametrize("lexicon_size", [0, 2])
@pytest.mark.parametrize("samples", [1, 3])
def test_the_gradient_of_given_samples_is_the_formula(tiny, objective, two_positions, samples, lexicon_size):
    """The mean over a pair's samples of (r(greedy) - r(y)) · ∇ log p(y), with the offer of the training throughout."""
    model, batch, moment = tiny.build(lexicon_size=lexicon_size), tiny.batch, Moment(5, 9)
    offer = None
    if lexicon_size:
        offer = model.lexicon(batch.source)
        offer = offer._replace(probabilities=offer.probabilities.flip(1))
    loss, likelihood, reward = objective(samples).loss(model, batch, moment=moment, offer=offer)

    options = SearchOptions(**tiny.ids, beam_size=samples, n_best=samples)
    numbers = uniform_numbers(moment, keys=[7, 0], streams=samples, positions=2)
    model.eval()
    started = Started(model, batch, offer=offer)
    greedy = Outputs.found(greedy_search(started.stepper(batch, SearchOptions(**tiny.ids), limits=[2, 2])))
    sampled = Outputs.found(sample(started.stepper(batch, options, limits=[2, 2]), numbers))
    model.train()
    right = batch.target.tolist()
    baseline = tiny.reward(greedy.rows, right)
    expected = torch.zeros((), dtype=torch.float64)
    for owner, output in zip(sampled.owners, sampled.rows, strict=True):
        [own] = tiny.reward([output], [right[owner]])
        its_offer = offer and offer.keep(torch.tensor([owner]))
        if its_offer:
            length = int(batch.source_lengths[owner])
            its_offer = its_offer._replace(probabilities=its_offer.probabilities[:, :length])
        expected = expected - (own - baseline[owner]) * tiny.log_prob(model, batch, owner, output, its_offer) / samples
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    assert expected.item() != 0
    torch.testing.assert_close(tiny.gradients(model, loss), tiny.gradients(model, expected), rtol=1e-9, atol=1e-12)
    assert reward == pytest.approx(baseline.sum())
    assert likelihood.isnan()


def test_a_sample_that_equals_the_greedy_output_teaches_nothing(tiny, objective):
    model = tiny.build()
    with torch.no_grad():
        model.output_bias[3] = 60.0  # EOS, always
    loss = objective(3).loss(model, tiny.batch, moment=Moment(5, 9)).loss
    assert loss.item() == 0
    assert not tiny.gradients(model, loss).any()
