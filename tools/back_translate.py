r"""Make parallel text from text in the target language alone: back-translation (Sennrich et al. 2016).

A bundle of the opposite direction translates the lines of a file, plain or .gz. PREFIX.TARGET gets those lines as they
are, PREFIX.SOURCE their translations, line by line. The settings that are printed at the end train on both texts, with
a tag that tells the model which sources are synthetic (tagged back-translation, Caswell et al. 2019).

    python tools/back_translate.py runs/de_en/best --input mono.de.gz --output data/back --source en --target de

It can be stopped at any time: the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import filecmp
import hashlib
import itertools
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nmt.cli.common import Parser, report, run, standard_output
from nmt.cli.hydra.overrides import quote_text
from nmt.cli.options import add_machine_options, add_search_options, load_translator, search_config
from nmt.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from nmt.cli.options import Loaded

NAME = "back_translate.py"
TAG = 0
"""Control symbol before synthetic sources in training; text cannot spell it."""


class Files(NamedTuple):
    """What is written; each has a partial one beside it until all is whole."""

    source: Path
    """translations, in the language that the new model will read"""
    target: Path
    """the lines of the input"""
    state: Path
    """while it lasts: from which input the translations are made, and how"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: back_translate(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line and check all that can be checked without the model; raises NmtError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("model", metavar="BUNDLE", help="a bundle that translates TARGET to SOURCE")
    parser.add_argument("--input", required=True, metavar="FILE", help="text in the target language, a sentence a line")
    parser.add_argument("--output", required=True, metavar="PREFIX", help="writes PREFIX.SOURCE and PREFIX.TARGET")
    parser.add_argument("--source", required=True, metavar="LANGUAGE", help="what the new model will read")
    parser.add_argument("--target", required=True, metavar="LANGUAGE", help="what it will write, and FILE is in")
    parser.add_argument("--overwrite", action="store_true", help="replace what another command left at PREFIX")
    add_search_options(parser)
    add_machine_options(parser)
    arguments = parser.parse_args(argv)
    search_config(arguments)
    if arguments.source == arguments.target:
        raise ConfigError(f"--source and --target are both {arguments.source}: they must name two languages")
    files = files_of(arguments)
    if not files.source.parent.is_dir():
        raise ConfigError(f"--output {arguments.output}: there is no directory {files.source.parent}; make it first")
    if not Path(arguments.input).is_file():
        raise CorpusError(f"--input {arguments.input}: there is no such file; check the path")
    if files.source.exists():
        if files.source.samefile(arguments.input):
            raise ConfigError(f"--input {arguments.input} is where the translations go; check --source and --target")
        if not arguments.overwrite:
            raise ConfigError(f"{files.source} exists already; choose another --output, or add --overwrite")
    return arguments


def files_of(arguments: argparse.Namespace) -> Files:
    """Name the files after PREFIX and the languages."""
    return Files(*(Path(f"{arguments.output}.{end}") for end in (arguments.source, arguments.target, "state.json")))


def back_translate(arguments: argparse.Namespace) -> None:
    """Translate the input, write both sides and print the settings that train on them.

    Raises:
        NmtError: an option, the model or the input is not what it should be.
        OSError: a file cannot be written.
    """
    files = files_of(arguments)
    check_languages(arguments)
    loaded = load_translator(arguments, arguments.model)
    with claimed(files):
        total, digest = copy_input(Path(arguments.input), partial(files.target))
        check_target(arguments, files)
        done = resume(arguments, files, {"input": digest, **how(arguments, loaded)})
        if done:
            report(NAME, f"going on after line {done:,} of {total:,}")
        try:
            translate(loaded, files, done=done, total=total)
        except KeyboardInterrupt:
            report(NAME, "stopped; the same command goes on from here")
            raise
        publish(arguments, files)
    out = standard_output()
    out.write(f"{training_settings(arguments.output)}\n".encode())
    out.flush()


def check_languages(arguments: argparse.Namespace) -> None:
    """Make sure that the bundle translates from the target language to the source language; raises ConfigError."""
    from nmt.bundle.description import read_description, read_whole

    said = read_whole(Path(arguments.model), read_description)
    has, wanted = (said.source_language, said.target_language), (arguments.target, arguments.source)
    if has == wanted:
        return
    hint = "name a bundle of that direction, or correct --source and --target"
    if has == wanted[::-1]:
        hint = "back-translation needs a model of the opposite direction: train one with the languages exchanged"
    raise ConfigError(f"{arguments.model} translates {' → '.join(has)}, not {' → '.join(wanted)}; {hint}")


@contextlib.contextmanager
def claimed(files: Files) -> Iterator[None]:
    """Keep a second command off the same files; raises ConfigError."""
    import filelock

    path = files.state.with_suffix(".lock")
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ConfigError(
            f"{files.source} is being made by another command; wait, or choose another --output"
        ) from None
    try:
        yield
    finally:
        lock.release()
        path.unlink(missing_ok=True)


