import torch

from nmt.model.cells.cell import RecurrentLayer
from nmt.model.cells.gru import CELL

B, E, H = 3, 5, 4


def test_the_update_gate_is_the_second_of_the_three():
    """With no weights and that gate open, the state stays."""
    layer = RecurrentLayer(E, H, cell=CELL)
    with torch.no_grad():
        layer.rnn.weight_ih_l0.zero_()
        layer.rnn.weight_hh_l0.zero_()
        layer.rnn.bias_ih_l0.zero_()
        layer.rnn.bias_hh_l0.zero_()
        layer.rnn.bias_ih_l0[H : 2 * H] = 100.0
    hidden = torch.randn(B, H)
    (after,) = layer.advance(torch.randn(B, E), (hidden,))
    torch.testing.assert_close(after, hidden)
