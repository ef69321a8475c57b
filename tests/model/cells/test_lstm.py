import torch

from nmt.model.cells.cell import RecurrentLayer
from nmt.model.cells.lstm import CELL

B, E, H = 3, 5, 4


def test_the_forget_gate_is_the_second_of_the_four():
    """With no weights and that bias, a cell state decays by sigmoid(1) and nothing else happens to it."""
    layer = RecurrentLayer(E, H, cell=CELL)
    with torch.no_grad():
        layer.rnn.weight_ih_l0.zero_()
        layer.rnn.weight_hh_l0.zero_()
        layer.rnn.bias_ih_l0.copy_(torch.eye(4)[1].repeat_interleave(H))
        layer.rnn.bias_hh_l0.zero_()
    memory = torch.randn(B, H)
    _, after = layer.advance(torch.randn(B, E), (torch.randn(B, H), memory))
    torch.testing.assert_close(after, torch.sigmoid(torch.ones(())) * memory)
