"""Cases of extreme settings: every key of the configuration and every option, one or two at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from random import Random

from nmt.cli.hydra.keys import Leaf, leaves
from nmt.config.search import SearchConfig
from robustness.cases import BUNDLE, Case, Part, generator, words_of
from robustness.models import Model, training_words
from robustness.values import LISTS, MODERATE, NUMBERS, PATHS, SAFE_PATHS, TEXTS, TRUTHS, of_type

KIND = "settings"
_LEAVES = list(leaves())
_WRITES = ("run_dir", "corpus.cache_dir", "name")
_READS = ("init_from", "corpus.train", "corpus.valid", "corpus.test", "subwords.model", "subwords.source_model")
_READS += ("subwords.target_model", "corpus.extra")
_CHOICES = (
    *words_of(
        """
        corpus=demo corpus=custom model=base model=tiny model=x model= subwords=char subwords=bpe
        subwords=unigram optimizer=adamw_open_end trainer=default search=greedy search=beam experiment=x
        experiment=null model=null corpus=null search=[beam,greedy] model=../tiny
        """
    ),
    *("model=\udce9",),
)
# A file of settings has values that no command line has.
_YAML = (
    *words_of(
        """
        nan .nan .inf -.inf 2020-01-01 0o17 0x1f 1_000 1:30 ~ '' 'x' *a off 1e3 1e400 '1' ${seed} ${missing} '
        @x
        """
    ),
    *("|\n  x\n  y", "!!binary aGk=", "!!python/object/apply:os.getcwd []", "!!float 1", "&a 1", "{a: 1}"),
    *("[1, [2]]", "? x", "\udce9", "\x01", "\t1", "9" * 5000, "[" * 5000, "- 1"),
)


def make(seed: int, number: int, models: Sequence[Model]) -> Case:
    """Make a case."""
    draw = generator(seed, KIND, number)
    if draw.random() < 0.35:
        return _of_options(draw, number, draw.choice(models))
    parts = [_setting(draw) for _ in range(draw.choice((1, 1, 2)))]
    ending: tuple[str, ...] = ()
    keys = {part.about for part in parts}
    if "trainer.max_updates" in keys:
        ending = ("trainer.max_minutes=0.03",)
    if "name" in keys:
        ending += ("run_dir=runs/${name}",)
    return Case(
        kind=KIND,
        number=number,
        command="nmt-train",
        words=training_words(),
        parts=tuple(parts),
        ending=ending,
        model=draw.choice(models).name,
        whole_run=True,
    )


def _setting(draw: Random) -> Part:
    if draw.random() < 0.05:
        return Part("group", words=(draw.choice(_CHOICES),))
    leaf = draw.choice(_LEAVES)
    if draw.random() < 0.1 and leaf.key not in _WRITES:
        return _in_a_file(draw, leaf)
    value = draw.choice(_values(draw, leaf))
    return Part(leaf.key, words=(f"{leaf.key}={value}",))


def _values(draw: Random, leaf: Leaf) -> tuple[str, ...]:
    if leaf.key in _WRITES:
        return SAFE_PATHS if draw.random() < 0.5 else tuple(text for text in TEXTS if not text.startswith("/"))
    if leaf.key in _READS and draw.random() < 0.6:
        return tuple(f"[{path}]" for path in PATHS) if leaf.element else PATHS
    if isinstance(leaf.default, Enum) and draw.random() < 0.5:
        return (*type(leaf.default).__members__, *(name.upper() for name in type(leaf.default).__members__))
    if draw.random() < 0.2:
        return draw.choice((NUMBERS, LISTS, TRUTHS, TEXTS))
    if isinstance(leaf.default, (int, float)) and not isinstance(leaf.default, bool) and draw.random() < 0.5:
        return MODERATE
    return of_type(leaf.default, leaf.element)


def _in_a_file(draw: Random, leaf: Leaf) -> Part:
    """Set a key in a file of the user's own."""
    value = draw.choice(_YAML)
    group, _, key = leaf.key.rpartition(".")
    text = f"# @package _global_\n{group}:\n  {key}: {value}\n" if group else f"# @package _global_\n{key}: {value}\n"
    if draw.random() < 0.1:
        text = draw.choice((text.partition("\n")[2], text + text, text + "x", "", "[]", "\ufeff" + text, "x: {", "%"))
    directory = f"conf-{leaf.key}"

    def change(work: Path) -> None:
        path = work / directory / "experiment" / "mine.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="surrogateescape")

    about = f"{leaf.key} in a file, as {value[:60]!a}"
    return Part(about, words=("-cd", directory, "experiment=mine"), change=change)


def _of_options(draw: Random, number: int, model: Model) -> Case:
    """Set options of the other commands."""
    numbers = [f"--{item.name.replace('_', '-')}" for item in dataclasses.fields(SearchConfig)] + ["--threads"]
    others = ["--device", "--precision"]
    command = draw.choice(("nmt-translate", "nmt-translate", "nmt-evaluate", "nmt-export"))
    words: tuple[str, ...] = (BUNDLE,)
    if command == "nmt-translate":
        numbers.append("--n-best")
        others.append("--format")
        words += draw.choice(((), ("--format", "jsonl"), ("--format", "moses"), ("--precision", "fp32")))
    elif command == "nmt-evaluate":
        numbers, others = [*numbers[:3], "--threads"], ["--tokenize", "--output", "--source", "--reference", "--format"]
        words += ("--source", "test.en", "--reference", "test.de")
    else:
        numbers, others = ["--shortlist"], ["--train", "--precision"]
        words += ("--precision", "int8", *draw.choice(((), ("--shortlist", "3"))))
    parts = []
    for _ in range(draw.choice((1, 1, 2))):
        option = draw.choice(numbers if draw.random() < 0.7 else others)
        others_values = (*SAFE_PATHS, *TEXTS)
        values = draw.choice((NUMBERS, NUMBERS, MODERATE, others_values)) if option in numbers else others_values
        value = draw.choice(values)
        parts.append(Part(option, words=draw.choice(((f"{option}={value}",), (option, value)))))
    text = b"A dog runs.\nThe small pigs want to fall asleep.\n\nHe lives in Munich.\n"
    return Case(
        kind=KIND,
        number=number,
        command=command,
        words=words,
        parts=tuple(parts),
        text=text if command == "nmt-translate" else b"",
        model=model.name,
    )
