"""Puts the tags of a segment into its translation, where the links of their units say.

An element goes around a run of units. Units that became of its own count for a run, and others against it. Where no
unit became of it, an element goes around the word beside its place.

A point goes into a gap. The unit before that has most of what stood before the point, the unit behind it most of what
stood behind. Elements stay around what they were around, and never overlap, so what was nested well is nested well.

Shapes: U units of the translation. Gap i stands before unit i, gap U behind the last.
"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import TypeAlias

import numpy as np

from nmt.text.markup import Element, Segment
from nmt.text.spans import Place, find_spans
from nmt.translation.links import Links

_BARE = re.compile(r"&(?!(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)")
_TURNED = 0.9
"""How much a gap counts whose neighbours are those of the source in the other order."""
_Run: TypeAlias = tuple[int, int]
"""First unit, and the one behind the last."""
_LIKE_A_TAG = re.compile(r"<(?=[A-Za-z/!?])")


class Part:
    """A sentence of a segment, and its translation, which may be of several sentences."""

    def __init__(self, links: Links, source_start: int, target_start: int) -> None:
        """Take links, and where the sentence and its translation begin."""
        self.weights = links.weights
        self.source = [Place(start + source_start, end + source_start) for start, end in links.source]
        self.target = [Place(start + target_start, end + target_start) for start, end in links.target]


class Placement:
    """Where the elements of a segment go."""

    def __init__(self, segment: Segment, text: str, parts: Sequence[Part]) -> None:
        """Take a segment, its translation, and how their sentences are linked."""
        self._segment, self._text = segment, text
        self._source = [unit for part in parts for unit in part.source]
        self._units = [unit for part in parts for unit in part.target]
        self._parts = parts
        self._first_source = [0, *accumulate(len(part.source) for part in parts)]
        self._first_target = [0, *accumulate(len(part.target) for part in parts)]
        self._became = self._targets_of_sources()
        self._places = _deepest(segment, self._source)
        self._spans: dict[Element, tuple[int, int]] = {segment.root: (0, len(self._units))}
        self._inside: dict[Element, list[Element]] = {}
        self._points: defaultdict[tuple[Element, int], list[Element]] = defaultdict(list)
        self._place_elements()
        self._place_points()

    def rendered(self) -> str:
        """Write the translation with its tags."""
        done: dict[Element, str] = {}
        for element in reversed(self._spans):  # those inside first
            done[element] = element.opening + "".join(self._body(element, done)) + element.closing
        return done[self._segment.root]

    def _targets_of_sources(self) -> list[list[int]]:
        """List for each source unit the target units that have most of it, in order."""
        targets_of: list[list[int]] = [[] for _ in self._source]
        for part, source, target in zip(self._parts, self._first_source, self._first_target, strict=False):
            if part.weights.size:
                for number, best in enumerate(part.weights.argmax(axis=1)):
                    targets_of[source + int(best)].append(target + number)
        return targets_of

    def _place_elements(self) -> None:
        """Find a run of units for each element that has text, from the outer ones to the inner ones."""
        for parent in _growing(self._spans):
            low, high = self._spans[parent]
            taken_runs: list[tuple[int, int]] = []
            around = [child for child in parent.children if child.end > child.start]
            around.sort(key=lambda each: each.start - each.end)
            for find in (self._densest, self._beside):
                for child in (each for each in around if each not in self._spans):
                    if run := find(child, low, high, taken_runs):
                        self._spans[child] = run
                        taken_runs.insert(bisect_left(taken_runs, run), run)
            self._inside[parent] = sorted(
                (child for child in around if child in self._spans), key=lambda each: self._spans[each]
            )

    def _sources(self, element: Element) -> tuple[int, int]:
        """Find the source units of an element; a unit is of the deepest element in it."""
        return bisect_left(self._places, element.start), bisect_left(self._places, element.end)

    def _densest(self, element: Element, low: int, high: int, taken_runs: Sequence[_Run]) -> _Run | None:
        """Find the run in which most units became of an element's own."""
        first, last = self._sources(element)
        units = sorted(unit for targets in self._became[first:last] for unit in targets)
        return _densest(units, low, high, taken_runs)

    def _beside(self, element: Element, low: int, high: int, taken_runs: Sequence[_Run]) -> _Run | None:
        """Find the word beside the gap of an element that no unit became of: without a word, a link is no link."""
        gap = self._gap(self._segment.root, element, range(low, high + 1))
        for unit in (gap, gap - 1):
            if low <= unit < high and not _is_taken(unit, taken_runs) and self._text[self._units[unit].start].isalnum():
                return unit, unit + 1
        return None

    def _place_points(self) -> None:
        """Find a gap for each point, and for each element without a run, in the order of the source."""
        least = 0
        gaps = {element: self._gaps(element) for element in self._spans}
        stack = [(self._segment.root, child) for child in reversed(self._segment.root.children)]
        while stack:
            parent, element = stack.pop()
            if element in self._spans:
                stack += [(element, child) for child in reversed(element.children)]
                continue
            parent_gaps = gaps[parent]
            allowed = parent_gaps[bisect_left(parent_gaps, least) :] if element.is_single else parent_gaps
            gap = self._gap(parent, element, allowed or parent_gaps[-1:])
            least = gap if element.is_single else least
            self._points[parent, gap].append(element)

    def _gaps(self, element: Element) -> list[int]:
        """List the gaps in an element that are in none of those inside it."""
        low, high = self._spans[element]
        gaps = [low]
        for child in self._inside[element]:
            start, end = self._spans[child]
            gaps += [*range(gaps[-1] + 1, start + 1), end]
        return [*gaps, *range(gaps[-1] + 1, high + 1)]

    def _gap(self, parent: Element, point: Element, allowed: Sequence[int]) -> int:
        """Choose the gap of a point: at an end of its element, or where the units around it went."""
        right = bisect_right(self._places, point.start - 1)
        left = right - 1
        if left < 0 or self._places[left] < parent.start:
            return allowed[0]
        if right >= len(self._places) or self._places[right] >= parent.end:
            return allowed[-1]
        number = bisect_right(self._first_source, left) - 1
        low, high = self._first_target[number : number + 2]
        start, weights = self._first_source[number], self._parts[number].weights
        if right - start >= weights.shape[1]:  # between two sentences
            return min(allowed, key=lambda gap: abs(gap - high))

        near = allowed[bisect_left(allowed, low) : bisect_right(allowed, high)]
        if not near:
            return min(allowed, key=lambda gap: abs(gap - low))
        before, behind = np.zeros((2, high - low + 1, 2))  # of each gap: units of what is left and right of the point
        before[1:] = behind[:-1] = weights[:, left - start : right - start + 1]
        evidence = np.maximum(before[:, 0] + behind[:, 1], _TURNED * (before[:, 1] + behind[:, 0]))
        return near[int(evidence[np.subtract(near, low)].argmax())]

    def _body(self, element: Element, done: dict[Element, str]) -> Iterator[str]:
        """Write what stands in an element."""
        unit, high = self._spans[element]
        children = iter(self._inside[element])
        child = next(children, None)
        low = unit
        while True:
            space = self._text[self._units[unit - 1].end : self._units[unit].start] if low < unit < high else ""
            yield _in_gap(self._points[element, unit], space, begins=unit == low, ends=unit == high)
            if child is not None and self._spans[child][0] == unit:
                yield done[child]
                unit = self._spans[child][1]
                child = next(children, None)
            elif unit == high:
                return
            else:
                yield self._word(self._units[unit])
                unit += 1

    def _word(self, unit: Place) -> str:
        return escaped(self._text[unit.start : unit.end], self._segment)


