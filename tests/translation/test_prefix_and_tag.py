"""Requests with a tag before their source, and with a prefix that their translation begins with."""

from dataclasses import replace

import pytest

from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.translation.request import Request
from nmt.translation.translator import Translator

from .untrained import make_bundle, sentences, texts


@pytest.fixture(scope="module")
def bundle():
    return make_bundle()


@pytest.fixture
def seen(bundle, monkeypatch):
    """Sources that reach the model, without padding."""
    rows = []
    start = type(bundle.model).start

    def watching(self, source, lengths, constraints=None):
        rows.extend(row[:length] for row, length in zip(source.tolist(), lengths.tolist(), strict=True))
        return start(self, source, lengths)

    monkeypatch.setattr(type(bundle.model), "start", watching)
    return rows


@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_tag_stands_before_every_source(bundle, seen, beam_size):
    lines, subwords = sentences(10), bundle.source_subwords
    runs = {}
    for tag in (-1, 0, 15):
        seen.clear()
        search = SearchConfig(beam_size=beam_size, batch_size=4, source_tag=tag)
        runs[tag] = texts(Translator(bundle, search=search).translate(["", *lines, " "]))
        before = [] if tag < 0 else [subwords.control_ids[tag]]
        assert sorted(seen) == sorted([*before, *subwords.encode(line), subwords.eos_id] for line in set(lines))
        assert runs[tag][0] == runs[tag][-1] == ""
    assert len(set(map(tuple, runs.values()))) == 3


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_tagged_translation_does_not_depend_on_its_batch(bundle, beam_size):
    lines = [*sentences(15), *(" ".join(sentences(count)) for count in (2, 4, 8))]
    runs = []
    for batch_size in (1, 7, 64):
        search = SearchConfig(beam_size=beam_size, batch_size=batch_size, source_tag=2)
        runs.append(texts(Translator(bundle, search=search).translate(lines)))
    assert runs[0] == runs[1] == runs[2]


def test_a_tag_counts_neither_for_the_cut_nor_for_the_length(bundle, seen):
    endless = make_bundle(end=-1e9)
    search = SearchConfig(beam_size=1, max_source_tokens=5, max_length_ratio=2, source_tag=1)
    (translation,) = Translator(endless, search=search).translate(["Red house near the old river."])
    ids = endless.source_subwords.encode("Red house near the old river.")
    assert seen == [[endless.source_subwords.control_ids[1], *ids[:5], endless.source_subwords.eos_id]]
    assert translation.warnings[0].startswith(f"its {len(ids)} subwords were cut to max_source_tokens=5")
    assert len(translation.hypotheses[0].tokens) == 2 * 5 + 10


def test_a_tag_that_no_subword_model_has_is_refused(bundle):
    for tag in (-2, 16):
        with pytest.raises(
            ConfigError, match=rf"search\.source_tag={tag} is not possible: it must be between 0 and 15, or -1"
        ):
            Translator(bundle, search=SearchConfig(source_tag=tag))


def test_a_request_may_have_a_prefix_that_its_translation_begins_with(bundle):
    lines = sentences(12)
    free = Translator(bundle).translate(lines)
    prefixes = ["Many green", "", "the old river"] * 4
    requests = [Request(line, prefix=prefix) for line, prefix in zip(lines, prefixes, strict=True)]
    for beam_size in (1, 3):
        search = SearchConfig(beam_size=beam_size, batch_size=4)
        translator = Translator(bundle, search=search, n_best=beam_size)
        found = translator.translate(requests)
        for request, translation in zip(requests, found, strict=True):
            assert all(each.text.startswith(request.prefix) for each in translation.hypotheses)
            [alone] = translator.translate([request])
            assert [each.tokens for each in alone.hypotheses] == [each.tokens for each in translation.hypotheses]
        free = translator.translate(lines)
        for request, translation, other in zip(requests, found, free, strict=True):
            if not request.prefix:
                assert [each.tokens for each in translation.hypotheses] == [each.tokens for each in other.hypotheses]


def test_what_a_translation_begins_with_by_itself_changes_nothing_as_its_prefix(bundle):
    translator, same = Translator(bundle, search=SearchConfig(beam_size=1)), 0
    for line in sentences(30):
        [free] = translator.translate([line])
        if free.hypotheses[0].finished:
            [forced] = translator.translate([Request(line, prefix=free.text)])
            assert forced.text.startswith(free.text)
            if free.hypotheses[0].tokens == bundle.target_subwords.encode(free.text):
                assert forced.hypotheses[0].tokens == free.hypotheses[0].tokens
                assert forced.hypotheses[0].log_prob == pytest.approx(free.hypotheses[0].log_prob, abs=1e-5)
                same += 1
    assert same


def test_a_long_prefix_leaves_room_for_a_translation(bundle):
    prefix = " ".join(sentences(10))
    [translation] = Translator(bundle).translate([Request("Red.", prefix=prefix)])
    assert translation.text.startswith(prefix)
    assert len(translation.hypotheses[0].tokens) > len(bundle.target_subwords.encode(prefix))


