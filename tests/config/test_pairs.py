"""Language pairs: their names, the names of their texts, and what a corpus with them refuses."""

import pytest

from nmt.config.pairs import LanguagePair, parse_pairs, source_languages, target_languages
from nmt.config.train import CorpusConfig, TrainConfig
from nmt.errors import ConfigError

GUARANI, BACK = LanguagePair("es", "gn"), LanguagePair("gn", "es")


def refusal(**settings):
    with pytest.raises(ConfigError) as caught:
        CorpusConfig(**({"train": "data/train"} | settings)).validate()
    return str(caught.value)


def test_pairs_are_read_as_they_are_written():
    pairs = parse_pairs(["es-gn", "gn-es", "zh_Hans-es"])
    assert pairs == (GUARANI, BACK, LanguagePair("zh_Hans", "es"))
    assert [*map(str, pairs)] == ["es-gn", "gn-es", "zh_Hans-es"]
    assert (GUARANI.reverse, BACK.reverse) == (BACK, GUARANI)
    assert (source_languages(pairs), target_languages(pairs)) == (("es", "gn", "zh_Hans"), ("gn", "es"))


@pytest.mark.parametrize("name", ["es", "es-", "-gn", "es-gn-shp", "es gn", "../es-gn", "", "es-gn\n", "a\0-b"])
def test_what_is_no_pair_is_refused(name):
    assert refusal(pairs=["es-shp", name]).startswith(f"corpus.pairs has {name!r}, which is no pair: write two names")


def test_impossible_pairs_are_refused():
    assert refusal(pairs=["es-es"]) == "corpus.pairs has es-es: a pair is of two languages; name another one"
    assert refusal(pairs=["es-gn", "es-gn"]) == "corpus.pairs has es-gn twice; leave one of them out"
    both = "corpus.source=es and corpus.pairs both name languages: leave corpus.source out"
    assert refusal(pairs=["es-gn"], source="es") == both
    alone = "corpus.temperature=2 is for corpus.pairs, which is empty: leave it out"
    assert refusal(temperature=2.0, source="es", target="gn") == alone
    low = "corpus.temperature=0.5 is not possible: it must be between 1 and 1000"
    assert refusal(temperature=0.5, pairs=["es-gn"]) == low


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data/train", "data/es-gn/train"),
        ("train", "es-gn/train"),
        ("/data/train.tsv.gz", "/data/es-gn/train.tsv.gz"),
        ("pkg://corpora/x/train", "pkg://corpora/x/es-gn/train"),
        ("data/{pair}/train", "data/es-gn/train"),
        ("data/{source}2{target}.{pair}", "data/es2gn.es-gn"),
        ("data/{other}/train", "data/{other}/es-gn/train"),
        ("", ""),
    ],
)
def test_the_name_of_a_text_becomes_that_of_a_pair(name, text):
    assert GUARANI.text(name) == text


def test_each_pair_has_a_corpus_of_its_own():
    corpus = CorpusConfig(train="a/train", valid="", extra=["more/{pair}"], pairs=["es-gn", "gn-es"], valid_pairs=7)
    corpus.validate()
    guarani, back = corpus.by_pair().values()
    assert [*corpus.by_pair()] == [GUARANI, BACK]
    assert (guarani.train, guarani.valid, guarani.extra) == ("a/es-gn/train", "", ["more/es-gn"])
    assert (back.source, back.target, back.pairs, back.valid_pairs) == ("gn", "es", [], 7)
    one = CorpusConfig(train="a/train", source="es", target="gn")
    assert one.by_pair() == {None: one}


def test_search_names_languages_of_the_corpus():
    config = TrainConfig()
    config.corpus.train, config.corpus.pairs, config.search.to = "data/train", ["es-gn", "es-shp"], "shp"
    config.validate()
    config.search.to = "es"
    with pytest.raises(ConfigError, match=r"^search.to=es is no language of the corpus: take one of gn, shp$"):
        config.validate()
    config.corpus.pairs, config.corpus.source, config.corpus.target = [], "es", "gn"
    with pytest.raises(ConfigError, match=r"^search.to=es is no language of the corpus: that is for corpus.pairs; "):
        config.validate()
