"""Tests of what a benchmark says about its processor."""

import pytest

INTEL = """processor : 0
model name\t: Some Processor 1000
cpu family\t: 6
model\t\t: 207
flags\t\t: fpu avx avx2 avx512f avx512_bf16 amx_bf16

processor : 1
model name\t: Some Other
"""
ARM = "processor : 0\nFeatures\t: fp asimd asimddp bf16\n"


@pytest.fixture
def tool(load_tool):
    return load_tool("benchmarking.processor")


def test_the_first_processor_is_named_with_what_it_can_do(tool):
    assert tool.processor_of(INTEL) == "Some Processor 1000, family 6, model 207"
    assert tool.features_of(INTEL) == ["avx2", "avx512f", "avx512_bf16", "amx_bf16"]
    assert tool.features_of(ARM) == ["asimddp", "bf16"]


def test_without_a_name_it_is_the_kind_of_machine(tool, monkeypatch):
    monkeypatch.setattr(tool.platform, "machine", lambda: "aarch64")
    assert tool.processor_of(ARM) == tool.processor_of("") == "aarch64"
    monkeypatch.setattr(tool.platform, "machine", lambda: "")
    assert tool.processor_of("") == "unknown"


def test_the_header_says_what_emulates_an_older_one(tool, monkeypatch):
    monkeypatch.setattr(tool, "cpu_information", lambda: INTEL)
    for name in tool._EMULATING:
        monkeypatch.delenv(name, raising=False)
    assert tool.header() == (
        "Processor: Some Processor 1000, family 6, model 207 (avx2, avx512f, avx512_bf16, amx_bf16)\n"
    )
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert tool.header().endswith("; stands in for an older one: ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2\n")
    monkeypatch.setattr(tool, "cpu_information", lambda: ARM.splitlines()[0])
    assert "(no features known)" in tool.header()


def test_a_recorded_machine_names_the_emulation(tool, load_tool, monkeypatch):
    for name in tool._EMULATING:
        monkeypatch.delenv(name, raising=False)
    assert "emulation" not in load_tool("recorded.again").this_machine()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert load_tool("recorded.again").this_machine()["emulation"] == "ONEDNN_MAX_CPU_ISA=AVX2"
    machine = {"processor": "P", "threads": 1, "bf16": False, "emulation": "ONEDNN_MAX_CPU_ISA=AVX2"}
    assert load_tool("recorded.page")._machine(machine) == (
        "P, no native bf16, as an older one: ONEDNN_MAX_CPU_ISA=AVX2, 1 thread"
    )
