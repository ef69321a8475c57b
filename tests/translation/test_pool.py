"""TranslatorPool: translations in order, bounded work ahead, errors after what came before."""

import threading
import time
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from nmt.errors import NmtError, RunError
from nmt.translation.pool import TranslatorPool, prepare
from nmt.translation.request import Request, TextHypothesis, Translation


class Shouting:
    """Workers that shout, each message in a thread of its own; \"!\" is slow and \"?\" fails."""

    count = 2

    def __init__(self):
        self.greeting = {"window": 4, "first_window": 1}
        self.failure = None
        self.parts = []
        translator = SimpleNamespace(translate=self._translate, window=4, first_window=1)
        greeting, self._answer = prepare(translator)
        assert greeting == self.greeting

    def _translate(self, requests):
        if any("?" in request.text for request in requests):
            raise NmtError("a question")
        time.sleep(0.1 * any("!" in request.text for request in requests))
        return [Translation([TextHypothesis(each.text.upper(), -1.0, -1.0, True, [])], id=each.id) for each in requests]

    def submit(self, message):
        self.parts.append(len(message["requests"]))
        reply = Future()

        def work():
            try:
                reply.set_result(self._answer(message))
            except NmtError as error:
                reply.set_exception(error)

        threading.Thread(target=work).start()
        return reply


@pytest.fixture
def workers():
    return Shouting()


def windows(*texts):
    return [(number, [Request(each) for each in text.split()]) for number, text in enumerate(texts)]


def test_windows_come_back_in_their_order(workers):
    found = list(TranslatorPool(workers).map(windows("a! b", "c d", "e")))
    assert [tag for tag, *_ in found] == [0, 1, 2]
    assert [[each.text for each in translations] for *_, translations in found] == [["A!", "B"], ["C", "D"], ["E"]]
    assert [len(requests) for _, requests, _ in found] == [2, 2, 1]


def test_a_full_window_is_shared_at_once(workers):
    pool = TranslatorPool(workers)
    assert (pool.window, pool.first_window) == (8, 2)
    futures = [pool.submit(Request("x", id=n)) for n in range(11)]
    assert [future.result(30).id for future in futures[:8]] == list(range(8))
    assert workers.parts == [4, 4]
    assert not any(future.done() for future in futures[8:])
    pool.flush()
    assert [future.result(30).id for future in futures[8:]] == [8, 9, 10]


def test_no_more_is_taken_ahead_than_two_windows(workers):
    taken = []

    def many():
        for number in range(50):
            taken.append(number)
            yield number, [Request("x")]

    translated = TranslatorPool(workers).map(many())
    next(translated)
    time.sleep(0.2)
    assert len(taken) <= 4  # two with the workers, one in hand, one just answered
    assert len(list(translated)) == 49


def test_a_window_does_not_wait_for_the_next(workers):
    answered = threading.Event()

    def two():
        yield 1, [Request("a")]
        assert answered.wait(20)
        yield 2, [Request("b")]

    translated = TranslatorPool(workers).map(two())
    assert next(translated)[2][0].text == "A"
    answered.set()
    assert next(translated)[2][0].text == "B"


def test_an_error_comes_after_what_was_before(workers):
    translated = TranslatorPool(workers).map(windows("a b", "c?", "d"))
    assert next(translated)[0] == 0
    with pytest.raises(NmtError, match=r"^a question$"):
        next(translated)


def test_an_error_of_the_input_comes_after_what_was_read(workers):
    def broken():
        yield from windows("a")
        raise IsADirectoryError(21, "Is a directory")

    translated = TranslatorPool(workers).map(broken())
    next(translated)
    with pytest.raises(IsADirectoryError):
        next(translated)


def test_workers_that_fail_while_nobody_waits_for_them_are_noticed(workers):
    never = threading.Event()

    def waiting():
        yield from windows("a")
        never.wait(60)

    translated = TranslatorPool(workers).map(waiting())
    next(translated)
    workers.failure = RunError("a worker died")
    with pytest.raises(RunError, match="a worker died"):
        next(translated)
    never.set()
