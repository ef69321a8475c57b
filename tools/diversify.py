r"""Train on a text and on what two models make of it: data diversification (Nguyen et al. 2020, algorithm 1, k = 1).

One model is trained on the text, and one in the opposite direction. The first translates the sources of the text, the
second its targets, and a third model is trained on the text and both translations: it is what translates in the end. It
is given what nmt-train is given, and leaves in run_dir what nmt-train leaves there:

    python tools/diversify.py experiment=multi30k_en_de name=diversified
    nmt-translate runs/diversified/best < input.en > output.de

--teacher model.dropout=0.2 is a setting of the first two models alone.

trainer.max_minutes is the time of all three trainings and of the translating together. On a CPU with two cores or more
the first two models are trained at the same time, each on half of the threads. It can be stopped at any time: the same
command goes on where it stopped. Translating takes less of the time with int8 (pip install '.[export]').
"""

from __future__ import annotations

import argparse
import filecmp
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from benchmarking.machine import cores

from nmt.cli.common import Parser, report, run
from nmt.cli.hydra.overrides import quote_text
from nmt.errors import ConfigError

if TYPE_CHECKING:
    from nmt.corpus.reader import CorpusPaths, Pair

NAME = "diversify.py"
SHARE = 0.3
"""Of the minutes, for the first two trainings."""
_POLL = 0.2


