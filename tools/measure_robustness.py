"""Measure what becomes of translations where the text is not clean: in capitals, with typing errors, two lines in one.

    python tools/measure_robustness.py runs/mine/best data/test
    python tools/measure_robustness.py runs/mine/best data/test --beam-size 1 --lines 500

The test text is translated and scored as it is, and in these forms:

- in capitals, and in title case: sources and references. They are left out where sources have none, as in Chinese.
- with typing errors: in one source word of ten, of the words with three letters or more. The errors are of the kinds
  that augmentation.typos makes.
- two joined: two pairs in each line; of an odd number of pairs the last stays alone.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence

from nmt.cli.common import Parser, run, standard_output
from nmt.cli.options import Asked, add_machine_options, add_search_options, load_translator, search_config
from nmt.config.choices import TaskName
from nmt.corpus.augmentation import joined
from nmt.corpus.modifiers import WORD, capitals, has_case, titled, with_typo
from nmt.corpus.reader import Pair, has_text, read_pairs, resolve
from nmt.errors import ConfigError, CorpusError

NAME = "measure_robustness.py"
TYPO_EVERY = 10
"""Of so many words one has a typing error."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: measure(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("model", metavar="BUNDLE", help="what translates")
    parser.add_argument("corpus", metavar="PREFIX", help="test text: PREFIX.SOURCE and PREFIX.TARGET; or .tsv")
    parser.add_argument("--lines", type=int, metavar="N", help="only the first lines of the text (default: all)")
    parser.add_argument("--typo-seed", type=int, default=1, metavar="N", help="of the typing errors (default: 1)")
    parser.add_argument("--split-sentences", action="store_true", help="translate each sentence of a line by itself")
    add_search_options(parser)
    add_machine_options(parser)
    arguments = parser.parse_args(argv)
    if arguments.lines is not None and arguments.lines < 1:
        raise ConfigError(f"--lines {arguments.lines} is not possible: it must be 1 or more")
    search_config(arguments)
    return arguments


def measure(arguments: argparse.Namespace) -> None:
    """Print a table with a row for each form of the text, and the signatures of its scores.

    Raises:
        NmtError: the bundle or the text is not what it should be.
    """
    from nmt.evaluation.metrics import corpus_scores

    loaded = load_translator(arguments, arguments.model, Asked(split_sentences=arguments.split_sentences))
    bundle = loaded.bundle
    if bundle.task is not TaskName.translation:
        raise ConfigError(f"{arguments.model} {bundle.task.does}; name a model that translates")
    paths = resolve(arguments.corpus, source=bundle.source_language, target=bundle.target_language, key="PREFIX")
    pairs = [pair for pair in read_pairs(paths) if has_text(pair)][: arguments.lines]
    if not pairs:
        raise CorpusError(f"{arguments.corpus} has no pair with text on both sides; name another test text")
    rows, signatures = ["| text | lines | BLEU | chrF2 |", "| --- | ---: | ---: | ---: |"], []
    for name, changed in forms(pairs, seed=arguments.typo_seed).items():
        translations = [each.text for each in loaded.translator.translate([pair.source for pair in changed])]
        references = [pair.target for pair in changed]
        scores = corpus_scores(translations, references, metrics=("bleu", "chrf"), language=bundle.target_language)
        rows.append(f"| {name} | {len(changed):,} | {' | '.join(f'{score.value:.2f}' for score in scores)} |")
        signatures += [f"{score.name}: {score.signature}" for score in scores]
    out = standard_output()
    out.write("".join(f"{line}\n" for line in [*rows, "", *dict.fromkeys(signatures)]).encode())
    out.flush()


def forms(pairs: Sequence[Pair], *, seed: int) -> dict[str, list[Pair]]:
    """Write a text in every form that it has.

    Args:
        pairs: the text, a sentence and its reference each.
        seed: of the typing errors.
    """
    sources = with_typos([pair.source for pair in pairs], seed=seed)
    found = {"as it is": [*pairs]}
    if has_case("".join(pair.source for pair in pairs)):
        found["in capitals"] = [Pair(pair.source.upper(), pair.target.upper()) for pair in pairs]
        found["in title case"] = [Pair(*(titled(text, capitals(None)) for text in pair)) for pair in pairs]
    found["with typing errors"] = [Pair(source, pair.target) for source, pair in zip(sources, pairs, strict=True)]
    found["two joined"] = [joined(*two) if len(two) == 2 else two[0] for two in _twos(pairs)]
    return found


def with_typos(lines: Sequence[str], *, seed: int) -> list[str]:
    """Put a typing error into one of each ten words of a text, wherever its lines end.

    So the share of wrong words is the same for texts of short and of long lines.
    """
    draw = random.Random(seed).random
    changed, number, chosen = [], 0, 0
    for line in lines:
        parts, end = [], 0
        for word in WORD.finditer(line):
            if number % TYPO_EVERY == 0:
                chosen = number + int(draw() * TYPO_EVERY)
            if number == chosen:
                wrong = word[0]
                while wrong == word[0]:
                    wrong = with_typo(word[0], draw)
                parts += [line[end : word.start()], wrong]
                end = word.end()
            number += 1
        changed.append("".join([*parts, line[end:]]))
    return changed


def _twos(pairs: Sequence[Pair]) -> list[Sequence[Pair]]:
    return [pairs[i : i + 2] for i in range(0, len(pairs), 2)]


if __name__ == "__main__":
    sys.exit(main())
