"""The decoder: one position at a time equals a whole target at once, and a state is a value."""

from functools import partial
from itertools import product

import pytest
import torch

from nmt.config.choices import Cell
from nmt.model.attention import Attention, Memory, Summary
from nmt.model.cells.cell import cell_named
from nmt.model.decoder import Decoder, DecoderSizes, DecoderState
from nmt.model.encoder import Encoded

B, T, S, E, H, F = 3, 4, 5, 3, 6, 7
LENGTHS = torch.tensor([5, 2, 3])


KINDS = {kind: partial(Attention, H, H, kind=kind, attention_size=4) for kind in ("dot", "general", "additive")}
KINDS |= {"none": partial(Summary, H, repeat=False), "repeated": partial(Summary, H, repeat=True)}


def build(*, cell="lstm", attention="general", layers=1, feeding=False, dropout=0.0):
    torch.manual_seed(13)
    decoder = Decoder(
        DecoderSizes(input=E, hidden=H, attentional=F),
        layers=layers,
        cell=cell_named(cell),
        attention=KINDS[attention](),
        input_feeding=feeding,
        dropout=dropout,
    )
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return decoder.double().eval()


def start(decoder):
    torch.manual_seed(17)
    parts = decoder.layers[0].cell.parts
    values = torch.randn(B, S, H, dtype=torch.float64)
    initial = tuple(
        tuple(torch.randn(B, H, dtype=torch.float64) for _ in range(parts)) for _ in range(len(decoder.layers))
    )
    state = decoder.start(Encoded(values, initial), initial, torch.arange(S) < LENGTHS.unsqueeze(1))
    return state, torch.randn(B, T, E, dtype=torch.float64)


def parts_of(state):
    """Every tensor of a state that has places: of the layers, and what is fed back."""
    parts = [part for layer in state.layers for part in layer]
    return parts if state.feed is None else [*parts, state.feed]


