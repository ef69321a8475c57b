"""nmt-translate as a filter: signals, readers that close, full disks, terminals and memory."""

import os
import signal
import time

import pytest

from nmt.bundle.weights import load_bundle
from nmt.translation.translator import Translator


@pytest.fixture(scope="module")
def translator(bundle_path):
    return Translator(load_bundle(bundle_path))


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_closed_reader_hears_nothing_of_them(nmt_translate, bundle_path, tmp_path):
    (tmp_path / "input").write_text("漢字\n" + "\n" * 1_000_000, encoding="utf-8")
    with open(tmp_path / "input", "rb") as text:
        process = nmt_translate.start(bundle_path, "--max-length-ratio", 1000, stdin=text)
        process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read()
        process.stderr.close()
    assert (process.wait(60), b"vocabulary" in error) == (0, False)


def test_a_person_who_types_is_answered_line_by_line_and_ctrl_c_ends_it(nmt_translate, bundle_path, translator):
    process = nmt_translate.start(bundle_path, "--quiet")
    for line in ("The old river.", "", "Many trees."):
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline().decode()  # the next line is written only after this answer
        assert answer == translator.translate([line])[0].text + "\n"
    if os.name == "nt":
        process.stdin.close()
        assert process.wait(60) == 0
    else:
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == (b"", b"")
        assert process.returncode == 130


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_sigterm_ends_it_while_it_waits(nmt_translate, bundle_path):
    process = nmt_translate.start(bundle_path)
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 143


def test_a_closed_reader_ends_it_quietly(nmt_translate, bundle_path, tmp_path):
    (tmp_path / "input").write_text("\n" * 1_000_000)  # more output than a pipe holds
    with open(tmp_path / "input", "rb") as text:
        process = nmt_translate.start(bundle_path, stdin=text)
        assert process.stdout.readline() == b"\n"
        process.stdout.close()
        error = process.stderr.read()
        process.stderr.close()
        assert (process.wait(60), error) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_is_one_line(nmt_translate, bundle_path):
    with open("/dev/full", "wb") as full:
        result = nmt_translate(bundle_path, text=b"\n", stdout=full)
    assert result.code == 1
    assert result.err == "nmt-translate: error: No space left on device; free some space, then run it again\n"


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals on Windows")
def test_a_terminal_gets_a_hint(nmt_translate, bundle_path):
    main_end, terminal = os.openpty()
    process = nmt_translate.start(bundle_path, stdin=terminal)
    os.close(terminal)
    os.write(main_end, b"\n")
    assert process.stdout.readline() == b"\n"
    os.write(main_end, b"\x04")
    out, err = process.communicate(timeout=60)
    os.close(main_end)
    assert (process.returncode, out) == (0, b"")
    assert err == b"nmt-translate: type a sentence and press Enter; Ctrl-D ends\n"


def test_memory_does_not_grow_with_the_input(nmt_translate, bundle_path):
    if not os.path.exists("/proc/self/status"):
        pytest.skip("needs /proc")
    process = nmt_translate.start(bundle_path)

    def resident():
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024

    process.stdin.write(b"\n")
    process.stdin.flush()
    process.stdout.readline()
    before = resident()
    for _ in range(200):  # one line of 200 MiB without an end
        process.stdin.write(b" " * (1 << 20))
    process.stdin.flush()
    time.sleep(0.1)
    assert resident() - before < 60
    out, err = process.communicate(b"\n", timeout=60)
    assert (process.returncode, out) == (0, b"\n")
    assert b"line 2: only its first 1048576 bytes were read; give one sentence a line" in err
