"""The commands of pages run, and the blocks of docs/python.md print what they say.

A command that needs a network, a GPU or hours is parsed alone. Trainings are shortened, and texts are those of `room`.
"""

import contextlib
import gzip
import importlib.util
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nmt
from nmt.cli.main import main

from .pages import NMT, PAGES, ROOT, blocks, check, command_lines

# What is at other people's, or takes hours: such commands are parsed alone.
NOT_HERE = re.compile(r"\bexperiment=(?!mine)|corpora/|multi30k|\b3am\b|\bdiversify\b|\blab gradients runs/gradients")
SHORT = ["trainer.max_updates=2", "trainer.validate_every=2", "trainer.batch_tokens=400", "trainer.threads=1"]
SHORT += ["trainer.precision=fp32", "search.max_length_ratio=0.5"]
SMALL = ["model.embedding_size=16", "model.encoder_hidden_size=16", "model.decoder_hidden_size=32"]
SMALL += ["model.attentional_size=0", "subwords.vocabulary_size=160"]
PAIRS = {"es-gn": (0, 120), "es-shp": (120, 200), "es-cni": (200, 240)}


@pytest.fixture(scope="module")
def tiny_runs(tmp_path_factory):
    """Runs of two updates, one for each direction and one that classifies, in a directory with the texts of pages."""
    directory = tmp_path_factory.mktemp("pages")
    demo = ROOT / "corpora" / "demo"
    (directory / "data").mkdir()
    for side in ("en", "de"):
        lines = (demo / f"train.{side}").read_text(encoding="utf-8").splitlines(keepends=True)
        cuts = {"data/train": (0, 240), "data/valid": (240, 260), "data/test": (260, 280), "data/subtitles": (280, 400)}
        for pair, own in PAIRS.items():  # what pages have of other languages is in these two
            (directory / "data" / pair).mkdir(exist_ok=True)
            end = dict(zip(("en", "de"), pair.split("-"), strict=True))[side]
            for name, (start, stop) in {"train": own, "valid": (240, 250)}.items():
                text = "".join(lines[start:stop])
                (directory / "data" / pair / f"{name}.{end}").write_text(text, encoding="utf-8", newline="\n")
        if side == "en":
            (directory / "input.es").write_text("".join(lines[:12]), encoding="utf-8", newline="\n")
        cuts |= {"all": (400, 1700), "input": (0, 12), "letters": (0, 12), "big": (0, 80), "mono": (300, 330)}
        for name, (start, end) in cuts.items():
            (directory / f"{name}.{side}").write_text("".join(lines[start:end]), encoding="utf-8", newline="\n")
    for task, end in (("classification", "tsv"), ("labelling", "conll")):
        text = (ROOT / "corpora" / f"demo_{task}" / f"train.{end}").read_text(encoding="utf-8")
        few = text[: text.index("\n\n", 2000) + 2] if end == "conll" else text
        (directory / "data" / f"train.{end}").write_text(few, encoding="utf-8", newline="\n")
    with gzip.open(directory / "mono.de.gz", "wb") as file:
        file.write((directory / "mono.de").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("NMT_CACHE", str(directory / "cache"))
        texts = ["corpus.train=data/train", "corpus.valid=data/valid"]
        for source, target in (("en", "de"), ("de", "en")):
            sides = [f"name={source}_{target}", f"corpus.source={source}", f"corpus.target={target}"]
            assert main(["train", *texts, *sides, *SHORT, *SMALL]) == 0
        pairs = ["name=americas", f"corpus.pairs=[{','.join(PAIRS)}]"]
        assert main(["train", *texts, *pairs, *SHORT, *SMALL]) == 0
        texts = ["corpus.train=data/train.en", "corpus.valid=data/valid.en", "corpus.target=en"]
        assert main(["train", "task=generation", "name=language_model", *texts, *SHORT, *SMALL]) == 0
        assert main(["train", "experiment=demo_classification", *SHORT]) == 0
    return directory


@pytest.fixture
def room(tiny_runs, demo_bundle, tmp_path, monkeypatch):
    """A directory with the texts that pages name and the demo's bundle, in which a page's commands are run."""
    shutil.copytree(tiny_runs, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "runs")
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    shutil.copytree(demo_bundle, tmp_path / "runs" / "demo" / "best")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "cache"))
    return tmp_path


