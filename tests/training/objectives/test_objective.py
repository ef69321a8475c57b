"""What all objectives have in common: parts of a batch, dropout's generator, precision, mixing, and their settings."""

import math

import pytest
import torch

from nmt.config.choices import Cell, Decay, ObjectiveKind, Precision
from nmt.config.objective import ObjectiveConfig
from nmt.config.train import TrainConfig, TrainerConfig
from nmt.corpus.batches import Batch
from nmt.errors import ConfigError
from nmt.evaluation.metrics import sentence_chrf
from nmt.tasks.translation import TRANSLATION
from nmt.training.gradient import BatchGradient
from nmt.training.lexicon import Folds
from nmt.training.objectives.build import build_objective
from nmt.training.objectives.objective import CrossEntropy, Moment
from nmt.training.objectives.reward import ChrfReward
from nmt.training.parallel import Processes

KINDS = list(ObjectiveKind)
SEARCHING = [kind for kind in KINDS if kind.searches]


@pytest.fixture(scope="module")
def subwords(two_subword_models):
    return two_subword_models[0]


@pytest.fixture
def make_objective(subwords):
    def make(kind, **changes):
        settings = {"decay": Decay.linear, "half_updates": 10, "cutoff_rate": 0.3} | changes
        config = TrainConfig(objective=ObjectiveConfig(kind=kind, **settings))
        return build_objective(config, TRANSLATION, subwords)

    return make


@pytest.fixture(scope="module")
def batch(subwords):
    """Five pairs of unlike lengths."""
    texts = ["a small red house", "river", "the old house stands near", "near the river", "old"]
    rows = [[*subwords.encode(text), subwords.eos_id] for text in texts]
    lengths = torch.tensor([*map(len, rows)])
    padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    return Batch(padded, lengths, padded.flip(0), lengths.flip(0), torch.tensor([8, 3, 5, 0, 21]))


@pytest.fixture
def model(tiny, subwords):
    return tiny.build(vocabulary=subwords.vocabulary_size, lexicon_size=2).float().train()


def gradient(model, objective, batch, *, accumulation=1, precision=Precision.fp32, update=7, folds=None):
    compute = BatchGradient(
        model,
        objective,
        config=TrainerConfig(accumulation=accumulation),
        precision=precision,
        folds=folds,
        processes=Processes(),
    )
    loss = compute(batch, seed=3, update=update)
    return loss, torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("with_folds", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_a_batch_draw_what_the_whole_does(model, make_objective, batch, kind, with_folds):
    """So the shares of several processes do, which are such parts."""
    folds = None
    if with_folds:
        vocabulary = len(model.lexicon.targets)
        folds = Folds(torch.randint(4, vocabulary, (3, vocabulary, 2)), torch.rand(3, vocabulary, 2), 1e-4)
    whole_loss, whole = gradient(model, make_objective(kind), batch, folds=folds)
    assert whole.any()
    for accumulation in (2, 5):
        loss, found = gradient(model, make_objective(kind), batch, accumulation=accumulation, folds=folds)
        assert loss.smoothed == pytest.approx(whole_loss.smoothed, rel=1e-4)
        assert loss.reward == pytest.approx(whole_loss.reward, rel=1e-5)
        torch.testing.assert_close(found, whole, rtol=1e-3, atol=1e-5 * float(whole.abs().max()))


@pytest.mark.parametrize("kind", KINDS)
def test_search_leaves_dropouts_generator_and_the_model_as_they_were(model, make_objective, batch, kind):
    """Without dropout nothing at all is drawn from it."""
    before = torch.get_rng_state()
    make_objective(kind).loss(model, batch, moment=Moment(1, 7))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("kind", KINDS)
def test_another_update_draws_other_numbers_where_any_are_drawn(model, make_objective, batch, kind):
    _, first = gradient(model, make_objective(kind), batch, update=7)
    _, again = gradient(model, make_objective(kind), batch, update=7)
    _, other = gradient(model, make_objective(kind), batch, update=8)
    assert torch.equal(first, again)
    draws = kind in (ObjectiveKind.self_critical, ObjectiveKind.scheduled_sampling, ObjectiveKind.cutoff)
    assert torch.equal(first, other) != draws


@pytest.mark.parametrize("kind", KINDS)
def test_in_bf16_the_gradient_is_nearly_the_same(tiny, subwords, make_objective, batch, kind):
    """Search inside must not leave rounded weights without a gradient to the pass after it."""
    model = tiny.build(vocabulary=subwords.vocabulary_size, cell=Cell.ssru).float()  # runs in bf16 on any machine
    _, exact = gradient(model, make_objective(kind), batch)
    _, rounded = gradient(model, make_objective(kind), batch, precision=Precision.bf16)
    assert float(torch.cosine_similarity(exact, rounded, dim=0)) > 0.99


@pytest.mark.parametrize("kind", SEARCHING)
def test_cross_entropy_is_mixed_in_by_its_weight(model, make_objective, batch, kind):
    alone, gradient_alone = gradient(model, make_objective(kind), batch)
    cross_entropy, its_gradient = gradient(model, CrossEntropy(TRANSLATION, label_smoothing=0.1), batch)
    mixed, its_mixture = gradient(model, make_objective(kind, cross_entropy_weight=0.25), batch)
    assert mixed.smoothed == pytest.approx(0.75 * alone.smoothed + 0.25 * cross_entropy.smoothed, rel=1e-4)
    assert mixed.negative_log_likelihood == pytest.approx(cross_entropy.negative_log_likelihood)
    assert mixed.reward == pytest.approx(alone.reward)
    assert math.isnan(alone.negative_log_likelihood)
    torch.testing.assert_close(its_mixture, 0.75 * gradient_alone + 0.25 * its_gradient, rtol=1e-3, atol=1e-6)


def test_the_reward_is_sacrebleus_chrf_of_the_text(subwords):
    texts = ["a small red house", "the old house near", "", "a small red house"]
    outputs = [[*subwords.encode(text), subwords.eos_id] for text in texts]
    right = [[*subwords.encode(text), subwords.eos_id] for text in ["a small red house", "house", "river", "house"]]
    rewards = ChrfReward(subwords)(outputs, right)
    assert rewards[0] == 1.0
    assert rewards[1] == sentence_chrf("the old house near", "house") / 100
    assert rewards[2] == 0.0
    assert rewards[3] == sentence_chrf("a small red house", "house") / 100 < 1


@pytest.mark.parametrize("kind", SEARCHING)
def test_what_searches_needs_a_trained_model(kind):
    config = TrainConfig(objective=ObjectiveConfig(kind=kind))
    config.corpus.train, config.corpus.source, config.corpus.target = "data/train", "en", "de"
    with pytest.raises(ConfigError) as error:
        config.validate()
    assert str(error.value) == (
        f"objective.kind={kind} learns from the model's own outputs, so it needs a trained model: train with "
        "objective=cross_entropy first, then name the bundle, as in init_from=runs/mine/best"
    )
    config.init_from = "runs/mine/best"
    config.validate()
