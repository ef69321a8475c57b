"""Protected lines: marks for what comes back as it is, and nothing of it is lost."""

import pytest
import torch

from nmt.bundle.weights import Bundle
from nmt.config.choices import AttentionKind
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.model.seq2seq import build_model
from nmt.search.interface import Constraints
from nmt.text.subword_training import train_subwords
from nmt.text.subwords import MARKS
from nmt.translation.protection import Protector
from nmt.translation.request import Request
from nmt.translation.rows import Row
from nmt.translation.translator import Translator

A, B = MARKS[:2]
LINES = ["the old river sees 12 red houses.", "many green men, or 1847 dogs", "the dogs of 35 rivers, 60 or 9"]


def subwords(marks):
    return train_subwords(LINES * 20, kind="unigram", vocabulary_size=90, marks=marks)


def make_bundle(marks, *, written=0.0, copies=False, **network):
    """An untrained model whose sentences end; `written` is added to the scores of its marks."""
    config = ModelConfig(embedding_size=16, encoder_hidden_size=16, decoder_hidden_size=32, **network)
    vocabulary = subwords(marks)
    sizes = {"source_vocabulary": vocabulary.vocabulary_size, "target_vocabulary": vocabulary.vocabulary_size}
    torch.manual_seed(1)
    model = build_model(config, **sizes).eval()
    with torch.no_grad():
        model.output_bias[vocabulary.eos_id] = 2.0
        model.output_bias[list(vocabulary.mark_ids)] = written
    return Bundle(
        model=model,
        config=config,
        source_subwords=vocabulary,
        target_subwords=vocabulary,
        source_language="en",
        target_language="de",
        search=SearchConfig(beam_size=3, batch_size=4),
    )


def texts(translations):
    return [each.text for each in translations]


# --- lines


def test_a_line_has_marks_for_its_spans_and_gets_them_back():
    vocabulary = subwords(3)
    line = Protector(vocabulary, vocabulary).protect("the 😀 sees {x}, not http://a.b or %s.")
    marks = MARKS[:4]
    assert line.marked == "the {} sees {}, not {} or {}.".format(*marks)
    assert line.spans == ("😀", "{x}", "http://a.b", "%s")
    assert line.given == "the {} sees {}, not {} or .".format(*marks[:3])
    assert line.missing(f"die {marks[1]} {marks[3]}") == [marks[0], marks[2]]
    assert line.restored("{1} und {3}, {0}{2}".format(*marks)) == "{x} und %s, 😀http://a.b"
    assert line.with_marks("die {x} %s") == f"die {marks[1]} {marks[3]}"
    assert line.without_unknown(line.with_marks("die {x} %s")) == f"die {marks[1]} "


def test_further_places_are_protected_where_they_touch_no_span():
    vocabulary = subwords(8)
    protector = Protector(vocabulary, vocabulary)
    first = protector.protect("{x} sees 1,000.5 http://a.b/7")
    start = first.marked.index("1,")
    place = first.origin(start, start + 7)
    line = protector.protect(
        "{x} sees 1,000.5 http://a.b/7", also=[(place, "1.000,5"), (place._replace(start=0), "no")]
    )
    assert line.spans == ("{x}", "1.000,5", "http://a.b/7")
    assert line.restored(line.marked) == "{x} sees 1.000,5 http://a.b/7"


def test_of_very_many_spans_the_rest_stays_text():
    vocabulary = subwords(2)
    line = Protector(vocabulary, vocabulary).protect("%s " * 70)
    assert len(line.spans) == 64
    assert line.given.split() == [*MARKS[:2], *["%s"] * 6]


# --- with a model

HOSTILE = [
    "the 😀 old river sees http://a.b/c?d=e and %s.",
    "{x} {y} {z} the dogs, of {x}",
    "Žižek sleeps",
    "😀",
    "https://only.example.org",
    "%s",
    f"raw {A} and {MARKS[40]}",
    "the old river sleeps",
    "",
    "👩🏽‍💻" * 3 + " dogs",
    " ".join(f"{{s{i}}}" for i in range(30)),
    "漢字 the river",
]


def assert_nothing_is_lost(lines, translations):
    vocabulary = subwords(0)
    protector = Protector(vocabulary, vocabulary)
    for line, translation in zip(lines, translations, strict=True):
        for each in translation.hypotheses:
            for span in protector.protect(line).spans:
                assert each.text.count(span) == line.count(span), (line, each.text)
            assert not any(mark in each.text for mark in MARKS if mark not in line)
        assert translation.unknown == ""