def provide(words, tiny_runs):
    """Put a tiny run where a command looks for a run that the reader has."""
    named = re.findall(r"(?<!\S)(?:init_from=)?runs/(\w+)(?:/best)?(?!\S)", " ".join(words))
    for name in named + ["mine"] * ("runs" in words[2:]):
        if not Path("runs", name).exists():
            tiny = "language_model" if name.endswith("_generation") else "en_de"
            own = name if name in ("de_en", "demo_classification", "americas") else tiny
            shutil.copytree(tiny_runs / "runs" / own, Path("runs", name))


def run_nmt(words, given):
    """Run a command of nmt in this process, and return what it wrote."""
    Path("stdin").write_bytes(given)
    with (
        open("stdin", encoding="utf-8") as stdin,
        open("stdout", "w", encoding="utf-8") as stdout,
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(stdout),
    ):
        patch.setattr(sys, "stdin", stdin)
        assert main(words) == 0
    return Path("stdout").read_bytes()


def run_program(words, given):
    if words[0] not in ("nmt", *NMT):
        return subprocess.run(words, input=given, capture_output=True, check=True, timeout=60).stdout
    words = [*NMT.get(words[0], []), *words[1:]]
    words = words[1:] if words[0] == "nmt" else words
    if "--verify" in words and "--source" not in words:
        # The commands that this starts do so without PyTorch.
        run_nmt(["export", words[1], "--precision", "int8", "--quiet"], b"")
        words = [*words, "--source", "input.en", "--variant", "int8"]
    if words[0] != "train" or {"--help", "--cfg"} & set(words):
        return run_nmt(words, given)
    small = [] if any(word.startswith("init_from=") for word in words) else SMALL
    return run_nmt([*words, *SHORT, *small], given)


def run_pipeline(words):
    """Run what a shell would: programs with pipes and redirections."""
    given = b""
    for part in " \0".join(words).split(" \0|"):
        own = [word for word in part.replace(" \0", "\0").split("\0") if word]
        if "<" in own:
            given = Path(own.pop(own.index("<") + 1)).read_bytes()
            own.remove("<")
        output = own.pop(own.index(">") + 1) if ">" in own else None
        given = run_program([word for word in own if word != ">"], given)
        if output:
            Path(output).write_bytes(given)
            assert given, f"{output} is empty"


@contextlib.contextmanager
def new_directory(words):
    """Give nmt corpus split a new directory; what was there besides its files is there afterwards too."""
    output = Path(words[words.index("--output") + 1]) if words[1:3] == ["corpus", "split"] else None
    before = Path("before")
    if output and output.exists():
        output.rename(before)
    yield
    if before.exists():
        for path in before.iterdir():
            if not (output / path.name).exists():
                path.rename(output / path.name)
        shutil.rmtree(before)


def can_run(words):
    if words[0] in ("make", "pip", "torchrun", "python") or re.match("[A-Z_]+=", words[0]):
        return False
    if words[1:3] == ["runs", "plot"]:
        return importlib.util.find_spec("matplotlib") is not None
    line = " ".join(words)
    return not NOT_HERE.search(line) and ("corpus fetch" not in line or "--list" in words)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh")])
def test_the_commands_of_a_page_work(page, room, tiny_runs):
    for block in blocks(page, "sh", "yaml"):
        if block.language == "yaml":
            Path("settings/experiment").mkdir(parents=True)
            Path("settings/experiment/mine.yaml").write_text(block.text, encoding="utf-8")
            continue
        for number, words in command_lines(block):
            try:
                if can_run(words):
                    provide(words, tiny_runs)
                    with new_directory(words):
                        run_pipeline(words)
                else:
                    check(words)
            except pytest.skip.Exception:
                continue
            except (Exception, AssertionError, SystemExit) as error:
                raise AssertionError(f"{page}:{number}: {shlex.join(words)}: {error}") from error


def test_the_blocks_for_python_print_what_they_say(room, monkeypatch):
    train = nmt.train

    def train_shortly(config):
        for setting in (*SHORT, *SMALL):
            key, _, value = setting.partition("=")
            group, _, name = key.partition(".")
            if name != "precision":
                part = getattr(config, group)
                setattr(part, name, type(getattr(part, name))(value))
        return train(config)

    monkeypatch.setattr(nmt, "train", train_shortly)
    names = {}
    for block in blocks("docs/python.md", "python"):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * (block.line - 1) + block.text, "docs/python.md", "exec"), names)
        for expected in re.findall(r"^ *print\(.*\)  # (.+)$", block.text, re.MULTILINE):
            # What one model says, another need not.
            as_said = "" if expected.startswith("such as ") else expected
            assert printed.getvalue().strip(), f"docs/python.md:{block.line}"
            assert as_said in printed.getvalue(), f"docs/python.md:{block.line}"
    assert os.path.isdir("runs/mine/best")
