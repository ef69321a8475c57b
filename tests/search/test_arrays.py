"""Array operations: the same answers from NumPy and torch, ties and long rows included."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from nmt.search.arrays import operations_for, to_host


def convert(array, kind):
    return torch.from_numpy(array) if kind == "torch" else array


def expected_top_k(values, count):
    order = np.argsort(-values, axis=-1, kind="stable")[..., :count]
    return np.take_along_axis(values, order, -1), order


# (16, 1100) and above take the way through chunks, 1100 not being a whole number of them
@pytest.mark.parametrize("shape", [(1, 7), (2, 3, 40), (4, 4, 1100), (4, 5, 2048), (3, 2000)])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_top_k(kind, shape, count):
    generator = np.random.default_rng(count)
    for levels in (10**6, 50, 2):  # few levels make ties everywhere, also at the last place
        values = generator.integers(0, levels, shape).astype(np.float32)
        values[..., -1] = levels  # the best is in what the chunks leave over
        values[generator.random(shape) < 0.2] = -np.inf
        found, indices = operations_for(convert(values, kind)).top_k(convert(values, kind), count)
        best, order = expected_top_k(values, count)
        assert np.array_equal(found, best)
        assert np.array_equal(indices[best > -np.inf], order[best > -np.inf])
        assert found.dtype == np.float64


def test_top_k_of_fewer_columns(kind):
    values = np.array([[0.5, 2.0, -np.inf]], dtype=np.float32)
    found, indices = operations_for(convert(values, kind)).top_k(convert(values, kind), 9)
    assert found.tolist() == [[2.0, 0.5, -np.inf]]
    assert indices.tolist() == [[1, 0, 2]]


def test_log_softmax(kind):
    logits = np.array([[[1000.0, 1000.0, -np.inf], [0.0, 0.0, np.log(2.0)]]], dtype=np.float32)
    before = logits.copy()
    found = to_host(operations_for(convert(logits, kind)).log_softmax(convert(logits, kind)))
    assert np.allclose(np.exp(found), [[[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]]])
    assert found.dtype == np.float32
    assert np.array_equal(logits, before)


@pytest.mark.parametrize(
    ("given", "answered"), [("float16", "float32"), ("float32", "float32"), ("float64", "float64")]
)
def test_log_softmax_is_at_least_single(kind, given, answered):
    logits = convert(np.zeros((1, 2), dtype=given), kind)
    assert to_host(operations_for(logits).log_softmax(logits)).dtype == answered


def test_log_softmax_of_many_long_rows():
    logits = np.random.default_rng(0).normal(0, 5, (7, 5, 9000)).astype(np.float32)
    found, expected = (to_host(operations_for(each).log_softmax(each)) for each in (logits, torch.from_numpy(logits)))
    assert np.allclose(found, expected, atol=1e-5)
    assert max(found.max(), expected.max()) <= 0


def test_exclude(kind):
    values = convert(np.zeros((2, 2, 3), dtype=np.float32), kind)
    operations = operations_for(values)
    one, two = np.array([0, 1]), np.array([1, 0])
    assert np.isinf(to_host(operations.exclude_at(values, one, two, np.array([2, 2])))).sum() == 2
    assert to_host(values)[0, 1, 2] == to_host(values)[1, 0, 2] == -np.inf
    assert np.isinf(to_host(operations.exclude(values, np.array([0])))).sum() == 6


def test_to_host_reads_what_comes(kind):
    assert to_host([1, 2]).tolist() == to_host((1, 2)).tolist() == to_host(convert(np.array([1, 2]), kind)).tolist()
    assert to_host(torch.ones(2, dtype=torch.bfloat16, requires_grad=True)).tolist() == [1.0, 1.0]


def test_no_gradients_are_recorded():
    values = torch.ones(2, requires_grad=True)
    with operations_for(values).without_gradients():
        assert not (values * 2).requires_grad


def test_search_runs_where_torch_is_not():
    program = """
import importlib, pkgutil, sys
sys.modules["torch"] = None  # importing it is an error
import numpy as np
import nmt.search
for module in pkgutil.iter_modules(nmt.search.__path__):
    importlib.import_module("nmt.search." + module.name)
from nmt.search.beam import beam_search
from nmt.search.interface import Step

class State:
    def reorder(self, parents): return self
    def keep(self, sentences): return self

class Model:
    def start(self, source, lengths): return State()
    def step(self, previous, state, *, with_weights=False):
        return Step(np.log(np.full((*previous.shape, 3), [0.2, 0.5, 0.3])), None, state)

ones = np.ones((2, 1), dtype=np.int64)
found = beam_search(Model(), ones, ones[:, 0], max_lengths=[3, 2], bos_id=2, eos_id=0, beam_size=2)
print([one.tokens for [one] in found], {"torch", "nmt.model"} & {name for name in sys.modules if sys.modules[name]})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[[1, 1, 1], [1, 1]] set()\n", "")
