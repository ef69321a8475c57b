"""Write the demo corpus: English and German sentences made by the synchronous grammar beside this file.

Run ``python corpora/demo/generate.py`` to write the files next to it, or name another directory with ``--output``.
The same seed gives the same bytes on every machine and Python.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

from draw import Draw
from grammar import sentence
from words import Pair

SEED = 20250
TRAIN_PAIRS = 30_000
HELD_OUT_PAIRS = 500
HELD_OUT_EVERY = 20
LONGEST = 10
"""Longest sentence, in words of the longer side."""
KNOWN_FROM = 10
"""How often training must hold a word before a held-out sentence may use it."""
WORD = re.compile(r"\w+(?:[-:']\w+)*")


def words(text: str) -> list[str]:
    """Split a sentence into lower-case words: "at 7:45" has two, "twenty-three" is one."""
    return WORD.findall(text.lower())


def distinct_pairs(draw: Draw, count: int) -> list[Pair]:
    """Draw pairs that share no side with one another, so that no sentence can sit in two of the files."""
    german_of: dict[str, str] = {}
    seen: set[str] = set()
    found: list[Pair] = []
    while len(found) < count:
        pair = sentence(draw)
        known = german_of.setdefault(pair.english, pair.german)
        if known != pair.german:
            raise AssertionError(f"'{pair.english}' has two translations: '{known}' and '{pair.german}'")
        if pair.german in seen or max(len(words(pair.english)), len(words(pair.german))) > LONGEST:
            continue
        seen.add(pair.german)
        found.append(pair)
    return found


def split(pairs: list[Pair]) -> dict[str, list[Pair]]:
    """Hold out sentences whose every word is well known from the rest; the others train."""
    counts = [Counter(word for pair in pairs for word in words(pair[side])) for side in (0, 1)]
    held_out: list[Pair] = []
    train: list[Pair] = []
    for place, pair in enumerate(pairs):
        used = [Counter(words(text)) for text in pair]
        known = all(counts[side][word] - used[side][word] >= KNOWN_FROM for side in (0, 1) for word in used[side])
        if known and place % HELD_OUT_EVERY == 0 and len(held_out) < 2 * HELD_OUT_PAIRS:
            for side in (0, 1):
                counts[side].subtract(used[side])
            held_out.append(pair)
        else:
            train.append(pair)
    return {"train": train[:TRAIN_PAIRS], "valid": held_out[::2], "test": held_out[1::2]}


def write(corpus: dict[str, list[Pair]], directory: Path) -> None:
    """Write one file a side: one sentence a line, UTF-8, line feeds."""
    directory.mkdir(parents=True, exist_ok=True)
    for part, pairs in corpus.items():
        for suffix, side in (("en", 0), ("de", 1)):
            text = "".join(f"{pair[side]}\n" for pair in pairs)
            (directory / f"{part}.{suffix}").write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    """Read the command line and write the corpus."""
    parser = argparse.ArgumentParser(description="Write the demo corpus.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="directory of the files")
    pairs = distinct_pairs(Draw(SEED), TRAIN_PAIRS + 2 * HELD_OUT_PAIRS)
    write(split(pairs), parser.parse_args().output)


if __name__ == "__main__":
    main()
