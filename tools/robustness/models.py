"""Small models to try the commands on, trained in seconds on the embedded corpus, and the texts beside them."""

from __future__ import annotations

import importlib.resources
import shutil
from dataclasses import dataclass
from pathlib import Path

from nmt.errors import RunError
from robustness.launch import Commands, launch
from robustness.watch import Limits

_PAIRS, _TEST_PAIRS = 300, 10
VARIANTS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]] = {
    "usual": ((), (("--precision", "int8"), ("--precision", "fp32"))),
    "shortlist": (
        ("model.encoder_layers=2", "search.beam_size=2"),
        (("--precision", "int8", "--shortlist", "10"), ("--precision", "fp32", "--shortlist", "10")),
    ),
    "separate": (
        ("subwords.joint=false", "model.tying=target", "model.cell=gru", "model.attention=additive"),
        (("--precision", "int8"),),
    ),
    "bytes": (
        (
            *(
                "subwords.kind=bpe",
                "subwords.byte_fallback=true",
                "subwords.vocabulary_size=420",
                "model.attention=dot",
            ),
            *("model.input_feeding=true", "model.decoder_layers=2", "model.lexicon_size=0", "model.tying=none"),
        ),
        (("--precision", "fp32"), ("--precision", "int8")),
    ),
    "plain": (("search.no_repeat_ngram=3", "subwords.normalization=nfc"), ()),
}
"""Name of a model → the settings in which it differs from the others, and what is exported into it."""


@dataclass(frozen=True)
class Model:
    """A model, as a run left it."""

    name: str
    run: Path
    """directory of the run, the bundle in best/"""
    files: tuple[str, ...]
    """names of the files of the bundle, of which none is for people alone"""
    can_go_on: bool = False
    """whether the state of its training is there"""


def training_words() -> tuple[str, ...]:
    """Return the settings of a training that takes a second, in the directory of `write_texts`."""
    return (
        *("corpus.train=train", "corpus.valid=test", "corpus.source=en", "corpus.target=de", "corpus.cache_dir=cache"),
        *("subwords.vocabulary_size=160", "model=tiny", "model.embedding_size=16", "model.encoder_hidden_size=16"),
        *(
            "model.decoder_hidden_size=32",
            "model.attention_size=16",
            "model.attentional_size=24",
            "model.lexicon_size=3",
        ),
        *("trainer.batch_tokens=400", "trainer.threads=1", "trainer.precision=fp32", "run_dir=run"),
        "trainer.max_updates=2",
    )


def write_texts(directory: Path) -> None:
    """Write a training and a test text into a directory: train.en, train.de, test.en, test.de."""
    corpus = importlib.resources.files("nmt.corpora") / "demo"
    for side in ("en", "de"):
        lines = (corpus / f"train.{side}").read_text(encoding="utf-8").splitlines(keepends=True)
        for name, part in (("train", lines[:_PAIRS]), ("test", lines[_PAIRS : _PAIRS + _TEST_PAIRS])):
            (directory / f"{name}.{side}").write_text("".join(part), encoding="utf-8", newline="\n")


def make_model(commands: Commands, directory: Path, name: str) -> Model:
    """Train one of VARIANTS in a directory of its own below this one, and export it.

    Raises:
        RunError: a command failed.
    """
    changes, exports = VARIANTS[name]
    own = directory / name
    own.mkdir()
    write_texts(own)
    _do(commands, own, "nmt-train", *training_words(), *changes)
    for words in exports:
        _do(commands, own, "nmt-export", "run/best", *words)
    return describe(name, own / "run")


def take_bundle(path: Path, directory: Path) -> Model:
    """Copy a bundle that is there already."""
    shutil.copytree(path, directory / "given" / "best")
    return describe("given", directory / "given")


def describe(name: str, run: Path) -> Model:
    """List what a model consists of."""
    bundle = run / "best"
    found = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
    files = tuple(each for each in found if not each.endswith(".md"))
    return Model(name, run, files, can_go_on=(run / "state.pt").exists())


def _do(commands: Commands, directory: Path, command: str, *words: str) -> None:
    outcome = launch(commands, command, words, directory=directory, limits=Limits(seconds=300))
    if outcome.code:
        said = outcome.err.decode("utf-8", "replace").strip().splitlines()
        raise RunError(f"{command} {' '.join(words)} failed with exit code {outcome.code}: {said[-1] if said else ''}")
