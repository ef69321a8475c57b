"""The pages: their commands run, their options, keys, files and links exist, and the blocks of docs/python.md print
what they say.

A command that needs a network, a GPU or hours is parsed alone. Trainings are shortened, and texts are those of `room`.
"""

import argparse
import contextlib
import functools
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
from typing import NamedTuple

import pytest

import nmt
from nmt.cli.hydra.compose import compose
from nmt.cli.hydra.keys import GROUPS, choices, known_keys
from nmt.cli.main import COMMANDS, main

ROOT = Path(nmt.__file__).parent.parent
PAGES = ["README.md", "CONTRIBUTING.md", "corpora/demo/README.md"]
# The notes of past runs have the commands of their time.
PAGES += sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md") if path.name != "RESULTS.md")
NMT = {"nmt-train": ["train"], "nmt-translate": ["translate"], "nmt-evaluate": ["evaluate"], "nmt-export": ["export"]}
PROGRAMS = ("nmt", *NMT, "make", "pip", "torchrun", "python")
# What is at other people's, or takes hours: such commands are parsed alone.
NOT_HERE = re.compile(r"\bexperiment=(?!mine)|corpora/|multi30k|\b3am\b|\bdiversify\b|\blab gradients runs/gradients")
SHORT = ["trainer.max_updates=2", "trainer.validate_every=2", "trainer.batch_tokens=400", "trainer.threads=1"]
SHORT += ["trainer.precision=fp32", "search.max_length_ratio=0.5"]
SMALL = ["model.embedding_size=16", "model.encoder_hidden_size=16", "model.decoder_hidden_size=32"]
SMALL += ["model.attentional_size=0", "subwords.vocabulary_size=160"]
PAIRS = {"es-gn": (0, 120), "es-shp": (120, 200), "es-cni": (200, 240)}
SETTING = re.compile(r"[a-z_]+(\.[a-z0-9_]+)?=.*")
FOLDERS = ("docs/", "tools/", "tests/", "nmt/", "conf/")


class Block(NamedTuple):
    language: str
    line: int
    text: str


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page, *languages):
    """The fenced blocks of a page, those in lists too."""
    found = []
    for match in re.finditer(r"^( *)```(\w+)\n(.*?)^\1```$", read(page), re.MULTILINE | re.DOTALL):
        text = re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE)
        found.append(Block(match[2], read(page)[: match.start()].count("\n") + 2, text))
    return [block for block in found if block.language in languages]


def command_lines(block):
    """The commands of a shell block: each with its line, and cut into words at spaces and at | < >."""
    number = block.line
    for line in re.split(r"(?<!\\)\n", block.text):
        lexer = shlex.shlex(line.replace("\\\n", " "), posix=True, punctuation_chars="|<>")
        lexer.whitespace_split, lexer.commenters = True, "#"
        if words := list(lexer):
            yield number, words
        number += line.count("\n") + 1


