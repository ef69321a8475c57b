"""Compare cells, and decoders without attention, at equal cost: equal parameters, equal minutes, no lexicon.

    python tools/compare_cells.py costs                      # what an update of each network costs, in turns
    python tools/compare_cells.py widths --corpora multi30k  # the same at equal widths; it is only printed
    python tools/compare_cells.py train --corpora multi30k   # what is missing of the rows; may be stopped at any moment
    python tools/compare_cells.py table                      # all rows so far, as entries of docs/results/runs.jsonl

Every network gets the updates that it makes in the same minutes of two quiet cores, by its measured cost. So a row does
not depend on what else runs, and a training that was stopped goes on. docs/results/cells.jsonl keeps all.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark_training import compose, configuration
from benchmarking.turns import costs_in_turns
from recorded.again import this_machine
from recorded.kept import find, keep, read_kept

from nmt.bundle.description import read_description
from nmt.cli.common import Parser, report, run
from nmt.config.choices import Cell
from nmt.config.train import TrainConfig
from nmt.corpus.reader import read_lines
from nmt.errors import ConfigError, RunError
from nmt.evaluation.metrics import corpus_scores
from nmt.model.seq2seq import build_shapes

NAME = "compare_cells.py"
ROOT = Path(__file__).parents[1]
KEPT = ROOT / "docs/results/cells.jsonl"
NETWORKS = {word.value: [f"model.cell={word}"] for word in Cell}
# After 472 updates its validation perplexity is 50 at this rate, and 73 at half of it.
NETWORKS["rnn"] += ["optimizer.lr=1e-3"]
NETWORKS |= {"lstm-ssru": ["model.decoder_cell=ssru"]}
NETWORKS |= {"none": ["model.attention=none"], "none-repeated": ["model.attention=none", "model.repeat_summary=true"]}
CORPORA = {
    "multi30k": [
        *("experiment=multi30k_en_de", "model.dropout=0.3", "subwords.sampling_alpha=0"),
        *("trainer.batch_tokens=1200", "optimizer.lr=2e-3"),
    ],
    "tatoeba": ["experiment=tatoeba_zh_en"],
}
_COMMON = ("model.lexicon_size=0",)
_STEP = 4
"""Hidden sizes are multiples of this."""
_ROUNDS = 15
"""Updates of each network whose costs are compared."""
UPDATES_A_MINUTE = {"multi30k": 143, "tatoeba": 152}
"""What the LSTM is taken to make on two quiet cores of an EPYC 7003 (AVX2, no bf16). Multi30k's was measured: 5,657
updates in 39.6 minutes. Tatoeba's is 94 of one thread, times the 1.62 that a second thread brought on Multi30k."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("verb", metavar="VERB", choices=("costs", "widths", "train", "table"), help="see above")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), metavar="NAME")
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA), metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], metavar="N", help="default: 1 2 3")
    parser.add_argument("--minutes", type=float, default=15.0, metavar="N", help="of two cores each (default: 15)")
    parser.add_argument("--runs", type=Path, default=Path("runs/cells"), metavar="DIRECTORY", help="of the trainings")
    parser.add_argument("--kept", type=Path, default=KEPT, metavar="FILE", help="of costs and rows")

    def command() -> None:
        arguments = parser.parse_args(argv)
        networks = [(corpus, network) for network in arguments.networks for corpus in arguments.corpora]
        if arguments.verb == "costs":
            for corpus in arguments.corpora:
                measure_costs(corpus, arguments.networks, kept=arguments.kept)
        elif arguments.verb == "widths":
            for corpus in arguments.corpora:
                configs = {name: configured(corpus, name, *_COMMON) for name in arguments.networks}
                print(corpus, json.dumps(rounded(costs_in_turns(configs, rounds=_ROUNDS))))
        elif arguments.verb == "train":
            for seed in arguments.seeds:
                for corpus, network in networks:
                    make_row(corpus, network, seed, arguments.minutes, runs=arguments.runs, kept=arguments.kept)
        else:
            for entry in entries(read_kept(arguments.kept)):
                print(json.dumps(entry, ensure_ascii=False))

    return run(command, NAME)