@pytest.mark.parametrize("prefix", ["Man", "Many ", "", " ", " Many", "Many  green", "Many 漢 ", "漢", "Many\t"])
@pytest.mark.parametrize("settings", [{"beam_size": 1}, {"beam_size": 3}, {"sample": True}])
def test_a_translation_begins_with_exactly_its_prefix(bundle, prefix, settings):
    translator = Translator(bundle, search=SearchConfig(**settings), n_best=3 if settings != {"beam_size": 1} else 1)
    requests = [Request(line, prefix=prefix) for line in ["", *sentences(6)]]
    subwords = bundle.target_subwords
    for translation in translator.translate(requests):
        for each in translation.hypotheses:
            assert each.text.startswith(prefix)
            begun = subwords.decode(subwords.encode(prefix))
            if each.finished and each.tokens:  # what stands behind the prefix is what the model took
                rest = subwords.decode(each.tokens).removeprefix(begun)
                assert each.text.removeprefix(prefix).split() == rest.split()
                assert not (prefix.endswith(" ") and begun and rest) or rest.startswith(" ")
        if "漢" in prefix and translation.hypotheses[0].tokens:
            assert translation.warnings[0] == (
                "the model does not know characters of the prefix ('漢'), and read past them"
            )
    assert translator.translate([Request("", prefix=prefix)])[0].text == prefix


def test_a_prefix_may_end_inside_a_word(bundle):
    """The word goes on, or another begins; the model may take a subword that is longer than what was given."""
    translator, line = Translator(bundle, search=SearchConfig(sample=True, temperature=3), n_best=40), sentences(1)[0]
    [found] = translator.translate([Request(line, prefix="the gr")])
    rests = [each.text.removeprefix("the gr") for each in found.hypotheses]
    assert {rest[:1] == " " for rest in rests if rest} == {True, False}
    whole = bundle.target_subwords.encode("the green")
    begun = bundle.target_subwords.encode("the gr")
    assert len(whole) == 2 < len(begun)
    starts = [each.tokens[:2] for each in found.hypotheses]
    assert whole in starts
    assert begun[:2] in starts


def test_a_request_may_have_a_tag_of_its_own(bundle, seen):
    subwords = bundle.source_subwords
    translator = Translator(bundle, search=SearchConfig(beam_size=1, source_tag=2))
    for tag, expected in ((None, [subwords.control_ids[2]]), (-1, []), (7, [subwords.control_ids[7]])):
        seen.clear()
        translator.translate([Request("Red.", tag=tag)])
        assert seen == [[*expected, *subwords.encode("Red."), subwords.eos_id]]
    with pytest.raises(ConfigError, match="tag 16 is not possible: it must be between 0 and 15, or -1 for none"):
        Request("Red.", tag=16)


def test_a_tag_may_have_a_name(bundle, seen):
    named = replace(bundle, tags={"formal": 0, "informal": 4})
    translator = Translator(named, search=SearchConfig(beam_size=1))
    translator.translate([Request("Red.", tag="informal")])
    assert seen == [[8, *bundle.source_subwords.encode("Red."), 3]]
    futures = [translator.submit(Request("Red.", tag=tag)) for tag in ("polite", "formal")]
    translator.flush()
    assert futures[1].result().text
    with pytest.raises(ConfigError) as caught:
        futures[0].result()
    assert str(caught.value) == "there is no tag 'polite': take one of formal, informal, or -1 for none"
    with pytest.raises(ConfigError) as caught:
        Translator(bundle).translate([Request("Red.", tag="formal")])
    assert str(caught.value) == (
        "there is no tag 'formal': the model has no names, take a number (0 to 15), or -1 for none"
    )


def test_the_id_comes_back_and_equal_requests_are_translated_once(bundle, seen):
    line = "the old river"
    found = Translator(bundle).translate([Request(line, id="a"), Request("", id=2), Request(line, id=3), line])
    assert [translation.id for translation in found] == ["a", 2, 3, None]
    assert len(seen) == 1
    assert found[0].hypotheses == found[2].hypotheses


@pytest.mark.parametrize("prefix", ["the {x}", "http://a.b", "Man", "the 😀 ", "😀", "  red {x} gr"])
@pytest.mark.parametrize("settings", [{"beam_size": 1}, {"beam_size": 3}, {"sample": True}])
def test_spans_come_back_once_behind_or_within_the_prefix(prefix, settings):
    bundle, lines = make_bundle(end=1.0), ["{x} the 😀 river", "😀", "see http://a.b or {x} here", "old 😀 and 😀 {x}"]
    translations = Translator(bundle, search=SearchConfig(**settings)).translate(
        [Request(line, prefix=prefix) for line in lines]
    )
    for line, translation in zip(lines, translations, strict=True):
        assert translation.text.startswith(prefix)
        for span in ("{x}", "😀", "http://a.b"):
            assert translation.text.count(span) == max(line.count(span), prefix.count(span))
