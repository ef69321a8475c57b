"""``nmt lab``: what shows a model at work."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nmt.cli.common import EXIT_CODES, Parser, report, run, standard_output
from nmt.errors import ConfigError, require

GRADIENTS = "nmt lab gradients"
_PICTURES = (".png", ".svg", ".pdf")

_GRADIENTS = """\
Draw how far the gradient of recurrent cells reaches, and what they can remember.

Small models are trained on tasks that need memory over N positions. copy repeats symbols after N blanks, adding adds
two marked ones of N numbers (Hochreiter & Schmidhuber 1997). The norm of the gradient is measured at every distance,
before and after training, with and without clipping. The gradient is that of the whole state: (h, c) of an LSTM.

Each trial is a file in OUT_DIR. The command can be stopped at any time: the same command goes on where it stopped, and
further cells, distances or seeds add to what is there. The table goes to standard output. The picture needs matplotlib
(pip install matplotlib); without it the table comes all the same."""

_GRADIENTS_EXAMPLES = f"""\
examples:
  nmt lab gradients runs/gradients --cells rnn lstm --distances 10 25 --updates 200
  nmt lab gradients runs/gradients-at-first --updates 0 --initialization symmetric_uniform --distances 400
  nmt lab gradients runs/all-cells --cells rnn lstm lstm_peephole gru gru_original ssru --format json

