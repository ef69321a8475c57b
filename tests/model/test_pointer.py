"""The pointer: its formula in plain loops, its loss and gradients, extreme gates, and every search."""

import math

import pytest
import torch
import torch.nn.functional as F

from nmt.config.choices import AttentionKind, Cell, Tying
from nmt.config.model import ModelConfig
from nmt.errors import ConfigError
from nmt.model.log_probs import sequence_log_probs
from nmt.model.loss import sequence_loss, shifted
from nmt.model.seq2seq import build_model
from nmt.search.beam import beam_search
from nmt.search.ensemble import Ensemble
from nmt.search.forced import score_targets
from nmt.search.greedy import greedy_search
from nmt.search.options import SearchOptions
from nmt.search.sampling import sample
from nmt.search.stepper import Stepper

V, PAD, BOS, EOS, TAG, FIRST = 12, 0, 2, 3, 4, 5
# A tag that is not copied, a word that stands there twice, a source that is all symbols, and padding.
SOURCE = torch.tensor([[TAG, 6, 7, 6, EOS], [8, 11, EOS, PAD, PAD], [TAG, EOS, PAD, PAD, PAD]])
SOURCE_LENGTHS = torch.tensor([5, 3, 2])
TARGET = torch.tensor([[6, 9, 7, EOS], [11, EOS, PAD, PAD], [10, 6, EOS, PAD]])
TARGET_LENGTHS = torch.tensor([4, 2, 3])
REAL = torch.arange(4) < TARGET_LENGTHS.unsqueeze(1)
ATTENTIONS = [kind for kind in AttentionKind if kind is not AttentionKind.none]
NETWORKS = [
    {
        "cell": cell,
        "attention": ATTENTIONS[number % 3],
        "tying": list(Tying)[number % 3],
        "input_feeding": bool(number % 2),
    }
    for number, cell in enumerate(Cell)
] + [{"lexicon_size": 3}, {"lexicon_size": 3, "input_feeding": True, "attentional_size": 9, "decoder_layers": 3}]


def build(**changes):
    torch.manual_seed(11)
    sizes = {"embedding_size": 6, "encoder_hidden_size": 4, "decoder_hidden_size": 8, "attention_size": 5}
    config = ModelConfig(pointer=True, **(sizes | {"dropout": 0.0} | changes))
    model = build_model(config, source_vocabulary=V, target_vocabulary=V, first_word=FIRST)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.4)
        if model.lexicon is not None:
            model.lexicon.fill(torch.rand(V, V).argsort(1)[:, :3], torch.rand(V, 3))
    return model.double().eval()


def stepped(model, *, target=TARGET):
    """(B, T, V) log-probabilities of every position, by steps."""
    state, found = model.start(SOURCE, SOURCE_LENGTHS), []
    for t in range(target.size(1)):
        step = model.step(shifted(target, bos_id=BOS)[:, t : t + 1], state)
        assert step.normalized
        found.append(step.logits[:, 0])
        state = step.state
    return torch.stack(found, dim=1)


def readable(model):
    """p(v) = (1 - c Σ_s a_s) softmax_v + c Σ_s [x_s = v] a_s, with loops over everything: (B, T, V)."""
    decoder, state = model.decoder, model.start(SOURCE, SOURCE_LENGTHS)
    tables = []
    for t in range(TARGET.size(1)):
        embedded = 6**0.5 * model.target_embedding(shifted(TARGET, bos_id=BOS)[:, t : t + 1])
        advanced = decoder.advance(embedded, state)
        state, rows = advanced.state, []
        for b, ids in enumerate(SOURCE.tolist()):
            vector, attention = advanced.decoded.attentional[b, 0], advanced.weights[b, 0]
            gate = 1 / (1 + torch.exp(-(model.pointer.gate.weight[0] @ vector + model.pointer.gate.bias[0])))
            weight, bias = model.output_parameters()
            logits = weight @ (vector if model.projection is None else model.projection.weight @ vector) + bias
            if model.lexicon is not None:
                likely = torch.zeros(V, dtype=torch.float64)
                for s, word in enumerate(ids):
                    for i, chance in zip(model.lexicon.targets[word], model.lexicon.probabilities[word], strict=True):
                        likely = likely + F.one_hot(i.long(), V) * attention[s] * chance
                logits = logits + torch.log(likely / model.lexicon.epsilon + 1)
            own = torch.exp(logits) / torch.exp(logits).sum()
            copies, copied = [0.0] * V, 0.0
            for s, word in enumerate(ids):
                if word >= FIRST:
                    copies[word] = copies[word] + gate * attention[s]
                    copied = copied + gate * attention[s]
            rows.append(torch.stack([(1 - copied) * own[v] + copies[v] for v in range(V)]))
        tables.append(torch.stack(rows))
    return torch.stack(tables, dim=1)


