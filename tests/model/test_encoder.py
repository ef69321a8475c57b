"""Reading sources: frozen padding equals packing, and a sentence's encoding is its own."""

from functools import partial

import pytest
import torch

from nmt.config.choices import Cell
from nmt.model.cells.cell import cell_named
from nmt.model.cells.fused import FusedCell
from nmt.model.encoder import Encoder

E, H = 5, 4
LENGTHS = {"unequal": [3, 7, 1, 5], "equal": [4, 4, 4], "all of one": [1, 1], "one sentence": [6]}
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6}


def layer_and_inputs(cell, lengths, dtype):
    torch.manual_seed(3)
    layer = cell_named(cell).layer(E, H, bidirectional=True).to(dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.6)
    # Padding is large on purpose: whatever leaks from it shows.
    inputs = torch.randn(len(lengths), max(lengths), E, dtype=dtype)
    for row, length in zip(inputs, lengths, strict=True):
        row[length:] = 50.0
    return layer, inputs.requires_grad_()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_reading_over_frozen_padding_equals_reading_packed(cell, lengths, dtype):
    layer, inputs = layer_and_inputs(cell, lengths, dtype)
    leaves = [inputs, *layer.parameters()]
    results = []
    for read in (partial(FusedCell.read, cell_named(cell)), cell_named(cell).read_frozen):
        values, state = read(layer, inputs, torch.tensor(lengths))
        assert len(state) == (2 if cell == "lstm" else 1)
        parts = torch.cat([values.flatten(), *(part.flatten() for part in state)])
        mixed = (parts * torch.linspace(-1, 1, parts.numel(), dtype=dtype)).sum()
        results.append([values, *state, *torch.autograd.grad(mixed, leaves)])
    for packed, frozen in zip(*results, strict=True):
        assert packed.shape == frozen.shape
        torch.testing.assert_close(frozen, packed, rtol=TOLERANCE[dtype], atol=10 * TOLERANCE[dtype])
    values, gradient = results[1][0], results[1][1 + len(state)]
    for row, slope, length in zip(values, gradient, lengths, strict=True):
        assert not row[length:].any()
        assert not slope[length:].any()


@pytest.mark.parametrize("size", [5, 15, 16, 31])
def test_frozen_padding_makes_no_odd_input(size, monkeypatch):
    """A layer in bf16 is three times as slow where its inputs are odd."""
    cell, widths = cell_named("lstm"), []

    def sweep(inputs, weights, **settings):
        widths.extend([inputs.size(-1), weights[0].size(-1)])
        return type(cell).sweep(cell, inputs, weights, **settings)

    monkeypatch.setattr(cell, "sweep", sweep)
    layer = cell.layer(size, H, bidirectional=True)
    cell.read_frozen(layer, torch.randn(2, 3, size), torch.tensor([3, 1]))
    assert widths == [16 * (size // 16 + 1)] * 2


@pytest.mark.parametrize(
    ("cell", "read"), [("lstm", None), ("lstm", "packed"), ("gru", None), ("gru", "packed"), ("rnn", None)]
)
def test_states_are_those_after_a_sentences_last_and_first_token(cell, read):
    """Hidden states can be read off the outputs, cell states off the sentence cut to its length."""
    lengths = LENGTHS["unequal"]
    layer, inputs = layer_and_inputs(cell, lengths, torch.float64)
    run = partial(FusedCell.read, cell_named(cell)) if read else cell_named(cell).read
    values, state = run(layer, inputs, torch.tensor(lengths))
    for i, length in enumerate(lengths):
        alone, final = layer(inputs[i : i + 1, :length])
        final = final if cell == "lstm" else (final,)
        torch.testing.assert_close(values[i, :length], alone[0])
        torch.testing.assert_close(state[0][i, :H], values[i, length - 1, :H])
        torch.testing.assert_close(state[0][i, H:], values[i, 0, H:])
        for part, (forward, backward) in zip(state, final, strict=True):
            torch.testing.assert_close(part[i], torch.cat((forward[0], backward[0])))


def build(cell="lstm", layers=2, dropout=0.0):
    torch.manual_seed(11)
    encoder = Encoder(E, H, layers=layers, cell=cell_named(cell), dropout=dropout).double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.normal_(std=0.5)
    return encoder


@pytest.mark.parametrize(("cell", "layers"), [*((cell, 2) for cell in Cell), ("lstm", 1), ("ssru", 3)])
def test_an_encoding_does_not_depend_on_neighbours_or_padding(cell, layers):
    encoder = build(cell, layers).eval()
    lengths = LENGTHS["unequal"]
    inputs = torch.randn(len(lengths), max(lengths) + 2, E, dtype=torch.float64)
    together = encoder(inputs[:, : max(lengths)], torch.tensor(lengths))
    assert len(together.states) == layers
    for i, length in enumerate(lengths):
        alone = encoder(inputs[i : i + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(together.values[i, :length], alone.values[0])
        assert not together.values[i, length:].any()
        for ours, own in zip(together.states, alone.states, strict=True):
            assert len(ours) == cell_named(cell).parts
            for part, other in zip(ours, own, strict=True):
                torch.testing.assert_close(part[i], other[0])


def test_what_stands_at_padding_does_not_matter():
    encoder = build(layers=3).eval()
    lengths = torch.tensor(LENGTHS["unequal"])
    inputs = torch.randn(4, 7, E, dtype=torch.float64)
    other = inputs.masked_fill((torch.arange(7) >= lengths.unsqueeze(1)).unsqueeze(-1), 99.0)
    for one, two in zip(encoder(inputs, lengths), encoder(other, lengths), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize(("layers", "residual"), [(1, False), (2, False), (3, True), (4, True)])
def test_more_than_two_layers_are_residual_above_the_first(layers, residual):
    encoder = build(layers=layers).eval()
    lengths = torch.tensor([4, 2])
    inputs = torch.randn(2, 4, E, dtype=torch.float64)
    outputs = inputs
    for i, layer in enumerate(encoder.layers):
        above, state = FusedCell.read(encoder.cell, layer, outputs, lengths)
        for part, expected in zip(encoder(inputs, lengths).states[i], state, strict=True):
            torch.testing.assert_close(part, expected)
        outputs = above + outputs if residual and i > 0 else above
    torch.testing.assert_close(encoder(inputs, lengths).values, outputs)


def test_dropout_acts_on_inputs_and_outputs_in_training_only():
    encoder = build(layers=2, dropout=0.5)
    inputs, lengths = torch.randn(2, 5, E, dtype=torch.float64), torch.tensor([5, 3])
    seen = []
    encoder.dropout.register_forward_hook(lambda module, given, result: seen.append((given[0], result)))

    encoder.eval()
    one, two = encoder(inputs, lengths), encoder(inputs, lengths)
    torch.testing.assert_close(one.values, two.values, rtol=0, atol=0)
    assert all(torch.equal(before, after) for before, after in seen)

    seen.clear()
    encoder.train()
    values = encoder(inputs, lengths).values
    assert torch.equal(seen[0][0], inputs)
    assert torch.equal(seen[-1][1], values)
    assert len(seen) == 3
    for before, after in seen:
        assert ((after == 0) & (before != 0)).any()
        kept = after != 0
        torch.testing.assert_close(after[kept], 2 * before[kept])
