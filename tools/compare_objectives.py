"""Compare objectives: the same trained bundle, continued with each for the same minutes, over several seeds.

Each objective gets as many updates as fit into the minutes. How many those are is measured once for each, on a machine
that does nothing else. The trainings themselves may then run in the background, at any pace. The learning rate comes
down to zero with the last update. Every training resumes where it was stopped, and none is made twice.

    python tools/compare_objectives.py runs/objectives --measure-only -- experiment=multi30k_en_de
    nice -n 19 python tools/compare_objectives.py runs/objectives -- experiment=multi30k_en_de

Without --base the bundle is trained first, with the settings as they are. The directory gets ``rates.json`` (updates a
minute of each objective), ``results.jsonl`` (a line for each run) and a directory for each run. The table is printed.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarking.machine import environment

from nmt.cli.common import Parser, run
from nmt.errors import ConfigError, RunError

NAME = "compare_objectives.py"
KINDS = ("cross_entropy", "scheduled_sampling", "self_critical", "minimum_risk")
BASE = "base"
_VALIDATIONS = 5
"""Of each training, which keeps the best of them."""
_TEXTS = ("valid", "test")
_HEAD = ("objective", "seeds", "updates", "time of an update", "valid BLEU", "valid chrF2", "test BLEU", "test chrF2")


class Variant(NamedTuple):
    """An objective with its settings."""

    name: str
    words: list[str]
    """of nmt-train"""

    @staticmethod
    def of(text: str) -> Variant:
        """Read a choice of the group objective and settings behind it, parted by spaces."""
        choice, *settings = text.split()
        return Variant(text, [f"objective={choice}", *settings])

    @property
    def directory(self) -> str:
        """A name for its runs."""
        return "_".join(word.rpartition(".")[2].replace("=", "-") for word in self.name.split())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: compare(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("directory", type=Path, metavar="DIRECTORY", help="where all is kept")
    parser.add_argument("settings", nargs="+", metavar="KEY=VALUE", help="settings of nmt-train, after --")
    parser.add_argument("--base", type=Path, metavar="BUNDLE", help="the trained bundle (default: it is trained)")
    parser.add_argument(
        "--objectives",
        nargs="+",
        default=list(KINDS),
        metavar="OBJECTIVE",
        help="each a choice of the group, perhaps with settings: 'self_critical objective.samples=4' (default: all)",
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], metavar="N", help="default: 1 2 3")
    parser.add_argument("--minutes", type=float, default=20.0, metavar="N", help="of each training (default: 20)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of each training (default: 2)")
    parser.add_argument("--lr", type=float, default=2e-4, metavar="RATE", help="peak learning rate (default: 2e-4)")
    parser.add_argument(
        "--measured-minutes", type=float, default=1.0, metavar="N", help="of each measurement of a rate (default: 1)"
    )
    parser.add_argument(
        "--updates-per-minute",
        nargs="+",
        type=float,
        metavar="N",
        help="of each objective, in their order (default: measured once, and kept in rates.json)",
    )
    parser.add_argument("--measure-only", action="store_true", help="measure the rates, and train nothing")
    arguments = parser.parse_args(argv)
    if arguments.updates_per_minute and len(arguments.updates_per_minute) != len(arguments.objectives):
        raise ConfigError(
            f"--updates-per-minute has {len(arguments.updates_per_minute)} numbers for {len(arguments.objectives)} "
            "objectives; give one for each"
        )
    return arguments


def compare(arguments: argparse.Namespace) -> None:
    """Do what the command line says, and print the table.

    Raises:
        NmtError: a setting is wrong, or a training failed.
    """
    directory: Path = arguments.directory
    directory.mkdir(parents=True, exist_ok=True)
    variants = [Variant.of(text) for text in arguments.objectives]
    base = arguments.base or _trained_base(arguments)
    rates = _rates(arguments, variants, base)
    if arguments.measure_only:
        for name, rate in rates.items():
            print(f"{name}: {rate:.1f} updates a minute")
        return
    results = Results(directory / "results.jsonl")
    if not results.has(BASE, 0):
        results.add({"objective": BASE, "seed": 0, "updates": 0} | score(base, arguments))
    for seed in arguments.seeds:  # all objectives of a seed first: what is there can be compared at any time
        for variant in variants:
            if not results.has(variant.name, seed):
                results.add(_continue(arguments, variant, base, seed=seed, rate=rates[variant.name]))
    print(table(results.lines, rates))


class Results:
    """The lines of a file, one a run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        self.lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]

    def has(self, objective: str, seed: int) -> bool:
        """Tell whether a run is there."""
        return any((line["objective"], line["seed"]) == (objective, seed) for line in self.lines)

    def add(self, line: dict[str, Any]) -> None:
        """Add a run."""
        self.lines.append(line)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _trained_base(arguments: argparse.Namespace) -> Path:
    """Train the bundle that all start from, unless that is done."""
    run_dir = arguments.directory / BASE
    _train([*arguments.settings, f"run_dir={run_dir}", "corpus.test="], arguments.threads)
    return run_dir / "best"


def _rates(arguments: argparse.Namespace, variants: Sequence[Variant], base: Path) -> dict[str, float]:
    """Find the updates a minute of each objective: given, measured before, or measured now."""
    if arguments.updates_per_minute:
        return dict(zip(arguments.objectives, arguments.updates_per_minute, strict=True))
    path = arguments.directory / "rates.json"
    rates: dict[str, float] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for variant in variants:
        if variant.name not in rates:
            rates[variant.name] = _measured_rate(arguments, variant, base)
            print(f"{variant.name}: {rates[variant.name]:.1f} updates a minute", file=sys.stderr, flush=True)
            path.write_text(json.dumps(rates, indent=1) + "\n", encoding="utf-8")
    return {variant.name: rates[variant.name] for variant in variants}


