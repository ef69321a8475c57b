"""A row of the decoding benchmark that several processes share: nmt-translate --workers, as a user runs it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarking.inside_peers.meter import peak_memory
from nmt.bundle.description import read_description
from nmt.errors import RunError


def measure_command(request: dict[str, Any]) -> dict[str, Any]:
    """Start the command, warm it up with some lines, and time the text; memory is that of all its processes together.

    Args:
        request: "bundle", "words" of the command line, "warm_up" and "source" (lines of text), "began" (the time when
            the process was asked for).

    Returns:
        as `benchmarking.decoding.measure`, without "flop"; "load_seconds" is until the first lines were translated, and
        target tokens are those of the translations' own segmentation.

    Raises:
        RunError: the command ended before its input.
    """
    words = [sys.executable, "-m", "nmt.cli.translate", request["bundle"], "--quiet", *request["words"]]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe) as process:
        try:
            _exchange(process, request["warm_up"])
            load_seconds = time.time() - request["began"]
            began = time.perf_counter()
            hypotheses = _exchange(process, request["source"])
            seconds = time.perf_counter() - began
            memory = sum(map(peak_memory, _tree(process.pid)))
            assert process.stdin
            process.stdin.close()
        except BaseException:
            process.kill()
            raise
    subwords = read_description(Path(request["bundle"])).target_subwords
    return {
        "hypotheses": hypotheses,
        "seconds": seconds,
        "target_tokens": sum(len(ids) + 1 for ids in subwords.encode_batch(hypotheses)),
        "load_seconds": load_seconds,
        "peak_mb": memory,
    }


def _exchange(process: subprocess.Popen[bytes], lines: Sequence[str]) -> list[str]:
    """Write lines and read as many."""
    source, sink = process.stdin, process.stdout
    assert source
    assert sink

    def write() -> None:
        source.write("".join(f"{line}\n" for line in lines).encode())
        source.flush()

    # What is not read fills a pipe, and then nothing is written any more.
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    found = [line.decode().removesuffix("\n") for _ in lines if (line := sink.readline())]
    if len(found) < len(lines):
        raise RunError("nmt-translate ended before its input; its message is above")
    writer.join()
    return found


def _tree(pid: int) -> list[int]:
    """List a process and all that it started."""
    found, pending = [], [pid]
    while pending:
        found.append(pending.pop())
        tasks = Path(f"/proc/{found[-1]}/task").glob("*/children")
        pending += [int(child) for path in tasks for child in path.read_text(encoding="ascii").split()]
    return found
