"""Array operations: the same answers from NumPy and torch, ties and long rows included."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from nmt.search import arrays
from nmt.search.arrays import Operations, operations_for

TORCH = operations_for(torch.device("cpu"))


def of_torch(logits, *rest, **options):
    return TORCH.continuations(torch.from_numpy(logits), *rest, **options)


def on_device(logits, *rest):
    """What a GPU does, done by the CPU."""
    array = torch.from_numpy(logits)
    normalized = array.log_softmax(-1, dtype=torch.promote_types(array.dtype, torch.float32))
    return TORCH.continuations_on_device(normalized, *rest)


FINDERS = {
    "numpy": Operations().continuations,
    "torch": of_torch,
    "device": on_device,
}


@pytest.fixture(params=FINDERS)
def find(request):
    return FINDERS[request.param]


def every_continuation(logits, log_probs):
    """All (log_prob, place, column) of each sentence, best first, of equals the lowest place and column first."""
    shifted = logits.astype(np.float64)
    normalised = shifted - np.logaddexp.reduce(shifted, axis=-1, keepdims=True)
    for values in normalised + log_probs[:, :, None]:
        order = np.argsort(-values, axis=None, kind="stable")
        yield [(values.flat[i], *divmod(int(i), values.shape[1])) for i in order if values.flat[i] > -np.inf]


# 2048 columns and above are looked at by groups, 2100 not being a whole number of them; 128 and above by coarser ones,
# 400 and 150 not being a whole number of these.
SHAPES = [(1, 1, 7), (2, 3, 40), (2, 2, 128), (3, 5, 150), (4, 4, 400), (2, 5, 2100), (1, 3, 2048), (3, 1, 3000)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 2, 5, 300])
@pytest.mark.parametrize("many", [1, 10**9], ids=["only groups", "all"])
def test_the_best_are_found_in_their_order(find, shape, count, many, monkeypatch):
    monkeypatch.setattr(arrays, "_MANY", many)
    generator = np.random.default_rng(count)
    for levels in (10**6, 50, 2):  # few levels make ties everywhere, also at the last place
        logits = generator.integers(0, levels, shape).astype(np.float32) / levels * 8
        logits[..., -1] = 9.0  # the best is in what the groups leave over
        logits[generator.random(shape) < 0.2] = -np.inf
        logits[..., 1] = 1.0
        log_probs = -np.floor(generator.random(shape[:2]) * 3)  # places tie too
        log_probs[:, 1:][generator.random((shape[0], shape[1] - 1)) < 0.2] = -np.inf
        before = logits.copy()
        found = find(logits, log_probs, count)
        assert np.array_equal(logits, before)
        assert found.log_probs.dtype == np.float64
        assert (np.diff(found.sentences) >= 0).all()
        for sentence, expected in enumerate(every_continuation(logits, log_probs)):
            own = found.sentences == sentence
            told = list(zip(found.places[own].tolist(), found.tokens[own].tolist(), strict=True))
            assert told == sorted(set(told))
            ranked = sorted(zip(found.log_probs[own].tolist(), told, strict=True), key=lambda one: -one[0])[:count]
            assert np.allclose([one[0] for one in ranked], [one[0] for one in expected[:count]], rtol=0, atol=2e-6)
            # Rounding orders what is equal but for its place.
            if levels > 50 or shape[1] == 1:
                assert [one[1] for one in ranked] == [one[1:] for one in expected[:count]]


def test_numbers_do_not_depend_on_the_batch(find):
    """Alone, all of a sentence's logits are compared; together, those of a few groups."""
    logits = np.random.default_rng(0).normal(0, 5, (70, 3, 3001)).astype(np.float32)
    log_probs = -np.random.default_rng(1).random((70, 3))
    assert logits[0].size < arrays._MANY < logits.size
    together = find(logits, log_probs, 4)
    for sentence in range(0, 70, 7):
        alone = find(logits[sentence : sentence + 1], log_probs[sentence : sentence + 1], 4)
        own = together.sentences == sentence
        assert np.array_equal(alone.tokens, together.tokens[own])
        assert np.array_equal(alone.log_probs, together.log_probs[own])


