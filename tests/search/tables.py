"""Models that are probability tables, and searches over them in plain Python, for the tests of search.

A table model is an automaton: `logits[node]` scores the next token, `following[node, token]` is the node after it.
The first source token of a sentence is the node it starts from. It runs on NumPy arrays or torch tensors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from nmt.search.interface import Taken
from nmt.search.options import SearchOptions
from nmt.search.scores import LengthNormalizer
from nmt.search.stepper import Stepper

EOS = 0


class TableStep(NamedTuple):
    """A model's own tuple: search asks for these names, not for its own class."""

    logits: Any
    weights: Any
    state: Any
    shortlist: Any = None
    normalized: bool = False


@dataclass(frozen=True)
class TableState:
    memory: Any  # (B, S) what the source contributes: its ids
    lengths: Any  # (B,)
    nodes: Any  # (B, K)
    model: TableModel

    def reorder(self, parents):
        assert len(parents) == len(self.memory)
        assert int(parents.min()) >= 0
        assert int(parents.max()) < self.nodes.shape[1]
        self.model.reorders.append(parents.tolist())
        rows = self.model.to_kind(np.arange(len(parents)))[:, None]
        return replace(self, nodes=self.nodes[rows, parents])

    def keep(self, sentences):
        assert sorted(set(sentences.tolist())) == sentences.tolist()
        return replace(
            self, memory=self.memory[sentences], lengths=self.lengths[sentences], nodes=self.nodes[sentences]
        )


@dataclass
class TableModel:
    logits: np.ndarray  # (N, V)
    following: np.ndarray  # (N, V)
    kind: str = "numpy"
    attends: bool = True
    shapes: list = field(default_factory=list)  # of `previous`, one a step
    memories: list = field(default_factory=list)  # one a step
    reorders: list = field(default_factory=list)
    multi_step = None

    @property
    def device(self):
        return torch.device("cpu") if self.kind == "torch" else None

    @property
    def bos(self):
        return self.logits.shape[1]

    def to_kind(self, array):
        return torch.from_numpy(np.array(array)) if self.kind == "torch" else np.array(array)

    def start(self, source, lengths, constraints=None):
        assert isinstance(source, torch.Tensor if self.kind == "torch" else np.ndarray)
        return TableState(source, lengths, source[:, :1], self)

    def step(self, previous, state, *, with_weights=False):
        assert previous.shape == state.nodes.shape
        assert len(state.memory) == len(previous)
        self.shapes.append(tuple(previous.shape))
        self.memories.append(state.memory)
        here = np.concatenate([self.following, np.arange(len(self.following))[:, None]], 1)  # BOS stays
        nodes = self.to_kind(here)[state.nodes, previous]
        logits = self.to_kind(self.logits.astype(np.float32))[nodes]
        weights = self.attention(nodes, state) if with_weights and self.attends else None
        return TableStep(logits, weights, replace(state, nodes=nodes))

    def attention(self, nodes, state):
        """Softmax of cos(node · position) over the sentence's own positions: another row for every node."""
        positions = self.to_kind(np.arange(state.memory.shape[1]))
        library = torch if self.kind == "torch" else np
        energies = library.exp(library.cos(1.0 * nodes[:, :, None] * (positions + 1)))
        energies = energies * (positions < state.lengths[:, None])[:, None, :]
        return energies / energies.sum(-1)[:, :, None]

    def batch(self, starts, lengths=None):
        """Source and lengths of sentences that start from these nodes; padded with ones."""
        lengths = lengths or [1] * len(starts)
        source = np.ones((len(starts), max(lengths, default=1)), dtype=np.int64)
        source[:, 0] = starts
        return source, np.array(lengths, dtype=np.int64)

    def log_probs(self, node):
        logits = [float(value) for value in self.logits[node].astype(np.float32)]
        top = max(logits)
        total = top + math.log(sum(math.exp(value - top) for value in logits))
        return [value - total for value in logits]

    def rescore(self, start, tokens, finished):
        """Teacher forcing, in double precision: the sum over tokens, and EOS if it ended."""
        node, total = start, 0.0
        for token in [*tokens, EOS] if finished else tokens:
            total += self.log_probs(node)[token]
            node = self.following[node, token]
        return total

    def node_after(self, start, tokens):
        for token in tokens:
            start = self.following[start, token]
        return start


@dataclass
class MultiStepModel(TableModel):
    """A table model that takes many positions at once, up to `sight`, but declines for more than `few` sentences."""

    sight: int = 1000
    few: int = 1000
    looks: list = field(default_factory=list)  # of how many positions each was
    asked: int = 0

    def step(self, previous, state, *, with_weights=False):
        found = super().step(previous, state, with_weights=with_weights)
        logits = found.logits.numpy() if self.kind == "torch" else found.logits
        with np.errstate(over="ignore", invalid="ignore"):
            logits = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        return found._replace(logits=self.to_kind(logits), normalized=True)

    @property
    def multi_step(self):
        return self.take_steps

    def take_steps(self, previous, state, *, log_probs, width, most, eos_id, ended, enough):
        self.asked += 1
        assert most > 0
        assert ended.sum() < enough
        assert previous.shape == log_probs.shape
        if len(previous) > self.few or width > self.logits.shape[1]:
            return None
        found, shapes, reorders = [], list(self.shapes), list(self.reorders)
        while len(found) < min(most, self.sight) and ended.sum() < enough:
            step = self.step(previous, state)
            totals = (log_probs[:, :, None] + np.asarray(step.logits)).reshape(len(log_probs), -1)
            best = np.argsort(-totals, axis=1, kind="stable")[:, :width]
            log_probs = np.take_along_axis(totals, best, axis=1)
            parents, tokens = np.divmod(best, self.logits.shape[1])
            found.append((tokens, parents, log_probs))
            ended = ended | (tokens == eos_id).any(1)
            previous, state = self.to_kind(tokens), step.state.reorder(self.to_kind(parents))
        self.shapes[:], self.reorders[:] = shapes, reorders
        self.looks.append(len(found))
        return Taken(*map(np.stack, zip(*found, strict=True)), state)


