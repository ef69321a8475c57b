"""Devices and threads: what this machine has is taken, anything else is refused in one line."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from nmt import machine
from nmt.errors import ConfigError
from nmt.machine import choose_device, free_memory, keep_freed_memory, set_threads


def refusal(name):
    with pytest.raises(ConfigError) as caught:
        choose_device(name)
    return str(caught.value)


def test_the_cpu_is_always_there():
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("found", "expected"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_a_gpu_if_there_is_one(monkeypatch, found, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: found)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2 * found)
    assert choose_device("auto") == torch.device(expected)


def test_processes_on_one_machine_take_a_gpu_each(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name in ("auto", "cuda"):
        assert choose_device(name, local_rank=1) == torch.device("cuda:1")
    assert choose_device("cuda:0", local_rank=1) == torch.device("cuda:0")
    assert choose_device("cpu", local_rank=1) == torch.device("cpu")
    with pytest.raises(ConfigError, match="cuda:2 is not there: PyTorch sees 2 of its kind"):
        choose_device("auto", local_rank=2)


def test_a_gpu_must_be_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert refusal("cuda:2") == "device=cuda:2 is not there: PyTorch sees 2 of its kind; take auto or cpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert refusal("cuda") == "device=cuda is not there: PyTorch sees 0 of its kind; take auto or cpu"


def test_apples_gpu_must_be_there(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("mps") == torch.device("mps")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert refusal("mps") == "device=mps is not there: PyTorch sees 0 of its kind; take auto or cpu"


@pytest.mark.parametrize("name", ["toaster", "", "meta", "xpu", "cuda:", "cuda:x", "cuda:-1", "CPU", "gpu"])
def test_other_names_are_unknown(name):
    assert refusal(name) == f"device={name} is unknown: take auto, cpu, cuda or cuda:N"


def test_threads():
    before = torch.get_num_threads()
    try:
        assert set_threads(0) == before
        assert set_threads(1) == 1
        assert torch.get_num_threads() == 1
        assert set_threads(0) == 1
    finally:
        torch.set_num_threads(before)
    with pytest.raises(ConfigError, match=r"^threads=-1 is not possible: it must be 0 \(PyTorch's choice\) or more$"):
        set_threads(-1)


FAULTS = """
import resource, sys
import torch
from nmt.machine import keep_freed_memory

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


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A function that writes what the system says of its memory, in kB, and of a container's, in bytes."""

    def write(available=None, **container):
        monkeypatch.setattr(machine, "_MEMORY", tmp_path / "meminfo")
        monkeypatch.setattr(machine, "_CONTAINER", tmp_path)
        if available is not None:
            (tmp_path / "meminfo").write_text(f"MemTotal: 9000 kB\nMemAvailable: {available} kB\n", encoding="ascii")
        for name, text in container.items():
            (tmp_path / f"memory.{name}").write_text(text, encoding="ascii")
        return free_memory(torch.device("cpu"))

    return write


def test_the_memory_that_is_free(system):
    assert system() is None
    assert system(available=5000) == 5000 * 1024
    # No limit, a limit above what the machine has, and one below, where files that can be forgotten count as free.
    assert system(max="max\n", current="7\n", stat="anon 5\nfile 2\n") == 5000 * 1024
    assert system(max="90000000\n") == 5000 * 1024
    assert system(max="1000\n", current="700\n", stat="anon 500\nfile 200\n") == 500
    assert system(current="5000\n") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says it")
def test_this_machine_has_memory():
    free = free_memory(torch.device("cpu"))
    assert free is not None
    assert 1e7 < free <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
