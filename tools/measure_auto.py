"""Measure what the table of `auto` says: trainings with its values on texts of each size, and with others beside them.

    python tools/measure_auto.py train --texts 4k 15k --minutes 10 --threads 1    # what is missing of the rows
    python tools/measure_auto.py table                                            # all rows so far

A row is a whole training with the settings that `auto` settles, but for those of its variant. Validation decides: the
score of the best weights, greedy, and of the search that was chosen. Time is that of a clock: run it on quiet cores,
one training for each. It may be stopped at any moment; docs/results/auto.jsonl keeps the rows.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from recorded.again import this_machine
from recorded.kept import find, keep, read_kept

from nmt.cli.common import Parser, report, run
from nmt.corpus.reader import read_lines
from nmt.errors import ConfigError, RunError
from nmt.files import encoded

NAME = "measure_auto.py"
ROOT = Path(__file__).parents[1]
KEPT = ROOT / "docs/results/auto.jsonl"


class Text(NamedTuple):
    """A corpus below $NMT_CORPORA."""

    train: str
    valid: str
    source: str
    target: str
    lines: int = 0
    """of the training text; 0: all"""


TEXTS = {
    "2k": Text("lafand-fr-ewe/train", "lafand-fr-ewe/valid", "fr", "ewe"),
    "4k": Text("americasnlp2021/es-cni/train", "americasnlp2021/es-cni/dev", "es", "cni"),
    "10k": Text("nmt-tips-jaen/train", "nmt-tips-jaen/valid", "ja", "en"),
    "15k": Text("americasnlp2021/es-shp/train", "americasnlp2021/es-shp/dev", "es", "shp"),
    "29k": Text("multi30k/train", "multi30k/val", "en", "de"),
    "31k": Text("lafand-en-swa/train", "lafand-en-swa/valid", "en", "swa"),
    "100k": Text("big-en-de/train", "big-en-de/valid", "en", "de", 100_000),
    "550k": Text("big-en-de/train", "big-en-de/valid", "en", "de"),
}
"""By their pairs."""
VARIANTS = {
    "auto": [],
    "tiny": ["model=tiny"],
    "small": ["model=small"],
    "base": ["model=base"],
    **{f"vocabulary {size}": [f"subwords.vocabulary_size={size}"] for size in (500, 1000, 2000, 4000, 8000, 16000)},
    **{f"dropout {rate}": [f"model.dropout={rate}"] for rate in (0.1, 0.2, 0.3, 0.4, 0.5)},
    **{f"sampling {alpha}": [f"subwords.sampling_alpha={alpha}"] for alpha in (0.1, 0.3)},
    **{f"smoothing {share}": [f"trainer.label_smoothing={share}"] for share in (0.0, 0.2)},
    **{f"batch {size}": [f"trainer.batch_tokens={size}"] for size in (500, 1000, 2000, 4000)},
    **{f"lr {rate}": [f"optimizer.lr={rate}"] for rate in (1e-3, 2e-3, 4e-3)},
    "no lexicon": ["model.lexicon_size=0"],
    "no kinds": ["corpus.tag_unlike=false"],
    "word dropout 0.1": ["model.word_dropout=0.1"],
    "cutoff": ["objective=cutoff"],
    "concatenation 0.2": ["augmentation.concatenation=0.2"],
    "both directions": ["augmentation.reversed_pairs=1", "augmentation.reversed_epochs=20"],
    "reversed words 0.3": ["augmentation.reversed_words=0.3"],
    "replaced words 0.3": ["augmentation.replaced_words=0.3"],
    "monotone words 0.3": ["augmentation.monotone_words=0.3"],
    "bpe": ["subwords.kind=bpe"],
    "copies": ["model.lexicon_copies=0.5"],
}
"""Settings beside those that are settled."""
_SCORE = re.compile(r"search by (.*): validation chrF2 ([0-9.]+)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("verb", metavar="VERB", choices=("train", "table"), help="see above")
    parser.add_argument("--texts", nargs="+", choices=TEXTS, default=list(TEXTS), metavar="NAME")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["auto"], metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], metavar="N", help="default: 1")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="of each training (default: 10)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of each training (default: 1)")
    parser.add_argument("--runs", type=Path, default=Path("runs/auto"), metavar="DIRECTORY", help="of the trainings")
    parser.add_argument("--kept", type=Path, default=KEPT, metavar="FILE", help="of the rows")

    def command() -> None:
        arguments = parser.parse_args(argv)
        if arguments.verb == "table":
            print(table(read_kept(arguments.kept)))
            return
        for seed, text, variant in itertools.product(arguments.seeds, arguments.texts, arguments.variants):
            key = {"text": text, "variant": variant, "seed": seed}
            key |= {"minutes": arguments.minutes, "threads": arguments.threads}
            if find(read_kept(arguments.kept), **key) is None:
                keep(arguments.kept, key | trained(key, runs=arguments.runs))

    return run(command, NAME)


def trained(key: dict[str, Any], *, runs: Path) -> dict[str, Any]:
    """Train a row; return its scores.

    Raises:
        ConfigError: $NMT_CORPORA is not set.
        RunError: the training failed.
    """
    text = TEXTS[key["text"]]
    directory = runs / "-".join(str(value).replace(" ", "-") for value in key.values())
    report(NAME, str(directory))
    corpora = os.environ.get("NMT_CORPORA")
    if not corpora:
        raise ConfigError("NMT_CORPORA is not set: name the directory of the corpora in it")
    train = shortened(text, Path(corpora), runs) if text.lines else Path(corpora) / text.train
    settings = [
        *(f"corpus.train={train}", f"corpus.valid={Path(corpora) / text.valid}"),
        *(f"corpus.source={text.source}", f"corpus.target={text.target}", f"run_dir={directory}"),
        *(f"trainer.max_minutes={key['minutes']:g}", f"trainer.threads={key['threads']}", f"seed={key['seed']}"),
        *VARIANTS[key["variant"]],
    ]
    command = [sys.executable, "-m", "nmt.cli.train", *settings, "trainer.progress=false"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RunError(f"{directory}: nmt-train ended with {finished.returncode}: {finished.stderr[-500:].strip()}")
    return scores_of(directory) | {"machine": this_machine() | {"threads": key["threads"]}}


def shortened(text: Text, corpora: Path, runs: Path) -> Path:
    """Write the first lines of a text into the directory of the runs; return its prefix there."""
    prefix = runs / f"{text.train.replace('/', '-')}-{text.lines}"
    for side in (text.source, text.target):
        path = Path(f"{corpora / text.train}.{side}")
        lines = itertools.islice(read_lines(path if path.exists() else path.with_name(f"{path.name}.gz")), text.lines)
        prefix.parent.mkdir(parents=True, exist_ok=True)
        Path(f"{prefix}.{side}").write_bytes(encoded("".join(f"{line}\n" for line in lines)))
    return prefix


def scores_of(directory: Path) -> dict[str, Any]:
    """Read what a run came to: scores of the best weights, updates, passes, and the score of each search."""
    lines = (directory / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    validations = [entry for entry in map(json.loads, lines) if entry["kind"] == "validation"]
    best = max(validations, key=lambda entry: entry["chrf"])
    log = (directory / "train.log").read_text(encoding="utf-8")
    return {
        **{name: round(best[name], 2) for name in ("chrf", "bleu", "perplexity")},
        **{"update": best["update"], "updates": validations[-1]["update"], "epochs": validations[-1]["epoch"]},
        "searches": {how: float(value) for how, value in _SCORE.findall(log)},
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Write the rows as a Markdown table, those of one text and time together, the best first."""
    lines = ["| text | minutes | variant | seeds | chrF2 | BLEU | best search | passes |"]
    lines.append("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["text"], row["minutes"], row["threads"], row["variant"]), []).append(row)

    def mean(name: str, group: Sequence[dict[str, Any]]) -> float:
        values = [max(row["searches"].values(), default=row["chrf"]) if name == "best" else row[name] for row in group]
        return float(sum(values)) / len(values)

    order = sorted(groups, key=lambda key: (list(TEXTS).index(key[0]), *key[1:3], -mean("chrf", groups[key])))
    for key in order:
        group, (text, minutes, threads, variant) = groups[key], key
        numbers = [f"{mean(name, group):.2f}" for name in ("chrf", "bleu", "best")]
        time = f"{minutes:g} of {threads}"
        lines.append(
            f"| {text} | {time} | {variant} | {len(group)} | {' | '.join(numbers)} | {mean('epochs', group):.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