def escaped(text: str, segment: Segment) -> str:
    """Write a piece of a translation so that it makes no tag and no entity that its source had not.

    A character that the source has bare, as HTML allows, may stay so.
    """
    if text in segment.text and find_spans(text, None):
        return text
    text = text if _BARE.search(segment.text) else _BARE.sub("&amp;", text)
    return _LIKE_A_TAG.sub("&lt;", text) if "<" in segment.text else text.replace("<", "&lt;")


def _deepest(segment: Segment, units: Sequence[Place]) -> list[int]:
    """Say which character of each unit stands for it: one of the innermost element that has a part of it."""
    depths = [0] * len(segment.text)
    todo = [(child, 1) for child in segment.root.children]
    while todo:
        element, depth = todo.pop()
        for place in range(element.start, element.end):
            depths[place] = max(depths[place], depth)
        todo += [(child, depth + 1) for child in element.children]
    return [max(range(start, end), key=depths.__getitem__) for start, end in units]


def _growing(elements: dict[Element, tuple[int, int]]) -> Iterator[Element]:
    """Go through elements while others are added."""
    done = 0
    while done < len(elements):
        for element in list(elements)[done:]:
            done += 1
            yield element


def _is_taken(unit: int, taken_runs: Sequence[_Run]) -> bool:
    number = bisect_right(taken_runs, unit, key=lambda run: run[0]) - 1
    return number >= 0 and unit < taken_runs[number][1]


def _densest(units: Iterable[int], low: int, high: int, taken_runs: Sequence[_Run]) -> _Run | None:
    """Find the run with the most units in it over those that are not, outside of what is taken.

    It is Kadane's algorithm, over units alone: between two of them, each other one costs as much as a unit gains.
    """
    best, best_gain = None, 0
    start, last, gain = low, low, 0
    for unit in units:
        if not low <= unit < high:
            continue
        if _is_taken(unit, taken_runs):
            continue
        number = bisect_right(taken_runs, (unit, high + 1)) - 1
        is_cut = number >= 0 and taken_runs[number][1] > last
        gain -= unit - last
        if gain <= 0 or is_cut:
            start, gain = unit, 0
        gain, last = gain + 1, unit + 1
        if gain > best_gain:
            best, best_gain = (start, last), gain
    return best


def _in_gap(points: Sequence[Element], space: str, *, begins: bool, ends: bool) -> str:
    """Write points with the white space of their gap, which stands where it stood in the source."""
    if not points:
        return space
    parts = [points[0].rendered()]
    for left, right in pairwise(points):
        parts += [" " * (left.space[1] and right.space[0]), right.rendered()]
    inner, before = "".join(parts), points[0].space[0]
    behind = points[-1].space[1] and points[-1].start == points[-1].end  # one whose words are gone needs no space more
    if begins or ends:
        return " " * (before and not begins) + inner + " " * (behind and not ends)
    if not space:
        return inner
    if before:
        return space + inner + space * behind
    return inner if points[0].is_break and not behind else inner + space
