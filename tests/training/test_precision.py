import itertools
import math

import pytest
import torch

from nmt.bundle.weights import load_bundle
from nmt.config.choices import Precision, Schedule
from nmt.errors import ConfigError
from nmt.training import precision as precision_module
from nmt.training.precision import choose_precision
from nmt.training.state import load_state

CPU = torch.device("cpu")


def test_auto_becomes_what_this_machine_can_do_and_draws_no_random_numbers():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert choose_precision(Precision.auto, CPU) in (Precision.fp32, Precision.bf16)
    assert torch.equal(torch.get_rng_state(), before)


def test_fp32_is_not_tried_out(monkeypatch):
    monkeypatch.setattr(precision_module, "_Layers", None)
    assert choose_precision(Precision.fp32, CPU) is Precision.fp32


@pytest.mark.parametrize(
    ("bf16", "fp32", "chosen"), [(0.5, 1.0, Precision.bf16), (0.9, 1.0, Precision.fp32), (2.0, 1.0, Precision.fp32)]
)
def test_auto_takes_bf16_where_it_is_clearly_faster(bf16, fp32, chosen, monkeypatch):
    held_up = itertools.cycle([30.0, 0.0, 50.0])
    seconds = {True: bf16, False: fp32}
    monkeypatch.setattr(precision_module._Layers, "seconds", lambda _, *, bf16: seconds[bf16] + next(held_up))
    assert choose_precision(Precision.auto, CPU) is chosen


def test_auto_tries_layers_of_the_models_sizes(command, monkeypatch):
    tried = []

    def seconds(layers, *, bf16):
        tried.append((layers.rnn.rnn.input_size, layers.rnn.rnn.hidden_size))
        return 1.0

    monkeypatch.setattr(precision_module._Layers, "seconds", seconds)
    command(trainer__precision="auto", model__embedding_size=6, model__decoder_hidden_size=10, trainer__max_updates=1)
    assert set(tried) == {(6, 10)}


def test_bf16_that_was_asked_for_is_only_seen_to_run(monkeypatch):
    tried = []
    monkeypatch.setattr(precision_module._Layers, "seconds", lambda _, *, bf16: tried.append(bf16))
    assert choose_precision(Precision.bf16, CPU) is Precision.bf16
    assert tried == [True]


def no_bf16(_, *, bf16):
    if bf16:
        raise RuntimeError("could not create a primitive descriptor")
    return 1.0


def test_auto_takes_fp32_where_bf16_does_not_run(monkeypatch):
    monkeypatch.setattr(precision_module._Layers, "seconds", no_bf16)
    assert choose_precision(Precision.auto, CPU) is Precision.fp32


def test_bf16_where_it_does_not_run_is_refused(command, monkeypatch):
    monkeypatch.setattr(precision_module._Layers, "seconds", no_bf16)
    finished = command(trainer__precision="bf16")
    assert finished.code == 2
    assert finished.errors == [
        "nmt-train: error: trainer.precision=bf16 is not possible on this machine's cpu, for which PyTorch has no "
        "recurrent layers in bf16: set trainer.precision=fp32, or auto"
    ]


def runs_bf16():
    try:
        return choose_precision(Precision.bf16, CPU) is Precision.bf16
    except ConfigError:
        return False


@pytest.mark.skipif(not runs_bf16(), reason="PyTorch has no recurrent layers in bf16 for this machine")
def test_bf16_trains_with_fp32_master_weights_near_what_fp32_finds(make_config, train, metrics):
    losses = {}
    for precision in (Precision.bf16, Precision.fp32):
        changes = {"model__dropout": 0.0, "optimizer__lr": 0.02, "trainer__max_updates": 16}
        run_dir = train(make_config(str(precision), trainer__precision=precision, **changes))
        losses[precision] = [line["loss"] for line in metrics(run_dir, "train")]
        assert all(tensor.dtype == torch.float32 for tensor in load_state(run_dir / "state.pt").model.values())
        bundle = load_bundle(run_dir / "last")
        assert bundle.metadata["precision"] == str(precision)
        assert all(weight.dtype == torch.float32 for weight in bundle.model.parameters())
    assert losses[Precision.bf16][-1] < losses[Precision.bf16][0] < 1.1 * math.log(160)
    assert losses[Precision.bf16] != losses[Precision.fp32]
    assert losses[Precision.bf16] == pytest.approx(losses[Precision.fp32], abs=0.05)


@pytest.mark.parametrize("precision", [Precision.fp32, Precision.bf16])
def test_a_run_of_two_threads_that_was_stopped_equals_an_uninterrupted_one(make_config, train, saved, same, precision):
    if precision is Precision.bf16 and not runs_bf16():
        pytest.skip("PyTorch has no recurrent layers in bf16 for this machine")
    sizes = {"embedding_size": 64, "encoder_hidden_size": 64, "decoder_hidden_size": 128}  # enough to be divided
    changes = {f"model__{key}": value for key, value in sizes.items()}
    changes |= {"trainer__batch_tokens": 2000, "optimizer__schedule": Schedule.constant}
    changes |= {"trainer__precision": precision, "trainer__threads": 2}
    before = torch.get_num_threads()
    try:
        whole = train(make_config("whole", trainer__max_updates=5, **changes))
        train(make_config("stopped", trainer__max_updates=2, **changes))
        stopped = train(make_config("stopped", trainer__max_updates=5, **changes))
    finally:
        torch.set_num_threads(before)
    for part in ("model", "optimizer", "average"):
        assert same(saved(stopped)[part], saved(whole)[part])


def test_a_run_keeps_the_precision_that_auto_found(make_config, train, monkeypatch):
    found = [Precision.fp32, Precision.bf16]
    monkeypatch.setattr(
        "nmt.training.run.choose_precision",
        lambda precision, device, **sizes: found.pop(0) if precision is Precision.auto else precision,
    )
    changes = {"trainer__precision": Precision.auto, "optimizer__schedule": Schedule.constant}
    config = make_config(trainer__max_updates=2, **changes)
    train(config)
    run_dir = train(make_config(trainer__max_updates=4, **changes))
    assert load_state(run_dir / "state.pt").precision == "fp32"
    assert found == [Precision.bf16]
