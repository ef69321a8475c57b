"""The graphs of many target positions: the step in a loop, which chooses what the next position reads.

That saves the time between two runs of a step. For a single sentence it is up to four fifths of the step's own time
(docs/decisions/multi-step-graphs.md).

Shapes: B sentences, K places before a position and after it, T positions, V vocabulary, N ids of a shortlist. P
products of embeddings, R rows of the states.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from nmt.export.graph import Constants, Described, Graph
from nmt.export.step import StepBuilder


class MultiStepBuilder(StepBuilder):
    """What a step reads, and more → what each position chose (T, B, K), and the last states (B, K, H).

    `places` (V,) says which row of `products` is each token's, below 0 where it has none yet. The loop ends after
    `most` positions, where the products of a token are missing, and where sentences end.
    """

    embedded = "at"
    own_inputs: ClassVar[Described]
    """the inputs at the beginning"""
    carried: ClassVar[Described]
    """what the loop carries from `first_…` on, beside the states"""
    chosen: ClassVar[Described]
    """the outputs at every position, as `all_…`"""

    def build(self, constants: Constants) -> bytes:
        """See `Builder`."""
        outer = self.graph
        first = [outer.add("Gather", name, "rows", axis=0) for name in self.states]
        self.begin(Graph("position", outer=outer))
        self.score()
        self.choose()
        places = ("int64", ("B", "K"))
        states: Described = {name: ("float", ("B", "K", width)) for name, width in self.states.items()}
        carried: Described = {"at": places, **self.carried, **{self.before(name): states[name] for name in states}}
        after = ["next_at", *(f"next_{name}" for name in self.carried), *map(self.after, states)]
        begun = {f"first_{name}": described for name, described in self.carried.items()}
        last = {f"last_{name}": described for name, described in states.items()}
        every: Described = {f"all_{name}": (kind, ("T", *shape)) for name, (kind, shape) in self.chosen.items()}
        outer.add_loop(
            self.graph,
            *("most", outer.constant(np.array(True)), "embedded", *begun, *first),
            reads={"position": ("int64", ()), "going": ("bool", ()), **carried},
            returns={"goes_on": ("bool", ()), **dict(zip(after, carried.values(), strict=True)), **self.chosen},
            names=["", *("" for _ in self.carried), *last, *every],
        )
        inputs: Described = {
            **self.products("P"),
            **{"places": ("int64", ("V",)), "embedded": places, "rows": places},
            **{"most": ("int64", ()), "eos_id": ("int64", ()), **self.own_inputs, **begun},
            **({"candidates": ("int64", ("B", 1, "N"))} if self.with_shortlist else {}),
            **self.source,
            **self.continued,
        }
        return outer.to_bytes(inputs, {**last, **every}, beside=constants)

    @abstractmethod
    def choose(self) -> None:
        """Choose tokens by `log_probs`, name all that `build` lists, and tell whether the loop `goes_on`."""

    @abstractmethod
    def after(self, state: str) -> str:
        """Name a state after the position, as the next one continues it."""

    def before(self, state: str) -> str:
        """See `StepBuilder`: what the loop carries."""
        return f"{state}_before"

    def read_next(self) -> str:
        """Look up the products of each `token`, (B, K), and tell whether all are there, ()."""
        add = self.graph.add
        add("Gather", "places", "token", axis=0, name="next_at")
        return add("GreaterOrEqual", add("ReduceMin", "next_at", keepdims=0), self.graph.constant(np.array(0)))


class GreedyBuilder(MultiStepBuilder):
    """The best token of every sentence, which have one place each: all_token (T, B, 1), all_log_prob (T, B, 1, 1).

    The loop ends when `enough` sentences have `ended`, those counted that had before.
    """

    name = "greedy"
    own_inputs: ClassVar[Described] = {"enough": ("int64", ())}
    carried: ClassVar[Described] = {"ended": ("bool", ("B", 1))}
    chosen: ClassVar[Described] = {"token": ("int64", ("B", 1)), "log_prob": ("float", ("B", 1, 1))}

    def choose(self) -> None:
        """See `MultiStepBuilder`; of equals the one in the lowest column."""
        graph, add = self.graph, self.graph.add
        _, column = graph.add_many("TopK", "log_probs", graph.integers(1), names=["log_prob", ""], axis=-1)
        id_ = add("GatherElements", "candidates", column, axis=2) if self.with_shortlist else column
        add("Squeeze", id_, graph.integers(2), name="token")
        add("Or", "ended", add("Equal", "token", "eos_id"), name="next_ended")
        count = add("ReduceSum", add("Cast", "next_ended", to=TensorProto.INT64), keepdims=0)
        add("And", add("Less", count, "enough"), self.read_next(), name="goes_on")

    def after(self, state: str) -> str:
        """See `MultiStepBuilder`."""
        return f"next_{state}"

    def for_places(self, ids: str) -> str:
        """See `StepBuilder`: there is one place only."""
        return ids


class BeamBuilder(MultiStepBuilder):
    """The best continuations of a single sentence, as many as `width` (1,): all_token, all_parent, all_log_prob.

    These are (T, 1, K). Log-probabilities are of the whole prefixes, added up in double precision as search does, from
    `first_so_far` (1, K) on. The loop ends with the first position at which one of them ends.
    """

    name = "beam"
    own_inputs: ClassVar[Described] = {"width": ("int64", (1,))}
    carried: ClassVar[Described] = {"so_far": ("double", ("B", "K"))}
    chosen: ClassVar[Described] = {
        "token": ("int64", ("B", "K")),
        "parent": ("int64", ("B", "K")),
        "log_prob": ("double", ("B", "K")),
    }

    def choose(self) -> None:
        """See `MultiStepBuilder`; of equals the one of the lowest place, then in the lowest column."""
        graph, add = self.graph, self.graph.add
        row = graph.integers(1, -1)
        # The best of all are among the best of each place.
        gains, columns = graph.add_many("TopK", "log_probs", "width", names=["", ""], axis=-1)
        totals = add("Add", add("Unsqueeze", "so_far", graph.integers(2)), add("Cast", gains, to=TensorProto.DOUBLE))
        _, best = graph.add_many("TopK", add("Reshape", totals, row), "width", names=["log_prob", ""], axis=-1)
        add("Identity", "log_prob", name="next_so_far")
        add("Div", best, "width", name="parent")
        column = add("GatherElements", add("Reshape", columns, row), best, axis=1)
        if self.with_shortlist:
            ids = add("Squeeze", "candidates", graph.integers(1))  # (1, N)
            add("GatherElements", ids, column, axis=1, name="token")
        else:
            add("Identity", column, name="token")
        slots = add("Squeeze", "parent", graph.integers(0))
        for state in self.states:
            add("Gather", f"next_{state}", slots, axis=1, name=self.after(state))
        ends = add("ReduceMax", add("Cast", add("Equal", "token", "eos_id"), to=TensorProto.INT64), keepdims=0)
        add("And", add("Equal", ends, graph.constant(np.array(0))), self.read_next(), name="goes_on")

    def after(self, state: str) -> str:
        """See `MultiStepBuilder`: the places follow their parents."""
        return f"{state}_after"
