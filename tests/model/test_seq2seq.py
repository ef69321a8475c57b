"""The whole network: every configuration scores a target alike, step by step and at once."""

from itertools import product

import pytest
import torch

from nmt.config.choices import AttentionKind, Cell, Tying
from nmt.model.bridge import Bridge
from nmt.model.loss import sequence_loss
from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.options import SearchOptions
from nmt.search.stepper import Stepper

from .networks import BOS, EOS, SOURCE_LENGTHS, V, batch, build


def previous_of(target):
    return torch.cat((torch.full((len(target), 1), BOS), target[:, :-1]), dim=1)


# Every cell of the encoder with every one of the decoder, with and without feeding; all else goes round.
KINDS = [{"attention": kind} for kind in AttentionKind] + [{"attention": AttentionKind.none, "repeat_summary": True}]
DEPTHS = [(1, 1), (2, 2), (3, 3), (1, 2), (3, 1), (2, 1), (1, 3)]
EVERY = [
    (*cells, feeding, KINDS[number % 5], DEPTHS[number % 7], list(Tying)[number // 2 % 3])
    for number, (*cells, feeding) in enumerate(product(map(str, Cell), map(str, Cell), [False, True]))
]


@pytest.mark.parametrize(("encoder", "decoder", "feeding", "attention", "depths", "tying"), EVERY)
def test_stepping_equals_teacher_forcing(encoder, decoder, feeding, attention, depths, tying):
    model = build(
        encoder_cell=encoder,
        decoder_cell=decoder,
        **attention,
        encoder_layers=depths[0],
        decoder_layers=depths[1],
        input_feeding=feeding,
        tying=tying,
    )
    source, source_lengths, target, _ = batch()
    previous = previous_of(target)
    with torch.no_grad():
        whole = model.project(model(source, source_lengths, previous))
        state = model.start(source, source_lengths)
        for t in range(target.size(1)):
            step = model.step(previous[:, t : t + 1], state)
            assert step.logits.shape == (3, 1, V)
            torch.testing.assert_close(step.logits[:, 0], whole[:, t], rtol=1e-10, atol=1e-10)
            state = step.state


@pytest.mark.parametrize("width", [0, 9])
@pytest.mark.parametrize("feeding", [False, True])
def test_stepping_equals_teacher_forcing_with_a_lexicon(feeding, width):
    model, plain = (build(lexicon_size=size, input_feeding=feeding, attentional_size=width) for size in (4, 0))
    source, source_lengths, target, _ = batch()
    previous = previous_of(target)
    with torch.no_grad():
        whole, without = (each.project(each(source, source_lengths, previous)) for each in (model, plain))
        assert (whole - without).max() > 1
        state = model.start(source, source_lengths)
        for t in range(target.size(1)):
            step = model.step(previous[:, t : t + 1], state)
            torch.testing.assert_close(step.logits[:, 0], whole[:, t], rtol=1e-10, atol=1e-10)
            state = step.state


@pytest.mark.parametrize("lexicon", [0, 4])
@pytest.mark.parametrize("feeding", [False, True])
@pytest.mark.parametrize("cell", list(map(str, Cell)))
def test_logits_do_not_depend_on_neighbours_or_padding(cell, feeding, lexicon):
    model = build(cell=Cell[cell], encoder_layers=3, decoder_layers=2, input_feeding=feeding, lexicon_size=lexicon)
    source, source_lengths, target, target_lengths = batch()
    together = model.project(model(source, source_lengths, previous_of(target)))
    for i, (s, t) in enumerate(zip(source_lengths.tolist(), target_lengths.tolist(), strict=True)):
        alone = model(source[i : i + 1, :s], torch.tensor([s]), previous_of(target[i : i + 1, :t]))
        torch.testing.assert_close(model.project(alone)[0], together[i, :t])
    wide = source.clone()
    wide[torch.arange(source.size(1)) >= source_lengths.unsqueeze(1)] = V - 1
    torch.testing.assert_close(model.project(model(wide, source_lengths, previous_of(target))), together)


def test_weights_come_only_when_asked_for():
    model = build()
    source, lengths, *_ = batch()
    state = model.start(source, lengths)
    previous = torch.full((3, 1), BOS)
    assert model.step(previous, state).weights is None
    weights = model.step(previous, state, with_weights=True).weights
    assert weights.shape == (3, 1, max(SOURCE_LENGTHS))
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 1, dtype=torch.float64))


