"""The loop of updates: what it learns, saves, repeats and resumes, and what ends it."""

import math
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from nmt.bundle.weights import load_bundle
from nmt.config.choices import Schedule
from nmt.corpus.batches import BatchSource
from nmt.evaluation.metrics import Score
from nmt.training import trainer as trainer_module
from nmt.training.data import prepare
from nmt.training.gradient import BatchLoss
from nmt.training.state import Position
from nmt.training.trainer import Trainer
from nmt.training.validation import Validation


@pytest.fixture
def scripted(monkeypatch):
    """Let validations find these scores, one after the other."""

    def install(*scores):
        left = list(scores)

        def found(task, bundle, texts, *, config, processes):
            value = left.pop(0)
            scores = {"bleu": Score("BLEU", value / 2, "scripted"), "chrf": Score("chrF2", value, "scripted")}
            return Validation(2.0, scores, "greedy", texts[None].target)

        monkeypatch.setattr(trainer_module, "validate_all", found)
        return left

    return install


def interrupt(trainer):
    signal.raise_signal(signal.SIGINT)


def count_batches(config, epochs):
    """Batches of each of the first epochs."""
    data = prepare(config)
    source = BatchSource(
        data.corpus,
        source_subwords=data.source_subwords,
        target_subwords=data.target_subwords,
        batch_tokens=config.trainer.batch_tokens,
        seed=config.seed,
        sampling_alpha=config.subwords.sampling_alpha,
        marks=data.marks,
        mark_rate=config.subwords.mark_rate,
        prefetch=0,
    )
    return [sum(1 for _ in source.epoch(epoch)) for epoch in range(epochs)]


def test_the_loss_falls(make_config, train, metrics):
    config = make_config(trainer__max_updates=120, trainer__validate_every=120, optimizer__lr=0.02)
    lines = metrics(train(config), "train")
    losses = [line["loss"] for line in lines]
    uniform = math.log(160)
    assert losses[0] == pytest.approx(uniform, rel=0.1)
    assert losses[-1] < 0.75 * uniform
    assert max(losses[15:]) < min(losses[:5])
    assert [line["update"] for line in lines] == list(range(4, 121, 4))


def test_a_seed_gives_the_same_weights_bit_for_bit_and_another_seed_others(make_config, train, saved, same, metrics):
    first, second = train(make_config("a")), train(make_config("b"))
    assert same(saved(first), saved(second))
    assert metrics(first) == metrics(second)
    for part in ("best", "last"):
        weights = [(directory / part / "model.safetensors").read_bytes() for directory in (first, second)]
        assert weights[0] == weights[1]
    other = train(make_config("c", seed=2))
    assert not same(saved(first)["model"], saved(other)["model"])