def same_gradients(model, found, expected):
    parameters = list(model.parameters())
    ours, theirs = (torch.autograd.grad(each, parameters, retain_graph=True) for each in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-11)
    assert any(part.abs().sum() > 0 for part in torch.autograd.grad(found, list(model.pointer.parameters())))


@pytest.mark.parametrize("network", NETWORKS, ids=lambda each: "-".join(map(str, each.values())))
def test_loss_and_gradients_are_those_of_the_readable_mixture(network, monkeypatch):
    monkeypatch.setattr("nmt.model.cross_entropy._CACHED_LOGITS", 1)  # many portions
    monkeypatch.setattr("nmt.model.word_log_probs.portion_of", lambda features, vocabulary: 2)
    model = build(**network)
    probabilities = readable(model)
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(3, 4, dtype=torch.float64))
    torch.testing.assert_close(stepped(model), probabilities.log(), rtol=1e-9, atol=1e-9)
    whole = model.project(model(SOURCE, SOURCE_LENGTHS, shifted(TARGET, bos_id=BOS)))
    torch.testing.assert_close(whole, probabilities.log(), rtol=1e-9, atol=1e-9)

    costs = -probabilities.log()[REAL]  # (N, V)
    true = costs.gather(1, TARGET[REAL].unsqueeze(1)).squeeze(1)
    texts = {"target": TARGET, "target_lengths": TARGET_LENGTHS, "bos_id": BOS}
    for smoothing in (0.0, 0.3):
        loss = sequence_loss(model, SOURCE, SOURCE_LENGTHS, label_smoothing=smoothing, **texts)
        expected = (1 - smoothing) * true.sum() + smoothing * costs.mean(1).sum()
        torch.testing.assert_close(loss.smoothed, expected, rtol=1e-10, atol=0)
        torch.testing.assert_close(loss.negative_log_likelihood, true.sum(), rtol=1e-10, atol=0)
        assert not loss.negative_log_likelihood.requires_grad
        same_gradients(model, loss.smoothed, expected)

    weights = torch.tensor([1.0, -2.0, 0.25], dtype=torch.float64)
    state = model.start(SOURCE, SOURCE_LENGTHS)
    found = sequence_log_probs(model, state, TARGET, TARGET_LENGTHS, bos_id=BOS)
    expected = -torch.stack([row.sum() for row in true.split(TARGET_LENGTHS.tolist())])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=0)
    same_gradients(model, (weights * found).sum(), (weights * expected).sum())


def opened(model, bias):
    with torch.no_grad():
        model.pointer.gate.weight.zero_()
        model.pointer.gate.bias.fill_(bias)
    return model


def test_symbols_are_not_copied_and_leave_their_attention_to_the_output_layer():
    model = opened(build(), 40.0)
    log_probs = stepped(model)
    plain = build()
    plain.pointer = None
    state = plain.start(SOURCE, SOURCE_LENGTHS)
    step = plain.step(torch.full((3, 1), BOS), state, with_weights=True)
    own = step.logits[:, 0].softmax(-1)
    attention = step.weights[:, 0]
    # A wide open gate: the tag and the end have what the output layer makes of the attention on both.
    rest = (attention * (SOURCE < FIRST)).sum(1)
    assert rest.min() > 0
    for symbol in range(FIRST):
        torch.testing.assert_close(log_probs[:, 0, symbol].exp(), rest * own[:, symbol])
    # The third source is all symbols: nothing of it is copied.
    torch.testing.assert_close(log_probs[2, 0].exp(), own[2])
    # The word that stands there twice has the attention of both places.
    expected = attention[0, 1] + attention[0, 3] + rest[0] * own[0, 6]
    torch.testing.assert_close(log_probs[0, 0, 6].exp(), expected)


@pytest.mark.parametrize("bias", [-300.0, -50.0, 50.0, 300.0])
def test_in_single_precision_no_gate_is_too_open_or_too_closed(bias):
    texts = {"target": TARGET, "target_lengths": TARGET_LENGTHS, "bos_id": BOS, "label_smoothing": 0.1}
    exact, single = opened(build(), bias), opened(build().float(), bias)
    with torch.no_grad():  # attention that leaves other positions nothing that single precision has
        for model in (exact, single):
            model.decoder.attention.key_projection.weight.mul_(400)
    losses = [sequence_loss(model, SOURCE, SOURCE_LENGTHS, **texts).smoothed for model in (exact, single)]
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=1e-4)
    gradients = torch.autograd.grad(losses[1], list(single.parameters()))
    assert all(each.isfinite().all() for each in gradients)
    assert stepped(single)[REAL].isfinite().all()


