import math

import pytest

from nmt.model.cells.rnn import CELL


def test_a_position_by_hand(hand):
    layer = hand.one(CELL, weight_ih=2.0, weight_hh=-0.5, bias_ih=0.1, bias_hh=0.2)
    assert hand.advanced(layer, 0.4, 0.6) == pytest.approx([math.tanh(2 * 0.4 - 0.5 * 0.6 + 0.1 + 0.2)])
