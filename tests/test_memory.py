import os
import platform
import subprocess
import sys

import pytest

from nmt.memory import keep_freed_memory

FAULTS = """
import resource, sys
import torch
from nmt.memory import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
for turn in range(20):
    if turn == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [torch.ones(5_000_000) for _ in range(5)]
    del held
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of the GNU C library")
def test_freed_memory_is_used_again_without_fetching_it_from_the_system():
    # What the library does by itself depends on where things lie in memory; told so, it gives everything back.
    environment = os.environ | {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072"}
    faults = {}
    for word in ("keep", "as it is"):
        words = [sys.executable, "-c", FAULTS, word]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=120)
        faults[word] = int(done.stdout)
    pages = 5 * 5_000_000 * 4 // os.sysconf("SC_PAGE_SIZE")
    assert faults["keep"] < pages < faults["as it is"]


def test_other_c_libraries_are_left_as_they_are(monkeypatch):
    def refuse(name):
        raise TypeError("expected a path")

    monkeypatch.setattr("ctypes.CDLL", refuse)
    keep_freed_memory()
