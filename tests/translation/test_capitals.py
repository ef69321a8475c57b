"""Lines in capitals: translated as they are usually written, and in capitals again."""

import json
import re
from dataclasses import replace

import pytest

from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.text.capitals import UsualCase, in_capitals
from nmt.translation.layers import layers_of
from nmt.translation.request import Request
from nmt.translation.translator import Translator

from .untrained import make_bundle, sentences, texts


@pytest.fixture(scope="module")
def bundle():
    return make_bundle()


LINES = [line for line in sentences(40) if " " in line]


@pytest.mark.parametrize("settings", [{"beam_size": 1}, {"beam_size": 3}, {"mbr_samples": 4}])
def test_a_line_in_capitals_is_translated_as_it_is_usually_written(bundle, settings):
    translator = Translator(bundle, search=SearchConfig(batch_size=8, **settings))
    usual = UsualCase(bundle.source_subwords, "en")
    known = [line for line in LINES if usual.written(line.upper()) == line]
    assert len(known) > 0.8 * len(LINES)
    expected = [in_capitals(text, "xx") for text in texts(translator.translate(known))]
    assert len({*expected}) > 10
    assert texts(translator.translate([line.upper() for line in known])) == expected
    # Between other lines too.
    mixed = [line for pair in zip(known, known[::-1], strict=True) for line in (pair[0].upper(), pair[1])]
    assert texts(translator.translate(mixed))[::2] == expected


def test_other_lines_are_translated_as_without(bundle):
    lines = [*LINES, "a", "A", "1 2 3", "a RED house", "", " ", "iPHONE"]
    found = [
        Translator(bundle, search=SearchConfig(beam_size=2, capitals=capitals)).translate(lines)
        for capitals in (True, False)
    ]
    assert found[0] == found[1]


def test_without_it_the_model_reads_what_stands_there(bundle):
    lines = [line.upper() for line in LINES]
    assert texts(Translator(bundle, search=replace(bundle.search, capitals=False)).translate(lines)) != texts(
        Translator(bundle).translate(lines)
    )


@pytest.mark.parametrize("prefix", ["A SMALL", "A SMALL ", "A RED HO", "A", "1. ", "- ", '"', "STRAẞE"])
def test_a_prefix_in_capitals_begins_a_translation_in_capitals(bundle, prefix):
    [found] = texts(Translator(bundle).translate([Request(LINES[0].upper(), prefix=prefix)]))
    assert found.startswith(prefix)
    assert found == found.upper()


@pytest.mark.parametrize("prefix", ["A small", "a"])
def test_a_translation_that_begins_with_small_letters_is_in_them(bundle, prefix):
    translator = Translator(bundle)
    [usual] = texts(translator.translate([Request("A small house.", prefix=prefix)]))
    assert texts(translator.translate([Request("A SMALL HOUSE.", prefix=prefix)])) == [usual]


def test_the_prefix_of_a_line_that_stays_as_it_is_stays_too(bundle):
    """No word of this line can be spelt, so that none has another case."""
    [found] = texts(Translator(bundle).translate([Request("QQ ŽŽ", prefix="A SMALL")]))
    assert found.startswith("A SMALL")


def test_spans_come_back_as_they_are(bundle):
    [found] = texts(Translator(bundle).translate(["A SMALL HOUSE https://example.org/a?b={x} {name}"]))
    assert found.count("https://example.org/a?b={x}") == found.count("{name}") == 1


def test_spans_are_no_capitals_wherever_the_model_puts_them(bundle):
    """Even where what stands before or behind one would hide it."""
    line = "A SMALL {a}HOUSE %s, https://example.org/a @b #c RED me@example.org RIVER"
    spans = ["{a}", "%s", "https://example.org/a", "@b", "#c", "me@example.org"]
    for beam_size in (1, 2, 3):
        [found] = texts(Translator(bundle, search=SearchConfig(beam_size=beam_size)).translate([line]))
        assert [span for span in spans if span not in found] == []
        for span in spans:
            found = found.replace(span, "")
        assert found == found.upper()


@pytest.mark.parametrize("source", ["HOUSE", "house"])
def test_a_term_is_found_as_it_stands_and_as_it_is_usually_written(bundle, source):
    translator = Translator(bundle, search=SearchConfig(beam_size=4, terms="hard"))
    [found] = texts(translator.translate([Request("A SMALL HOUSE.", terms=((source, ("river",)),))]))
    # The model cannot spell HOUSE, so that its target is put in as it is.
    assert ("RIVER" if source == "house" else "river") in found


def test_of_several_sentences_and_of_lines_with_tags_each_is_looked_at(bundle):
    search = bundle.search
    sentences_apart = Translator(bundle).add_layers(layers_of(bundle, search, n_best=1, split_sentences=True))
    [both] = texts(sentences_apart.translate([f"{LINES[0].upper()} {LINES[1]}"]))
    [capital, usual] = texts(Translator(bundle).translate([LINES[0].upper(), LINES[1]]))
    assert both == f"{capital} {usual}"
    tagged = Translator(bundle).add_layers(layers_of(bundle, search, n_best=1, markup="html"))
    [found] = texts(tagged.translate(["<p><b>A SMALL</b> HOUSE <i>STANDS</i> NEAR.</p>"]))
    assert [found.count(tag) for tag in ("<p>", "</p>", "<b>", "</b>", "<i>", "</i>")] == [1] * 6
    [plain] = texts(Translator(bundle).translate(["A SMALL HOUSE STANDS NEAR."]))
    assert "".join(re.split("<[^>]*>", found)).split() == plain.split()


def test_scores_tokens_and_alignments_are_those_of_the_usual_line(bundle):
    translator = Translator(bundle, n_best=3, alignments=True, attention=True)
    [usual, capital] = translator.translate([LINES[0], Request(LINES[0].upper(), id=7)])
    assert capital.id == 7
    written = [replace(each, text=each.text.upper()) for each in usual.hypotheses]
    assert json.dumps(replace(capital, id=None).to_dict()) == json.dumps(replace(usual, hypotheses=written).to_dict())


def test_a_refused_line_is_told_as_any_other(bundle):
    translator = Translator(bundle, search=SearchConfig(beam_size=1))
    with pytest.raises(ConfigError, match="not into yy"):
        translator.translate([Request("A SMALL HOUSE.", to="yy")])
