"""What is submitted waits for a full window, a flush or its deadline; batches are of bounded memory."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from nmt.config.search import SearchConfig
from nmt.errors import RunError
from nmt.translation.batching import cut_batches, windows
from nmt.translation.request import Request
from nmt.translation.rows import RowTranslator
from nmt.translation.translator import Translator

from .untrained import make_bundle, sentences, texts


@pytest.fixture(scope="module")
def bundle():
    return make_bundle()


@pytest.mark.parametrize("batch_size", [4, 8])
def test_long_lines_make_smaller_batches(bundle, monkeypatch, batch_size):
    batches = []
    translate = RowTranslator._batch

    def watching(self, batch, options):
        batches.append([len(row.ids) for row in batch])
        return translate(self, batch, options)

    monkeypatch.setattr(RowTranslator, "_batch", watching)
    lines = [*sentences(20, seed=4), *(" ".join(sentences(count)) for count in range(2, 60, 3))]
    search = SearchConfig(beam_size=1, batch_size=batch_size, max_source_tokens=500, protect=False)
    together = texts(Translator(bundle, search=search).translate(lines))
    lengths = [length for batch in batches for length in batch]
    assert len(lengths) == len(set(lines))
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 400 > 20 > lengths[-1]
    for batch in batches[:-1]:
        assert len(batch) == max(1, min(batch_size, batch_size * 128 // batch[0]))
    assert together == [texts(Translator(bundle, search=search).translate([line]))[0] for line in lines]


def test_windows():
    assert list(windows(["a", "b", "c"], 2)) == [["a", "b"], ["c"]]
    assert list(windows([], 2)) == []


@pytest.mark.parametrize(
    ("lengths", "size", "scores", "rows"),
    [
        ([9] * 5, 2, 1, [2, 2, 1]),
        ([300, 256, 128, 5], 2, 1, [1, 1, 2]),
        ([2**17] * 2 + [2**16] * 5, 10_000, 1, [2, 4, 1]),
        ([2**19, 1], 10_000, 1, [1, 1]),
        ([9] * 5, 64, 2**27, [2, 2, 1]),
        ([9] * 2, 64, 2**40, [1, 1]),
    ],
    ids=["size", "long", "positions", "very long", "scores", "very many scores"],
)
def test_the_memory_of_a_batch_is_bounded(lengths, size, scores, rows):
    cuts = list(cut_batches(lengths, size, scores=scores))
    assert [len(lengths[cut]) for cut in cuts] == rows
    assert [place for cut in cuts for place in range(len(lengths))[cut]] == list(range(len(lengths)))


def test_what_is_submitted_waits_for_a_full_window_or_a_flush(bundle):
    translator = Translator(bundle, search=SearchConfig(beam_size=1, batch_size=1))
    lines = sentences(20)
    expected = texts(translator.translate(lines))
    futures = [translator.submit(Request(line)) for line in lines]
    assert [future.done() for future in futures] == [True] * 16 + [False] * 4
    translator.flush()
    assert texts(future.result(0) for future in futures) == expected
    translator.flush()  # of nothing


def test_at_its_deadline_what_waits_is_translated(bundle):
    translator = Translator(bundle, deadline=0.05)
    lines = sentences(3)
    futures = [translator.submit(Request(line)) for line in lines]
    assert texts(future.result(30) for future in futures) == texts(Translator(bundle).translate(lines))
    assert translator.submit(Request(lines[0])).result(30).text == futures[0].result().text


def test_threads_may_share_a_translator(bundle):
    translator, lines = Translator(bundle, deadline=0.01), sentences(40)
    expected = texts(Translator(bundle).translate(lines))
    with ThreadPoolExecutor(8) as threads:
        submitted = list(threads.map(lambda line: translator.submit(Request(line)).result(60).text, lines))
        translated = list(threads.map(lambda line: translator.translate([line])[0].text, lines))
    assert submitted == translated == expected


def test_an_error_reaches_everyone_who_waits_and_a_cancelled_request_nobody(bundle, monkeypatch):
    translator = Translator(bundle)
    futures = [translator.submit(Request(line)) for line in ("Red.", "The river.", "Many trees.")]
    assert futures[1].cancel()

    def fail(self, *arguments):
        raise RunError("out of luck")

    monkeypatch.setattr(type(bundle.model), "start", fail)
    translator.flush()
    for future in (futures[0], futures[2]):
        with pytest.raises(RunError, match="out of luck"):
            future.result(0)
    assert futures[1].cancelled()
    monkeypatch.undo()
    assert translator.translate(["Red."])[0].text  # it goes on