{EXIT_CODES}"""


def gradients(argv: Sequence[str] | None = None) -> int:
    """Run ``nmt lab gradients`` and return its exit code."""
    return run(lambda: _gradients(_parse_gradients(argv)), GRADIENTS)


def _parse_gradients(argv: Sequence[str] | None) -> argparse.Namespace:
    from nmt.config.choices import Cell
    from nmt.lab.gradients.options import TASK_NAMES

    cells = [word.value for word in Cell]
    parser = Parser(GRADIENTS, description=_GRADIENTS, epilog=_GRADIENTS_EXAMPLES)
    parser.add_argument("directory", type=Path, metavar="OUT_DIR", help="has a file for each trial; made if need be")
    group = parser.add_argument_group("what is compared", "each combination is a trial")
    group.add_argument("--task", nargs="+", choices=TASK_NAMES, default=list(TASK_NAMES), help="(default: both)")
    group.add_argument(
        "--cells", nargs="+", choices=cells, default=["rnn", "lstm", "gru"], help="(default: rnn lstm gru)"
    )
    group.add_argument(
        "--distances",
        nargs="+",
        type=int,
        metavar="N",
        default=[10, 25, 50, 100, 200, 400],
        help="how far memory must reach (default: 10 25 50 100 200 400)",
    )
    group.add_argument("--seeds", nargs="+", type=int, metavar="N", default=[1, 2], help="(default: 1 2)")
    group.add_argument(
        "--clip-norms",
        nargs="+",
        type=float,
        metavar="X",
        default=[0.0, 1.0],
        help="largest norms of the gradient; 0: no clipping (default: 0 1)",
    )
    _add_training(parser)
    group = parser.add_argument_group("output")
    group.add_argument("--format", choices=("text", "json"), default="text", help="of the table (default: text)")
    group.add_argument(
        "--picture", type=Path, metavar="FILE", help=".png, .svg or .pdf (default: gradients.png in OUT_DIR)"
    )
    group.add_argument(
        "--curves-at", type=int, metavar="N", help="the distance whose norms are drawn (default: the largest)"
    )
    arguments = parser.parse_args(argv)
    _check(arguments)
    return arguments


def _add_training(parser: argparse.ArgumentParser) -> None:
    """Add an option for every field of TrialOptions."""
    from nmt.lab.gradients.options import INITIALIZATIONS, TrialOptions

    lines = {
        "updates": "the most of a trial; 0: only measure first weights",
        "hidden_size": "units of the state",
        "batch_size": "sequences of an update",
        "learning_rate": "of AdamW",
        "initialization": "how first weights are drawn",
        "init_scale": "of symmetric_uniform and truncated_normal",
        "forget_bias": "first bias of forget gates",
        "threads": "CPU threads",
    }
    group = parser.add_argument_group("training", "all trials of a directory share these")
    for name, default in vars(TrialOptions()).items():
        kind: dict[str, Any] = {"type": type(default), "metavar": "X" if isinstance(default, float) else "N"}
        if isinstance(default, str):
            kind = {"choices": INITIALIZATIONS}
        text = f"{lines[name]} (default: {default})"
        group.add_argument(f"--{name.replace('_', '-')}", default=default, help=text, **kind)


def _check(arguments: argparse.Namespace) -> None:
    """Raise ConfigError where an option has an impossible value."""
    from nmt.config.train import MOST_THREADS

    least = 4 if "adding" in arguments.task else 1
    most = 10_000
    for distance in arguments.distances:
        why = f"{least} to {most}" + (", since adding marks two numbers of the first half" if least > 1 else "")
        require(least <= distance <= most, "--distances", distance, why)
    for seed in arguments.seeds:
        require(0 <= seed < 2**32, "--seeds", seed, "0 to 4294967295")
    for clip in arguments.clip_norms:
        require(0 <= clip < math.inf, "--clip-norms", clip, "0 (no clipping) or more")
    for name, least, most in (
        ("updates", 0, 10**9),
        ("hidden_size", 1, 8192),
        ("batch_size", 1, 100_000),
        ("threads", 1, MOST_THREADS),
    ):
        value = getattr(arguments, name)
        require(least <= value <= most, f"--{name.replace('_', '-')}", value, f"{least} to {most}")
    require(0 < arguments.learning_rate < 1000, "--learning-rate", arguments.learning_rate, "above 0 and below 1000")
    require(0 < arguments.init_scale < 1000, "--init-scale", arguments.init_scale, "above 0 and below 1000")
    require(-1000 < arguments.forget_bias < 1000, "--forget-bias", arguments.forget_bias, "above -1000 and below 1000")
    if arguments.curves_at is not None and arguments.curves_at not in arguments.distances:
        raise ConfigError(f"--curves-at {arguments.curves_at} must be one of --distances")
    if arguments.picture:
        if arguments.picture.suffix.lower() not in _PICTURES:
            raise ConfigError(f"--picture {arguments.picture}: its name must end in .png, .svg or .pdf")
        if not arguments.picture.parent.is_dir():
            parent = arguments.picture.parent
            raise ConfigError(f"--picture {arguments.picture}: there is no directory {parent}; make it first")


def _gradients(arguments: argparse.Namespace) -> None:
    """Run what is missing, print the table and draw the picture.

    Raises:
        ConfigError: a trial's file does not fit, or a picture is asked for and matplotlib is not installed.
        RunError: a file cannot be written.
    """
    from nmt.lab.gradients.experiment import run_trials, trials_of
    from nmt.lab.gradients.options import TrialOptions
    from nmt.lab.gradients.picture import draw, require_matplotlib
    from nmt.lab.gradients.summary import as_json, as_text, grouped
    from nmt.machine import set_threads

    if arguments.picture:  # that it cannot be drawn is not told after hours
        require_matplotlib()
    options = TrialOptions(**{field.name: getattr(arguments, field.name) for field in dataclasses.fields(TrialOptions)})
    # What clips no gradient needs no second training.
    clips = arguments.clip_norms if options.updates else arguments.clip_norms[:1]
    trials = trials_of(arguments.task, arguments.cells, arguments.distances, arguments.seeds, clips)
    set_threads(options.threads)
    records = run_trials(arguments.directory, trials, options, report=lambda line: report(GRADIENTS, line))
    groups = grouped(records)
    text = as_json(groups) if arguments.format == "json" else as_text(groups)
    out = standard_output()
    out.write(text.encode("utf-8"))
    out.flush()
    picture = arguments.picture or arguments.directory / "gradients.png"
    try:
        draw(groups, picture, distance=arguments.curves_at or max(arguments.distances))
    except ConfigError as error:
        if arguments.picture:
            raise
        report(GRADIENTS, f"no picture was drawn: {error}")
