"""The layer of sentences: what becomes of a line is put together from what became of its sentences."""

from dataclasses import replace

import pytest

from nmt.config.choices import LengthNormalization
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.translation.layers import layers_of
from nmt.translation.request import Request, TextHypothesis, Translation
from nmt.translation.sentences import Sentences
from nmt.translation.translator import Translator

SEARCH = SearchConfig(beam_size=2, normalization=LengthNormalization.average)


class Told:
    """Translates by a table, each sentence with as many tokens as words, and word by word."""

    def __init__(self, table=None):
        self.table, self.seen = table or {}, []

    def __call__(self, requests):
        self.seen += requests
        return [self._translation(request) for request in requests]

    def _translation(self, request):
        text = request.prefix + self.table.get(request.text, request.text.upper())
        words = text.split()
        best = TextHypothesis(text, -1.0, -1.0, "open" not in text, words, [(i, i) for i in range(len(words))])
        return Translation([best], ["odd"] if "odd" in request.text else [], request.text[:0], request.id)


def answer(make_bundle, requests, *, told=None, language="en"):
    layer = Sentences(replace(make_bundle(), source_language=language), SEARCH)
    return layer.translate([Request(each) if isinstance(each, str) else each for each in requests], told or Told())


def test_a_line_of_two_sentences_has_both(make_bundle):
    (whole,) = answer(make_bundle, [Request("A dog runs.  The odd man is odd. Odd.", id="x", prefix="so ")])
    best = whole.hypotheses[0]
    assert whole.text == "so A DOG RUNS.  THE ODD MAN IS ODD. ODD."
    assert (whole.id, whole.warnings, best.finished) == ("x", ["odd"], True)
    assert best.log_prob == -3.0
    assert best.score == pytest.approx(-3 / (4 + 5 + 1 + 3))  # words, and three ends
    assert best.alignment == [(i, i) for i in range(4)] + [(i - 1, i) for i in range(4, 10)]
    assert best.tokens == whole.text.split()


def test_what_is_one_sentence_goes_through_as_it_is(make_bundle):
    told = Told()
    requests = [Request(" A dog runs. "), Request(""), Request(" \t"), Request("Go", tag=3, id=1)]
    assert answer(make_bundle, requests, told=told) == Told()(requests)
    assert told.seen == requests


def test_what_is_asked_of_a_line_is_asked_of_each_sentence(make_bundle):
    told = Told()
    answer(make_bundle, [Request("A dog. A man.", tag=3, draw=2, prefix="x")], told=told)
    assert told.seen == [Request("A dog.", tag=3, draw=2, prefix="x"), Request("A man.", tag=3, draw=2)]


@pytest.mark.parametrize(
    ("language", "text", "table", "expected"),
    [
        ("en", "Go. Stay.", {"Go.": "走。", "Stay.": "留下。"}, "走。留下。"),
        ("en", "Go.\tStay.", {"Go.": "走。", "Stay.": "留下。"}, "走。\t留下。"),
        ("en", "Go. Stay.", {"Go.": "ไป", "Stay.": "อยู่"}, "ไป อยู่"),
        ("zh", "走。留下。", {"走。": "Go.", "留下。": "Stay."}, "Go. Stay."),
        ("zh", "“走。”留下。", {"“走。”": "“Go.”", "留下。": "Stay."}, "“Go.” Stay."),
        ("zh", "走。 留下。", {"走。": "行け。", "留下。": "残れ。"}, "行け。残れ。"),
        ("en", "Go.\nStay.", {}, "GO. STAY."),
        ("en", "Go. Stay.", {"Go.": ""}, "STAY."),
    ],
)
def test_translations_are_joined_as_their_script_is_written(make_bundle, language, text, table, expected):
    (whole,) = answer(make_bundle, [text], told=Told(table), language=language)
    assert whole.text == expected


def test_words_that_no_space_parts_are_one(make_bundle):
    (whole,) = answer(make_bundle, ["走。 A B"], told=Told({"走。": "C"}), language="zh")
    assert whole.hypotheses[0].alignment == [(0, 0), (1, 1), (2, 2)]
    (whole,) = answer(make_bundle, ["走。去。"], told=Told({"走。": "go", "去。": "on"}), language="zh")
    assert whole.hypotheses[0].alignment == [(0, 0), (0, 1)]


def test_a_sentence_that_was_cut_or_refused_tells_it_of_the_line(make_bundle):
    (whole,) = answer(make_bundle, ["Go. Stay."], told=Told({"Go.": "open"}))
    assert not whole.hypotheses[0].finished
    error = ConfigError("no such tag")
    assert answer(make_bundle, ["Go. Stay."], told=lambda requests: [error] * len(requests)) == [error]


def test_a_translator_with_this_layer_translates_each_sentence_as_if_alone(make_bundle):
    bundle = make_bundle()
    layers = layers_of(bundle, bundle.search, n_best=1, split_sentences=True)
    alone = Translator(bundle, alignments=True)
    whole, one = Translator(bundle, alignments=True).add_layers(layers).translate(["a red house. The old river.", "a"])
    first, second, last = alone.translate(["a red house.", "The old river.", "a"])
    assert whole.text == f"{first.text} {second.text}"
    assert whole.hypotheses[0].log_prob == pytest.approx(first.hypotheses[0].log_prob + second.hypotheses[0].log_prob)
    assert one == last


def test_several_hypotheses_are_refused(make_bundle):
    with pytest.raises(
        ConfigError, match=r"^n_best=2 is for whole lines, and split_sentences has only the best of each part$"
    ):
        layers_of(make_bundle(), SEARCH, n_best=2, split_sentences=True)
    assert layers_of(make_bundle(), SEARCH, n_best=2) == ()