class Stepping:
    """A model that steps as another does, one position at a time."""

    multi_step = None

    def __init__(self, model):
        self.start, self.step = model.start, model.step
        self.batch, self.bos, self.device = model.batch, model.bos, model.device


def random_model(seed, *, kind="numpy", vocabulary=5, nodes=40, spread=2.0, eos_bias=0.0, make=TableModel):
    """A random automaton: what comes next depends on all that came before, as far as `nodes` states can tell."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, spread, (nodes, vocabulary))
    logits[:, EOS] += eos_bias
    return make(logits, generator.integers(0, nodes, (nodes, vocabulary)), kind)


def tree_model(tree, *, kind="numpy", vocabulary):
    """A model from {prefix (tuple of tokens): probabilities of the next token}; elsewhere all tokens are equal."""
    prefixes = list(tree)
    assert prefixes[0] == ()
    elsewhere = len(prefixes)
    probabilities = np.full((elsewhere + 1, vocabulary), 1 / vocabulary)
    following = np.full((elsewhere + 1, vocabulary), elsewhere)
    for node, prefix in enumerate(prefixes):
        assert math.isclose(sum(tree[prefix]), 1)
        probabilities[node] = tree[prefix]
        for token in range(vocabulary):
            if (*prefix, token) in tree:
                following[node, token] = prefixes.index((*prefix, token))
    with np.errstate(divide="ignore"):
        return TableModel(np.log(probabilities), following, kind)


def score(log_prob, length, penalty, normalization):
    if normalization == "gnmt":
        return log_prob / ((5 + length) / 6) ** penalty
    return log_prob / max(length, 1) ** penalty


def ranked(found, penalty, normalization):
    """Rank (tokens, log_prob, finished): finished first, then by score."""
    scored = [
        (tokens, log_prob, score(log_prob, len(tokens) + finished, penalty, normalization), finished)
        for tokens, log_prob, finished in found
    ]
    return sorted(scored, key=lambda one: (not one[3], -one[2]))


def reference_beam(model, start, *, limit, beam_size, n_best, penalty, normalization):
    """The definition of beam search, for one sentence, on lists and without any early stop."""
    live, found, length = [((), 0.0, start)], [], 0
    while live and length < limit:
        candidates = [
            ((*tokens, token), log_prob + gain, model.following[node, token])
            for tokens, log_prob, node in live
            for token, gain in enumerate(model.log_probs(node))
            if gain > -math.inf
        ]
        candidates.sort(key=lambda one: -one[1])
        width = beam_size - len(found)
        live, length = [], length + 1
        for tokens, log_prob, node in candidates[:width]:
            if tokens[-1] == EOS:
                found.append((tokens[:-1], log_prob, True))
            else:
                live.append((tokens, log_prob, node))
    found += [(tokens, log_prob, False) for tokens, log_prob, _ in live]
    return ranked(found, penalty, normalization)[:n_best]


def every_ending(model, start, *, limit):
    """All that a model can say within the limit: (tokens, log_prob, finished)."""
    if limit == 0:
        return [((), 0.0, False)]
    endings = []
    for token, gain in enumerate(model.log_probs(start)):
        if token == EOS:
            endings.append(((), gain, True))
        elif gain > -math.inf:
            rest = every_ending(model, model.following[start, token], limit=limit - 1)
            endings += [((token, *tokens), gain + log_prob, finished) for tokens, log_prob, finished in rest]
    return endings


def plain(hypotheses):
    """What a hypothesis says, to compare with the searches above."""
    return [(tuple(one.tokens), one.log_prob, one.score, one.finished) for one in hypotheses]


def assert_same(found, expected, tolerance=2e-5):
    """Assert that two lists of (tokens, log_prob, score, finished) tell the same."""
    assert [one[0] for one in found] == [one[0] for one in expected]
    assert [one[3] for one in found] == [one[3] for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert math.isclose(one[1], other[1], rel_tol=tolerance, abs_tol=tolerance)
        assert math.isclose(one[2], other[2], rel_tol=tolerance, abs_tol=tolerance)


def options_for(model, *, length_penalty=1.0, normalization="average", rules=(), processors=(), **options):
    """The options of a search of a table model."""
    return SearchOptions(
        bos_id=model.bos,
        eos_id=EOS,
        normalizer=LengthNormalizer(length_penalty, normalization),
        rules=tuple(rules),
        processors=tuple(processors),
        **options,
    )


def search(loop, model, starts, *, limits, lengths=None, constraints=(), **options):
    """Search a batch of sentences that start from these nodes, with greedy_search or beam_search."""
    source, source_lengths = model.batch(starts, lengths)
    limits = [limits] * len(starts) if isinstance(limits, int) else limits
    if loop.__name__ == "beam_search":
        options.setdefault("beam_size", 5)
    options = options_for(model, **options)
    stepper = Stepper(model, source, source_lengths, max_lengths=limits, options=options, constraints=constraints)
    return loop(stepper)
