import pytest
import torch

from nmt.model.cells.ssru import CELL


def test_a_position_by_hand(hand):
    """The new state is a mean of the old one and the candidate, weighted by the forget gate."""
    layer = hand.one(CELL, weight_ih=[2.0, -3.0], bias=0.5)
    forget = hand.sigmoid(2 * 0.4 + 0.5)
    assert hand.advanced(layer, 0.4, 0.6) == pytest.approx([forget * 0.6 + (1 - forget) * (-3 * 0.4)])


def test_its_output_is_what_of_the_state_is_positive():
    assert CELL.output((torch.tensor([-2.0, 0.0, 3.0]),)).tolist() == [0, 0, 3]
