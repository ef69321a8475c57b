"""Workers: replies in order, bounded work ahead, and ends that leave nobody behind."""

import contextlib
import os
import signal
import sys
import threading
import time

import pytest

from nmt.errors import ConfigError, NmtError, RunError
from nmt.translation import workers

SERVE = """
import os, sys, time
from nmt.translation.workers import serve

def prepare():
    if "refuse" in sys.argv:
        raise ValueError("no model here")
    print("chatter")
    return {"pid": os.getpid()}, answer

def answer(request):
    if request.get("die"):
        os.kill(os.getpid(), 9)
    if request.get("fail"):
        raise ValueError(request["fail"])
    time.sleep(request.get("sleep", 0))
    return {"square": request["number"] ** 2, "pid": os.getpid()}

serve(prepare, lambda error: (f"{type(error).__name__}: {error}", 2))
"""


@pytest.fixture
def start():
    with contextlib.ExitStack() as stack:

        def begin(count=2, *words):
            return stack.enter_context(workers.Workers([sys.executable, "-c", SERVE, *words], count))

        yield begin


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as status:
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_replies_come_in_the_order_of_requests_whoever_is_faster(start, capfd):
    pool = start(2)
    requests = [(f"tag {n}", {"number": n, "sleep": 0.05 * (n % 3 == 0)}) for n in range(12)]
    found = list(pool.map(requests))
    assert [(tag, reply["square"]) for tag, reply in found] == [(f"tag {n}", n * n) for n in range(12)]
    assert len({reply["pid"] for _, reply in found}) == 2
    pool.close()
    assert capfd.readouterr() == ("", "chatter\nchatter\n")


def test_text_of_any_kind_and_length_is_carried():
    text = "\0\n漢字 🙂 \u2028" + "x" * 3_000_000
    program = "from nmt.translation.workers import serve; "
    program += "serve(lambda: ({}, lambda request: request), lambda error: (str(error), 1))"
    with workers.Workers([sys.executable, "-c", program], 1) as pool:
        assert [reply for _, reply in pool.map([(None, {"text": text})])] == [{"text": text}]


def test_no_more_is_taken_ahead_than_each_can_hold(start):
    pool, taken = start(1), []

    def requests():
        for number in range(50):
            taken.append(number)
            yield None, {"number": number}

    replies = pool.map(requests())
    next(replies)
    time.sleep(0.2)
    assert len(taken) <= 4  # two with the worker, one in hand, one just answered
    assert len(list(replies)) == 49


def test_a_reply_does_not_wait_for_the_next_request(start):
    pool, answered = start(1), threading.Event()

    def requests():
        yield None, {"number": 3}
        assert answered.wait(20)
        yield None, {"number": 4}

    replies = pool.map(requests())
    assert next(replies)[1]["square"] == 9
    answered.set()
    assert next(replies)[1]["square"] == 16


def test_an_error_of_a_worker_is_told_as_its_own_after_what_came_before(start):
    replies = start(2).map([(None, {"number": 1}), (None, {"fail": "too bad"}), (None, {"number": 2})])
    assert next(replies)[1]["square"] == 1
    with pytest.raises(NmtError, match=r"^ValueError: too bad$") as caught:
        next(replies)
    assert caught.value.exit_code == 2


def test_a_worker_that_cannot_be_prepared_says_why(start):
    with pytest.raises(NmtError, match=r"^ValueError: no model here$"):
        start(3, "refuse")


def test_an_error_of_the_input_comes_after_what_was_read(start):
    def requests():
        yield None, {"number": 5}
        raise IsADirectoryError(21, "Is a directory")

    replies = start(2).map(requests())
    assert next(replies)[1]["square"] == 25
    with pytest.raises(IsADirectoryError):
        next(replies)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_worker_killed_at_work_is_named(start):
    pool = start(2)
    replies = pool.map([(None, {"number": 1}), (None, {"number": 1, "die": True})])
    next(replies)
    with pytest.raises(
        RunError,
        match=r"^worker process \d+ was killed by signal 9; if memory is short, run it again with fewer",
    ):
        next(replies)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_an_idle_worker_killed_is_noticed_and_the_others_end(start):
    pool, never = start(2), threading.Event()

    def requests():
        yield None, {"number": 1}
        never.wait(60)

    replies = pool.map(requests())
    killed = next(replies)[1]["pid"]
    pids = [process.pid for process in pool._processes]
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(RunError, match=f"worker process {killed} was killed by signal 9"):
        next(replies)
    pool.close()
    never.set()
    assert not any(map(is_alive, pids))


def test_a_request_that_comes_as_the_last_worker_is_found_dead_ends_too(start, monkeypatch):
    death, found = workers._death, threading.Event()

    def late(process):
        found.set()
        time.sleep(0.3)  # meanwhile the second request is handed in
        return death(process)

    def requests():
        yield 1, {"number": 1}
        assert found.wait(20)
        yield 2, {"number": 2}

    monkeypatch.setattr(workers, "_death", late)
    replies = start(1).map(requests())
    _, first = next(replies)
    os.kill(first["pid"], signal.SIGKILL)
    with pytest.raises(RunError, match=r"was killed by signal 9"):
        next(replies)


def test_the_number_of_workers():
    assert workers.worker_count(3) == 3
    assert workers.worker_count(0) >= 1
    with pytest.raises(
        ConfigError, match="--workers -1 is not possible: it must be between 1 and 1024, or 0 for one per core"
    ):
        workers.worker_count(-1)
