"""Peepholes: what each of the three sees, and that a cell without them is an LSTM."""

import math

import pytest
import torch

from nmt.model.cells.cell import RecurrentLayer
from nmt.model.cells.lstm import CELL as LSTM
from nmt.model.cells.lstm_peephole import CELL

B, E, H = 3, 5, 4


def test_without_peepholes_it_is_an_lstm():
    torch.manual_seed(3)
    layer = RecurrentLayer(E, H, cell=CELL).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
        layer.rnn.weight_peephole_l0.zero_()
    state = torch.randn(B, H, dtype=torch.float64), torch.randn(B, H, dtype=torch.float64)
    inputs = torch.randn(B, E, dtype=torch.float64)
    weight_ih, weight_hh, _, bias = layer.rnn.all_weights[0]
    expected = LSTM.equations(inputs, state, [weight_ih, weight_hh, bias, torch.zeros_like(bias)])
    for part, other in zip(layer.advance(inputs, state), expected, strict=True):
        torch.testing.assert_close(part, other)


def test_the_first_two_gates_see_the_cell_before_and_the_output_gate_the_cell_after(hand):
    layer = hand.one(CELL, weight_peephole=[1.0, 2.0, 3.0], bias=[0.0, 0.0, 0.7, 0.0])
    before = 0.5
    after = hand.sigmoid(2 * before) * before + hand.sigmoid(1 * before) * math.tanh(0.7)
    assert hand.advanced(layer, 9.0, 0.3, before) == pytest.approx([hand.sigmoid(3 * after) * math.tanh(after), after])
