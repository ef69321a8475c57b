import signal
import threading

import pytest

from nmt.training.stop import StopSignal


@pytest.fixture(autouse=True)
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