def test_bf16_products_do_not_reach_the_copies():
    model = build(cell=Cell.gru).float()
    read = model.start(SOURCE, SOURCE_LENGTHS).source_words.read(torch.rand(3, 2, 5))
    vectors = torch.randn(3, 2, 6)
    expected = model.pointer(vectors, read)
    texts = {"target": TARGET, "target_lengths": TARGET_LENGTHS, "bos_id": BOS, "label_smoothing": 0.1}
    whole = sequence_loss(model, SOURCE, SOURCE_LENGTHS, **texts).smoothed
    with torch.autocast("cpu", torch.bfloat16):
        for one, other in zip(model.pointer(vectors, read), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)
        rounded = sequence_loss(model, SOURCE, SOURCE_LENGTHS, **texts).smoothed
    assert rounded.dtype == torch.float32
    assert rounded.item() == pytest.approx(whole.item(), rel=0.05)


def stepper(model, **options):
    options = SearchOptions(bos_id=BOS, eos_id=EOS, **options)
    return Stepper(model, SOURCE.numpy(), SOURCE_LENGTHS.numpy(), max_lengths=[6] * 3, options=options)


def test_every_search_ranks_by_the_mixture_and_forced_scores_agree():
    model = build(lexicon_size=3)
    with torch.no_grad():
        model.output_bias[EOS] += 2
    greedy = [found for [found] in greedy_search(stepper(model))]
    narrow = [found for [found] in beam_search(stepper(model, beam_size=1))]
    assert [each.tokens for each in greedy] == [each.tokens for each in narrow]
    wide = beam_search(stepper(model, beam_size=4, n_best=4))
    numbers = torch.rand(3, 2, 6, generator=torch.Generator().manual_seed(1)).double().numpy()
    drawn = sample(stepper(model, beam_size=2, n_best=2), numbers)
    checked = 0
    for row in range(3):
        for found in (greedy[row], *wide[row], *drawn[row]):
            target = [*found.tokens, EOS] if found.finished else found.tokens
            only = slice(row, row + 1)
            [forced] = score_targets(model, SOURCE[only].numpy(), SOURCE_LENGTHS[only].numpy(), [target], bos_id=BOS)
            assert forced.log_probs.sum() == pytest.approx(found.log_prob, rel=1e-9)
            with torch.no_grad():
                scored = sequence_log_probs(
                    model,
                    model.start(SOURCE[only], SOURCE_LENGTHS[only]),
                    torch.tensor([target]),
                    torch.tensor([len(target)]),
                    bos_id=BOS,
                )
            assert scored.item() == pytest.approx(found.log_prob, rel=1e-9)
            checked += 1
    assert checked == 3 * 7


def test_an_ensemble_averages_mixtures():
    model, other = build(), build(input_feeding=True)
    ensemble = Ensemble([model, other])
    with torch.no_grad():
        step = ensemble.step(torch.full((3, 1), BOS), ensemble.start(SOURCE, SOURCE_LENGTHS))
        expected = torch.stack([stepped(each)[:, 0] for each in (model, other)]).logsumexp(0) - math.log(2)
    torch.testing.assert_close(torch.as_tensor(step.logits)[:, 0], expected)


def test_at_first_little_is_copied_and_a_closed_gate_changes_nothing():
    sizes = {"embedding_size": 6, "encoder_hidden_size": 4, "decoder_hidden_size": 8}
    model = build_model(ModelConfig(pointer=True, **sizes), source_vocabulary=V, target_vocabulary=V).double().eval()
    assert model.pointer.gate.bias.item() == -2.0
    assert model.pointer.first_word == 4
    closed = opened(build(), -60.0)
    log_probs = stepped(closed)
    closed.pointer = None
    whole = closed.project(closed(SOURCE, SOURCE_LENGTHS, shifted(TARGET, bos_id=BOS)))
    torch.testing.assert_close(log_probs, whole.log_softmax(-1))


def test_two_vocabularies_have_no_pointer():
    with pytest.raises(ConfigError) as caught:
        build_model(ModelConfig(pointer=True, tying=Tying.none), source_vocabulary=12, target_vocabulary=11)
    assert str(caught.value) == (
        "model.pointer=true needs one vocabulary, but the source has 12 subwords and the target 11; "
        "use model.pointer=false"
    )