@pytest.mark.parametrize("places", [1, 3])
def test_log_probabilities_are_taken_as_they_are(places):
    log_probs = np.random.default_rng(0).normal(-9, 2, (4, places, 2200)).astype(np.float32)
    so_far = -np.ones((4, places))
    for find in (Operations().continuations, of_torch):
        found = find(log_probs, so_far, places, normalized=True)
        given = log_probs[found.sentences, found.places, found.tokens].astype(np.float64)
        assert np.array_equal(found.log_probs, given - 1.0)
        broken = log_probs.copy()
        broken[2, -1, 5] = np.nan
        with pytest.raises(FloatingPointError):
            find(broken, so_far, places, normalized=True)


def test_large_and_impossible_logits(find):
    logits = np.array([[[1000.0, 1000.0, -np.inf], [0.0, 0.0, np.log(2.0)]]], dtype=np.float32)
    found = find(logits, np.array([[0.0, np.log(0.5)]]), 9)
    assert found.places.tolist() == [0, 0, 1, 1, 1]
    assert found.tokens.tolist() == [0, 1, 0, 1, 2]
    assert np.allclose(np.exp(found.log_probs), [0.5, 0.5, 0.125, 0.125, 0.25])


@pytest.mark.parametrize("broken", [[np.nan, 1.0], [np.inf, 1.0], [-np.inf, -np.inf]])
@pytest.mark.parametrize("places", [1, 2])
def test_logits_that_are_no_numbers(find, broken, places):
    logits = np.zeros((2, places, 2), dtype=np.float32)
    logits[1, 0] = broken
    with pytest.raises(FloatingPointError):
        find(logits, np.zeros((2, places)), 1)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_logits_are_normalised_in_single_precision_at_least(find, dtype):
    logits = np.log(np.array([[[0.1, 0.7, 0.2]]])).astype(dtype)
    expected = logits[0, 0].astype(np.float64)
    expected -= np.logaddexp.reduce(expected)
    found = find(logits, np.zeros((1, 1)), 3)
    assert np.allclose(found.log_probs, expected, rtol=0, atol=1e-12 if dtype == "float64" else 3e-7)


def test_arrays_come_to_the_host_and_go_back():
    assert TORCH.to_host(torch.ones(2, dtype=torch.bfloat16, requires_grad=True)).tolist() == [1.0, 1.0]
    integers = np.arange(6).reshape(2, 3).T  # not contiguous
    for operations, kind in ((operations_for(None), np.ndarray), (TORCH, torch.Tensor)):
        array = operations.from_host(integers)
        assert isinstance(array, kind)
        assert operations.to_host(array).tolist() == integers.tolist()


def test_no_gradients_are_recorded():
    values = torch.ones(2, requires_grad=True)
    with TORCH.without_gradients():
        assert not (values * 2).requires_grad


def test_search_runs_where_torch_is_not():
    program = """
import importlib, pkgutil, sys
sys.modules["torch"] = None  # importing it is an error
import numpy as np
import nmt.search
for module in pkgutil.iter_modules(nmt.search.__path__):
    importlib.import_module("nmt.search." + module.name)
from nmt.search.decode import decode
from nmt.search.interface import Step
from nmt.search.options import SearchOptions
from nmt.search.stepper import Stepper

class State:
    def reorder(self, parents): return self
    def keep(self, sentences): return self

class Model:
    device = multi_step = None
    def start(self, source, lengths): return State()
    def step(self, previous, state, *, with_weights=False):
        return Step(np.log(np.full((*previous.shape, 3), [0.2, 0.5, 0.3])), None, state)

ones = np.ones((2, 1), dtype=np.int64)
options = SearchOptions(bos_id=2, eos_id=0, beam_size=2)
found = decode(Stepper(Model(), ones, ones[:, 0], max_lengths=[3, 2], options=options))
print([one.tokens for [one] in found], {"torch", "nmt.model"} & {name for name in sys.modules if sys.modules[name]})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[[1, 1, 1], [1, 1]] set()\n", "")
