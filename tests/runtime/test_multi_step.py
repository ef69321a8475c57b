"""Many positions in one run of a graph are what as many steps are."""

import itertools
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from nmt.config.choices import AttentionKind, Cell
from nmt.errors import RunError
from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.options import SearchOptions
from nmt.search.rules import Forbidden, MinimumLength, NoRepeatNgram
from nmt.search.stepper import Stepper
from nmt.text.shortlist import Shortlist

EOS = 3
LENGTHS = np.array([7, 1, 4, 5, 7, 2])
# Every cell of the decoder, with and without feeding, alone and in three layers; attention goes round.
ATTENTIONS = [kind for kind in AttentionKind if kind is not AttentionKind.none]
NETWORKS = [
    {
        "decoder_cell": cell.value,
        "attention": ATTENTIONS[number % 3],
        "input_feeding": feeding,
        "decoder_layers": layers,
    }
    for number, (cell, feeding, layers) in enumerate(itertools.product(Cell, (False, True), (1, 3)))
]


def name_of(network):
    return "-".join(map(str, network.values()))


def shortlist():
    """Some of the 50 targets for each of the 50 sources, not equally many, and the symbols."""
    draw = np.random.default_rng(5)
    counts = draw.integers(0, 6, 50)
    targets = np.concatenate([np.sort(draw.permutation(np.arange(4, 50))[:count]) for count in counts])
    return Shortlist(np.concatenate([[0], np.cumsum(counts)]), targets, np.arange(8), 50)


def sources():
    draw = np.random.default_rng(1)
    source = draw.integers(4, 50, (len(LENGTHS), LENGTHS.max()))
    source[np.arange(LENGTHS.max()) >= LENGTHS[:, None]] = 0
    return source


def searched(search, model, source, lengths, *, max_lengths, rules=(), **options):
    """What greedy_search or beam_search, with 5 places unless told, finds."""
    if search is beam_search:
        options.setdefault("beam_size", 5)
    options = SearchOptions(rules=tuple(rules), **options)
    return search(Stepper(model, source, lengths, max_lengths=max_lengths, options=options))


def by_steps(model, previous, state, count):
    """The best token of every step, its log-probability, and the state after them."""
    tokens, log_probs = [], []
    for _ in range(count):
        step = model.step(previous, state)
        best = step.logits[:, 0].argmax(1)
        log_probs.append(step.logits[np.arange(len(best)), 0, best])
        previous = (best if step.shortlist is None else step.shortlist[np.arange(len(best)), best])[:, None]
        tokens.append(previous[:, 0])
        state = step.state
    return np.stack(tokens, 1), np.stack(log_probs, 1), state


class Look(NamedTuple):
    tokens: Any  # (B, T)
    log_probs: Any  # (B, T) of each token
    state: Any


def ahead(model, previous, state, *, most=9, ended=None, enough=1000, eos_id=-1):
    ended = np.zeros(len(previous), dtype=np.bool_) if ended is None else ended
    so_far = np.full((len(previous), 1), -2.5)
    found = model.take_steps(
        previous, state, log_probs=so_far, width=1, most=most, eos_id=eos_id, ended=ended, enough=enough
    )
    if found is None:
        return None
    assert (found.parents == 0).all()
    assert found.log_probs.dtype == np.float64
    tokens, log_probs = (each[..., 0].T for each in (found.tokens, found.log_probs))
    return Look(tokens, np.diff(log_probs, axis=1, prepend=so_far), found.state)


def assert_ahead_is_by_steps(model):
    source = sources()
    state = model.start(source, LENGTHS).keep(np.array([0, 2, 3, 5]))
    previous = np.full((4, 1), 2)
    expected, log_probs, after = by_steps(model, previous, state, 9)  # from now on all products are known
    found = ahead(model, previous, state)
    np.testing.assert_array_equal(found.tokens, expected)
    np.testing.assert_allclose(found.log_probs, log_probs, rtol=1e-5)
    here, there = (model.step(found.tokens[:, -1:], each).logits for each in (found.state, after))
    np.testing.assert_allclose(here, there, rtol=1e-5)
    # The states are as they were, and some may leave between one run and the next.
    first = ahead(model, previous, state, most=4)
    np.testing.assert_array_equal(first.tokens, expected[:, :4])
    rest = ahead(model, first.tokens[[1, 3], -1:], first.state.keep(np.array([1, 3])), most=5)
    np.testing.assert_array_equal(rest.tokens, expected[[1, 3], 4:])


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("network", NETWORKS, ids=name_of)
def test_of_every_network(make_models, network, precision):
    assert_ahead_is_by_steps(make_models(precision=precision, **network).exported)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("lexicon", [0, 6])