@pytest.mark.parametrize(
    ("cell", "attention", "layers", "feeding"),
    [
        (cell, kind, 1 + (i + j) % 3, bool((i + j) % 2))
        for (i, cell), (j, kind) in product(enumerate(map(str, Cell)), enumerate(KINDS))
    ],
)
def test_advancing_equals_running_over_the_whole_target(cell, attention, layers, feeding):
    decoder = build(cell=cell, attention=attention, layers=layers, feeding=feeding)
    state, embedded = start(decoder)
    whole = decoder(embedded, state).attentional
    for t in range(T):
        advanced = decoder.advance(embedded[:, t : t + 1], state)
        torch.testing.assert_close(advanced.decoded.attentional[:, 0], whole[:, t], rtol=1e-10, atol=1e-12)
        state = advanced.state


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("feeding", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_attentional_vector_follows_luongs_equations(cell, feeding, layers):
    """Input [embedding; fed vector], L layers (residual if more than two), tanh(W_c [context; query])."""
    decoder = build(cell=cell, layers=layers, feeding=feeding)
    state, embedded = start(decoder)
    feed = torch.zeros(B, F, dtype=torch.float64)
    hidden = [tuple(part[:, 0] for part in layer) for layer in state.layers]
    for t in range(T):
        outputs = torch.cat((embedded[:, t], feed), dim=-1) if feeding else embedded[:, t]
        for i, layer in enumerate(decoder.layers):
            hidden[i] = layer.advance(outputs, hidden[i])
            outputs = hidden[i][0] + outputs if layers > 2 and i > 0 else hidden[i][0]
        context, weights = decoder.attention(outputs.unsqueeze(1), state.memory)
        feed = torch.tanh(torch.cat((context[:, 0], outputs), dim=-1) @ decoder.combine.weight.T)
        advanced = decoder.advance(embedded[:, t : t + 1], state)
        torch.testing.assert_close(advanced.decoded.attentional[:, 0], feed)
        torch.testing.assert_close(advanced.weights, weights)
        state = advanced.state


@pytest.mark.parametrize("feeding", [False, True])
def test_a_step_leaves_the_state_it_reads_as_it_was(feeding):
    decoder = build(layers=2, feeding=feeding)
    state, embedded = start(decoder)
    before = [part.clone() for part in parts_of(state)]
    after = decoder.advance(embedded[:, :1], state).state
    assert all(torch.equal(part, copy) for part, copy in zip(parts_of(state), before, strict=True))
    assert not any(torch.equal(part, copy) for part, copy in zip(parts_of(after), before, strict=True))
    assert after.memory is state.memory
    assert (after.feed is not None) == feeding


@pytest.mark.parametrize("feeding", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_reorder_takes_the_parents_of_each_sentence(cell, feeding):
    decoder = build(cell=cell, layers=2, feeding=feeding)
    state, _ = start(decoder)
    wide = decoder.advance(torch.randn(B, 4, E, dtype=torch.float64), state.reorder(torch.zeros(B, 4).long())).state
    parents = torch.tensor([[3, 0, 0], [1, 1, 2], [2, 3, 1]])
    narrow = wide.reorder(parents)
    for part, before in zip(parts_of(narrow), parts_of(wide), strict=True):
        assert part.shape == (B, 3, before.size(-1))
        for b, k in product(range(B), range(3)):
            assert torch.equal(part[b, k], before[b, parents[b, k]])
    # Every place of the wide state differs, so that a wrong parent would show.
    assert len({tuple(place.tolist()) for place in wide.layers[0][0].flatten(0, 1)}) == B * 4


def test_one_place_expands_to_a_beam():
    decoder = build(cell="lstm", feeding=True)
    state, embedded = start(decoder)
    state = decoder.advance(embedded[:, :1], state).state
    beam = state.reorder(torch.zeros(B, 5, dtype=torch.long))
    for part, before in zip(parts_of(beam), parts_of(state), strict=True):
        assert torch.equal(part, before.expand(B, 5, -1))


def test_places_advance_as_if_alone():
    decoder = build(cell="gru", layers=3, feeding=True)
    state, _ = start(decoder)
    embedded = torch.randn(B, 4, E, dtype=torch.float64)
    together = decoder.advance(embedded, state.reorder(torch.zeros(B, 4, dtype=torch.long)))
    for k in range(4):
        alone = decoder.advance(embedded[:, k : k + 1], state)
        torch.testing.assert_close(together.decoded.attentional[:, k], alone.decoded.attentional[:, 0])
        torch.testing.assert_close(together.weights[:, k], alone.weights[:, 0])


def test_the_memory_is_never_copied_for_places():
    """Expanding, reordering and stepping carry the very same memory along; only keep makes another."""
    decoder = build(feeding=True)
    state, _ = start(decoder)
    beam = state.reorder(torch.zeros(B, 6, dtype=torch.long))
    beam = decoder.advance(torch.randn(B, 6, E, dtype=torch.float64), beam).state
    beam = beam.reorder(torch.zeros(B, 2, dtype=torch.long))
    assert beam.memory is state.memory
    assert [len(part) for part in beam.memory] == [B] * 3
    kept = beam.keep(torch.tensor([1]))
    assert [len(part) for part in kept.memory] == [1] * 3


def test_keep_stays_with_those_sentences():
    decoder = build(cell="lstm", layers=2, feeding=True)
    state, _ = start(decoder)
    beam = decoder.advance(
        torch.randn(B, 4, E, dtype=torch.float64), state.reorder(torch.zeros(B, 4, dtype=torch.long))
    ).state
    kept = beam.keep(torch.tensor([0, 2]))
    assert isinstance(kept, DecoderState)
    assert isinstance(kept.memory, Memory)
    for part, before in zip([*parts_of(kept), *kept.memory], [*parts_of(beam), *beam.memory], strict=True):
        assert torch.equal(part, before[[0, 2]])


def test_dropout_does_nothing_outside_training():
    decoder = build(layers=2, dropout=0.5)
    state, embedded = start(decoder)
    here, there = (one(embedded, state).attentional for one in (decoder, build(layers=2)))
    torch.testing.assert_close(here, there, rtol=0, atol=0)
    decoder.train()
    assert not torch.equal(decoder(embedded, state).attentional, decoder(embedded, state).attentional)
