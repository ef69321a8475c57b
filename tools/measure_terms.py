"""Measure what terms do to a translation: how many are written, BLEU, and the time that a glossary takes.

    python tools/measure_terms.py runs/mine/best --train data/train --test data/test

The terms are the least frequent nouns of the test text. A noun is a capitalised word of the reference, not at the start
of a sentence. Its source is the word that it is aligned with in the training and test text. A term's forms are what the
references have for that word. A term counts as written where one of them is a whole word of the translation.

A line without a term has to be translated as without a glossary; the exit code is 1 where one is not.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from nmt.bundle.loading import LoadedBundle, load
from nmt.cli.common import Parser, run
from nmt.config.choices import PRECISIONS, TermMode
from nmt.corpus.reader import read_lines
from nmt.errors import RunError
from nmt.evaluation.metrics import bleu
from nmt.text.alignment import learn_table
from nmt.text.terms import Term, Terms, count_words
from nmt.translation.translator import Translator

NAME = "measure_terms.py"
_WORD = re.compile(r"[^\W\d_]+")
_RARE = 30
"""A source word that is more frequent is no term."""
_TURNS = 5
"""Measurements of time, of which the best counts."""
_SHARED = 4
"""First letters that the forms of a noun have in common."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: measure(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("bundle", metavar="BUNDLE", help="what translates")
    parser.add_argument("--train", required=True, metavar="PREFIX", help="of the training text")
    parser.add_argument("--test", required=True, metavar="PREFIX", help="of the test text")
    parser.add_argument("--source", default="en", metavar="LANGUAGE", help="suffix of its source (default: en)")
    parser.add_argument("--target", default="de", metavar="LANGUAGE", help="suffix of its reference (default: de)")
    parser.add_argument("--terms", type=int, default=200, metavar="N", help="how many (default: 200)")
    parser.add_argument("--beam-size", type=int, default=5, metavar="N", help="(default: 5)")
    parser.add_argument("--precision", choices=PRECISIONS, help="(default: the fastest that was exported)")
    return parser.parse_args(argv)


def rare_nouns(train: Sequence[Sequence[str]], test: Sequence[Sequence[str]], count: int) -> list[Term]:
    """Choose terms: of the aligned nouns of a test text those that are least frequent in both texts.

    Args:
        train: both sides of the training text.
        test: both sides of the test text.
        count: how many terms.
    """
    texts = [[[*map(str, _WORD.findall(line))] for line in (*a, *b)] for a, b in zip(train, test, strict=True)]
    counts = [Counter(word for line in side for word in line) for side in texts]
    numbers = [{word: i for i, word in enumerate(side)} for side in counts]
    rows = [[[ids[word] for word in line] for line in side] for ids, side in zip(numbers, texts, strict=True)]
    table = learn_table(*rows, target_vocabulary=len(numbers[1]))
    names = [list(side) for side in numbers]
    chances = {
        (names[0][source], names[1][target]): float(chance)
        for source, target, chance, _ in zip(*map(list, table), strict=True)
    }
    found: dict[str, Counter[str]] = {}
    for source, target in list(zip(*texts, strict=True))[len(train[0]) :]:
        for word, noun in _aligned(source, target, chances):
            if word.islower() and len(word) > 2 and counts[0][word] <= _RARE:
                found.setdefault(word, Counter())[noun] += 1
    nouns = {word: forms.most_common(1)[0][0] for word, forms in found.items()}
    chosen = sorted(nouns, key=lambda word: (counts[1][nouns[word]], word))[:count]
    return [
        Term(word, tuple(sorted(form for form in found[word] if form[:_SHARED] == nouns[word][:_SHARED])))
        for word in chosen
    ]


def _aligned(
    source: Sequence[str], target: Sequence[str], chances: dict[tuple[str, str], float]
) -> Iterator[tuple[str, str]]:
    """Pair the nouns of a line with the words that are their likeliest sources, where that holds both ways."""
    for noun in target[1:]:
        if noun[0].isupper() and len(noun) > 2:
            best = max(source, key=lambda word: chances.get((word, noun), 0.0), default="")
            if chances.get((best, noun), 0.0) >= max(0.1, *(chances.get((best, word), 0.0) for word in target)):
                yield best, noun


def written(terms: Terms, sources: Sequence[str], translations: Sequence[str]) -> tuple[int, int]:
    """Count the terms that translations have, and those that they should have."""
    pairs = [
        any(count_words(form, translation) for form in match.forms)
        for source, translation in zip(sources, translations, strict=True)
        for match in terms.find(source)
    ]
    return sum(pairs), len(pairs)


def measure(arguments: argparse.Namespace) -> None:
    """Translate without terms, with soft and with hard ones, and print what each comes to.

    Raises:
        RunError: a line without a term is not translated as without a glossary.
    """
    languages = arguments.source, arguments.target
    train, test = (
        [[*read_lines(Path(f"{prefix}.{language}"))] for language in languages]
        for prefix in (arguments.train, arguments.test)
    )
    glossary = rare_nouns(train, test, arguments.terms)
    terms, bundle = Terms(glossary), load(arguments.bundle, precision=arguments.precision, threads=1)
    touched = [i for i, line in enumerate(test[0]) if terms.find(line)]
    free = [line for line in test[0] if not terms.find(line)]
    print(f"{len(glossary)} terms in {len(touched)} of {len(test[0])} lines; beam {arguments.beam_size}")
    print("terms   written           BLEU   BLEU of lines with terms   lines a second (with terms)")
    plain: list[str] = []
    for mode in (None, *TermMode):
        translator = _translator(bundle, arguments.beam_size, glossary if mode else (), mode or TermMode.soft)
        texts, _ = _timed(translator, test[0])
        _, seconds = _timed(translator, [test[0][i] for i in touched])
        plain = plain or texts
        if any(texts[i] != plain[i] for i in {*range(len(texts))} - {*touched}):
            raise RunError(f"terms={mode} changed the translation of a line without a term")
        has, should = written(terms, test[0], texts)
        of_all = bleu(texts, test[1]).value
        of_touched = bleu([texts[i] for i in touched], [test[1][i] for i in touched]).value
        share, speed = 100 * has / max(1, should), len(touched) / seconds
        print(f"{mode or 'none':<7} {share:5.1f} % of {should:<6} {of_all:5.2f}   {of_touched:24.2f}   {speed:6.0f}")
    many = [*glossary, *(Term(f"word{i}", (f"Wort{i}",)) for i in range(1000 - len(glossary)))]
    loads = {"no": (), f"{len(many):,}": many}
    translators = {
        name: _translator(bundle, arguments.beam_size, loaded, TermMode.soft) for name, loaded in loads.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in loads}
    for name in [*loads] * _TURNS:  # in turns, as other programs may run beside
        seconds[name].append(_timed(translators[name], free)[1])
    for name, each in seconds.items():
        print(f"{len(free)} lines without a term, {name} terms loaded: {min(each):.2f} s")


def _translator(bundle: LoadedBundle, beam_size: int, glossary: Sequence[Term], mode: TermMode) -> Translator:
    return Translator(
        bundle, search=dataclasses.replace(bundle.search, beam_size=beam_size, terms=mode), glossary=glossary
    )


def _timed(translator: Translator, lines: Sequence[str]) -> tuple[list[str], float]:
    start = time.perf_counter()
    texts = [each.text for each in translator.translate(lines)]
    return texts, time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