@pytest.mark.parametrize("listed", [False, True], ids=["whole", "shortlist"])
def test_with_a_shortlist_and_a_lexicon(make_models, lexicon, listed, precision):
    options = {"lexicon_size": lexicon, "lexicon_epsilon": 0.01, "precision": precision}
    assert_ahead_is_by_steps(make_models(**options, shortlist=shortlist() if listed else None).exported)


def test_it_stops_where_a_token_was_never_read(make_models):
    """The products of a token's embedding are computed outside of the graph, once."""
    model = make_models().exported
    state, previous = model.start(sources(), LENGTHS), np.full((6, 1), 2)
    expected, _, _ = by_steps(make_models().exported, previous, state, 9)
    parts = []
    while sum(part.shape[1] for part in parts) < 9:
        found = ahead(model, previous, state, most=9 - sum(part.shape[1] for part in parts))
        previous, state = found.tokens[:, -1:], found.state
        parts.append(found.tokens)
    assert len(parts) > 2
    np.testing.assert_array_equal(np.concatenate(parts, 1), expected)


def test_what_a_lexicon_makes_likely_is_computed_with_the_source(make_models, monkeypatch):
    """In one run for all of it, and what is known already in none."""
    model = make_models(lexicon_size=6).exported
    computed = []
    run = model._products._session.run
    monkeypatch.setattr(
        model._products,
        "_session",
        SimpleNamespace(run=lambda names, inputs: computed.append(inputs["tokens"]) or run(names, inputs)),
    )
    state = model.start(sources(), LENGTHS)
    [tokens] = computed
    assert len(tokens) > 10
    wide = state.reorder(np.zeros((6, len(tokens)), dtype=np.int64))
    model.step(np.tile(tokens, (6, 1)), wide)
    model.start(sources(), LENGTHS)
    assert len(computed) == 1


def test_it_stops_when_enough_sentences_have_ended(make_models):
    model = make_models().exported
    state, previous = model.start(sources(), LENGTHS), np.full((6, 1), 2)
    tokens, _, _ = by_steps(model, previous, state, 12)
    eos_id = int(tokens[4, 5])  # one token is as good as another
    ended = (tokens == eos_id).cumsum(1) > 0
    waiting = np.array([True, *[False] * 5])
    for enough, gone in itertools.product(range(1, 8), (np.zeros(6, dtype=np.bool_), waiting)):
        reached = (ended | gone[:, None]).sum(0) >= enough
        count = int(reached.argmax()) + 1 if reached.any() else 12
        found = ahead(model, previous, state, most=12, ended=gone, enough=enough, eos_id=eos_id)
        np.testing.assert_array_equal(found.tokens, tokens[:, :count])


def test_of_many_scores_numpy_finds_the_best_faster(make_models, monkeypatch):
    model = make_models(shortlist=shortlist()).exported
    state = model.start(sources(), LENGTHS)
    scores = model.step(np.full((6, 1), 2), state).logits.size
    monkeypatch.setattr("nmt.runtime.model._FEW_SCORES", scores)
    assert ahead(model, np.full((6, 1), 2), state) is not None
    monkeypatch.setattr("nmt.runtime.model._FEW_SCORES", scores - 1)
    assert ahead(model, np.full((6, 1), 2), state) is None


def test_a_beam_takes_many_steps_for_one_sentence_and_not_too_many_places(make_models, monkeypatch):
    model = make_models().exported

    def looks(sentences, width):
        state = model.start(sources()[:sentences], LENGTHS[:sentences])
        found = model.take_steps(
            np.full((sentences, 1), 2),
            state,
            log_probs=np.zeros((sentences, 1)),
            width=width,
            most=3,
            eos_id=EOS,
            ended=np.zeros(sentences, dtype=np.bool_),
            enough=1,
        )
        return found is not None

    assert [looks(1, width) for width in (1, 5, 50, 51)] == [True, True, True, False]  # of 50 words
    assert [looks(2, width) for width in (1, 2)] == [True, False]
    monkeypatch.setattr("nmt.runtime.model._FEW_SCORES", 4 * 50)
    assert [looks(1, width) for width in (4, 5)] == [True, False]