def test_a_run_that_was_stopped_again_and_again_equals_an_uninterrupted_one(
    make_config, train, saved, same, metrics, at_update
):
    # The stops lie within the first epoch and the second, on a validation, on a line of metrics and between two.
    whole = train(make_config("whole"))
    epochs = count_batches(make_config(), 2)
    assert epochs[0] < 19 < 23 < sum(epochs)
    config = make_config("stopped")
    for stop in (3, 8, 12, 19):
        at_update(stop, interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(config)
        position = saved(config.run_dir)["position"]
        assert position["update"] == stop
        assert position["finished"] == ""
    stopped = train(config)
    assert same(saved(stopped), saved(whole))
    assert metrics(stopped) == metrics(whole)
    for part in ("best", "last"):
        weights = [(directory / part / "model.safetensors").read_bytes() for directory in (stopped, whole)]
        assert weights[0] == weights[1]


def test_a_run_that_crashed_repeats_what_came_after_its_last_save(
    make_config, train, saved, same, metrics, at_update, monkeypatch
):
    whole = train(make_config("whole", trainer__log_every=1))
    config = make_config("crashed", trainer__log_every=1)

    def crash(trainer):
        raise MemoryError

    at_update(14, crash)
    with pytest.raises(MemoryError):
        train(config)
    assert saved(config.run_dir)["position"]["update"] == 8
    assert metrics(config.run_dir)[-1]["update"] == 13
    with open(Path(config.run_dir) / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"kind": "train", "upd')  # the crash may have cut a line
    monkeypatch.undo()
    crashed = train(config)
    assert same(saved(crashed), saved(whole))
    assert metrics(crashed) == metrics(whole)


def test_a_run_goes_on_when_its_limit_is_raised(make_config, train, saved, same):
    batches = count_batches(make_config(), 2)
    limits = {"optimizer__schedule": Schedule.inverse_sqrt, "trainer__max_updates": 1000}
    config = make_config("raised", trainer__max_epochs=1, **limits)
    train(config)
    position = saved(config.run_dir)["position"]
    assert (position["epoch"], position["batch"], position["update"]) == (1, 0, batches[0])
    assert position["finished"] == "trainer.max_epochs=1 reached"
    config.trainer.max_epochs = 2
    train(config)
    position = saved(config.run_dir)["position"]
    assert (position["epoch"], position["update"]) == (2, sum(batches))
    assert position["finished"] == "trainer.max_epochs=2 reached"
    whole = train(make_config("whole", trainer__max_epochs=2, **limits))
    assert same(saved(config.run_dir)["model"], saved(whole)["model"])
    assert same(saved(config.run_dir)["optimizer"], saved(whole)["optimizer"])


def test_the_position_counts_the_batches_that_were_trained_on(make_config, train, saved, at_update):
    config = make_config()
    at_update(5, interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    position = saved(config.run_dir)["position"]
    # Eight more were prepared ahead by then.
    assert (position["update"], position["epoch"], position["batch"]) == (5, 0, 5)


def test_max_minutes_stops_and_minutes_carry_over(make_config, train, saved, fake_clock, at_update):
    config = make_config(trainer__max_minutes=1.0)
    at_update(4, interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    assert saved(config.run_dir)["position"]["update"] == 4
    fake_clock.seconds += 86400  # a day off
    train(config)
    position = saved(config.run_dir)["position"]
    assert (position["update"], position["finished"]) == (6, "trainer.max_minutes=1 reached")
    config.trainer.max_minutes = 1.5
    train(config)
    position = saved(config.run_dir)["position"]
    assert (position["update"], position["finished"]) == (9, "trainer.max_minutes=1.5 reached")


def test_best_is_the_best_validation_and_last_the_last(make_config, train, saved, metrics, scripted):
    scripted(1.0, 5.0, 5.0, 3.0)
    config = make_config(trainer__max_updates=32, trainer__validate_every=8)
    run_dir = train(config)
    position = saved(run_dir)["position"]
    assert (position["best_score"], position["best_update"], position["validations_since_best"]) == (5.0, 16, 2)
    validations = metrics(run_dir, "validation")
    assert [line["chrf"] for line in validations] == [1.0, 5.0, 5.0, 3.0]
    assert [line["best_chrf"] for line in validations] == [1.0, 5.0, 5.0, 5.0]
    assert [line["bleu"] for line in validations] == [0.5, 2.5, 2.5, 1.5]
    best, last = load_bundle(run_dir / "best"), load_bundle(run_dir / "last")
    assert (best.metadata["updates"], last.metadata["updates"]) == (16, 32)
    assert best.metadata["validation"] == "BLEU 2.50 (scripted); chrF2 5.00 (scripted), greedy, perplexity 2.00"
    average = saved(run_dir)["average"]
    assert all(torch.equal(a, p) for a, p in zip(average, last.model.parameters(), strict=True))
    assert not all(torch.equal(a, p) for a, p in zip(average, best.model.parameters(), strict=True))
    raw = saved(run_dir)["model"]
    assert not any(torch.equal(raw[name], weight) for name, weight in last.model.named_parameters())


def test_all_processes_agree_on_the_clock_the_loss_and_a_signal():
    trainer = object.__new__(Trainer)
    trainer.position = Position(seconds=99.0)
    others = [1.0, 2.0, 0.5, 30.0, 0.0]  # of the main process: loss, likelihood, reward, its clock, no signal
    trainer.processes = SimpleNamespace(size=2, gather_numbers=lambda *own: [others, own])
    loss, stopped = trainer._agree(BatchLoss(3.0, 4.0, 7, 0.25), SimpleNamespace(arrived=signal.SIGTERM))
    assert trainer.position.seconds == 30.0
    assert (loss, stopped) == (BatchLoss(4.0, 6.0, 7, 0.75), signal.SIGTERM)


def test_best_keeps_the_average_of_its_own_update(make_config, train, saved, scripted):
    scripted(9.0, 1.0, 1.0)
    long = train(make_config("long", optimizer__schedule=Schedule.constant))
    scripted(9.0)
    short = train(make_config("short", optimizer__schedule=Schedule.constant, trainer__max_updates=8))
    average = saved(short)["average"]
    for run_dir in (long, short):
        weights = load_bundle(run_dir / "best").model.parameters()
        assert all(torch.equal(a, p) for a, p in zip(average, weights, strict=True))


def test_patience_ends_a_run_without_a_better_validation(make_config, train, saved, scripted):
    left = scripted(1.0, 4.0, 4.0, 3.9, 9.0)
    run_dir = train(make_config(trainer__max_updates=100, trainer__validate_every=4, trainer__patience=2))
    position = saved(run_dir)["position"]
    assert (position["update"], position["best_update"]) == (16, 8)
    assert position["finished"] == "no better chrF2 in trainer.patience=2 validations"
    assert left == [9.0]


def test_a_run_that_ends_between_validations_validates_once_more(make_config, train, metrics):
    run_dir = train(make_config(trainer__max_updates=11))
    assert [line["update"] for line in metrics(run_dir, "validation")] == [8, 11]
    assert load_bundle(run_dir / "last").metadata["updates"] == 11


def test_a_signal_during_the_last_validation_ends_the_run_after_saving(make_config, train, saved, monkeypatch):
    validate = trainer_module.validate_all

    def interrupted(*arguments, **options):
        signal.raise_signal(signal.SIGINT)
        return validate(*arguments, **options)

    monkeypatch.setattr(trainer_module, "validate_all", interrupted)
    config = make_config(trainer__max_updates=3)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    assert saved(config.run_dir)["position"]["finished"] == "trainer.max_updates=3 reached"
    assert load_bundle(Path(config.run_dir) / "best").metadata["updates"] == 3


def test_the_average_narrows_with_the_learning_rate(make_config, train, saved, monkeypatch):
    update, average = Trainer._update, []

    def recomputed(self, gradient_norm):
        if not average:
            average.extend(p.detach().clone() for p in self.model.parameters())
        update(self, gradient_norm)
        decay = min(0.9, (1 + self.position.update) / (10 + self.position.update))
        span = decay / (1 - decay) * min(self.position.update / 5, (24 + 1 - self.position.update) / (24 + 1 - 5))
        for mean, parameter in zip(average, self.model.parameters(), strict=True):
            mean += (parameter.detach() - mean) / (1 + span)

    monkeypatch.setattr(Trainer, "_update", recomputed)
    state = saved(train(make_config(trainer__max_updates=24)))
    for expected, found in zip(average, state["average"], strict=True):
        torch.testing.assert_close(found, expected)


def test_without_an_average_the_bundle_has_the_raw_weights(make_config, train, saved):
    run_dir = train(make_config(trainer__ema_decay=0.0))
    state = saved(run_dir)
    assert state["average"] == []
    weights = load_bundle(run_dir / "last").model.state_dict()
    assert weights.keys() == state["model"].keys()
    assert all(torch.equal(weights[name], state["model"][name]) for name in weights)


def test_overfitting_is_told_once_also_by_a_run_that_goes_on(make_config, train, monkeypatch, at_update):
    def rising(task, bundle, texts, **_):
        scores = {name: Score(name, 1.0, "scripted") for name in ("bleu", "chrf")}
        return Validation(90.0 + bundle.metadata["updates"], scores, "greedy", texts[None].target)

    monkeypatch.setattr(trainer_module, "validate_all", rising)
    config = make_config(trainer__max_updates=24, trainer__validate_every=4, trainer__patience=0)
    at_update(14, interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    log = Path(config.run_dir) / "train.log"
    assert "overfitting" not in log.read_text(encoding="utf-8")  # two validations above the lowest
    train(config)
    told = [line for line in log.read_text(encoding="utf-8").splitlines() if "overfitting: " in line]
    assert len(told) == 1
    assert "validation perplexity rose from 94.00 at update 4 to 106.00, while the training's fell from " in told[0]
