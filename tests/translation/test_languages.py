"""Into which language a model of several translates: what is asked for, what is refused, what is warned of."""

import dataclasses

import pytest

from nmt.bundle.weights import load_bundle, save_bundle
from nmt.config.schema import changed
from nmt.errors import BundleError, ConfigError
from nmt.translation.languages import settled, source_prefix, target_of, untrained
from nmt.translation.layers import layers_of
from nmt.translation.request import Request
from nmt.translation.scorer import Scorer
from nmt.translation.translator import Translator

LINES = ["a small red house", "the old river", "near the old house"]
MISSING = r"^the model translates into gn, shp, es: name the target language \(to, or --to\)$"


@pytest.fixture(scope="module")
def bundle(make_bundle_of_languages):
    return make_bundle_of_languages()


def into(bundle, to, **settings):
    return changed(bundle.search, {"to": to, **settings})


def texts(bundle, to, lines=LINES):
    return [each.text for each in Translator(bundle, search=into(bundle, to)).translate(lines)]


def test_each_language_has_translations_of_its_own(bundle):
    guarani, shipibo = texts(bundle, "gn"), texts(bundle, "shp")
    assert guarani != shipibo
    mixed = [Request(LINES[0], to="shp"), Request(LINES[0], to="gn"), Request(LINES[1]), Request(LINES[2], to="shp")]
    found = [each.text for each in Translator(bundle, search=into(bundle, "gn")).translate(mixed)]
    assert found == [shipibo[0], guarani[0], guarani[1], shipibo[2]]


def test_the_symbol_of_the_language_comes_first_then_the_tag(bundle):
    subwords, search = bundle.source_subwords, into(bundle, "shp", source_tag=2)
    assert source_prefix(bundle, search) == (21, 6)
    assert source_prefix(bundle, search, to="es", tag=-1) == (22,)
    assert [subwords.pieces[i] for i in (20, 21, 22)] == ["<to:gn>", "<to:shp>", "<to:es>"]


def test_a_missing_or_unknown_language_is_refused_with_the_list(bundle):
    with pytest.raises(ConfigError, match=MISSING):
        Translator(bundle).translate(LINES)
    unknown = "^the model does not translate into fr: take one of gn, shp, es$"
    with pytest.raises(ConfigError, match=unknown):
        texts(bundle, "fr")
    translator = Translator(bundle, search=into(bundle, "gn"))
    futures = [translator.submit(Request(line, to=to)) for line, to in zip(LINES, (None, "fr", "shp"), strict=True)]
    translator.flush()
    with pytest.raises(ConfigError, match=unknown):
        futures[1].result()
    assert [futures[i].result().text for i in (0, 2)] == [texts(bundle, "gn")[0], texts(bundle, "shp")[2]]
    for wrong in ("", 3):
        with pytest.raises(ConfigError, match="is not possible: it must be a language, as gn"):
            Request("a", to=wrong)


def test_a_model_of_one_direction_takes_no_other_language(make_bundle):
    bundle = make_bundle()
    assert (target_of(bundle, ""), target_of(bundle, "zh")) == ("zh", "zh")
    assert texts(bundle, "zh") == texts(bundle, "")
    with pytest.raises(ConfigError, match=r"^the model translates into zh alone, and not into gn$"):
        texts(bundle, "gn")
    with pytest.raises(ConfigError, match=r"^the model translates from en alone, and not from es$"):
        settled(bundle, into(bundle, "", source_language="es"))
    assert settled(bundle, into(bundle, "zh")) is bundle


def test_the_only_target_need_not_be_named(make_bundle_of_languages):
    bundle = make_bundle_of_languages(pairs=("es-gn", "shp-gn"))
    assert texts(bundle, "") == texts(bundle, "gn")
    assert settled(bundle, bundle.search).target_language == "gn"


def test_the_languages_that_are_asked_for_are_those_of_the_bundle(bundle):
    for to, source, expected in (("gn", "", ("es", "gn")), ("gn", "shp", ("shp", "gn")), ("es", "", ("gn", "es"))):
        found = settled(bundle, into(bundle, to, source_language=source))
        assert (found.source_language, found.target_language) == expected
    assert settled(bundle, bundle.search, by_line=True).source_language == ""
    with pytest.raises(ConfigError, match=MISSING):
        settled(bundle, bundle.search)
    unknown = "^the model does not know the source language fr: take one of es, gn, shp$"
    with pytest.raises(ConfigError, match=unknown):
        settled(bundle, into(bundle, "gn", source_language="fr"))


def test_a_direction_that_was_never_trained_is_told(bundle):
    told = "the model was never trained to translate shp-gn, only es-gn, es-shp, gn-es: expect little of it"
    assert untrained(bundle, into(bundle, "gn", source_language="shp")) == told
    for to, source in (("gn", "es"), ("gn", ""), ("", "shp")):
        assert untrained(bundle, into(bundle, to, source_language=source)) == ""


def test_scores_and_links_are_of_the_language_that_is_asked_for(bundle):
    for to in ("gn", "shp"):
        search = into(bundle, to)
        [found] = Translator(bundle, search=search).translate(LINES[:1])
        [scored] = Scorer(bundle, search=search).score([(LINES[0], found.text)])
        own = bundle.target_subwords.encode(found.text) == found.hypotheses[0].tokens
        assert not own or scored.log_prob == pytest.approx(found.hypotheses[0].log_prob, abs=1e-4)
    with pytest.raises(ConfigError, match=MISSING):
        Scorer(bundle)
    layers = layers_of(bundle, bundle.search, n_best=1, markup="tags")
    tagged = [Request("a <b>small</b> red house", to=to) for to in ("shp", "gn")]
    found = [each.text for each in Translator(bundle).add_layers(layers).translate(tagged)]
    assert all("<b>" in each and "</b>" in each for each in found)
    plain = [texts(bundle, to)[0] for to in ("shp", "gn")]
    assert ["".join(each.replace("<b>", "").replace("</b>", "").split()) for each in found] == [
        "".join(each.split()) for each in plain
    ]


def test_a_bundle_keeps_its_directions(bundle, tmp_path):
    save_bundle(bundle, tmp_path / "best")
    found = load_bundle(tmp_path / "best")
    assert (found.pairs, found.target_language) == (bundle.pairs, "")
    assert texts(found, "shp") == texts(bundle, "shp")
    card = (tmp_path / "best" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# es-gn, es-shp, gn-es\n")
    assert "nmt-translate THIS_DIRECTORY --to gn < input.txt" in card
    config = (tmp_path / "best" / "config.json").read_text(encoding="utf-8")
    (tmp_path / "best" / "config.json").write_text(config.replace('"pairs": [', '"pairs": [3, '), encoding="utf-8")
    with pytest.raises(BundleError, match="pairs must be lists of two languages each; copy the bundle again"):
        load_bundle(tmp_path / "best")


def test_languages_are_never_written(bundle):
    with_symbol = dataclasses.replace(bundle, search=into(bundle, "gn"))
    model = with_symbol.model
    bias = model.output_bias.detach().clone()
    try:
        model.output_bias.data[20:23] = 100.0
        [found] = Translator(with_symbol).translate(LINES[:1])
        assert not {20, 21, 22} & {*found.hypotheses[0].tokens}
    finally:
        model.output_bias.data.copy_(bias)
