"""Terms of lines: how a search hears of them, and that translations have them."""

import dataclasses
import json

import pytest
import torch

from nmt.bundle.loading import load
from nmt.bundle.weights import Bundle, save_bundle
from nmt.config.choices import AttentionKind, TermMode
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.export.variant import export
from nmt.model.seq2seq import build_model
from nmt.search.interface import Term as Wanted
from nmt.text.subword_training import train_subwords
from nmt.text.subwords import MARKS
from nmt.text.terms import Term, count_words
from nmt.translation.request import Request
from nmt.translation.terms import TermReader
from nmt.translation.translator import Translator

LINES = ["the old river sees 12 red houses.", "many green men, or 1847 dogs", "狗跑 the dogs of 35 rivers, 60 or 9"]
HARD = {"terms": TermMode.hard}


@pytest.fixture(scope="module")
def vocabulary():
    return train_subwords(LINES * 20, kind="unigram", vocabulary_size=95, marks=3)


def make_bundle(vocabulary, attention=AttentionKind.general):
    """An untrained model whose sentences end."""
    config = ModelConfig(embedding_size=16, encoder_hidden_size=16, decoder_hidden_size=32, attention=attention)
    sizes = {"source_vocabulary": vocabulary.vocabulary_size, "target_vocabulary": vocabulary.vocabulary_size}
    torch.manual_seed(1)
    model = build_model(config, **sizes).eval()
    with torch.no_grad():
        model.output_bias[vocabulary.eos_id] = 2.0
    search = SearchConfig(beam_size=4, batch_size=4)
    languages = {"source_language": "en", "target_language": "de"}
    sides = {"source_subwords": vocabulary, "target_subwords": vocabulary}
    return Bundle(model=model, config=config, search=search, **languages, **sides)


@pytest.fixture(scope="module")
def bundle(vocabulary):
    return make_bundle(vocabulary)


