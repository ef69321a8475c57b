"""The whole network: every configuration scores a target alike, step by step and at once."""

from itertools import product

import pytest
import torch

from nmt.config.choices import AttentionKind, Cell, Tying
from nmt.config.model import ModelConfig
from nmt.errors import ConfigError
from nmt.model.bridge import Bridge
from nmt.model.decoder import DecoderOutput
from nmt.model.loss import sequence_loss
from nmt.model.seq2seq import build_model
from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.options import SearchOptions
from nmt.search.stepper import Stepper

V, PAD, BOS, EOS = 11, 0, 2, 3
SOURCE_LENGTHS, TARGET_LENGTHS = [5, 2, 7], [4, 6, 1]


def config(**changes):
    sizes = {"embedding_size": 6, "encoder_hidden_size": 4, "decoder_hidden_size": 8, "attention_size": 5}
    return ModelConfig(**(sizes | {"dropout": 0.0} | changes))


def build(*, vocabularies=(V, V), **changes):
    """A model in evaluation mode whose weights are large enough to make every choice a sharp one."""
    torch.manual_seed(19)
    model = build_model(config(**changes), source_vocabulary=vocabularies[0], target_vocabulary=vocabularies[1])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.randn_like(parameter) * (1.5 if "embedding" in name or "output" in name else 0.6))
        if model.lexicon is not None:
            targets = torch.rand(vocabularies).argsort(1)[:, : model.lexicon.targets.size(1)]
            model.lexicon.fill(targets, torch.rand(targets.shape) ** 3)
    return model.double().eval()


def batch(*, padding=0):
    """Ids with EOS, (B, S + padding) and (B, T + padding), and their lengths."""
    torch.manual_seed(23)
    rows = []
    for lengths in (SOURCE_LENGTHS, TARGET_LENGTHS):
        ids = torch.full((len(lengths), max(lengths)), PAD)
        for row, length in zip(ids, lengths, strict=True):
            row[:length] = torch.cat((torch.randint(4, V, (length - 1,)), torch.tensor([EOS])))
        ids = torch.cat((ids, torch.full((len(lengths), padding), PAD)), dim=1)
        rows += [ids, torch.tensor(lengths)]
    return rows


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


def test_sizes_follow_the_configuration():
    model = build(
        vocabularies=(13, 9),
        tying=Tying.none,
        encoder_layers=2,
        decoder_layers=3,
        attention=AttentionKind.additive,
        attentional_size=7,
        input_feeding=True,
    )
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    assert shapes["source_embedding.weight"] == (13, 6)
    assert shapes["target_embedding.weight"] == (9, 6)
    assert shapes["output.weight"] == (9, 7)
    assert shapes["encoder.layers.0.weight_ih_l0"] == (16, 6)
    assert shapes["encoder.layers.1.weight_ih_l0_reverse"] == (16, 8)
    assert shapes["decoder.layers.0.rnn.weight_ih_l0"] == (32, 6 + 7)
    assert shapes["decoder.layers.2.rnn.weight_ih_l0"] == (32, 8)
    assert shapes["decoder.attention.key_projection.weight"] == (5, 8)
    assert shapes["decoder.combine.weight"] == (7, 8 + 8)
    assert sum(name.startswith("bridge") and name.endswith("weight") for name in shapes) == 3 * 2
    assert not any(module.p for module in model.modules() if isinstance(module, torch.nn.Dropout))


@pytest.mark.parametrize(("tying", "matrices"), [("none", 3), ("target", 2), ("all", 1)])
def test_tying_decides_how_many_matrices_of_the_vocabulary_there_are(tying, matrices):
    model = build(tying=Tying[tying])
    assert sum(parameter.shape == (V, 6) for parameter in model.parameters()) == matrices
    weight, bias = model.output_parameters()
    assert bias.shape == (V,)
    assert (weight is model.target_embedding.weight) == (tying != "none")
    attentional = torch.randn(2, 3, 6, dtype=torch.float64)
    torch.testing.assert_close(model.project(DecoderOutput(attentional)), attentional @ weight.T + bias)


@pytest.mark.parametrize("tying", ["target", "all"])
def test_wider_attentional_vectors_are_projected_to_what_a_tied_output_reads(tying):
    model = build(tying=Tying[tying], attentional_size=9, input_feeding=True)
    assert model.decoder.layers[0].rnn.weight_ih_l0.shape == (32, 6 + 9)
    assert model.projection.weight.shape == (6, 9)
    weight, bias = model.output_parameters()
    assert weight is model.target_embedding.weight
    attentional = torch.randn(2, 3, 9, dtype=torch.float64)
    expected = attentional @ model.projection.weight.T @ weight.T + bias
    torch.testing.assert_close(model.project(DecoderOutput(attentional)), expected)


@pytest.mark.parametrize(("tying", "width"), [("none", 9), ("none", 0), ("all", 0), ("all", 6)])
def test_nothing_is_projected_where_that_is_not_needed(tying, width):
    assert build(tying=Tying[tying], attentional_size=width).projection is None


def test_tying_all_reads_the_source_with_the_target_embedding():
    model = build(tying=Tying.all)
    source, lengths, *_ = batch()
    before = model.start(source, lengths).memory.values
    with torch.no_grad():
        model.target_embedding.weight += 1
    assert not torch.allclose(before, model.start(source, lengths).memory.values)
    assert model.source_embedding is None


def test_tying_all_needs_vocabularies_of_one_size():
    with pytest.raises(
        ConfigError,
        match=r"^model\.tying=all needs one vocabulary, but the source has 12 subwords and the target 11; "
        r"use model\.tying=target$",
    ):
        build_model(config(tying=Tying.all), source_vocabulary=12, target_vocabulary=11)
    assert build_model(config(tying=Tying.target), source_vocabulary=12, target_vocabulary=11)


def test_weights_begin_so_that_embeddings_have_norm_one_and_biases_are_zero():
    model = build_model(config(embedding_size=256, tying=Tying.target), source_vocabulary=200, target_vocabulary=200)
    for embedding in (model.source_embedding, model.target_embedding):
        assert embedding.weight.detach().norm(dim=1).mean().item() == pytest.approx(1, abs=0.05)
    linear = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    assert len(linear) >= 4
    for module in linear.values():
        bound = (6 / sum(module.weight.shape)) ** 0.5
        assert bound / 2 < module.weight.detach().abs().max().item() <= bound
        assert module.bias is None or not module.bias.any()


def test_dropout_is_set_everywhere():
    model = build(dropout=0.25)
    rates = [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    assert rates
    assert set(rates) == {0.25}
