import io
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from nmt.runs.log import LOG, logging_to
from nmt.training import stop as stop_module
from nmt.training.gradient import BatchGradient
from nmt.training.stop import StopSignal, UpdateGivenUp


class Raw(io.FileIO):
    """A file whose first write a signal interrupts."""

    interrupted = False

    def write(self, content):
        if not self.interrupted:
            self.interrupted = True
            signal.raise_signal(signal.SIGINT)
        return super().write(content)


@pytest.fixture
def handlers():
    """Let signals count how often they reach the handlers from before, and put back the real ones."""
    reached = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, frame: reached.append(signal.Signals(number)))
    yield reached
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_remembered_and_the_second_is_not_held_back(number, handlers):
    with StopSignal() as stop:
        assert stop.arrived is None
        signal.raise_signal(number)
        assert (stop.arrived, handlers) == (number, [])
        signal.raise_signal(number)
        assert handlers == [number]


def test_a_second_signal_of_the_other_kind_is_not_held_back_either(handlers):
    with StopSignal() as stop:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert (stop.arrived, handlers) == (signal.SIGINT, [signal.SIGTERM])


def test_a_signal_in_the_midst_of_a_line_of_the_log_is_told_in_the_next_line(handlers, tmp_path, monkeypatch):
    with io.BufferedWriter(Raw(tmp_path / "stderr", "wb")) as written:
        monkeypatch.setattr("sys.stderr", io.TextIOWrapper(written, encoding="utf-8", line_buffering=True))
        with logging_to(tmp_path / "train.log"), StopSignal() as stop:
            LOG.info("a line")
    assert stop.arrived == signal.SIGINT
    told = ["a line", "SIGINT: saving after this update; once more to stop at once"]
    assert (tmp_path / "stderr").read_text(encoding="utf-8").splitlines() == told


def test_what_arrived_is_raised_when_the_caller_is_ready(handlers):
    with StopSignal() as stop:
        signal.raise_signal(signal.SIGTERM)
        stop.raise_again(stop.arrived)
        assert handlers == [signal.SIGTERM]


def test_without_a_signal_nothing_is_raised_and_the_handlers_are_as_before(handlers):
    before = signal.getsignal(signal.SIGINT)
    with StopSignal() as stop:
        assert signal.getsignal(signal.SIGINT) != before
    stop.raise_again(0)
    assert signal.getsignal(signal.SIGINT) == before
    assert handlers == []


def test_an_error_inside_leaves_the_handlers_as_before():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), StopSignal():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGTERM) == before


def test_threads_do_not_touch_signals():
    before = signal.getsignal(signal.SIGINT)
    found = []

    def work():
        with StopSignal() as stop:
            found.append((signal.getsignal(signal.SIGINT), stop.arrived))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(before, None)]


def test_an_update_is_given_up_once_a_signal_has_waited_long(handlers, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(stop_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with StopSignal() as stop:
        now[0] += 1000
        stop.give_up_late()
        signal.raise_signal(signal.SIGINT)
        now[0] += 9.9
        stop.give_up_late()
        now[0] += 0.2
        with pytest.raises(UpdateGivenUp):
            stop.give_up_late()


@pytest.mark.parametrize("parts", [2, 4])
def test_a_run_whose_update_was_given_up_ends_as_an_uninterrupted_one(
    command, monkeypatch, saved, same, metrics, tmp_path, parts
):
    """One Ctrl-C ends any training, also where an update would take for ever."""
    settings = {"trainer__accumulation": 4, "trainer__log_every": 1, "corpus__valid": None}
    whole = command(run_dir=tmp_path / "whole", **settings)
    assert whole.code == 0
    forward, count = BatchGradient._forward, []

    def interrupted(self, part, moment):
        count.append(len(part.source))
        if len(count) == 2 * 4 + parts:  # in the midst of the third update
            signal.raise_signal(signal.SIGINT)
        return forward(self, part, moment)

    with monkeypatch.context() as patched:
        patched.setattr(BatchGradient, "_forward", interrupted)
        patched.setattr(stop_module, "_PATIENCE_SECONDS", 0.0)
        stopped = command(**settings)
    assert stopped.code == 130
    assert saved(tmp_path / "run")["position"]["update"] == (2 if parts < 4 else 3)
    assert len(count) == 2 * 4 + parts
    assert command(**settings).code == 0
    assert same(saved(tmp_path / "run"), saved(tmp_path / "whole"))
    assert metrics(tmp_path / "run") == metrics(tmp_path / "whole")


def test_what_loses_a_signal_as_it_is_loaded_is_loaded_before_a_run():
    asked = "import sys, nmt.training.run; print('numpy.random' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", asked], capture_output=True, encoding="utf-8", check=True)
    assert run.stdout == "True\n"
