"""Products in int8: what they lose is bounded, and nothing overflows."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from nmt.export.arithmetic import Activation, Float32, Recurrence
from nmt.export.cells.lstm import CELL
from nmt.export.graph import Graph
from nmt.export.int8 import Int8, quantize_rows

TYPES = {"int64": "int64", "float32": "float", "float16": "float16"}
BOUND = 2.5


def computed(graph, outputs, **inputs):
    described = {name: (TYPES[value.dtype.name], value.shape) for name, value in inputs.items()}
    content = graph.to_bytes(described, dict.fromkeys(outputs, ("float", ("A", "B", "C"))))
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(outputs, inputs)


@pytest.fixture
def draw():
    return np.random.default_rng(1)


def test_codes_are_within_half_a_step(draw):
    weight = draw.standard_normal((3, 20)).astype(np.float32) * np.array([[1e-3], [1], [50]], dtype=np.float32)
    codes, scales = quantize_rows(weight)
    assert np.abs(codes).max() == 64
    assert (np.abs(codes * scales[:, None] - weight) <= scales[:, None] * 0.5001).all()
    assert (quantize_rows(np.zeros((2, 4), dtype=np.float32))[0] == 0).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_of_the_largest_weights_and_inputs_do_not_overflow(sign):
    """Where the processor adds pairs of products in 16 bits, wider weights would be cut there, silently."""
    graph = Graph("overflow")
    weight = np.full((8, 64), 0.5 * sign, dtype=np.float32)
    Int8(graph).product([Activation("x", 64, 1.0)], weight, name="y")
    (found,) = computed(graph, ["y"], x=np.ones((1, 5, 64), dtype=np.float32))
    np.testing.assert_allclose(found, 32 * sign, rtol=1e-3)


def test_inputs_of_different_bounds_are_scaled_each_by_its_own(draw):
    graph = Graph("bounds")
    weight = draw.standard_normal((6, 10)).astype(np.float32)
    bias = draw.standard_normal(6).astype(np.float32)
    narrow = draw.uniform(-1, 1, (2, 3, 4)).astype(np.float32)
    wide = draw.uniform(-3, 3, (2, 3, 6)).astype(np.float32)
    Int8(graph).product([Activation("narrow", 4, 1.0), Activation("wide", 6, 3.0)], weight, bias, name="y")
    (found,) = computed(graph, ["y"], narrow=narrow, wide=wide)
    exact = np.concatenate([narrow, wide], axis=-1) @ weight.T + bias
    assert np.abs(found - exact).max() < 0.15
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("bias", [None, np.arange(6, dtype=np.float32)])
def test_an_input_without_a_bound_is_scaled_by_the_largest_of_its_row(draw, bias):
    weight = draw.standard_normal((6, 10)).astype(np.float32)
    inputs = (np.array([[100], [1e-6], [1], [0]]) * draw.standard_normal((4, 10))).astype(np.float32)
    inputs[2, 0] = -50  # the largest, and negative

    def multiplied(rows):
        graph = Graph("unbounded")
        Int8(graph).product([Activation("x", 10, None)], weight, bias, name="y")
        return computed(graph, ["y"], x=rows)[0]

    found = multiplied(inputs)
    largest = np.maximum(np.abs(inputs).max(1, keepdims=True), 1e-30)
    codes, scales = quantize_rows(weight)
    read = np.rint(inputs / largest * 127) / 127 * largest
    np.testing.assert_allclose(found, read @ (codes * scales[:, None]).T + (0 if bias is None else bias), rtol=1e-5)
    for row, alone in zip(found, inputs, strict=True):
        np.testing.assert_array_equal(multiplied(alone[None])[0], row)


@pytest.mark.parametrize("arithmetic", [Float32, Int8])
def test_a_table_is_looked_up_and_multiplied_from_both_sides(draw, arithmetic):
    graph = Graph("table")
    table = draw.standard_normal((200, 16)).astype(np.float32)
    weight = draw.standard_normal((8, 16)).astype(np.float32)
    products = arithmetic(graph)
    ids = np.array([[3, 199, 0]])
    looked_up = graph.add("Identity", products.lookup(table, "ids"), name="rows")
    kept = products.embedded_product(table, "ids", weight, name="kept")
    graph.add("Cast", kept, name="multiplied", to=TensorProto.FLOAT)
    state = draw.uniform(-1, 1, (1, 2, 16)).astype(np.float32)
    products.product([Activation("state", 16, 1.0)], table, name="scores")
    found = computed(graph, [looked_up, "multiplied", "scores"], ids=ids, state=state)
    for array, exact in zip(found, (table[ids], table[ids] @ weight.T, state @ table.T), strict=True):
        assert array.shape == exact.shape
        assert np.corrcoef(array.ravel(), exact.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("arithmetic", [Float32, Int8])
def test_products_that_were_kept_are_looked_up(draw, arithmetic):
    products = draw.standard_normal((30, 8)).astype(np.float16 if arithmetic is Int8 else np.float32)
    graph = Graph("kept")
    assert arithmetic.products_type == TYPES[products.dtype.name]
    graph.add("Identity", arithmetic(graph).stored_product("products", "ids"), name="found")
    ids = np.array([[3, 29], [0, 3], [5, 5]])
    (found,) = computed(graph, ["found"], products=products, ids=ids)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, products[ids])


def test_large_constants_lie_beside_the_graph_and_equal_ones_once(draw):
    graph, other = Graph("one"), Graph("other")
    table, bias = draw.standard_normal((200, 16)).astype(np.float32), draw.standard_normal(16).astype(np.float32)
    names = [graph.constant(table), graph.constant(table.copy()), other.constant(table), graph.constant(table.T)]
    assert names[0] == names[1] == names[2] != names[3]
    graph.add("Add", graph.constant(bias), names[0], name="sum")
    other.add("Identity", names[0], name="same")
    made = {"sum": ("float", (200, 16))}
    beside = {}
    small = graph.to_bytes({}, made, beside=beside)
    other.to_bytes({}, {"same": ("float", (200, 16))}, beside=beside)
    assert sorted(beside) == sorted({names[0], names[3]})
    assert len(small) < 1000 < table.nbytes < len(graph.to_bytes({}, made))
    whole = onnxruntime.InferenceSession(small + beside[names[0]] + beside[names[3]])
    np.testing.assert_array_equal(whole.run(None, {})[0], table + bias)


def test_a_rows_result_depends_on_that_row_alone(draw):
    graph = Graph("rows")
    weight = draw.standard_normal((40, 32)).astype(np.float32)
    Int8(graph).product([Activation("x", 32, 1.0)], weight, name="y")
    content = graph.to_bytes({"x": ("float", ("B", "K", 32))}, {"y": ("float", ("B", "K", 40))})
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    rows = draw.uniform(-1, 1, (70, 1, 32)).astype(np.float32) * draw.uniform(0, 1, (70, 1, 1)).astype(np.float32)
    (together,) = session.run(["y"], {"x": rows})
    for i in range(70):
        np.testing.assert_array_equal(session.run(["y"], {"x": rows[i : i + 1]})[0][0], together[i])


def recurrent(draw, arithmetic, *, size):
    """A function that runs an LSTM layer with drawn weights, whose inputs (S, B, 6) are within `BOUND`."""
    layer = Recurrence(CELL.operator, *(draw.uniform(-1, 1, (2, *shape)).astype(np.float32) for shape in shapes(size)))
    graph = Graph("recurrence")
    products = arithmetic(graph)
    lengths = graph.add("Cast", "lengths", to=TensorProto.INT32)
    found = products.recurrence(Activation("x", 6, BOUND), lengths, layer)
    names = [
        graph.add("Identity", part, name=name) for part, name in zip(found, ("all", "hidden", "cell"), strict=True)
    ]
    content = graph.to_bytes(
        {"x": ("float", ("S", "B", 6)), "lengths": ("int64", ("B",))},
        dict(zip(names, [("float", ("S", 2, "B", size)), *[("float", (2, "B", size))] * 2], strict=True)),
    )
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda x, lengths: session.run(names, {"x": x, "lengths": lengths})


def shapes(size):
    return (4 * size, 6), (4 * size, size), (8 * size,)


@pytest.mark.parametrize("size", [5, 64])
def test_a_row_of_a_recurrent_layer_depends_on_that_row_alone(draw, size):
    """Some rows have large inputs and others small ones, so that scales of a whole batch would not be those of each."""
    run = recurrent(draw, Int8, size=size)
    lengths = np.array([9, 3, 1, 7, 9, 2])
    largest = np.array([BOUND, 0.01, 1, 0.3, 0.1, BOUND])[:, None]
    x = (draw.uniform(-1, 1, (9, 6, 6)) * largest).astype(np.float32)
    together = run(x, lengths)
    for i, length in enumerate(lengths):
        outputs, hidden, cell = run(x[:length, i : i + 1], lengths[i : i + 1])
        np.testing.assert_array_equal(outputs[:, :, 0], together[0][:length, :, i])
        np.testing.assert_array_equal(hidden[:, 0], together[1][:, i])
        np.testing.assert_array_equal(cell[:, 0], together[2][:, i])


def test_a_recurrent_layer_in_int8_is_nearly_that_in_fp32():
    x = np.random.default_rng(2).uniform(-BOUND, BOUND, (40, 3, 6)).astype(np.float32)
    lengths = np.array([40, 11, 25])
    exact, found = (
        recurrent(np.random.default_rng(1), arithmetic, size=32)(x, lengths) for arithmetic in (Float32, Int8)
    )
    for here, there in zip(found, exact, strict=True):
        assert here.shape == there.shape
        assert np.corrcoef(here.ravel(), there.ravel())[0, 1] > 0.995
