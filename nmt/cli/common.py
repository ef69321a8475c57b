"""What every command does alike: options, one-line errors, signals, a closed reader and exit codes.

Only the standard library is imported when this module loads, so that ``--help`` and ``--version`` answer at once.
"""

from __future__ import annotations

import argparse
import difflib
import errno
import io
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import IO, Any, NamedTuple, NoReturn

from nmt.errors import ConfigError, NmtError, is_out_of_memory
from nmt.files import encoded
from nmt.machine import set_kernel_caches
from nmt.version import __version__

EXIT_FAILED = 1
EXIT_USER = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_TERMINATED = 128 + signal.SIGTERM
EXIT_CODES = "exit codes: 0 done, 1 failed, 2 wrong use, 129, 130 or 143 stopped by a signal"
"""The last line of a command's help."""

_MOST_CHARACTERS = 2000
"""Of a message, which may repeat what somebody typed."""

# What pip calls the packages whose modules have other names.
_PACKAGES = {"hydra": "hydra-core", "omegaconf": "hydra-core", "yaml": "pyyaml"}
_EXTRAS = {"onnx": "export", "onnxruntime": "export", "lxml": "files", "polib": "files", "pysubs2": "files"}

_USER_CAN_FIX = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
_MENDED_BY_USER = {errno.ENAMETOOLONG, errno.ELOOP}
_ADVICE = {
    errno.ENAMETOOLONG: "name a shorter path",
    errno.ELOOP: "name a path whose links lead somewhere",
    errno.ENOSPC: "free some space, then run it again",
    errno.EFBIG: "raise the file size limit (ulimit -f) or write elsewhere, then run it again",
    errno.EMFILE: "raise the limit of open files (ulimit -n), then run it again",
}
if hasattr(errno, "EDQUOT"):
    _ADVICE[errno.EDQUOT] = "free some of your quota, then run it again"


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived, or the terminal is gone; code that saves on Ctrl-C saves on this too."""

    exit_code = EXIT_TERMINATED


class HungUp(Terminated):
    """SIGHUP arrived: the terminal is gone."""

    exit_code = 128 + 1


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and which proposes the option that was meant.

    Options may not be abbreviated: a script that says ``--beam`` would break on the day that ``--beam-search`` exists.
    """

    def __init__(self, prog: str, **arguments: Any) -> None:
        arguments.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(prog=prog, allow_abbrev=False, **arguments)
        self.add_argument("--version", action="version", version=f"%(prog)s {__version__}", help="print it and exit")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse a misspelt option before argparse misses the arguments that its value was taken for."""
        command_line = list(sys.argv[1:] if args is None else args)
        options = list(self._option_string_actions)
        for word in command_line[: command_line.index("--")] if "--" in command_line else command_line:
            option = word.split("=", 1)[0]
            if option.startswith("--") and option not in options:
                near = [name for name in options if name.startswith(option)]
                near = near or _near(option, options)
                hint = f"did you mean {near[0]}?" if near else f"see {self.prog} --help"
                self.error(f"unrecognized arguments: {option}; {hint}")
        return super().parse_known_args(command_line, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError, which `run` prints in one line."""
        hint = "" if "; " in message else f"; see {self.prog} --help"
        raise ConfigError(" ".join(message.split()) + hint)


def _near(option: str, options: Sequence[str]) -> list[str]:
    """Find the option that a misspelt one is most like; the dashes, which all begin with, make none alike."""
    names = {name.lstrip("-"): name for name in options if name.startswith("--")}
    return [names[name] for name in difflib.get_close_matches(option.lstrip("-"), names, n=1)]


def run(command: Callable[[], int | None], name: str) -> int:
    """Run a command to its exit code, with its errors in one line: ``NAME: error: what, where, what to do``.

    Exit codes: 0 done, or the reader of stdout closed it · 1 the run failed · 2 the user can fix it · 129, 130 and 143
    stopped by SIGHUP, SIGINT and SIGTERM. A traceback is printed for an unforeseen exception, and only then.

    Args:
        command: the command's body, in which SIGTERM and SIGHUP raise `Terminated`; it returns an exit code, or None
            for 0.
        name: the command's name, as the user typed it.
    """
    set_kernel_caches()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a path in what is printed need not fit the terminal's encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    with _terminable():
        try:
            code = _exit_code(command, name)
        except KeyboardInterrupt as stop:  # a second signal, while the first one was being reported
            code = _stopped(stop)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        _discard_stdout()
        if code == 0 and not _is_closed_reader(error):
            code = _fail(name, error)
    return code


def report(name: str, message: str) -> None:
    """Write ``NAME: message`` to stderr; do nothing if there is no stderr or no reader."""
    # print(file=None) would write to stdout, which carries translations only.
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(encoded(f"{name}: {message}\n").decode())
        sys.stderr.flush()
    except (OSError, ValueError):
        pass


