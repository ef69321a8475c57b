"""Processes that die: helpers of tests that start nmt-train and kill it at any change on disk.

`Launcher` starts nmt-train by forking a process that has everything loaded, in a fraction of a fresh start's time. This
file run as a script is that process; it computes nothing, so that what it forks is as a fresh command.
"""

import contextlib
import gc
import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

# The launcher's process is to have all loaded that nmt-train needs, now or at its first update.
import hydra.core.plugins  # noqa: F401

import nmt.cli.common
import nmt.cli.hydra.chosen
from nmt.cli.hydra.compose import compose
from nmt.cli.hydra.train import main
from nmt.evaluation.metrics import Score
from nmt.training import trainer
from nmt.training.run import run
from nmt.training.validation import Validation

ROOT = Path(__file__).resolve().parents[2]


class Launcher:
    """In a with statement: starts nmt-train in a directory, one at a time."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self._running = None

    def __enter__(self):
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
        self._server = subprocess.Popen([sys.executable, __file__], env=environment, **pipes)
        return self

    def __exit__(self, *error):
        if self._running and self._running.code is None:
            self._running.signal(signal.SIGKILL)
        self._server.communicate()

    def start(self, *words, config=None, fault=None, at=0):
        """Start the command.

        Args:
            words: its arguments.
            config: trained instead, which spares the time that Hydra takes to compose the same from words; every
                validation finds scores as high as its update, so that each is the best so far.
            fault: one of `faults.FAULTS`, which strikes in the place of change number `at` below the directory.
            at: see `fault`; a directory for `Copies`.
        """
        (self.directory / "stderr").write_bytes(b"")
        request = {"words": [str(word) for word in words], "config": pickle.dumps(config).hex() if config else ""}
        request |= {"fault": fault, "at": at if isinstance(at, int) else str(at), "directory": str(self.directory)}
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        self._running = Started(self.directory, int(self._server.stdout.readline()), self._server.stdout)
        return self._running

    def __call__(self, *words, **options):
        """Run the command to its end."""
        started = self.start(*words, **options)
        started.wait()
        return started


class Started:
    """A command that runs, or has ended."""

    def __init__(self, directory, pid, replies):
        self._directory, self._pid, self._replies = directory, pid, replies
        self.code = None

    @property
    def err(self):
        """What it wrote to stderr so far."""
        return (self._directory / "stderr").read_text(encoding="utf-8")

    @property
    def errors(self):
        """The lines of it that are the command's, not the log's."""
        return [line for line in self.err.splitlines() if line.startswith("nmt-train: ")]

    def ended(self):
        """Whether it has ended."""
        return Path(f"/proc/{self._pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] in "ZX"

    def signal(self, number):
        """Send a signal; before `wait` the number is this command's, even where it has ended."""
        os.kill(self._pid, number)

    def wait(self):
        """Wait for the end; return the exit code, or minus the signal that killed it."""
        if self.code is None:
            self.code = int(self._replies.readline())
        return self.code


def serve():
    """Fork a child for every request on stdin; reply with its number and, once it has ended, its exit code."""
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    compose([])  # Hydra finds its plugins, and makes its parser, once for all children
    gc.freeze()  # what is shared with children stays so
    last = None
    while line := requests.readline():
        if last is not None:
            os.waitpid(last, 0)
        last = os.fork()
        if not last:
            requests.close()
            replies.close()
            become(json.loads(line))
        replies.write(f"{last}\n")
        ended = os.waitid(os.P_PID, last, os.WEXITED | os.WNOWAIT)
        replies.write(f"{ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status}\n")


def become(request):
    """Turn this process into the command."""
    os.chdir(request["directory"])
    for handle, name, flags in ((0, os.devnull, os.O_RDONLY), (1, "stdout", None), (2, "stderr", None)):
        opened = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC if flags is None else flags)
        os.dup2(opened, handle)
        os.close(opened)
    fault = FAULTS[request["fault"]](request["at"]) if request["fault"] else None
    with Disk(fault, request["directory"]) if fault else contextlib.nullcontext():
        code = train(pickle.loads(bytes.fromhex(request["config"]))) if request["config"] else main(request["words"])
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # tearing everything down would take longer than the rest


def train(config):
    """Train as nmt-train does, from a configuration."""
    let_scores_rise()
    return nmt.cli.common.run(lambda: run(config), "nmt-train")


def let_scores_rise():
    """Let every validation find scores as high as its update."""

    def validate(task, bundle, texts, **options):
        score = Score("any", float(bundle.metadata["updates"]), "scripted")
        return Validation(2.0, {"bleu": score, "chrf": score}, "greedy", texts[None].target)

    trainer.validate_all = validate


if __name__ == "__main__":
    from faults import FAULTS, Disk  # Python looks beside a script

    serve()
