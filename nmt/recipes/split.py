"""Take a test set off the end of a training text, the same pairs on every machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from nmt.corpus.reader import Pair, read_pairs, resolve
from nmt.errors import ConfigError


class Split(NamedTuple):
    """The sizes of the texts that a training text was split into."""

    pairs: dict[str, int]
    """how many there are in each text that was written: train, valid where there is one, test"""
    seen: int
    """of the last pairs, those that were left out of the test set as seen before"""


def split(train: str, output: Path, *, valid: str = "", source: str, target: str, last: int = 1000) -> Split:
    """Write train, test and, where one is given, valid into a new directory, all or nothing.

    The last pairs of the training text become the test set. A pair is left out if the rest of the
    training text, the validation text or an earlier test pair has one of its sides.

    Args:
        train: the training text, as `nmt.corpus.reader.resolve` finds it; it is left as it is.
        output: the directory.
        valid: the validation text, named in the same way; empty: none.
        source: source language, suffix of the source files.
        target: target language, suffix of the target files.
        last: how many pairs to take off.

    Raises:
        CorpusError: a text is missing or misaligned.
        ConfigError: the training text has no more than `last` pairs, or the directory is there already.
        OSError: the directory cannot be written.
    """
    if output.exists():
        raise ConfigError(f"--output {output} is there already: name a new directory, or remove it first")
    named = {"train": train, "valid": valid}
    texts = {
        key: list(read_pairs(resolve(name, source=source, target=target, key=key)))
        for key, name in named.items()
        if name
    }
    pairs = texts["train"]
    if len(pairs) <= last:
        raise ConfigError(f"--last {last} leaves nothing of the {len(pairs)} pairs of {train}; lower it")
    texts["train"] = pairs[:-last]
    texts["test"] = unseen(pairs[-last:], seen=(pair for text in texts.values() for pair in text))
    partial = output.with_name(f".{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for name, text in texts.items():
            for side, language in enumerate((source, target)):
                with open(partial / f"{name}.{language}", "w", encoding="utf-8", newline="\n") as file:
                    file.writelines(f"{pair[side]}\n" for pair in text)
        partial.rename(output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Split({name: len(text) for name, text in texts.items()}, last - len(texts["test"]))


def unseen(pairs: Iterable[Pair], *, seen: Iterable[Pair]) -> list[Pair]:
    """List the pairs whose two sides are new: in no pair seen, and in no earlier pair; outer spaces are ignored."""
    sides: tuple[set[str], set[str]] = (set(), set())

    def see(pair: Pair) -> None:
        for side, text in zip(sides, pair, strict=True):
            side.add(text.strip())

    for pair in seen:
        see(pair)
    unseen_pairs = []
    for pair in pairs:
        if not any(text.strip() in side for side, text in zip(sides, pair, strict=True)):
            unseen_pairs.append(pair)
        see(pair)
    return unseen_pairs
