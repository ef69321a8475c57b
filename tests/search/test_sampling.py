"""Sampling, against probabilities that can be worked out with a pencil."""

import numpy as np
import pytest

from nmt.errors import RunError
from nmt.search.options import SearchOptions
from nmt.search.sampling import sample, uniform_numbers
from nmt.search.stepper import Stepper

EOS = 0
# Node 0: EOS 1/2, a (1) 1/4, b (2) 1/4. After a (node 1): EOS 1/5, a 4/5. After b (node 2): EOS always.
PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.2, 0.8, 0.0], [1.0, 0.0, 0.0]])
FOLLOWING = np.array([[0, 1, 2], [1, 1, 1], [2, 2, 2]])
OUTPUTS = {(): 0.5, (1,): 0.05, (2,): 0.25, (1, 1): 0.2}  # with two positions at most; "a a" is cut


@pytest.fixture
def model(tables, kind):
    with np.errstate(divide="ignore"):
        return tables.TableModel(np.log(PROBABILITIES) + 3.0, FOLLOWING, kind)


def drawn(model, uniforms, *, starts=None, limit=2, temperature=1.0):
    """Hypotheses for numbers (B, K, N)."""
    uniforms = np.asarray(uniforms, dtype=np.float64)
    source, lengths = model.batch(starts or [0] * len(uniforms))
    places = uniforms.shape[1]
    options = SearchOptions(bos_id=model.bos, eos_id=EOS, beam_size=places, n_best=places)
    stepper = Stepper(model, source, lengths, max_lengths=[limit] * len(source), options=options)
    return sample(stepper, uniforms, temperature=temperature)


@pytest.mark.parametrize(
    ("numbers", "tokens", "finished"),
    [
        ((0.0, 0.9), [], True),
        ((0.499, 0.9), [], True),
        ((0.501, 0.199), [1], True),
        ((0.749, 0.201), [1, 1], False),
        ((0.751, 0.999), [2], True),
        ((0.999999, 0.0), [2], True),
    ],
)
def test_a_number_chooses_the_token_whose_share_it_lies_in(model, numbers, tokens, finished):
    [[hypothesis]] = drawn(model, [[numbers]])
    assert (hypothesis.tokens, hypothesis.finished) == (tokens, finished)
    assert np.exp(hypothesis.log_prob) == pytest.approx(OUTPUTS[tuple(tokens)], rel=1e-6)


def test_outputs_come_as_often_as_the_model_says(model):
    uniforms = uniform_numbers((7,), keys=range(400), streams=10, positions=2)
    counts = dict.fromkeys(OUTPUTS, 0)
    for hypotheses in drawn(model, uniforms):
        assert len(hypotheses) == 10
        for each in hypotheses:
            counts[tuple(each.tokens)] += 1
    for output, probability in OUTPUTS.items():
        spread = np.sqrt(4000 * probability * (1 - probability))
        assert abs(counts[output] - 4000 * probability) < 4 * spread


def test_a_low_temperature_leaves_the_likeliest_and_the_log_prob_is_still_the_models(model):
    numbers = np.full((1, 4, 6), 0.999)
    hypotheses = drawn(model, numbers, starts=[1], limit=6, temperature=0.05)[0]
    assert [each.tokens for each in hypotheses] == [[1] * 6] * 4
    assert hypotheses[0].log_prob == pytest.approx(6 * np.log(0.8), rel=1e-6)


def test_a_sample_depends_on_its_own_numbers_alone(model):
    uniforms = uniform_numbers((3, 1), keys=[5, 0, 9, 2], streams=3, positions=8)
    together = drawn(model, uniforms, starts=[0, 1, 0, 2], limit=8)
    for row, start in enumerate([0, 1, 0, 2]):
        assert drawn(model, uniforms[row : row + 1], starts=[start], limit=8) == together[row : row + 1]
        alone = [drawn(model, uniforms[row : row + 1, [k]], starts=[start], limit=8)[0][0] for k in range(3)]
        assert sorted(each.tokens for each in alone) == sorted(each.tokens for each in together[row])


def test_numbers_depend_on_entropy_key_and_stream_alone():
    whole = uniform_numbers((3, 1), keys=[5, 0, 9], streams=3, positions=8)
    assert whole.shape == (3, 3, 8)
    assert ((whole >= 0) & (whole < 1)).all()
    assert len(np.unique(whole)) == whole.size
    assert np.array_equal(uniform_numbers((3, 1), keys=[9], streams=2, positions=5)[0], whole[2, :2, :5])
    assert not np.isin(uniform_numbers((3, 2), keys=[5, 0, 9], streams=3, positions=8), whole).any()
    assert uniform_numbers((1,), keys=[], streams=2, positions=3).shape == (0, 2, 3)


def test_sentences_that_may_take_no_step_are_cut_at_once(model):
    source, lengths = model.batch([0, 0])
    options = SearchOptions(bos_id=model.bos, eos_id=EOS)
    stepper = Stepper(model, source, lengths, max_lengths=[0, 2], options=options)
    first, second = sample(stepper, np.full((2, 1, 2), 0.6))
    assert [(each.tokens, each.finished) for each in (*first, *second)] == [([], False), ([1, 1], False)]


def test_scores_that_are_no_numbers_end_the_run(tables, kind):
    model = tables.TableModel(np.array([[np.nan, 0.0]]), np.zeros((1, 2), dtype=int), kind)
    with pytest.raises(RunError, match="scores at target position 1 are not numbers"):
        drawn(model, [[[0.5, 0.5]]])