def standard_output() -> IO[bytes]:
    """Return stdout for bytes, so that what is written stays as it is on every system; ConfigError if it is closed."""
    if sys.stdout is None:
        raise ConfigError("standard output is closed: send it to a file, or to /dev/null")
    return sys.stdout.buffer


def _exit_code(command: Callable[[], int | None], name: str) -> int:
    try:
        return command() or 0
    except SystemExit as stop:  # --help, --version
        if isinstance(stop.code, str):
            report(name, f"error: {stop.code}")
            return EXIT_FAILED
        return stop.code or 0
    except KeyboardInterrupt as stop:
        return _stopped(stop)
    except Exception as error:
        if _is_closed_reader(error):
            _discard_stdout()
            return 0
        return _fail(name, error)


class Explained(NamedTuple):
    """The line that a user reads about an error, and the exit code that ends the command."""

    message: str
    exit_code: int


def explained(error: BaseException) -> Explained | None:
    """Put a foreseen error into one line; None for a defect, which needs its traceback."""
    if isinstance(error, NmtError):
        return Explained(_one_line(str(error)), error.exit_code)
    if isinstance(error, FileNotFoundError) and not error.filename:  # of os.getcwd
        return Explained("the current directory was deleted; change to one that exists", EXIT_USER)
    if isinstance(error, OSError) and error.strerror:
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes)) else ""
        advice = _ADVICE.get(error.errno or 0, "")
        message = f"{where}{error.strerror}" + (f"; {advice}" if advice else "")
        can_fix = isinstance(error, _USER_CAN_FIX) or error.errno in _MENDED_BY_USER
        return Explained(_one_line(message), EXIT_USER if can_fix else EXIT_FAILED)
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("nmt"):
        return Explained(_missing(error.name.partition(".")[0]), EXIT_USER)
    if isinstance(error, RuntimeError) and "home directory" in str(error):  # of Path.expanduser
        message = "a path begins with ~ and a name that is no user's of this machine; ~/ is your own home directory"
        return Explained(message, EXIT_USER)
    if is_out_of_memory(error):
        message = "out of memory; use smaller batches, or close other programs, then run it again"
        return Explained(message, EXIT_FAILED)
    return None


def _one_line(message: str) -> str:
    """Write a message in one readable line; control characters in it are escaped."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda match: f"\\x{ord(match[0]):02x}", " ".join(message.split()))
    line = re.sub(r"\S{501,}", lambda match: f"{match[0][:200]}…{match[0][-100:]}", line)
    half = _MOST_CHARACTERS // 2
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:half]} … {line[-half:]}"


def _fail(name: str, error: BaseException) -> int:
    """Tell an error, in one line if it was foreseen, and give its exit code."""
    _discard_stdout_if_full(error)
    explanation = explained(error)
    if explanation:
        if not getattr(error, "is_told", False):
            report(name, f"error: {explanation.message}")
        return explanation.exit_code
    if sys.stderr is not None:
        traceback.print_exception(type(error), error, error.__traceback__)
    report(name, f"error: {type(error).__name__}: this is a defect of nmt {__version__}; please report the lines above")
    return EXIT_FAILED


def _missing(module: str) -> str:
    """Say what to install: nmt-translate can do with less than the other commands."""
    package = _PACKAGES.get(module, module)
    # From its directory: what the package index has under the name nmt is another project.
    everything = f"'.[{_EXTRAS[module]}]'" if module in _EXTRAS else "."
    return (
        f"{package} is not installed: pip install {package}, or, in nmt's own directory, "
        f"pip install {everything} for all this command needs"
    )


def _is_closed_reader(error: BaseException) -> bool:
    # Windows answers a write to a closed pipe with EINVAL.
    return isinstance(error, BrokenPipeError) or (
        os.name == "nt" and isinstance(error, OSError) and error.errno == errno.EINVAL and error.filename is None
    )


def _discard_stdout_if_full(error: BaseException) -> None:
    # What the buffer of stdout still holds would fail a second time, with a traceback, when Python shuts down.
    if isinstance(error, OSError):
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError:
            _discard_stdout()


def _discard_stdout() -> None:
    """Point stdout at nothing, so that the flush at shutdown cannot fail."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError, AttributeError):
        pass


def _stopped(stop: KeyboardInterrupt) -> int:
    # A second Ctrl-C while Python shuts down would print a traceback.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # CPython notes a Ctrl-C that left an exec(), which dataclasses use. Under -m it would then end by SIGINT instead of
    # with our exit code. The next exec() wipes the note out.
    exec("")
    return stop.exit_code if isinstance(stop, Terminated) else EXIT_INTERRUPTED


@contextmanager
def _terminable() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM and SIGHUP, unless the parent asked for it to be ignored, as nohup does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: FrameType | None) -> NoReturn:
        raise (Terminated if number == signal.SIGTERM else HungUp)

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
