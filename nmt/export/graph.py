"""A graph under construction: operators are added one by one, and each names what it computes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from nmt.version import __version__

# Both are old enough for any onnxruntime that has the quantised operators.
_OPERATORS = 17
_IR_VERSION = 8

_TYPES = {
    "bool": TensorProto.BOOL,
    "double": TensorProto.DOUBLE,
    "float": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int64": TensorProto.INT64,
    "int8": TensorProto.INT8,
}

Described = Mapping[str, tuple[str, Sequence[int | str]]]
"""Name → type (bool, double, float, float16, int64 or int8) and shape, with letters for what varies."""


Constants = dict[str, bytes]
"""Large constants by name, each serialised as a model of nothing else. Protocol buffers that are strung together are
read as one message with the content of all. So a graph followed by its constants is the whole graph."""

_LARGE = 1024
"""Bytes from which on a constant lies beside its graph."""


class Graph:
    """Collects operators and constants; values are known by their names.

    A constant has the same name wherever it is, so that graphs may share it.
    """

    def __init__(self, name: str, *, outer: Graph | None = None) -> None:
        """Begin a graph; one that is to be part of an `outer` one has that one's constants."""
        self.name = name
        self._prefix = f"{name}." if outer else ""
        self._constants: dict[str, onnx.TensorProto] = outer._constants if outer else {}
        self._nodes: list[onnx.NodeProto] = []

    def constant(self, value: npt.NDArray[Any]) -> str:
        """Add a constant; those that are equal are one."""
        value = np.asarray(value, order="C")
        digest = hashlib.sha256(f"{value.dtype.str} {value.shape} ".encode() + value.tobytes()).hexdigest()
        name = f"constant.{digest[:24]}"
        self._constants[name] = numpy_helper.from_array(value, name)
        return name

    def integers(self, *values: int) -> str:
        """Add a constant of integers, (N,)."""
        return self.constant(np.array(values, dtype=np.int64))

    def number(self, value: float) -> str:
        """Add a constant of one float, ()."""
        return self.constant(np.array(value, dtype=np.float32))

    def add(self, operator: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any) -> str:
        """Add an operator with one output, and return that; "" stands for an optional input that is not given."""
        return self.add_many(operator, *inputs, names=[name], domain=domain, **attributes)[0]

    def add_many(
        self, operator: str, *inputs: str, names: Sequence[str], domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add an operator with several outputs; names that are empty are made up."""
        outputs = [name or f"{self._prefix}{operator.lower()}{len(self._nodes)}.{i}" for i, name in enumerate(names)]
        self._nodes.append(helper.make_node(operator, list(inputs), outputs, domain=domain, **attributes))
        return outputs

    def add_loop(
        self, body: Graph, *inputs: str, reads: Described, returns: Described, names: Sequence[str]
    ) -> list[str]:
        """Add a loop over a graph that was begun with this one as its outer one; see ONNX's operator Loop."""
        inner = helper.make_graph(body._nodes, body.name, _values(reads), _values(returns))
        return self.add_many("Loop", *inputs, names=names, body=inner)

    def to_bytes(self, inputs: Described, outputs: Described, *, beside: Constants | None = None) -> bytes:
        """Serialise the graph as a model; its large constants go into `beside`, or into the model if that is None."""
        graph = helper.make_graph(
            self._nodes, self.name, _values(inputs), _values(outputs), initializer=list(self._constants.values())
        )
        versions = [helper.make_opsetid("", _OPERATORS), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(
            graph,
            opset_imports=versions,
            ir_version=_IR_VERSION,
            producer_name="nmt",
            producer_version=__version__,
        )
        onnx.checker.check_model(model)
        if beside is not None:
            large = {name: each for name, each in self._constants.items() if len(each.raw_data) >= _LARGE}
            beside.update((name, _alone(each)) for name, each in large.items())
            del model.graph.initializer[:]
            model.graph.initializer.extend(each for name, each in self._constants.items() if name not in large)
        content: bytes = model.SerializeToString()
        return content


def _values(described: Described) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, _TYPES[kind], shape) for name, (kind, shape) in described.items()]


def _alone(constant: onnx.TensorProto) -> bytes:
    content: bytes = onnx.ModelProto(graph=onnx.GraphProto(initializer=[constant])).SerializeToString()
    return content
