"""Search that takes many positions in one run of a graph finds what single steps find."""

import itertools

import pytest

from nmt.errors import RunError
from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.rules import Forbidden, MinimumLength, NoRepeatNgram

from .conftest import EOS, LENGTHS, NETWORKS, name_of, searched, shortlist, sources


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
