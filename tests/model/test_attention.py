"""Attention against its formulas, written out position by position."""

import math

import pytest
import torch

from nmt.model.attention import Attention, Memory

B, Q, S, H, A = 3, 4, 5, 6, 7
LENGTHS = [5, 1, 3]
VALUE_SIZE = {"dot": H, "general": 8, "additive": 8}


def problem(kind):
    torch.manual_seed(5)
    attention = Attention(H, VALUE_SIZE[kind], kind=kind, attention_size=A).double()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.normal_(std=0.5)
    values = torch.randn(B, S, VALUE_SIZE[kind], dtype=torch.float64)
    mask = torch.arange(S) < torch.tensor(LENGTHS).unsqueeze(1)
    queries = torch.randn(B, Q, H, dtype=torch.float64)
    return attention, queries, attention.memory(values, mask)


def plain(tensor):
    return tensor.tolist()


def product(matrix, vector):
    return [sum(m * v for m, v in zip(row, vector, strict=True)) for row in matrix]


def inner(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


def score(attention, query, value):
    """The score of one query against one value, in plain Python: Luong's equation 8, Bahdanau's appendix A.1.2."""
    if attention.kind == "dot":
        return inner(query, value)
    weights = {name: plain(parameter) for name, parameter in attention.named_parameters()}
    if attention.kind == "general":
        return inner(query, product(weights["key_projection.weight"], value))
    from_query = product(weights["query_projection.weight"], query)
    from_value = product(weights["key_projection.weight"], value)
    hidden = [
        math.tanh(q + v + b) for q, v, b in zip(from_query, from_value, weights["key_projection.bias"], strict=True)
    ]
    return inner(weights["energy.weight"][0], hidden)


@pytest.mark.parametrize("kind", ["dot", "general", "additive"])
def test_context_and_weights_follow_the_formulas(kind):
    attention, queries, memory = problem(kind)
    context, weights = attention(queries, memory)
    assert context.shape == (B, Q, VALUE_SIZE[kind])
    assert weights.shape == (B, Q, S)
    for b in range(B):
        for q in range(Q):
            values = plain(memory.values[b, : LENGTHS[b]])
            energies = [math.exp(score(attention, plain(queries[b, q]), value)) for value in values]
            expected = [energy / sum(energies) for energy in energies] + [0.0] * (S - LENGTHS[b])
            assert plain(weights[b, q]) == pytest.approx(expected, abs=1e-12)
            mixed = [sum(w * v[i] for w, v in zip(expected, values, strict=False)) for i in range(VALUE_SIZE[kind])]
            assert plain(context[b, q]) == pytest.approx(mixed, abs=1e-12)


@pytest.mark.parametrize("kind", ["dot", "general", "additive"])
def test_weights_sum_to_one_and_padding_gets_exactly_none(kind):
    attention, queries, memory = problem(kind)
    _, weights = attention(100 * queries, memory)  # sharp scores
    torch.testing.assert_close(weights.sum(-1), torch.ones(B, Q, dtype=torch.float64))
    assert not weights[~memory.mask.unsqueeze(1).expand_as(weights)].any()
    assert torch.equal(weights[1, :, 0], torch.ones(Q, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["dot", "general", "additive"])
def test_padded_values_do_not_matter(kind):
    attention, queries, memory = problem(kind)
    spoilt = memory.values.masked_fill(~memory.mask.unsqueeze(-1), 1e3)
    other = attention.memory(spoilt, memory.mask)
    for one, two in zip(attention(queries, memory), attention(queries, other), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("kind", ["dot", "general", "additive"])
def test_every_query_reads_one_memory_of_one_row_a_sentence(kind):
    attention, queries, memory = problem(kind)
    assert [part.size(0) for part in memory] == [B] * 3
    context, weights = attention(queries, memory)
    for q in range(Q):
        alone = attention(queries[:, q : q + 1], memory)
        torch.testing.assert_close(alone[0][:, 0], context[:, q])
        torch.testing.assert_close(alone[1][:, 0], weights[:, q])


def test_dot_keys_are_the_values_themselves():
    _, _, memory = problem("dot")
    assert memory.keys is memory.values


def test_keeping_sentences_keeps_their_rows():
    _, _, memory = problem("general")
    kept = memory.keep(torch.tensor([0, 2]))
    assert isinstance(kept, Memory)
    for part, before in zip(kept, memory, strict=True):
        assert torch.equal(part, before[[0, 2]])


def test_dot_needs_queries_as_wide_as_values():
    with pytest.raises(ValueError, match=r"dot attention needs queries \(6\) as wide as values \(8\)"):
        Attention(6, 8, kind="dot", attention_size=1)
