"""Children of a training of several pairs: other pairs, subwords of their own, and symbols of languages."""

import pytest
import torch

from nmt.bundle.weights import Bundle, load_bundle
from nmt.errors import ConfigError
from nmt.training.data import prepare
from nmt.training.run import run
from nmt.training.transfer import take_over
from nmt.translation.request import Request
from nmt.translation.translator import Translator

from .conftest import SHIPIBO, log_of, network_of


def test_a_child_goes_on_with_one_pair_of_its_parent(pairs_config, make_config, texts):
    parent = pairs_config("parent", trainer__max_updates=2, trainer__validate_every=2)
    run(parent)
    start = {"init_from": str(parent.directory / "best"), "trainer__max_updates": 1, "trainer__validate_every": 1}
    child = pairs_config("child", corpus__pairs=["es-shp"], **start)
    run(child, chosen={"corpus.pairs"})
    bundle = load_bundle(child.directory / "best")
    assert (bundle.pairs, bundle.target_language) == ((SHIPIBO,), "shp")
    assert bundle.source_subwords.languages == ("gn", "shp")
    assert Translator(bundle).translate(["agua sol"])[0].text
    one = pairs_config("one", corpus__pairs=[], corpus__source="es", corpus__target="gn", **start)
    one.corpus.train, one.corpus.valid = f"{texts}/es-gn/train", f"{texts}/es-gn/dev"
    told = r"translates into gn, shp: name the languages with corpus.pairs=\[es-gn\] instead of corpus.source and"
    with pytest.raises(ConfigError, match=told):
        run(one)
    with pytest.raises(ConfigError, match=r"the target language es, and .* translates into gn, shp alone"):
        run(pairs_config("back", corpus__pairs=["gn-es"], **start))


def test_a_child_of_subwords_of_its_own_may_have_any_languages(pairs_config, texts):
    parent = pairs_config("parent", trainer__max_updates=2, trainer__validate_every=2)
    run(parent)
    start = {"subwords__inherit": False, "trainer__max_updates": 1, "trainer__validate_every": 1}
    one = pairs_config("one", corpus__pairs=[], corpus__source="gn", corpus__target="es", **start)
    one.corpus.train, one.corpus.valid = f"{texts}/es-gn/train", f"{texts}/es-gn/dev"
    one.init_from = str(parent.directory / "best")
    run(one, chosen={"auto"})
    assert f"init_from={one.init_from} was not trained to translate gn-es" in log_of(one)
    bundle = load_bundle(one.directory / "best")
    assert (bundle.pairs, bundle.target_language, bundle.source_subwords.languages) == ((), "es", ())
    assert bundle.model.lexicon.targets.shape == (bundle.source_subwords.vocabulary_size, 3)
    # And the other way: a parent of one pair, a child of several.
    several = pairs_config("several", init_from=str(one.directory / "best"), **start)
    run(several, chosen={"auto"})
    assert f"init_from={several.init_from} was not trained to translate es-gn, es-shp" in log_of(several)
    bundle = load_bundle(several.directory / "best")
    assert bundle.model.lexicon.targets.shape == (2 * bundle.source_subwords.vocabulary_size, 3)
    assert Translator(bundle).translate([Request("agua sol", to="shp")])[0].text


def test_symbols_of_languages_come_from_those_of_the_parent(pairs_config):
    old, child = (pairs_config(corpus__pairs=pairs) for pairs in (["es-gn", "es-shp"], ["es-gn", "gn-es"]))
    data, old_data = prepare(child), prepare(old)
    networks = [network_of(old, old_data), network_of(child, data)]
    parent = Bundle(
        model=networks[0],
        config=old.model,
        source_subwords=old_data.source_subwords,
        target_subwords=old_data.target_subwords,
        source_language="es",
        target_language="",
    )
    take_over(networks[1], parent, data=data, config=child)
    before, now = (network.target_embedding.weight.detach() for network in networks)
    gn, shp, own_gn, own_es = before[20], before[21], now[20], now[21]
    assert data.source_subwords.languages == ("gn", "es")
    assert torch.equal(own_gn, gn)
    assert torch.allclose(own_es / own_es.norm(), (gn + shp) / (gn + shp).norm())
    assert own_es.norm().item() == pytest.approx(((gn.norm() + shp.norm()) / 2).item())