@pytest.fixture(scope="module")
def int8(bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("terms") / "bundle"
    save_bundle(bundle, path)
    export(path, "int8")
    return load(path, precision="int8")


def translator(bundle, glossary=(), n_best=1, **search):
    glossary = [Term(source, forms) for source, *forms in glossary]
    return Translator(bundle, search=dataclasses.replace(bundle.search, **search), glossary=glossary, n_best=n_best)


def texts(translations):
    return [each.text for each in translations]


GLOSSARY = [("river", "green men", "rivers"), ("houses", "dogs"), ("many", "old"), ("the", "of")]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_hard_terms_are_in_every_translation(bundle, int8, precision):
    """With prefixes, in which terms count, with protected spans, and in every hypothesis of a list."""
    chosen = int8 if precision == "int8" else bundle
    requests = [
        Request("the old river sees houses."),
        Request("many houses {x}", prefix="old d"),
        Request("no word of them"),
        Request("many rivers, the {x} of river", terms=[("rivers", ("red", "9"))]),
    ]
    found = translator(chosen, GLOSSARY, n_best=2, **HARD).translate(requests)
    first, last = [("green men", "rivers"), ("dogs",), ("of",)], [("red", "9"), ("old",), ("of",)]
    wanted = [first, [("old",), ("dogs",)], [], last]
    for translation, terms in zip(found, wanted, strict=True):
        assert translation.warnings == []
        for each in translation.hypotheses:
            assert each.finished
            for forms in terms:
                assert any(count_words(form, each.text) for form in forms), each.text
    assert found[1].text.startswith("old d")
    assert found[1].text.count("{x}") == found[3].text.count("{x}") == 1
    # A line without a term is translated as ever, and each line as alone.
    assert found[2].text == translator(chosen, n_best=2).translate(requests[2:3])[0].text
    alone = [translator(chosen, GLOSSARY, n_best=2, **HARD).translate([each])[0] for each in requests]
    assert texts(alone) == texts(found)


@pytest.mark.parametrize("search", [{}, {"beam_size": 1}, {"sample": True, "temperature": 0.1}])
def test_soft_terms_are_favoured_where_attention_reads_them(bundle, search):
    """This model attends to all alike, so that of two source words a term of both gets all it can."""
    plain = translator(bundle, **search).translate(["many dogs"])
    assert "rivers" not in plain[0].text
    soft = translator(bundle, [("many dogs", "rivers, or dogs")], **search)
    found = soft.translate(["many dogs", "many"])
    assert "rivers, or dogs" in found[0].text
    assert found[1] == translator(bundle, **search).translate(["many"])[0]
    assert found[0].hypotheses[0].score != plain[0].hypotheses[0].score


def test_what_the_search_is_told_of_a_line(bundle, vocabulary):
    reader = TermReader(bundle, bundle.search, glossary=[Term("old  rivers", ("dogs",)), Term("red", ("9", "狗"))])
    request = Request("red   old rivers {x} red")
    line = reader.protect(request)
    pieces = vocabulary.surfaces(line.given)
    [rivers, red] = sorted(reader.constraints(request, line, shift=1, length=len(pieces)), key=lambda term: term.times)
    there = ["".join(pieces[position - 1] for position in term.positions) for term in (rivers, red)]
    assert [text.replace("▁", "") for text in there] == ["oldrivers", "redred"]
    assert rivers == Wanted(rivers.positions, (tuple(vocabulary.encode("dogs")),), 1)
    # A form of a script without spaces may stand behind any character.
    assert [vocabulary.decode(form) for form in red.forms] == ["9", "狗", "狗"]
    assert red.times == 2
    # What is cut off is not asked for.
    [only] = reader.constraints(request, line, shift=1, length=3)
    assert (only.forms, only.times) == (red.forms, 1)


def test_an_own_term_counts_before_the_glossary(bundle):
    reader = TermReader(bundle, bundle.search, glossary=[Term("dogs", ("men",)), Term("old dogs", ("red",))])
    [match] = reader.find(Request("", terms=[("dogs", "houses")]), "the dogs")
    assert match.forms == ("houses",)
    [match] = reader.find(Request("", terms=[("dogs", "houses")]), "old dogs")
    assert match.forms == ("red",)


def test_a_target_that_cannot_be_spelt_is_put_in_as_it_is(bundle):
    glossary = [("river", "Žižek 🎉"), ("Žž", "dogs"), ("houses", "Ž", "dogs"), ("example", "men")]
    for search in ({}, HARD):
        found = translator(bundle, glossary, **search).translate(
            ["the old river.", "the Žž sees", "houses", "www.example.org"]
        )
        assert "Žižek 🎉" in found[0].text
        assert "dogs" in found[1].text
        assert "www.example.org" in found[3].text
        assert not any(each.unknown or each.warnings for each in found)
    assert "dogs" in found[2].text


def test_a_term_longer_than_the_translation_may_be_gets_its_room(bundle):
    long = " ".join(["red dogs of 1847 rivers"] * 12)
    [found] = translator(bundle, [("9", long)], max_length_ratio=1, **HARD).translate(["9"])
    assert long in found.text
    assert found.hypotheses[0].finished


def test_a_term_that_the_rules_forbid_is_told(bundle):
    [found] = translator(bundle, [("9", "red red red red")], no_repeat_ngram=1, **HARD).translate(["9 men"])
    assert "red red red red" not in found.text
    assert found.warnings[0] == "its translation lacks a term (red red red red)"


def test_the_number_in_a_term_is_not_missed(bundle):
    [found] = translator(bundle, [("1847", "dogs")], **HARD).translate(["men or 1847"])
    assert "dogs" in found.text
    assert found.warnings == []


def test_what_cannot_keep_to_terms_is_refused(bundle, vocabulary):
    glossary, blind = [("river", "dogs")], make_bundle(vocabulary, AttentionKind.none)
    for chosen, search, told in (
        (bundle, {**HARD, "sample": True}, "terms=hard is for a beam, and outputs are sampled"),
        (bundle, {**HARD, "beam_size": 1}, r"terms=hard needs a beam of 2 places or more: set beam_size \(it is 1\)"),
        (blind, {}, r"terms=soft needs attention, and the model has none \(model.attention=none\): take terms=hard"),
    ):
        with pytest.raises(ConfigError, match=told):
            translator(chosen, glossary, **search)
        # Without a glossary only the request that asks is refused.
        free = translator(chosen, **search)
        good, bad = free.submit(Request("river")), free.submit(Request("river", terms=[("river", "dogs")]))
        free.flush()
        assert good.result().text
        with pytest.raises(ConfigError, match=told):
            bad.result()
    [found] = translator(blind, glossary, **HARD).translate(["the river"])
    assert "dogs" in found.text


def test_without_protection_what_cannot_be_spelt_is_no_term(bundle):
    [found] = translator(bundle, [("river", "Ž")], protect=False, check_numbers=False).translate(["river"])
    assert found == translator(bundle, protect=False, check_numbers=False).translate(["river"])[0]


def test_a_request_with_terms_is_the_same_behind_a_pipe():
    request = Request("a dog", terms=[("dog", "Hund"), ("a  b", ["x", " y"])])
    assert request.terms == (("dog", ("Hund",)), ("a b", ("x", "y")))
    assert Request(**json.loads(json.dumps(request.to_dict()))) == request
    assert hash(request) == hash(Request("a dog", terms=request.terms))
    assert "terms" not in Request("a dog").to_dict()
    assert MARKS[0] not in request.text
