"""What the pages show: their fenced blocks and code spans, and a check of each command, option, key and file."""

import argparse
import contextlib
import functools
import importlib.util
import io
import re
import shlex
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
