"""A layer of one cell whose weights are given, for cases that are computed by hand."""

from types import SimpleNamespace

import pytest
import torch

from nmt.model.cells.cell import RecurrentLayer


@pytest.fixture(scope="session")
def hand():
    """What cases that are computed by hand are made of: `one`, `advanced` and `sigmoid`."""
    return SimpleNamespace(one=one, advanced=advanced, sigmoid=sigmoid)


def one(cell, **weights):
    """A layer with one input and one hidden element; weights by kind, all others zero."""
    layer = RecurrentLayer(1, 1, cell=cell).double()
    with torch.no_grad():
        for name, parameter in layer.rnn.named_parameters():
            values = torch.tensor(weights.get(name.removesuffix("_l0"), 0.0), dtype=torch.float64)
            parameter.copy_(values.reshape(parameter.shape) if values.ndim else values.expand_as(parameter))
    return layer


def advanced(layer, value, *state):
    """The state after one position, as numbers."""
    parts = (torch.tensor([[part]], dtype=torch.float64) for part in state)
    return [part.item() for part in layer.advance(torch.tensor([[value]], dtype=torch.float64), tuple(parts))]


def sigmoid(value):
    return torch.sigmoid(torch.tensor(value, dtype=torch.float64)).item()