def copy_input(source: Path, copy: Path) -> tuple[int, str]:
    r"""Copy the input, unpacked and with "\n" as its line ends; return how many lines it has, and their SHA-256.

    Every start does so: a line that is not UTF-8 is found before hours of translation, not after.

    Raises:
        CorpusError: the input cannot be read, is not UTF-8, is damaged or empty.
    """
    from nmt.corpus.reader import read_lines

    total, digest = 0, hashlib.sha256()
    with open(copy, "wb") as file:
        for line in read_lines(source):
            encoded = f"{line}\n".encode()
            file.write(encoded)
            digest.update(encoded)
            total += 1
        file.flush()
        os.fsync(file.fileno())
    if not total:
        copy.unlink()
        raise CorpusError(f"--input {source} is empty; name a text with a sentence a line")
    return total, digest.hexdigest()


def check_target(arguments: argparse.Namespace, files: Files) -> None:
    """Refuse to replace a file that is neither the input itself nor equal to it; raises ConfigError."""
    if arguments.overwrite or not files.target.exists() or files.target.samefile(arguments.input):
        return
    if not filecmp.cmp(files.target, partial(files.target), shallow=False):
        partial(files.target).unlink()
        raise ConfigError(
            f"{files.target} exists already and is not --input {arguments.input}; choose another --output, "
            "or add --overwrite"
        )


def how(arguments: argparse.Namespace, loaded: Loaded) -> dict[str, Any]:
    """Describe what translations depend on besides the input: the model and the search."""
    digest = hashlib.sha256()
    for path in sorted(Path(arguments.model).rglob("*")):
        if path.suffix in (".safetensors", ".model", ".onnx", ".npz"):
            digest.update(path.read_bytes())
    search = {key: str(value) for key, value in dataclasses.asdict(loaded.translator.search).items()}
    del search["batch_size"]
    return {"model": digest.hexdigest(), "precision": loaded.bundle.precision, "search": search}


def resume(arguments: argparse.Namespace, files: Files, state: dict[str, Any]) -> int:
    """Return how many whole lines an interrupted command has translated; what follows the last of them is cut off.

    Raises:
        ConfigError: it translated another input, with another model or another search.
    """
    translations = partial(files.source)
    before: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        before = json.loads(files.state.read_text(encoding="utf-8"))
    changed = [key for key in state if before.get(key) != state[key]]
    if translations.exists() and not changed:
        return whole_lines(translations)
    if translations.exists() and before and not arguments.overwrite:
        raise ConfigError(
            f"{translations} was made with another {' and '.join(changed)}; give the same to go on, choose another "
            "--output, or add --overwrite to start anew"
        )
    translations.write_bytes(b"")
    files.state.write_text(json.dumps(state), encoding="utf-8")
    return 0


def whole_lines(path: Path) -> int:
    """Count the lines of a file, after cutting off one that has no end."""
    lines = end = 0
    with open(path, "rb+") as file:
        for line in file:
            if line.endswith(b"\n"):
                lines += 1
                end += len(line)
        file.truncate(end)
    return lines


def translate(loaded: Loaded, files: Files, *, done: int, total: int) -> None:
    """Translate what follows the first `done` lines, window by window, so that memory does not grow with the text."""
    from tqdm import tqdm

    from nmt.corpus.reader import read_lines
    from nmt.runs.progress import Pace, clock
    from nmt.translation.batching import WINDOW_BATCHES

    lines = itertools.islice(read_lines(partial(files.target)), done, None)
    size = loaded.translator.search.batch_size * WINDOW_BATCHES
    began, first, pace, cut = time.monotonic(), done, Pace(), 0
    silent = True if sys.stderr is None else None  # None: shown on a terminal only
    with (
        open(partial(files.source), "ab") as file,
        tqdm(total=total, initial=done, unit=" lines", file=sys.stderr, disable=silent) as bar,
    ):
        while window := list(itertools.islice(lines, size)):
            translations = loaded.translator.translate(window)
            file.write("".join(f"{translation.text}\n" for translation in translations).encode())
            file.flush()
            done += len(window)
            cut += sum(1 for translation in translations if translation.warnings)
            bar.update(len(window))
            if bar.disable and pace.due():
                speed = (done - first) / (time.monotonic() - began)
                left = clock((total - done) / speed)
                report(NAME, f"{done:,} of {total:,} lines, {speed:,.1f} lines/s, {left} left")
        os.fsync(file.fileno())
    if cut:
        report(
            NAME,
            f"warning: {cut:,} of {done - first:,} lines were too long for the model, or their translations did not "
            "end; the filters of nmt-train (corpus.max_length_ratio and others) leave most such pairs out",
        )


def publish(arguments: argparse.Namespace, files: Files) -> None:
    """Give the whole files their names; the translations last, since they are what says that all is done."""
    if files.target.exists() and files.target.samefile(arguments.input):
        partial(files.target).unlink()
    else:
        os.replace(partial(files.target), files.target)
    os.replace(partial(files.source), files.source)
    files.state.unlink()


def training_settings(prefix: str) -> str:
    """Write the settings of nmt-train, ready for a shell, that add the text to corpus.train: once each, one tagged."""
    words = [f"corpus.extra=[{quote_text(prefix)}]", "corpus.weights=[1,1]", f"corpus.tags=[-1,{TAG}]"]
    return " ".join(map(shlex.quote, words))


def partial(path: Path) -> Path:
    """Name the file that a path is written to until it is whole."""
    return path.with_name(f"{path.name}.partial")


if __name__ == "__main__":
    sys.exit(main())