@pytest.mark.parametrize("search", [{"beam_size": 1}, {"beam_size": 4}, {"sample": True, "seed": 3}], ids=str)
@pytest.mark.parametrize("written", [-9.0, 0.0, 3.0], ids=["never", "seldom", "often"])
@pytest.mark.parametrize("marks", [0, 3])
def test_nothing_is_lost(marks, written, search):
    if not marks and written:
        pytest.skip("a vocabulary without marks writes none")
    bundle = make_bundle(marks, written=written)
    translator = Translator(bundle, search=SearchConfig(batch_size=4, **search), n_best=2 if "sample" in search else 1)
    translations = translator.translate(HOSTILE)
    assert_nothing_is_lost(HOSTILE, translations)
    alone = [
        Translator(bundle, search=translator.search, n_best=len(translations[0].hypotheses)).translate([line])[0]
        for line in HOSTILE
    ]
    assert texts(alone) == texts(translations)


def test_a_model_that_writes_its_marks_is_taken_at_its_word():
    bundle = make_bundle(3, written=4.0)
    line = "the 😀 old river"
    [found] = Translator(bundle).translate([line])
    best = found.hypotheses[0]
    assert 20 in best.tokens
    assert best.tokens.count(20) == 1
    assert found.text == bundle.target_subwords.decode(best.tokens).replace(A, "😀")


def test_a_translation_without_its_marks_is_searched_again():
    """What the first search left out the second has; where that does not end, the first one stays."""
    bundle = make_bundle(3, written=1.5)
    translator = Translator(bundle, search=SearchConfig(beam_size=3))
    rows = translator._rows
    sources = [tuple(bundle.source_subwords.encode(f"{line} {A} {B} and")) for line in (*LINES, "the", "old men", "12")]
    asked = {Row((), ids, Constraints(marks=(20, 21)), 1) for ids in sources}
    first, second = rows._search(asked, rows.options), rows.translate(asked)
    outcomes = set()
    for row in asked:
        if row.lacks_marks(first[row][0].tokens):
            outcomes.add(not row.lacks_marks(second[row][0].tokens))
            assert second[row] == first[row] or second[row][0].finished
        else:
            assert second[row] == first[row]
    assert True in outcomes


def test_equal_lines_but_for_their_spans_are_translated_once(monkeypatch):
    bundle = make_bundle(3, written=4.0)
    rows = []
    translator = Translator(bundle)
    batch = translator._rows._batch
    monkeypatch.setattr(translator._rows, "_batch", lambda those, options: rows.extend(those) or batch(those, options))
    found = translator.translate(["the 😀 river", "the {x} river", "the http://a.b river"])
    assert len({row.ids for row in rows}) == 1
    assert len(set(texts(found))) == 3


@pytest.mark.parametrize("workers", ["alignments", "attention"])
def test_alignments_and_attention_come_with_marks_too(workers):
    bundle = make_bundle(2)
    for each in Translator(bundle, **{workers: True}).translate(HOSTILE):
        best = each.hypotheses[0]
        if workers == "alignments" and best.tokens:
            assert all(target < len(each.text.split()) for _, target in best.alignment)


def test_a_model_without_attention_keeps_its_spans():
    bundle = make_bundle(2, attention=AttentionKind.none, lexicon_size=0)
    assert_nothing_is_lost(HOSTILE, Translator(bundle).translate(HOSTILE))


def test_what_is_not_protected_is_translated_as_before():
    bundle = make_bundle(3)
    plain = SearchConfig(beam_size=3, protect=False, check_numbers=False)
    lines = ["the old river", "many green men", "the 😀 river"]
    expected = Translator(bundle, search=plain).translate(lines)
    assert [each.unknown for each in expected] == ["", "", "😀"]
    found = Translator(bundle, search=SearchConfig(beam_size=3)).translate(lines[:2])
    assert [each.hypotheses for each in found] == [each.hypotheses for each in expected[:2]]


def test_a_prefix_may_have_spans_of_its_line():
    bundle = make_bundle(3)
    translator = Translator(bundle, search=SearchConfig(beam_size=2))
    [found] = translator.translate([Request("the 😀 river of {x}", prefix="many {x} the 😀")])
    assert found.text.startswith("many {x} the 😀")
    assert found.text.count("😀") == found.text.count("{x}") == 1


# --- numbers


def test_a_line_whose_number_is_gone_is_translated_again_with_it_protected():
    bundle = make_bundle(3, written=4.0)
    line = "the old river sees 1,850 dogs"
    unchecked, checked = (
        Translator(bundle, search=SearchConfig(beam_size=3, check_numbers=each)).translate([line])[0]
        for each in (False, True)
    )
    assert "1850" not in unchecked.text.replace(".", "")
    assert "1.850" in checked.text
    assert checked.warnings == unchecked.warnings


def test_a_number_that_stays_away_is_told():
    [found] = Translator(make_bundle(0)).translate(["the old river sees 1850 dogs of 77 men"])
    assert found.warnings[0] == "its translation lacks a number of the source (1850, 77)"