@pytest.mark.parametrize("encoder_layers", [1, 3])
@pytest.mark.parametrize("parts", [1, 2])
def test_the_bridge_turns_each_layers_own_states_into_first_states(parts, encoder_layers):
    torch.manual_seed(29)
    bridge = Bridge(8, 6, layers=2, parts=parts)
    states = tuple(tuple(torch.randn(3, 8) for _ in range(parts)) for _ in range(encoder_layers))
    initial = bridge(states)
    assert len(initial) == 2
    for i, layer in enumerate(initial):
        source = states[min(i, encoder_layers - 1)]
        for projection, part, result in zip(bridge.layers[i], source, layer, strict=True):
            torch.testing.assert_close(result, torch.tanh(part @ projection.weight.T + projection.bias))


def test_the_first_decoder_state_comes_over_the_bridge():
    model = build(encoder_layers=2, decoder_layers=3)
    source, lengths, *_ = batch()
    encoded = model.encoder(6**0.5 * model.target_embedding(source), lengths)
    state = model.start(source, lengths)
    for layer, expected in zip(state.layers, model.bridge(encoded.states), strict=True):
        for part, initial in zip(layer, expected, strict=True):
            assert torch.equal(part[:, 0], initial)
    assert torch.equal(state.memory.values, encoded.values)
    assert state.memory.mask.sum(1).tolist() == SOURCE_LENGTHS


def searched(search, model, source, lengths, *, max_lengths, rules=(), **options):
    """What greedy_search or beam_search, with 5 places unless told, finds."""
    if search is beam_search:
        options.setdefault("beam_size", 5)
    options = SearchOptions(rules=tuple(rules), **options)
    return search(Stepper(model, source, lengths, max_lengths=max_lengths, options=options))


def snapshot(model):
    """All that a module and its children hold, tensors by value and everything else by identity."""
    return {
        (name, key): value.clone() if isinstance(value, torch.Tensor) else value
        for name, module in model.named_modules()
        for key, value in [*vars(module).items(), *module.state_dict(keep_vars=False).items()]
    }


@pytest.mark.parametrize("feeding", [False, True])
def test_nothing_of_a_decode_is_kept_on_the_module(feeding):
    model = build(input_feeding=feeding, decoder_layers=2)
    source, lengths, *_ = batch()
    before = snapshot(model)
    options = {"max_lengths": [8] * 3, "bos_id": BOS, "eos_id": EOS, "with_weights": True}
    searched(greedy_search, model, source, lengths, **options)
    searched(beam_search, model, source, lengths, beam_size=3, **options)
    after = snapshot(model)
    assert before.keys() == after.keys()
    for key, value in before.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, after[key]), key
        else:
            assert value is after[key] or value == after[key], key


COMBINATIONS = [
    (cell, KINDS[number % 5], 1 + number // 2 % 2, feeding)
    for number, (cell, feeding) in enumerate(product(Cell, [False, True]))
]


@pytest.mark.parametrize(("cell", "attention", "depth", "feeding"), COMBINATIONS)
def test_a_beam_of_one_is_greedy_and_hypotheses_rescore_to_their_log_probs(cell, attention, depth, feeding):
    model = build(cell=cell, **attention, decoder_layers=depth, input_feeding=feeding).float()
    with torch.no_grad():
        model.output_bias[EOS] += 8
    source, lengths, *_ = batch()
    options = {"max_lengths": [9, 9, 1], "bos_id": BOS, "eos_id": EOS}
    greedy = searched(greedy_search, model, source, lengths, **options)
    narrow = [found[0] for found in searched(beam_search, model, source, lengths, beam_size=1, **options)]
    assert [one.tokens for [one] in greedy] == [one.tokens for one in narrow]
    assert [one.finished for [one] in greedy] == [one.finished for one in narrow]
    assert [one.log_prob for [one] in greedy] == pytest.approx([one.log_prob for one in narrow], rel=1e-5)

    wide = searched(beam_search, model, source, lengths, beam_size=4, n_best=4, **options)
    for i, found in enumerate(wide):
        for one in [*found, *greedy[i]]:
            target = torch.tensor([[*one.tokens, EOS] if one.finished else one.tokens])
            loss = sequence_loss(
                model,
                source[i : i + 1, : lengths[i]],
                lengths[i : i + 1],
                target=target,
                target_lengths=torch.tensor([target.size(1)]),
                bos_id=BOS,
                label_smoothing=0.0,
            )
            assert -loss.smoothed.item() == pytest.approx(one.log_prob, rel=1e-4, abs=1e-4)
    # Both kinds of ending are among them, so that neither goes untested.
    assert {one.finished for found in wide for one in found} == {True, False}