@functools.cache
def configured(corpus: str, network: str, *more: str) -> TrainConfig:
    """Compose the configuration of a network, with more settings."""
    return configuration(compose([*CORPORA[corpus], *NETWORKS[network], *more]))


def settings_of(corpus: str, network: str) -> list[str]:
    """List the settings of a network that has as many parameters as the LSTM with attention, as nearly as may be."""
    wanted = parameters(configured(corpus, "lstm", *_COMMON))
    config = configured(corpus, network, *_COMMON)
    sizes = range(_STEP, 1025, _STEP)
    # More hidden units are more parameters.
    above = bisect.bisect_left(sizes, wanted, hi=len(sizes) - 1, key=lambda hidden: parameters(config, hidden))
    size = min(sizes[max(0, above - 1) : above + 1], key=lambda hidden: abs(parameters(config, hidden) - wanted))
    widths = [f"model.encoder_hidden_size={size}", f"model.decoder_hidden_size={2 * size}"]
    return [*CORPORA[corpus], *NETWORKS[network], *_COMMON, *widths]


def parameters(config: TrainConfig, hidden: int = 0) -> int:
    """Count a network's parameters; with another H of the encoder, of which the decoder has twice as many."""
    model = config.model
    if hidden:
        model = dataclasses.replace(model, encoder_hidden_size=hidden, decoder_hidden_size=2 * hidden)
    size = config.subwords.vocabulary_size
    shapes = build_shapes(model, source_vocabulary=size, target_vocabulary=size)
    return sum(parameter.numel() for parameter in shapes.parameters())


def measure_costs(corpus: str, networks: Sequence[str], *, kept: Path) -> None:
    """Measure what an update costs, in units of the LSTM's, of the networks whose cost is not kept yet."""
    rows = read_kept(kept)
    missing = [name for name in networks if not find(rows, kind="cost", corpus=corpus, network=name)]
    configs = {name: configuration(compose(settings_of(corpus, name))) for name in dict.fromkeys(["lstm", *missing])}
    costs = rounded(costs_in_turns(configs, rounds=_ROUNDS)) if missing else {}
    for network in missing:
        row = {"kind": "cost", "corpus": corpus, "network": network, "cost": costs[network]}
        keep(kept, row | {"machine": this_machine() | {"threads": 1}})


def rounded(costs: Mapping[str, float]) -> dict[str, float]:
    """Round costs as they are kept."""
    return {name: round(cost, 3) for name, cost in costs.items()}


def updates_of(corpus: str, network: str, rows: Sequence[dict[str, Any]], *, minutes: float) -> int:
    """Tell how many updates a network makes in the minutes in which the LSTM makes those of `UPDATES_A_MINUTE`.

    Raises:
        ConfigError: a cost was not measured.
    """
    found = find(rows, kind="cost", corpus=corpus, network=network)
    if found is None:
        raise ConfigError(f"the cost of {network} on {corpus} was not measured: run {NAME} costs --corpora {corpus}")
    return round(UPDATES_A_MINUTE[corpus] * minutes / found["cost"])


def make_row(corpus: str, network: str, seed: int, minutes: float, *, runs: Path, kept: Path) -> None:
    """Train a network and score it, unless that was done.

    Raises:
        ConfigError: its cost was not measured.
        RunError: a command failed.
    """
    rows = read_kept(kept)
    if find(rows, kind="row", corpus=corpus, network=network, seed=seed):
        return
    updates = updates_of(corpus, network, rows, minutes=minutes)
    settings = settings_of(corpus, network)
    directory = runs / f"{corpus}-{network}-{seed}"
    report(NAME, f"{directory}: {updates:,} updates")
    limits = [f"trainer.max_updates={updates}", "trainer.max_minutes=0", f"trainer.validate_every={-(-updates // 8)}"]
    _nmt_train([*settings, *limits, "trainer.threads=1", f"seed={seed}", "corpus.test=", f"run_dir={directory}"])
    row = {"kind": "row", "corpus": corpus, "network": network, "seed": seed, "updates": updates}
    row |= {"minutes": minutes, "settings": settings}
    row["parameters"] = parameters(configuration(compose(settings)))
    keep(kept, row | evaluate(configured(corpus, network), directory / "best"))


