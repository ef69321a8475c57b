"""The trial of a model's speed: what it measures, and that it is short and leaves no trace."""

import pytest
import torch

from nmt.config.choices import Precision, Tying
from nmt.config.model import ModelConfig
from nmt.config.train import SubwordsConfig, TrainConfig, TrainerConfig
from nmt.training.auto import speed as speed_module
from nmt.training.auto.facts import Lengths
from nmt.training.auto.speed import pairs_per_second

CPU, LENGTHS = torch.device("cpu"), Lengths(6.4, 8.0)


def tiny(**changes):
    sizes = {"embedding_size": 8, "encoder_hidden_size": 8, "decoder_hidden_size": 16, "lexicon_size": 3}
    return TrainConfig(
        subwords=SubwordsConfig(vocabulary_size=60),
        model=ModelConfig(**(sizes | changes)),
        trainer=TrainerConfig(batch_tokens=320, precision=Precision.fp32),
    )


@pytest.mark.parametrize("changes", [{}, {"tying": Tying.none, "lexicon_size": 0}])
def test_a_trial_trains_and_draws_no_random_numbers(changes):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert pairs_per_second(tiny(**changes), LENGTHS, device=CPU, seconds=0.05) > 1
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def clocked(monkeypatch):
    """A function that tries with a clock which updates alone move, and returns the speed and the sizes of batches."""

    def work(seconds_of, *, seconds, lengths=LENGTHS):
        sizes = []
        now = [100.0]

        def update(trial, batch):
            sizes.append(len(batch.source))
            now[0] += seconds_of(len(batch.source))
            return seconds_of(len(batch.source))

        monkeypatch.setattr(speed_module._Trial, "_update", update)
        monkeypatch.setattr(speed_module.time, "monotonic", lambda: now[0])
        found = pairs_per_second(tiny(), lengths, device=CPU, seconds=seconds)
        return found, sizes, now[0] - 100.0

    return work


def test_a_fast_machine_sees_whole_batches(clocked):
    found, sizes, took = clocked(lambda pairs: 0.01 + 0.001 * pairs, seconds=2.0)
    assert found == pytest.approx(40 / 0.05)
    assert sizes == [1, 1, 4, 4, 16, 16, *[40] * 11]
    assert took <= 2.0


def test_a_slow_machine_foresees_them(clocked):
    found, sizes, took = clocked(lambda pairs: 0.2 + 0.1 * pairs, seconds=2.0)
    assert found == pytest.approx(40 / 4.2)
    assert sizes == [1, 1, 4, 4]
    assert took <= 2.0


def test_what_a_busy_machine_says_is_not_taken_for_a_miracle(clocked):
    found, _, _ = clocked(lambda pairs: 1.0, seconds=1.0)
    assert found == pytest.approx(40 / (1 + 36 / 16))


def test_a_sentence_longer_than_a_batch_is_one(clocked):
    found, sizes, _ = clocked(lambda pairs: 0.5, seconds=1.0, lengths=Lengths(900, 2))
    assert (found, set(sizes)) == (2, {1})


def test_too_little_memory_is_no_speed(monkeypatch):
    def update(trial, batch):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(speed_module._Trial, "_update", update)
    assert pairs_per_second(tiny(), LENGTHS, device=CPU, seconds=1.0) == 0