class Stepping:
    """A model that has only steps."""

    device = multi_step = None

    def __init__(self, model):
        self.start, self.step = model.start, model.step


class Counting(Stepping):
    """A model that counts its steps, and positions taken ahead."""

    def __init__(self, model):
        super().__init__(model)
        self.model, self.steps, self.ahead = model, 0, 0
        self.step = self._step

    def _step(self, *arguments, **options):
        self.steps += 1
        return self.model.step(*arguments, **options)

    @property
    def multi_step(self):
        return self.take_steps

    def take_steps(self, *arguments, **options):
        found = self.model.take_steps(*arguments, **options)
        self.ahead += 0 if found is None else len(found.tokens)
        return found


def ending(network):
    """Let sentences end after some words, now and then."""
    network.output_bias[EOS] += 0.7


RULES = {
    "none": [],
    "special": [Forbidden(range(3)), MinimumLength(1, eos_id=EOS)],
    "half": [Forbidden(range(20))],
    "ngrams": [NoRepeatNgram(1)],
}


def assert_search_is_by_steps(search, models, **options):
    """With products of embeddings to compute, and with all of them there; each sentence alone, and all together."""
    batches = [(sources(), LENGTHS, [9, 3, 12, 0, 30, 1])]
    batches += [(sources()[n : n + 1, :length], LENGTHS[n : n + 1], [30]) for n, length in enumerate(LENGTHS)]
    for _ in range(2):
        for source, lengths, limits in batches:
            options |= {"max_lengths": limits, "bos_id": 2, "eos_id": EOS}
            expected = searched(search, Stepping(models[0]), source, lengths, **options)
            assert searched(search, models[1], source, lengths, **options) == expected


def in_pairs():
    """Every pair of what two options can be, in 16 cases: rules, search, and bits that are sums of theirs."""
    searches = [(greedy_search, {}), *((beam_search, {"beam_size": size, "n_best": size}) for size in (1, 2, 5))]
    for (i, (name, rules)), (j, (search, options)) in itertools.product(enumerate(RULES.items()), enumerate(searches)):
        int8, listed, with_lexicon = (i ^ j) & 1, ((i ^ j) >> 1) & 1, (i >> 1) ^ (j & 1)
        make = {"precision": ["fp32", "int8"][int8], "lexicon_size": 6 * with_lexicon}
        names = (search.__name__, *map(str, options.values()), name, *make.values(), "shortlist" * listed or "whole")
        yield pytest.param(search, options | {"rules": rules}, make, listed, id="-".join(map(str, names)))


@pytest.mark.parametrize(("search", "options", "make", "listed"), list(in_pairs()))
def test_search_finds_the_same(make_models, search, options, make, listed):
    make = make | {"shortlist": shortlist() if listed else None}
    models = [make_models(**make, change=ending).exported for _ in range(2)]
    assert_search_is_by_steps(search, models, **options)


@pytest.mark.parametrize("network", NETWORKS, ids=name_of)
def test_beam_search_of_every_network(make_models, network):
    models = [make_models(**network, change=ending).exported for _ in range(2)]
    assert_search_is_by_steps(beam_search, models, beam_size=4)


def test_beam_search_takes_all_positions_ahead_as_long_as_nothing_ends(make_models):
    def endless(network):
        network.output_bias[EOS] -= 100

    model = make_models(shortlist=shortlist(), change=endless).exported
    for _ in range(2):  # the second time with the products of all embeddings there
        counted = Counting(model)
        for n, length in enumerate(LENGTHS):
            source, lengths = sources()[n : n + 1, :length], LENGTHS[n : n + 1]
            searched(beam_search, counted, source, lengths, max_lengths=[30], bos_id=2, eos_id=EOS)
        assert (counted.steps, counted.ahead) == (0, 30 * len(LENGTHS))


def test_scores_that_are_no_numbers_are_told_with_their_position(make_models):
    def damage(network):
        network.target_embedding.weight[7] = float("nan")

    model = make_models(change=damage).exported
    with pytest.raises(RunError, match="the model's scores at target position 1 are not numbers"):
        searched(greedy_search, model, sources(), LENGTHS, max_lengths=[9] * 6, bos_id=2, eos_id=EOS)