def spans(page):
    """What stands in backquotes outside the blocks."""
    text = re.sub(r"^( *)```.*?^\1```$", "", read(page), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


def test_blocks_say_what_they_are():
    for page in PAGES:
        fences = re.findall(r"^ *```(\w*)$", read(page), re.MULTILINE)
        assert set(fences[::2]) <= {"sh", "python", "yaml", "text"}, page
        assert set(fences[1::2]) <= {""}, page
        assert not re.search(r"\n\n    \S", read(page)), f"{page}: a block without its language"


# Parsing


class ParsedError(BaseException):
    """A command line is right; past every handler of errors."""


def parse(call, words):
    """Let a command parse its words, and no more."""
    with pytest.MonkeyPatch.context() as patch:
        original = argparse.ArgumentParser.parse_args

        def parse_args(parser, *arguments, **options):
            original(parser, *arguments, **options)
            raise ParsedError

        patch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
        errors = io.StringIO()
        patch.setattr(sys, "stderr", errors)
        with contextlib.suppress(ParsedError):
            raise AssertionError(f"exit code {call(words)}: {errors.getvalue()}")


def plain_settings(words):
    """Look up keys and choices; return the settings whose values are no placeholders, for Hydra to check."""
    for word in words:
        key, _, value = word.partition("=")
        assert key in known_keys() or key in GROUPS, f"unknown key {key}"
        assert key not in GROUPS or value in choices(key), f"there is no {word}"
    return [word for word in words if not re.fullmatch(r"[A-Z]+", word.partition("=")[2])]


def check_settings(*words):
    compose(plain_settings(words))


def check_tool(script, words):
    assert (ROOT / script).is_file(), f"there is no {script}"
    if not script.startswith("tools/"):
        assert all(word in read(script) for word in words if word.startswith("--"))
        return
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        parse(importlib.import_module(Path(script).stem).main, words)
    finally:
        sys.path.remove(str(ROOT / "tools"))


@functools.cache
def pip_help():
    done = subprocess.run([sys.executable, "-m", "pip", "install", "--help"], capture_output=True, text=True)
    return done.stdout


def check_pip(words):
    assert words[0] == "install"
    for word in words[1:]:
        if word.startswith("-"):
            assert re.search(rf"(?<!\S){word}[ ,]", pip_help()), f"pip has no {word}"
        if word.endswith(".txt"):
            assert (ROOT / word).is_file()
        if extra := re.search(r"\[(.+)\]", word):
            assert f"\n{extra[1]} =\n" in read("setup.cfg")


def check(words):
    """Parse a command that is not run here."""
    program, *rest = [word for word in words if not re.match(r"[A-Z_]+=", word) and word != "..."]
    if program == "make":
        assert all(f"\n{target}: " in read("Makefile") for target in rest)
    elif program == "pip":
        check_pip(rest)
    elif program == "torchrun":
        from torch.distributed.run import get_args_parser

        found = get_args_parser().parse_args(rest)
        assert importlib.util.find_spec(found.training_script)
        check_settings(*found.training_script_args)
    elif program == "python":
        check_tool(rest[0], rest[1:])
        check_settings(*[word for word in rest if SETTING.fullmatch(word)])
    elif program == "nmt-train":
        check_settings(*[word for word in rest if SETTING.fullmatch(word)])
        assert all(word in options_of("train") for word in rest if word.startswith("-"))
    else:
        parse(main, [*NMT.get(program, []), *rest])
        check_settings(*[word for word in rest if SETTING.fullmatch(word)])


@functools.cache
def options_of(command):
    """The options that a command's help names."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        assert main([*command.split(), "--help"]) == 0
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", text.getvalue()))


def check_span(span):
    """Look up what a span in backquotes names: a command, options, settings, keys or files; return its settings."""
    words = shlex.split(span) if span.count('"') % 2 == 0 and "'" not in span else span.split()
    program = words[0]
    options = set().union(*(options_of(command.name) for command in COMMANDS))
    if program in PROGRAMS and len(words) > 1:
        if program in ("make", "pip", "python") or any(SETTING.fullmatch(word) for word in words):
            check(words)
            return []
        command = " ".join(NMT.get(program, [])) or " ".join(words[1:3])
        names = [each.name for each in COMMANDS]
        assert words[1].startswith("-") or any(name.startswith(words[1]) for name in names) or program != "nmt"
        options = options_of(command) if command in names else options
    elif all(SETTING.fullmatch(word) for word in words) and "(" not in span:
        return [word for word in plain_settings(words) if word.partition("=")[0] not in GROUPS]
    elif re.fullmatch(rf"({'|'.join(GROUPS)})\.[a-z_]+", span) and not span.endswith((".yaml", ".safetensors")):
        assert span in known_keys(), f"unknown key {span}"
    elif span.startswith(FOLDERS) and " " not in span and "*" not in span and not span.startswith("docs/results/"):
        assert (ROOT / span).exists(), f"there is no {span}"
    if program in (*PROGRAMS, *options) or program.startswith("--"):
        assert all(word in options for word in words if word.startswith("--")), span
    return []


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_exists(page):
    settings = []
    for span in spans(page):
        try:
            settings += check_span(span)
        except pytest.skip.Exception:
            continue
        except (Exception, AssertionError) as error:
            raise AssertionError(f"{page}: `{span}`: {error}") from error
    compose([word for word in settings if not word.startswith(("corpus.weights", "corpus.tags"))])
    for address in re.findall(r"\]\(([^)]+)\)", read(page)):
        file, _, anchor = address.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        if "://" in address:
            continue
        assert target.exists(), f"{page}: {address}"
        titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        anchors = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]
        assert not anchor or anchor in anchors, f"{page}: {address}"


@pytest.mark.parametrize(
    "wrong",
    [
        "nmt-translate --beam-sze 5",
        "nmt-train experiment=dmeo",
        "trainer.max_minute=5",
        "model.dropuot",
        "model=smal",
        "--n-bets",
        "tools/benchmark.py",
        "nmt corpsu fetch",
        "make demos",
        "pip install '.[exprot]'",
        "trainer.max_updates=many",
    ],
)
def test_a_slip_in_a_page_is_noticed(wrong):
    with pytest.raises((Exception, AssertionError)):
        compose(check_span(wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        "nmt-export runs/mine/best --precision int7",
        "nmt augment diversify experiment=multi30k_en_de --shares 0.2",
        "python tools/verify_search.py --limits 3 runs/demo/best corpora/demo/test.en",
        "torchrun --standalone --nproc-for-node 2 -m nmt.cli.train experiment=multi30k_en_de",
        "torchrun --standalone -m nmt.cli.hydra.trainer experiment=multi30k_en_de",
        "nmt-train experiment=multi30k_en_de trainer.thread=2",
    ],
)
def test_a_slip_in_a_command_that_is_not_run_is_noticed(wrong, capsys):
    with pytest.raises((Exception, SystemExit)):
        check(shlex.split(wrong))


# Running


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
