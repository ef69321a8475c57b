"""Reproduce a row of the README's table of scores: translate test sets and score them with the sacrebleu command.

The translations come from nmt's Python API, the scores from ``python -m sacrebleu``, so that no number rests on our
own use of its library; the two are compared, and a difference ends with an error.

    python tools/evaluate_bleu.py --header runs/demo/best corpora/demo/test
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nmt.cli.common import Parser, run, standard_output
from nmt.cli.options import Loaded, add_machine_options, add_search_options, load_translator, search_config
from nmt.errors import RunError

if TYPE_CHECKING:
    from nmt.bundle.description import Description

NAME = "evaluate_bleu.py"
COLUMNS = (
    "pair",
    "test set",
    "sentences",
    "beam",
    "precision",
    "BLEU",
    "chrF2",
    "updates",
    "minutes",
    "threads",
    "target tokens seen",
    "experiment",
    "BLEU signature",
)

_DIGITS = 6


class Official(NamedTuple):
    """A score as the sacrebleu command printed it."""

    name: str
    value: float
    signature: str


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: evaluate(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("model", metavar="MODEL", help="a bundle: a directory that nmt-train saved")
    parser.add_argument("corpora", metavar="PREFIX", nargs="+", help="test set: PREFIX.SOURCE, PREFIX.TARGET; or .tsv")
    parser.add_argument("--source", metavar="LANGUAGE", help="suffix of the source files (default: as the model)")
    parser.add_argument("--target", metavar="LANGUAGE", help="suffix of the references (default: as the model)")
    parser.add_argument("--header", action="store_true", help="print the head of the Markdown table first")
    add_search_options(parser)
    add_machine_options(parser)
    arguments = parser.parse_args(argv)
    search_config(arguments)
    return arguments


def evaluate(arguments: argparse.Namespace) -> None:
    """Print a row for each test set.

    Raises:
        NmtError: an option, the model or a corpus is not what it should be, or the two scores differ.
    """
    from nmt.bundle.description import read_description, read_whole
    from nmt.corpus.reader import read_text, resolve

    rows: list[Sequence[str]] = [COLUMNS, ["---"] * len(COLUMNS)] if arguments.header else []
    said = read_whole(Path(arguments.model), read_description)
    loaded = load_translator(arguments, arguments.model)
    source, target = arguments.source or said.source_language, arguments.target or said.target_language
    # Every corpus is read before the first is translated: a misspelt one is told of at once.
    texts = [read_text(resolve(name, source=source, target=target, key="PREFIX")) for name in arguments.corpora]
    out = standard_output()
    for name, text in zip(arguments.corpora, texts, strict=True):
        translations = [translation.text for translation in loaded.translator.translate(text.source)]
        scores = official_scores(translations, text.target, language=target)
        rows.append(cells(loaded, said, Path(name).name, sentences=len(translations), scores=scores))
        # Names of files need not be UTF-8.
        out.write("".join(row(values) + "\n" for values in rows).encode("utf-8", errors="backslashreplace"))
        out.flush()
        rows.clear()


def official_scores(hypotheses: Sequence[str], references: Sequence[str], *, language: str) -> list[Official]:
    """Score with the sacrebleu command, and make sure that nmt says the same.

    Raises:
        RunError: the command failed, or its scores are not ours.
    """
    from nmt.evaluation.metrics import corpus_scores, default_tokenizer

    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory) / name for name in ("reference", "hypotheses")]
        for path, lines in zip(paths, (references, hypotheses), strict=True):
            with open(path, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(line + "\n" for line in lines)
        command = [sys.executable, "-m", "sacrebleu", str(paths[0]), "-i", str(paths[1]), "-m", "bleu", "chrf"]
        command += ["-tok", default_tokenizer(language, references), "-w", str(_DIGITS), "--format", "json", "--force"]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        reason = " ".join(done.stderr.split()[-40:])
        raise RunError(f"the sacrebleu command failed with exit code {done.returncode}: {reason}")
    official = [_parse(values) for values in json.loads(done.stdout)]
    ours = corpus_scores(hypotheses, references, metrics=("bleu", "chrf"), language=language)
    for theirs, own in zip(official, ours, strict=True):
        if abs(theirs.value - own.value) > 10**-_DIGITS or theirs.signature != own.signature:
            raise RunError(
                f"sacrebleu says {theirs.name} {theirs.value} ({theirs.signature}) but nmt says {own}: "
                "no row is printed; please report this"
            )
    return official


def cells(loaded: Loaded, said: Description, name: str, *, sentences: int, scores: Sequence[Official]) -> list[str]:
    """Fill a row; what the bundle does not know is a dash.

    Args:
        loaded: the model and how it searched.
        said: what its bundle says of it.
        name: the test set.
        sentences: how many it has.
        scores: BLEU and chrF2 of its translations.
    """
    known: dict[str, Any] = said.metadata
    bleu, chrf = scores
    return [
        f"{said.source_language}→{said.target_language}",
        name,
        f"{sentences:,}",
        str(loaded.translator.search.beam_size),
        loaded.bundle.precision,
        f"{bleu.value:.2f}",
        f"{chrf.value:.2f}",
        _number(known.get("updates")),
        _number(known.get("minutes")),
        _number(known.get("threads")),
        _number(known.get("target_tokens")),
        str(known.get("experiment") or "-"),
        f"`{bleu.signature}`",
    ]


def row(values: Sequence[str]) -> str:
    """Write cells as a line of a Markdown table."""
    return "| " + " | ".join(value.replace("|", "\\|") for value in values) + " |"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else "-"


def _parse(values: dict[str, Any]) -> Official:
    return Official(str(values["name"]), float(values["score"]), str(values["signature"]))


if __name__ == "__main__":
    sys.exit(main())
