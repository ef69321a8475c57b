"""Trainings: what clipping bounds, when they end, and that seeds make the same numbers."""

import dataclasses

import pytest
import torch

from nmt.lab.gradients import trial as module
from nmt.lab.gradients.options import TrialOptions
from nmt.lab.gradients.trial import Trial, kept_distances, run_trial

OPTIONS = TrialOptions(updates=12, hidden_size=6, batch_size=8)
TRIAL = Trial("adding", "lstm", 8, 1, 0.0)


@pytest.fixture
def norms(monkeypatch):
    """The norms of the gradients with which AdamW makes its steps."""
    seen = []
    step = module.AdamW.step

    def watched(optimizer):
        gradients = [p.grad for parameters, _ in optimizer._groups for p in parameters]
        seen.append(float(torch.cat([gradient.flatten() for gradient in gradients]).norm()))
        step(optimizer)

    monkeypatch.setattr(module.AdamW, "step", watched)
    return seen


def test_clipping_bounds_the_norm(norms):
    free = run_trial(TRIAL, OPTIONS)
    assert len(norms) == 12
    assert max(norms) > 1
    assert free.clipped == 0
    assert free.largest_gradient == pytest.approx(max(norms), rel=1e-3)
    norms.clear()
    clipped = run_trial(TRIAL._replace(clip_norm=0.05), OPTIONS)
    assert max(norms) <= 0.05 * (1 + 1e-5)
    assert clipped.clipped > 0.5
    assert clipped.largest_gradient > 1  # before clipping
    assert clipped.initial == free.initial
    assert clipped.trained != free.trained


def test_a_seed_makes_the_same_numbers_and_another_makes_others():
    one, other = run_trial(TRIAL, OPTIONS), run_trial(TRIAL._replace(seed=2), OPTIONS)
    assert one == run_trial(TRIAL, OPTIONS)
    assert one.initial != other.initial


def test_the_generator_of_the_caller_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    run_trial(TRIAL, dataclasses.replace(OPTIONS, updates=0))
    assert torch.equal(torch.rand(1), expected)


def test_cells_read_the_same_sequences():
    drawn = [module._generator(TRIAL._replace(cell=cell, clip_norm=clip), 0) for cell, clip in (("rnn", 0), ("gru", 1))]
    assert torch.equal(*[torch.rand(9, generator=generator) for generator in drawn])
    streams = [torch.rand(9, generator=module._generator(TRIAL, stream)).tolist() for stream in range(4)]
    assert len({tuple(stream) for stream in streams}) == 4


def test_a_task_that_is_learnt_ends_its_training(monkeypatch):
    monkeypatch.setattr(module, "_CHECK_EVERY", 20)
    learnt = run_trial(
        Trial("copy", "rnn", 1, 1, 1.0), TrialOptions(updates=2000, hidden_size=32, batch_size=16, learning_rate=0.01)
    )
    assert learnt.solved
    assert learnt.updates < 2000
    assert learnt.accuracy > 0.95


def test_a_loss_that_is_no_number_ends_its_training():
    wild = run_trial(TRIAL, dataclasses.replace(OPTIONS, learning_rate=1e38))
    assert wild.diverged
    assert not wild.solved
    assert wild.updates < 12


def test_without_updates_weights_are_measured_as_they_began():
    measured = run_trial(TRIAL, dataclasses.replace(OPTIONS, updates=0))
    assert measured.updates == 0
    assert measured.trained == measured.initial
    assert measured.distances == list(range(8))


def test_a_forget_bias_keeps_the_gradient():
    """A gate that is open with σ(b) multiplies ∂L/∂c by it at each step (Jozefowicz et al. 2015, section 2.2)."""
    far = {}
    for bias in (-2.0, 1.0, 4.0):
        flow = run_trial(Trial("adding", "lstm", 40, 1, 0.0), dataclasses.replace(OPTIONS, updates=0, forget_bias=bias))
        far[bias] = flow.initial.state[-1] / flow.initial.state[0]
    assert far[-2.0] < far[1.0] < far[4.0]


@pytest.mark.parametrize("positions", [1, 2, 40, 41, 404])
def test_a_curve_keeps_its_ends(positions):
    kept = kept_distances(positions)
    assert kept[0] == 0
    assert kept[-1] == positions - 1
    assert len(kept) <= 42
    assert kept == sorted(set(kept))
