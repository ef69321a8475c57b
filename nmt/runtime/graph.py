"""A graph under construction: operators are added one by one, and each names what it computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from nmt import __version__

# Both are old enough for any onnxruntime that has the quantised operators.
_OPERATORS = 17
_IR_VERSION = 8

_TYPES = {"float": TensorProto.FLOAT, "int64": TensorProto.INT64, "int8": TensorProto.INT8}

Described = Mapping[str, tuple[str, Sequence[int | str]]]
"""Name → type (float, int64 or int8) and shape, with letters for what varies."""


class Graph:
    """Collects operators and constants; values are known by their names."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._known: dict[tuple[Any, ...], str] = {}

    def constant(self, value: npt.NDArray[Any]) -> str:
        """Add a constant; small ones that are equal are one."""
        key = (value.dtype.str, value.shape, value.tobytes()) if value.size <= 16 else (len(self._constants),)
        if key not in self._known:
            name = f"constant{len(self._constants)}"
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
            self._known[key] = name
        return self._known[key]

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
        outputs = [name or f"{operator.lower()}{len(self._nodes)}.{i}" for i, name in enumerate(names)]
        self._nodes.append(helper.make_node(operator, list(inputs), outputs, domain=domain, **attributes))
        return outputs

    def to_bytes(self, inputs: Described, outputs: Described) -> bytes:
        """Serialise the graph as a model."""
        given, made = (
            [helper.make_tensor_value_info(name, _TYPES[kind], shape) for name, (kind, shape) in values.items()]
            for values in (inputs, outputs)
        )
        graph = helper.make_graph(self._nodes, self.name, given, made, initializer=list(self._constants.values()))
        versions = [helper.make_opsetid("", _OPERATORS), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(
            graph,
            opset_imports=versions,
            ir_version=_IR_VERSION,
            producer_name="nmt",
            producer_version=__version__,
        )
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString()
        return content
