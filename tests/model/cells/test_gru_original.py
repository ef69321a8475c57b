"""What is reset is the state itself, before the product."""

import math

import pytest
import torch

from nmt.model.cells.cell import RecurrentLayer
from nmt.model.cells.gru import CELL as GRU
from nmt.model.cells.gru_original import CELL


def test_a_position_by_hand(hand):
    """Gates by their biases: reset 0.5, update σ(1); the candidate is of the input and of half the state."""
    layer = hand.one(CELL, weight_ih=[0.0, 0.0, 2.0], weight_hh=[0.0, 0.0, 3.0], bias=[0.0, 1.0, 0.1])
    candidate = math.tanh(2 * 0.4 + 3 * (0.5 * 0.6) + 0.1)
    assert hand.advanced(layer, 0.4, 0.6) == pytest.approx(
        [(1 - hand.sigmoid(1.0)) * candidate + hand.sigmoid(1.0) * 0.6]
    )


def test_it_differs_from_the_other_gru_once_elements_are_reset_unlike():
    """With several elements a reset state, multiplied, is not a multiplied state, reset."""
    torch.manual_seed(3)
    layer = RecurrentLayer(5, 4, cell=CELL).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    inputs, state = torch.randn(3, 5, dtype=torch.float64), (torch.randn(3, 4, dtype=torch.float64),)
    weight_ih, weight_hh, bias = layer.rnn.all_weights[0]
    (other,) = GRU.equations(inputs, state, [weight_ih, weight_hh, bias, torch.zeros_like(bias)])
    assert (layer.advance(inputs, state)[0] - other).abs().max() > 0.1
