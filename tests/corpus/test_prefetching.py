"""Batches made ahead or kept from before: they are the same, and threads end."""

import threading

import pytest

from nmt.config.choices import Sides
from nmt.corpus.batches import BatchSource
from nmt.corpus.cache import Cache
from nmt.corpus.mixture import Mixture
from nmt.corpus.prefetch import prefetch
from nmt.text.subwords import SubwordModel

from .conftest import assert_same, make


@pytest.fixture(params=[0.0, 0.2], ids=["best", "sampled"])
def source(request, corpus, subwords):
    return make(corpus, subwords, sampling_alpha=request.param)


@pytest.fixture
def counted(monkeypatch):
    """Numbers of the windows that are made."""
    made = []
    window = BatchSource._window

    def counting(self, positions, epoch, number):
        made.append(number)
        return window(self, positions, epoch, number)

    monkeypatch.setattr(BatchSource, "_window", counting)
    return made


@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_what_lies_behind_is_not_made_again(corpus, subwords, tmp_path, counted, alpha):
    remembering = make(
        Mixture(corpus.parts, digest="abc"), subwords, sampling_alpha=alpha, cache=Cache(tmp_path / "cache")
    )
    whole = list(remembering.epoch(1))
    windows = len(counted)
    per_window = len(whole) // windows
    for start, made in ((0, windows), (2 * per_window + per_window // 2, windows - 2), (len(whole), 0)):
        counted.clear()
        assert_same(remembering.epoch(1, start=start), whole[start:])
        assert len(counted) == made
    # of another epoch, other settings or other text nothing is known
    for other in (
        remembering.epoch(2, start=len(whole)),
        make(Mixture(corpus.parts, digest="abd"), subwords, cache=remembering.cache).epoch(1, start=len(whole)),
        make(remembering.corpus, subwords, seed=4, cache=remembering.cache).epoch(1, start=len(whole)),
        make(
            remembering.corpus, subwords, sampling_alpha=alpha, sampled_sides=Sides.source, cache=remembering.cache
        ).epoch(1, start=len(whole)),
    ):
        counted.clear()
        list(other)
        assert len(counted) >= 4


def test_what_is_remembered_of_an_epoch_begun_is_gone_on_with(corpus, subwords, tmp_path, counted):
    remembering = make(Mixture(corpus.parts, digest="abc"), subwords, sampling_alpha=0.2, cache=Cache(tmp_path))
    whole = list(make(corpus, subwords, sampling_alpha=0.2).epoch(0))
    begun = remembering.epoch(0)
    next(begun)
    begun.close()
    for _ in range(2):
        assert_same(remembering.epoch(0, start=len(whole) - 1), whole[-1:])
    assert counted == [*range(5), 0, *range(1, 5), 4]


def test_prefetching_changes_nothing(corpus, subwords, source):
    ahead = make(corpus, subwords, sampling_alpha=source.sampling_alpha, prefetch=4)
    assert_same(ahead.epoch(1), source.epoch(1))


def prefetching():
    return [thread for thread in threading.enumerate() if thread.name.startswith("nmt-prefetch")]


def test_an_abandoned_epoch_leaves_no_thread(corpus, subwords):
    epoch = make(corpus, subwords, prefetch=2).epoch(0)
    next(epoch)
    assert prefetching()
    epoch.close()
    assert not prefetching()


def test_a_finished_epoch_leaves_no_thread(corpus, subwords):
    assert list(make(corpus, subwords, prefetch=2).epoch(0))
    assert not prefetching()


def test_an_error_in_the_thread_is_raised_in_the_loop(corpus, subwords, monkeypatch):
    def fail(*args, **kwargs):
        raise MemoryError("sampling")

    monkeypatch.setattr(SubwordModel, "sample_batch", fail)
    with pytest.raises(MemoryError, match="sampling"):
        next(make(corpus, subwords, sampling_alpha=0.1, prefetch=2).epoch(0))
    assert not prefetching()


def test_running_ahead_is_bounded():
    made = []

    def numbers():
        for number in range(100):
            made.append(number)
            yield number

    ahead = prefetch(numbers(), 3)
    assert [next(ahead) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(made) <= 5 + 3 + 1  # taken, queued, and one in the thread's hand
    assert list(ahead) == list(range(5, 100))
