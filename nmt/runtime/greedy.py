"""The graph of greedy search: position after position, every sentence going on with its best token.

Shapes: B sentences, T positions, H hidden, V vocabulary, N candidates of a shortlist, P products of embeddings, R rows
of the states.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from nmt.runtime.graph import Constants, Described, Graph
from nmt.runtime.step import StepBuilder


class GreedyBuilder(StepBuilder):
    """What a step reads, for one place a sentence → tokens (T, B, 1), their log-probabilities (T, B, 1, 1), states.

    The position of `StepBuilder` in a loop, which saves what lies between two runs of it: for a single sentence that is
    nearly as much as the position itself. `places` (V,) says which row of `products` is each token's, below 0 where it
    has none yet. The loop ends after `most` positions, when `enough` sentences have `ended` (B, 1), those counted that
    had before, and where the products of a token are missing.
    """

    name = "greedy"
    embedded = "at"

    def build(self, constants: Constants) -> bytes:
        """See `Builder`."""
        outer = self.graph
        first = [outer.add("Gather", name, "rows", axis=0) for name in self.states]
        self.begin(Graph("position", outer=outer))
        self.score()
        self._choose()
        every: Described = {"at": ("int64", ("B", 1)), "has_ended": ("bool", ("B", 1))}
        states: Described = {name: ("float", ("B", 1, width)) for name, width in self.states.items()}
        last = {f"last_{name}": described for name, described in states.items()}
        outer.add_loop(
            self.graph,
            *("most", outer.constant(np.array(True)), "embedded", "ended", *first),
            given={
                "position": ("int64", ()),
                "going": ("bool", ()),
                **every,
                **{self.before(name): described for name, described in states.items()},
            },
            made={
                "goes_on": ("bool", ()),
                **{f"next_{name}": described for name, described in {**every, **states}.items()},
                "token": ("int64", ("B", 1)),
                "log_prob": ("float", ("B", 1, 1)),
            },
            names=["", "", *last, "tokens", "token_log_probs"],
        )
        one_place = ("int64", ("B", 1))
        given: Described = {
            **self.products("P"),
            **{"places": ("int64", ("V",)), "embedded": one_place, "rows": one_place, "ended": ("bool", ("B", 1))},
            **dict.fromkeys(("most", "enough", "eos_id"), ("int64", ())),
            **self.source,
            **self.continued,
        }
        if self.with_shortlist:
            given = {**given, "candidates": ("int64", ("B", 1, "N"))}
        found: Described = {"tokens": ("int64", ("T", "B", 1)), "token_log_probs": ("float", ("T", "B", 1, 1))}
        return outer.to_bytes(given, {**found, **last}, beside=constants)

    def before(self, state: str) -> str:
        """See `StepBuilder`: what the loop carries from one position to the next."""
        return f"{state}_before"

    def for_places(self, ids: str) -> str:
        """See `StepBuilder`: there is one place only."""
        return ids

    def _choose(self) -> None:
        """Take the best token, of equals the one in the lowest column, and tell whether to go on after it."""
        graph, add = self.graph, self.graph.add
        _, column = graph.add_many("TopK", "log_probs", graph.integers(1), names=["log_prob", ""], axis=-1)
        id_ = add("GatherElements", "candidates", column, axis=2) if self.with_shortlist else column
        add("Squeeze", id_, graph.integers(2), name="token")
        add("Gather", "places", "token", axis=0, name="next_at")
        add("Or", "has_ended", add("Equal", "token", "eos_id"), name="next_has_ended")
        ended = add("ReduceSum", add("Cast", "next_has_ended", to=TensorProto.INT64), keepdims=0)
        is_known = add("GreaterOrEqual", add("ReduceMin", "next_at", keepdims=0), graph.constant(np.array(0)))
        add("And", add("Less", ended, "enough"), is_known, name="goes_on")