def evaluate(config: TrainConfig, bundle: Path) -> dict[str, Any]:
    """Score the test text: BLEU and chrF2 with signatures, BLEU of each third by source length, sentences a second.

    The machine is the training's, which says whether it was in bf16.
    """
    corpus = config.corpus
    precision = read_description(bundle).metadata["precision"]
    source, reference = (Path(f"{corpus.test}.{language}") for language in (corpus.source, corpus.target))
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "output"
        words = [bundle, "--source", source, "--reference", reference, "--output", output, "--format", "json"]
        command = [sys.executable, "-m", "nmt.cli.evaluate", *map(str, words), "--threads", "1", "--quiet"]
        printed = json.loads(_run(command))
        hypotheses = list(read_lines(output))
    sources, references = list(read_lines(source)), list(read_lines(reference))
    by_length = thirds(sources, hypotheses, references, language=corpus.target, characters=corpus.source == "zh")
    machine = this_machine() | {"threads": 1, "bf16": precision == "bf16"}
    return {"machine": machine, "scores": printed["scores"], **by_length, "speed": printed.get("speed")}


def thirds(
    sources: Sequence[str],
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    language: str,
    characters: bool = False,
) -> dict[str, Any]:
    """Compute BLEU of the shortest, the middle and the longest third of the sources, by words or characters."""
    lengths = [len(line) if characters else len(line.split()) for line in sources]
    limits = statistics.quantiles(lengths, n=3)
    scores = []
    for low, high in zip([-1, *limits], [*limits, max(lengths)], strict=True):
        lines = [i for i, length in enumerate(lengths) if low < length <= high]
        texts = ([side[i] for i in lines] for side in (hypotheses, references))
        [score] = corpus_scores(*texts, metrics=("bleu",), language=language)
        scores.append(round(score.value, 2))
    return {"bleu_by_length": scores, "limits": limits}


def entries(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Turn rows into entries of the recorded runs, a network's seeds together."""
    for corpus in CORPORA:
        for network in NETWORKS:
            mine = [row for row in rows if (row["kind"], row["corpus"], row["network"]) == ("row", corpus, network)]
            cost = find(rows, kind="cost", corpus=corpus, network=network)
            if mine and cost:
                yield from _entries(corpus, network, mine, cost)


def _entries(
    corpus: str, network: str, rows: Sequence[Mapping[str, Any]], cost: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    bleus = [next(score for score in row["scores"] if score["name"] == "BLEU") for row in rows]
    values: dict[str, tuple[str, list[float]]] = {"BLEU": ("BLEU", [round(score["value"], 2) for score in bleus])}
    for i, third in enumerate(("short", "middle", "long")):
        values[f"BLEU {third}"] = "BLEU", [row["bleu_by_length"][i] for row in rows]
    values["parameters"] = "parameters", [rows[0]["parameters"]]
    values["updates"] = "updates", [rows[0]["updates"]]
    values["cost"] = "", [cost["cost"]]
    for metric, (unit, numbers) in values.items():
        yield {
            "id": f"cells-{corpus}-{network}/{metric.lower().replace(' ', '-').replace('/s', '-per-second')}",
            **{"table": f"cells/{corpus}", "row": network, "metric": metric, "value": numbers, "unit": unit},
            "signature": bleus[0]["signature"] if unit == "BLEU" else None,
            "seeds": [row["seed"] for row in rows],
            "commit": None,
            "machine": rows[0]["machine"],
            "configuration": rows[0]["settings"],
            **{"corpus": None, "command": None, "reads": None, "tolerance": None},
        }


def _nmt_train(settings: Sequence[str]) -> None:
    _run([sys.executable, "-m", "nmt.cli.train", *settings, "trainer.progress=false"])


def _run(command: Sequence[str]) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RunError(f"{' '.join(command[2:])} ended with {finished.returncode}: {finished.stderr[-500:].strip()}")
    return finished.stdout


if __name__ == "__main__":
    sys.exit(main())