@dataclass(frozen=True)
class Plan:
    """What is trained, and where everything lies."""

    words: list[str]
    """as nmt-train takes them"""
    teacher_words: list[str]
    """further ones for the first two models"""
    settings: dict[str, Any]
    """what nmt-train makes of the words"""
    share: float

    @property
    def directory(self) -> Path:
        """The run directory of the last model, with all else in it."""
        return Path(self.settings["run_dir"]).expanduser()

    @property
    def text(self) -> Path:
        """Where the training and the validation text are as all three models read them."""
        return self.directory / "text"

    @property
    def extra(self) -> list[Path]:
        """Prefixes of further training texts in there."""
        return [self.text / f"extra{number}" for number, _ in enumerate(self.corpus["extra"], start=1)]

    @property
    def corpus(self) -> dict[str, Any]:
        """The settings of the text."""
        found: dict[str, Any] = self.settings["corpus"]
        return found

    @property
    def languages(self) -> tuple[str, str]:
        """What the last model reads and writes."""
        return self.corpus["source"], self.corpus["target"]

    @property
    def minutes(self) -> float:
        """Of all together; 0: each training has limits of its own."""
        return float(self.settings["trainer"]["max_minutes"])

    @property
    def threads(self) -> int:
        """CPU threads of all processes together."""
        return int(self.settings["trainer"]["threads"]) or cores()

    @property
    def at_once(self) -> bool:
        """Whether the first two models are trained at the same time."""
        from nmt.machine import choose_device

        return self.threads > 1 and choose_device(self.settings["trainer"]["device"]).type == "cpu"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: diversify(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("words", metavar="KEY=VALUE", nargs="+", help="what nmt-train takes; its options after --")
    parser.add_argument(
        "--teacher", metavar="KEY=VALUE", action="append", default=[], help="a setting of the first two models alone"
    )
    parser.add_argument(
        "--share", metavar="X", type=float, default=SHARE, help=f"of the minutes, for these two (default: {SHARE:g})"
    )
    arguments = parser.parse_args(argv)
    if {"-m", "--multirun"} & set(arguments.words):
        raise ConfigError(f"{NAME} trains for one configuration, not for a sweep; leave off -m")
    if not 0 < arguments.share < 1:
        raise ConfigError(f"--share {arguments.share:g} is not possible: it must lie between 0 and 1")
    return arguments


def diversify(arguments: argparse.Namespace) -> None:
    """Train, translate and train, leaving out what is done.

    Raises:
        ConfigError: a setting is not possible here.
        CorpusError: the text cannot be read.
        SystemExit: a command of ours failed, with its exit code; its message is told.
    """
    words, teacher_words = list(arguments.words), list(arguments.teacher)
    composed([*words, *teacher_words])  # so that a mistake is found before the first training, not after the last
    plan = Plan(words, teacher_words, composed(words), arguments.share)
    check(plan)
    write_text(plan)
    train_teachers(plan)
    taken = translate(plan)
    train_last(plan, taken)


def composed(words: Sequence[str]) -> dict[str, Any]:
    """Ask nmt-train what it makes of words; SystemExit if it refuses them."""
    import yaml

    command = [*_train(*words), "--cfg", "job", "--resolve"]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if finished.returncode:
        raise SystemExit(finished.returncode)
    settings: dict[str, Any] = yaml.safe_load(finished.stdout)
    return settings


def check(plan: Plan) -> None:
    """Refuse what cannot be done with three models; raises ConfigError."""
    if plan.settings["trainer"]["overwrite"]:
        raise ConfigError(f"trainer.overwrite=true would begin again at every start; remove {plan.directory} instead")
    if plan.settings["init_from"]:
        raise ConfigError("init_from is not possible here: the models of the two directions begin anew")
    if (plan.directory / "state.pt").exists() and not plan.text.exists():
        raise ConfigError(f"{plan.directory} holds a training on the text alone; choose another name or run_dir")
    for key in ("train", "source", "target"):
        if not plan.corpus[key]:
            raise ConfigError(f"corpus.{key} is not set; see nmt-train --help")


def write_text(plan: Plan) -> None:
    """Write all text without what is validation text on either side, so that no model sees that in either direction.

    Raises:
        ConfigError: an earlier command wrote another text there.
        CorpusError: it cannot be read.
    """
    from nmt.corpus.reader import hold_out_threshold, is_held_out, read_pairs, resolve

    source, target = plan.languages
    train = resolve(plan.corpus["train"], source=source, target=target, key="corpus.train")
    if plan.corpus["valid"]:
        valid = list(read_pairs(resolve(plan.corpus["valid"], source=source, target=target, key="corpus.valid")))
    else:
        threshold = hold_out_threshold(train, plan.corpus["valid_pairs"])
        valid = [pair for pair in read_pairs(train) if is_held_out(pair, threshold)]
    sources, targets = ({side.strip() for side in sides} for sides in zip(*valid, strict=True)) if valid else ((), ())

    def rest(paths: CorpusPaths) -> Iterator[Pair]:
        return (p for p in read_pairs(paths) if p.source.strip() not in sources and p.target.strip() not in targets)

    extra = [resolve(name, source=source, target=target, key="corpus.extra") for name in plan.corpus["extra"]]
    plan.text.mkdir(parents=True, exist_ok=True)
    _write_pairs(plan, "train", rest(train), key="corpus.train")
    _write_pairs(plan, "valid", valid, key="corpus.valid")
    for path, paths in zip(plan.extra, extra, strict=True):
        _write_pairs(plan, path.name, rest(paths), key="corpus.extra")


def _write_pairs(plan: Plan, name: str, pairs: Iterable[Pair], *, key: str) -> None:
    """Write both sides, or find that they are there already; raises ConfigError if others are."""
    paths = [plan.text / f"{name}.{language}" for language in plan.languages]
    made = [path.with_name(f"{path.name}.partial") for path in paths]
    with open(made[0], "wb") as sources, open(made[1], "wb") as targets:
        for pair in pairs:
            sources.write(f"{pair.source}\n".encode())
            targets.write(f"{pair.target}\n".encode())
    for new, path in zip(made, paths, strict=True):
        if path.exists() and not filecmp.cmp(new, path, shallow=False):
            for each in made:
                each.unlink()
            raise ConfigError(
                f"{path} was made of another text than {key} is now; choose another run_dir, or remove {plan.directory}"
            )
    for new, path in zip(made, paths, strict=True):
        os.replace(new, path)


def train_teachers(plan: Plan) -> None:
    """Train a model of each direction on the text."""
    source, target = plan.languages
    corpus, subwords = plan.corpus, plan.settings["subwords"]
    the_other_way = [f"corpus.source={target}", f"corpus.target={source}"]
    the_other_way += [
        f"corpus.max_source_tokens={corpus['max_target_tokens']}",
        f"corpus.max_target_tokens={corpus['max_source_tokens']}",
    ]
    if subwords["source_model"]:
        the_other_way += [
            f"subwords.source_model={subwords['target_model']}",
            f"subwords.target_model={subwords['source_model']}",
        ]
    together = 2 if plan.at_once else 1
    common = [*_text_words(plan, plan.extra), "corpus.test=", *plan.teacher_words]
    common.append(f"trainer.threads={plan.threads // together}")
    if plan.minutes:
        common.append(f"trainer.max_minutes={plan.minutes * plan.share * together / 2:.4f}")
    commands = {
        name: _train(*plan.words, *common, *more, f"run_dir={plan.directory / name}")
        for name, more in (("forward", []), ("backward", the_other_way))
    }
    for name in commands:
        report(NAME, f"training {plan.directory / name}")
    _run_all(commands, at_once=plan.at_once)


def translate(plan: Plan) -> float:
    """Let each of the two translate its side of the text; return the minutes that took, this time or before."""
    from nmt.files import write_atomically

    source, target = plan.languages
    record = plan.directory / "translating.json"
    kept = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {"minutes": 0.0, "done": False}
    if kept.get("done", True):
        return float(kept["minutes"])
    began = time.monotonic()
    tool = Path(__file__).with_name("back_translate.py")
    exports, commands = {}, {}
    # What back-translation calls the target language is the one that its input is in.
    for name, made, given in (("forward", target, source), ("backward", source, target)):
        bundle, output = plan.directory / name / "best", plan.text / name
        if (plan.text / f"{name}.{made}").exists():
            continue
        exports[name] = [sys.executable, "-m", "nmt.cli.export", str(bundle), "--precision", "int8", "--quiet"]
        commands[name] = [sys.executable, str(tool), str(bundle), "--input", str(plan.text / f"train.{given}")]
        commands[name] += ["--output", str(output), "--source", made, "--target", given]
        commands[name] += ["--threads", str(plan.threads // 2 if plan.at_once else plan.threads)]
    try:
        if all(importlib.util.find_spec(package) for package in ("onnx", "onnxruntime")):
            _run_all(exports, at_once=False)
        for name in commands:
            report(NAME, f"translating with {plan.directory / name / 'best'}")
        _run_all(commands, at_once=plan.at_once)
        kept["done"] = True
    finally:
        kept["minutes"] += (time.monotonic() - began) / 60
        write_atomically(record, lambda partial: partial.write_text(json.dumps(kept), encoding="utf-8"))
    return float(kept["minutes"])


def train_last(plan: Plan, taken: float) -> None:
    """Train on the text and both translations, in the minutes that are left."""
    corpus = plan.corpus
    words = [*plan.words, *_text_words(plan, [*plan.extra, plan.text / "forward", plan.text / "backward"])]
    for key in ("weights", "tags"):
        if corpus[key]:  # a translation counts as much as its text, and is marked as it is
            words.append(f"corpus.{key}=[{','.join(str(value) for value in (*corpus[key], *corpus[key][:1] * 2))}]")
    if plan.minutes:
        left = plan.minutes * (1 - plan.share) - taken
        if left <= 0:
            raise ConfigError(
                f"trainer.max_minutes={plan.minutes:g} leaves no time for the last training: translating took "
                f"{taken:.1f} minutes; raise it"
            )
        words.append(f"trainer.max_minutes={left:.4f}")
    report(NAME, f"training {plan.directory}")
    _run_all({"": _train(*words)}, at_once=False)


def _text_words(plan: Plan, extra: Sequence[Path]) -> list[str]:
    further = ",".join(quote_text(str(path)) for path in extra)
    return [
        f"corpus.train={plan.text / 'train'}",
        f"corpus.valid={plan.text / 'valid'}",
        f"corpus.extra=[{further}]",
    ]


def _train(*words: str) -> list[str]:
    return [sys.executable, "-m", "nmt.cli.hydra.train", *words]


def _run_all(commands: dict[str, list[str]], *, at_once: bool) -> None:
    """Run commands; where one fails the others are stopped too, and save what they have."""
    groups = [commands] if at_once else [{name: command} for name, command in commands.items()]
    for group in groups:
        with _running(group) as processes:
            while None in (codes := [process.poll() for process in processes]) and not any(codes):
                time.sleep(_POLL)
        for code in filter(None, codes):
            raise SystemExit(code if code > 0 else 128 - code)


@contextmanager
def _running(commands: dict[str, list[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Start commands, in a session of their own: a signal of the terminal reaches them once, through us.

    What they tell stands behind their names, where they have any.
    """
    processes: list[subprocess.Popen[str]] = []
    readers = []
    try:
        for name, command in commands.items():
            process = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,  # what back-translation prints there is for who trains by hand
                stderr=subprocess.PIPE if name else None,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
            processes.append(process)
            if process.stderr:
                readers.append(threading.Thread(target=_tell, args=(name, process.stderr)))
                readers[-1].start()
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait()
        for reader in readers:
            reader.join()


def _tell(name: str, lines: IO[str]) -> None:
    with lines:
        for line in lines:
            report(f"{NAME}: {name}", line.rstrip("\n"))


if __name__ == "__main__":
    sys.exit(main())
