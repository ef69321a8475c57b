"""Which pairs of a window training changes, and into what: joined, made a task of their own, or written otherwise."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from nmt.config.augmentation import TASK_TAGS, AugmentationConfig
from nmt.corpus.auxiliary import monotone_words, replaced_words, reversed_words
from nmt.corpus.filters import Filters
from nmt.corpus.mixture import Chosen, Mixture
from nmt.corpus.modifiers import (
    Draw,
    capitals,
    has_case,
    noise_characters,
    noise_line,
    titled,
    with_merged_words,
    with_split_words,
    with_typos,
)
from nmt.corpus.reader import Pair
from nmt.corpus.word_links import WordLinks
from nmt.text.scripts import is_unspaced
from nmt.text.subwords import MARKS, SubwordModel

FOLDS = 10
"""A lexicon offers a pair what the pairs of other folds say; a pair is of the fold of its line modulo this."""
_MODIFIERS = ("noise", "upper", "title", "typos", "merged_words", "split_words")


class Changes(NamedTuple):
    """What becomes of some pairs of a window, by their places in it."""

    pairs: dict[int, Pair]
    """raw text"""
    tags: dict[int, int]
    """control symbols before the sources"""


class _Plan(NamedTuple):
    """What becomes of one pair."""

    task: str
    is_joined: bool
    modifiers: frozenset[str]


@dataclass(frozen=True)
class Augmentation:
    """Changes pairs as `nmt.config.augmentation.AugmentationConfig` says.

    Attributes:
        config: the shares.
        limits: of length; a pair that would exceed them stays as it is.
        source_subwords: spells the source.
        target_subwords: spells the target.
        links: of the words of each part that is not read in reverse, for the tasks that need them.
    """

    config: AugmentationConfig
    limits: Filters
    source_subwords: SubwordModel
    target_subwords: SubwordModel
    links: tuple[WordLinks, ...] = ()

    @property
    def key(self) -> str:
        """Name all that the changes depend on, but the text."""
        return repr((self.config, self.limits))

    def changes(self, corpus: Mixture, chosen: Chosen, *, draw: Draw, epochs: float) -> Changes:
        """Change some of B pairs.

        Args:
            corpus: that the pairs are of.
            chosen: the pairs, (B,), of one window.
            draw: the random numbers.
            epochs: that were trained before these pairs; modifiers grow with them.
        """
        growth = min(1.0, epochs / self.config.growth_epochs) if self.config.growth_epochs else 1.0
        plans = [self._plan(draw, growth, corpus.parts[part].is_reversed) for part in chosen.parts.tolist()]
        places = [i for i, plan in enumerate(plans) if any(plan)]
        partners = self._partners(corpus, chosen, [i for i in places if plans[i].is_joined], draw)
        texts = _texts(corpus, chosen, sorted({*places, *partners.values()}))
        changes = Changes({}, {})
        for i in places:
            plan, pair = plans[i], texts[i]
            if plan.task:
                pair = self._task_pair(plan.task, pair, draw, part=int(chosen.parts[i]))
            elif i in partners and not _share_marks(pair, texts[partners[i]]):
                pair = joined(pair, texts[partners[i]])
            pair = self._modified(pair, plan.modifiers, draw)
            if self._fits(pair):
                changes.pairs[i] = pair
                changes.tags.update({i: TASK_TAGS[plan.task]} if plan.task else {})
        return changes

    def _plan(self, draw: Draw, growth: float, is_reversed: bool) -> _Plan:
        """Draw what becomes of a pair; a pair that is read in reverse is no auxiliary task."""
        number, chosen = draw() if any(self._tasks.values()) else 1.0, ""
        for task, share in self._tasks.items():
            if 0 <= number < share and not is_reversed:
                chosen = task
            number -= share
        is_joined = bool(self.config.concatenation) and draw() < self.config.concatenation
        shares = ((name, growth * getattr(self.config, name)) for name in _MODIFIERS)
        modifiers = frozenset(name for name, share in shares if share and draw() < share)
        return _Plan("", is_joined, modifiers) if not chosen else _Plan(chosen, False, frozenset())

    def _partners(self, corpus: Mixture, chosen: Chosen, places: list[int], draw: Draw) -> dict[int, int]:
        """Find another pair for each place: of the same corpus and fold, and short enough for both together."""
        if not places:
            return {}
        groups = chosen.parts * FOLDS + corpus.lines(chosen) % FOLDS  # (B,)
        members = {group: np.flatnonzero(groups == group) for group in np.unique(groups).tolist()}
        lengths = [np.array([len(row) for row in corpus.ids(chosen, side)]) for side in ("source", "target")]
        limits = self.limits.max_source_tokens, self.limits.max_target_tokens
        partners = {}
        for i in places:
            group = members[int(groups[i])]
            other = int(group[int(draw() * len(group))])
            if other != i and all(side[i] + side[other] <= most for side, most in zip(lengths, limits, strict=True)):
                partners[i] = other
        return partners

    def _fits(self, pair: Pair) -> bool:
        """Whether a changed pair keeps to the limits of length; spelled letter by letter, a line is much longer."""
        sides = self.source_subwords, self.target_subwords
        limits = self.limits.max_source_tokens, self.limits.max_target_tokens
        return all(
            # Not many lines need to be segmented for this: no subword is shorter than a byte.
            len(text.encode()) < most or len(subwords.encode(text)) <= most
            for text, subwords, most in zip(pair, sides, limits, strict=True)
        )

    def _task_pair(self, task: str, pair: Pair, draw: Draw, *, part: int) -> Pair:
        if task == "reversed_words":
            return reversed_words(pair)
        links = self.links[part]
        return replaced_words(pair, links, draw) if task == "replaced_words" else monotone_words(pair, links)

    def _modified(self, pair: Pair, modifiers: frozenset[str], draw: Draw) -> Pair:
        source, target = pair
        if "noise" in modifiers and self._noise:
            line = noise_line(self._noise, draw)
            return Pair(line, line)
        if {"upper", "title"} & modifiers:
            source, target = self._in_capitals(pair, titles_only="upper" not in modifiers)
        if "typos" in modifiers:
            source = with_typos(source, draw)
        if "merged_words" in modifiers:
            source = with_merged_words(source, draw)
        if "split_words" in modifiers:
            source = with_split_words(source, draw)
        return Pair(source, target)

    def _in_capitals(self, pair: Pair, *, titles_only: bool) -> Pair:
        """Write both sides in capitals, unless the source would not show it, as where its script has none."""
        changed = (
            titled(text, table) if titles_only else text.translate(table)
            for text, table in zip(pair, self._capitals, strict=True)
        )
        source, target = changed
        return Pair(source, target) if has_case(pair.source) and source != pair.source else pair

    @cached_property
    def _tasks(self) -> dict[str, float]:
        return {key: getattr(self.config, key) for key in TASK_TAGS}

    @cached_property
    def _spelled(self) -> tuple[frozenset[str] | None, ...]:
        """The characters that each side's subwords spell; None: all."""
        sides = self.source_subwords, self.target_subwords
        return tuple(None if side.byte_fallback else side.characters for side in sides)

    @cached_property
    def _capitals(self) -> tuple[dict[int, str], ...]:
        return tuple(map(capitals, self._spelled))

    @cached_property
    def _noise(self) -> list[str]:
        return noise_characters(*self._spelled)


def joined(first: Pair, second: Pair) -> Pair:
    """Write one pair behind another: x₁ x₂ and y₁ y₂.

    Nguyen et al. (2021, "Data Augmentation by Concatenation for Low-Resource Translation: A Mystery and a Solution").
    No symbol stands between the two. Lines of a script without spaces have no space between them either.
    """
    return Pair(*(_space(*texts).join(texts) for texts in zip(first, second, strict=True)))


def _space(before: str, after: str) -> str:
    """Give what parts two lines."""
    is_written_on = any(map(is_unspaced, before)) and any(map(is_unspaced, after)) and " " not in before.strip()
    return "" if is_written_on else " "


def _share_marks(first: Pair, second: Pair) -> bool:
    """Whether two pairs have a mark for a protected span in common; in one line each mark stands once."""
    return any(mark in MARKS for mark in set(first.source) & set(second.source))


def _texts(corpus: Mixture, chosen: Chosen, places: list[int]) -> dict[int, Pair]:
    some = Chosen(chosen.parts[places], chosen.rows[places])
    pairs = zip(corpus.texts(some, "source"), corpus.texts(some, "target"), strict=True)
    return {i: Pair(*pair) for i, pair in zip(places, pairs, strict=True)}
