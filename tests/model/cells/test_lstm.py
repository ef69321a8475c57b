import pytest
import torch

from nmt.model.cells.cell import RecurrentLayer
from nmt.model.cells.lstm import CELL

B, E, H = 3, 5, 4


@pytest.mark.parametrize("bidirectional", [False, True])
def test_an_lstm_begins_with_a_forget_gate_bias_of_one_and_no_other_bias(bidirectional):
    layer = CELL.layer(E, H, bidirectional=bidirectional)
    for suffix in ("_l0", "_l0_reverse")[: 1 + bidirectional]:
        total = getattr(layer, f"bias_ih{suffix}") + getattr(layer, f"bias_hh{suffix}")
        expected = torch.zeros(4 * H)
        expected[H : 2 * H] = 1
        torch.testing.assert_close(total, expected)


def test_the_forget_gate_is_the_second_of_the_four():
    """With no weights and that bias, a cell state decays by sigmoid(1) and nothing else happens to it."""
    layer = RecurrentLayer(E, H, cell=CELL)
    with torch.no_grad():
        layer.rnn.weight_ih_l0.zero_()
        layer.rnn.weight_hh_l0.zero_()
    memory = torch.randn(B, H)
    _, after = layer.advance(torch.randn(B, E), (torch.randn(B, H), memory))
    torch.testing.assert_close(after, torch.sigmoid(torch.ones(())) * memory)