def _measured_rate(arguments: argparse.Namespace, variant: Variant, base: Path) -> float:
    """Train for a moment; validations and the first fifth of the time do not count."""
    with tempfile.TemporaryDirectory() as directory:
        words = [*_words(arguments, variant, base, seed=1), f"run_dir={directory}/run", "trainer.log_every=1"]
        words += ["trainer.validate_every=1000000", f"trainer.max_minutes={arguments.measured_minutes}"]
        # Scheduled sampling costs more the more it samples; a half is its mean.
        words += ["objective.half_updates=1", "objective.least_reference=0.5"]
        _train(words, arguments.threads)
        lines = _metrics(Path(directory) / "run", "train")
    counted = [line for line in lines if line["seconds"] >= lines[-1]["seconds"] / 5]
    if len(counted) < 2:
        raise RunError(f"{variant.name} made too few updates to measure them; raise --measured-minutes")
    return 60 * (len(counted) - 1) / float(counted[-1]["seconds"] - counted[0]["seconds"])


def _words(arguments: argparse.Namespace, variant: Variant, base: Path, *, seed: int) -> list[str]:
    return [
        *arguments.settings,
        f"init_from={base}",
        f"seed={seed}",
        f"optimizer.lr={arguments.lr}",
        "corpus.test=",
        "trainer.max_minutes=0",
        "trainer.patience=0",
        *variant.words,
    ]


def _continue(arguments: argparse.Namespace, variant: Variant, base: Path, *, seed: int, rate: float) -> dict[str, Any]:
    """Train the base with an objective, and score what comes out."""
    updates = max(1, round(rate * arguments.minutes))
    run_dir = arguments.directory / f"{variant.directory}-{seed}"
    words = [*_words(arguments, variant, base, seed=seed), f"run_dir={run_dir}", f"trainer.max_updates={updates}"]
    words.append(f"trainer.validate_every={-(-updates // _VALIDATIONS)}")
    if not any(word.startswith("objective.half_updates=") for word in variant.words):
        words.append(f"objective.half_updates={max(1, updates // 2)}")
    _train(words, arguments.threads)
    validations = _metrics(run_dir, "validation")
    return {
        "objective": variant.name,
        "seed": seed,
        "updates": updates,
        "minutes": arguments.minutes,
        "updates_per_minute": rate,
        "lr": arguments.lr,
        "settings": arguments.settings,
        "greedy_validation_bleu": [line["bleu"] for line in validations],
    } | score(run_dir / "best", arguments)


def score(bundle: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Score a bundle on the validation and the test text: BLEU and chrF2 with signatures, fp32, beam 5."""
    import nmt
    from nmt.cli.hydra.compose import compose as composed
    from nmt.corpus.reader import read_text, resolve

    corpus = composed(list(arguments.settings)).corpus
    translator = nmt.load(bundle, precision="fp32", threads=arguments.threads, beam_size=5)
    scores, signatures = {}, {}
    for key in _TEXTS:
        name = getattr(corpus, key)
        text = read_text(resolve(name, key=f"corpus.{key}", source=corpus.source, target=corpus.target))
        for each in nmt.evaluate(translator, text.source, text.target).scores:
            if each.name != "TER":
                scores[f"{key} {each.name}"] = round(each.value, 3)
                signatures[each.name] = each.signature
    return {
        "beam": 5,
        "scores": scores,
        "signatures": signatures,
        "threads": arguments.threads,
        "processor": _processor(),
    }


def table(lines: Sequence[dict[str, Any]], rates: dict[str, float]) -> str:
    """Write means over seeds, with the standard deviation, and the difference from cross_entropy."""
    columns = [f"{text} {metric}" for metric in ("BLEU", "chrF2") for text in _TEXTS]
    names = dict.fromkeys(line["objective"] for line in lines)
    of = {name: [line for line in lines if line["objective"] == name] for name in names}
    plain = of.get(KINDS[0])
    rows = []
    for name, runs in of.items():
        cost = f"{rates[KINDS[0]] / rates[name]:.2f}×" if KINDS[0] in rates and name in rates else ""
        cells = [name, str(len(runs)) if name != BASE else "", f"{runs[0]['updates']:,}", cost]
        for column in sorted(columns, key=_HEAD.index):
            values = [run["scores"][column] for run in runs]
            spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            gain = ""
            if plain and name not in (BASE, KINDS[0]):
                gain = f" ({statistics.mean(values) - statistics.mean(run['scores'][column] for run in plain):+.2f})"
            cells.append(f"{statistics.mean(values):.2f}{spread}{gain}")
        rows.append(cells)
    divider = ["---", *["---:"] * (len(_HEAD) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (_HEAD, divider, *rows))


def _train(words: Sequence[str], threads: int) -> None:
    """Run nmt-train, or go on where it stopped; raises RunError."""
    own = ["auto=false", f"trainer.threads={threads}", "trainer.progress=false"]
    command = [sys.executable, "-m", "nmt.cli.train", *words, *own]
    if code := subprocess.run(command, env=environment(threads)).returncode:
        raise RunError(f"nmt-train ended with {code}; its message is above, and the same command goes on")


def _metrics(run_dir: Path, kind: str) -> list[dict[str, Any]]:
    text = (run_dir / "metrics.jsonl").read_text(encoding="utf-8")
    return [line for line in map(json.loads, text.splitlines()) if line["kind"] == kind]


def _processor() -> str:
    """Name the processor, as /proc/cpuinfo does where it is there."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    sys.exit(main())
