import pytest
import torch

from nmt.model.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.3, 0.75])
def test_elements_are_dropped_at_the_rate_and_the_mean_is_kept(p):
    torch.manual_seed(3)
    outputs = Dropout(p)(torch.ones(333, 1001))
    rate = round(p * 256) / 256
    assert (outputs == 0).float().mean().item() == pytest.approx(rate, abs=3e-3)
    assert outputs[outputs != 0].unique().tolist() == pytest.approx([1 / (1 - rate)])
    # Rows and columns alike: no byte of a draw is special.
    for dimension in (0, 1):
        assert (outputs == 0).float().mean(dimension).std().item() == pytest.approx(
            (rate * (1 - rate) / outputs.size(dimension)) ** 0.5, rel=0.15
        )


def test_next_to_all_may_be_dropped():
    torch.manual_seed(3)
    outputs = Dropout(0.999)(torch.ones(100, 1000))
    assert outputs.unique().tolist() == [0, 256]
    assert (outputs != 0).float().mean().item() == pytest.approx(1 / 256, rel=0.2)


def test_every_byte_of_a_draw_is_uniform():
    torch.manual_seed(3)
    dropped = (Dropout(0.5)(torch.ones(100_000, 8)) == 0).float().mean(0)
    assert dropped.tolist() == pytest.approx([0.5] * 8, abs=0.01)


def test_the_gradient_passes_where_the_elements_did():
    inputs = torch.randn(40, 50, requires_grad=True)
    outputs = Dropout(0.4)(inputs)
    outputs.sum().backward()
    torch.testing.assert_close(inputs.grad * inputs, outputs)


def test_masks_are_a_function_of_the_generator():
    drop, inputs = Dropout(0.5), torch.ones(7, 13)
    torch.manual_seed(1)
    once = drop(inputs)
    torch.manual_seed(1)
    assert torch.equal(drop(inputs), once)
    assert not torch.equal(drop(inputs), once)


@pytest.mark.parametrize("shape", [(0, 5), (1,), (3, 0), (2, 3, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_any_shape_and_type(shape, dtype):
    outputs = Dropout(0.5)(torch.ones(shape, dtype=dtype))
    assert (outputs.shape, outputs.dtype) == (shape, dtype)


def test_nothing_is_dropped_outside_training_or_at_zero():
    inputs = torch.randn(100, 100)
    assert torch.equal(Dropout(0.5).eval()(inputs), inputs)
    assert torch.equal(Dropout(0.0)(inputs), inputs)
