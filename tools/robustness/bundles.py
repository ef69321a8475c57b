"""Cases of damaged bundles and runs: each command where a file or two are not as they were written."""

from __future__ import annotations

from collections.abc import Sequence

from robustness.cases import BUNDLE, MODEL, Case, generator
from robustness.damages import draw_damages
from robustness.models import VARIANTS, Model, training_words

KIND = "bundles"
_TEXT = b"A dog runs.\n\nThe small pigs want to fall asleep.\n"
_USES = (
    (6, "translate"),
    (4, "translate fp32"),
    (1, "translate bf16"),
    (4, "translate int8"),
    (1, "translate workers"),
    (2, "evaluate"),
    (2, "export int8"),
    (2, "export fp32"),
    (2, "export shortlist"),
    (3, "train"),
    (2, "train on"),
)
# Of a run, as paths from its bundle: what the same command goes on from.
_RUN_FILES = ("../state.pt", "../config.yaml", "../metrics.jsonl", "../train.log", "../last/config.json")


def make(seed: int, number: int, models: Sequence[Model]) -> Case:
    """Make a case."""
    draw = generator(seed, KIND, number)
    model = draw.choice(models)
    uses = {use: weight for weight, use in _USES if use != "train on" or model.can_go_on}
    (use,) = draw.choices(list(uses), list(uses.values()))
    command, _, way = use.partition(" ")
    parts = draw_damages(draw, _RUN_FILES if way == "on" else model.files)
    words: tuple[str, ...] = (BUNDLE,)
    if command == "translate":
        words += ("--workers", "2") if way == "workers" else ("--precision", way) if way else ()
        words += draw.choice(((), (), ("--beam-size", "1"), ("--format", "jsonl"), ("--scores",)))
    elif command == "evaluate":
        words += ("--source", "test.en", "--reference", "test.de", *draw.choice(((), ("--precision", "fp32"))))
    elif command == "export":
        shortlist = ("--shortlist", "5", *draw.choice(((), ("--train", "train"))))
        words += ("--precision", "int8", *shortlist) if way == "shortlist" else ("--precision", way)
    elif way == "on":
        words = (*training_words(), *VARIANTS.get(model.name, ((), ()))[0], f"run_dir={MODEL}")
        words += draw.choice(((), (), (), ("trainer.max_updates=3",), ("trainer.overwrite=true",)))
    else:
        words = (*training_words(), f"init_from={BUNDLE}")
        if draw.random() < 0.3:
            words = (*training_words(), f"subwords.model={BUNDLE}/{draw.choice(model.files)}")
    return Case(
        kind=KIND,
        number=number,
        command=f"nmt-{command}",
        words=words,
        parts=parts,
        text=_TEXT if command == "translate" else b"",
        model=model.name,
        other=draw.choice(models).name,
        whole_run=way == "on",
    )
