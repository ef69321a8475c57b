"""Where the text of a language pair is looked for."""

import pytest

from nmt.config.pairs import LanguagePair
from nmt.corpus.pairs import has_text, resolve_pair
from nmt.corpus.reader import Pair, read_pairs
from nmt.errors import CorpusError

GUARANI, BACK = LanguagePair("es", "gn"), LanguagePair("gn", "es")


@pytest.fixture
def data(tmp_path):
    (tmp_path / "es-gn").mkdir()
    for side, line in (("es", "hola"), ("gn", "mba'éichapa")):
        (tmp_path / "es-gn" / f"train.{side}").write_text(f"{line}\n", encoding="utf-8")
    return tmp_path


def pairs(name, pair):
    return [*read_pairs(resolve_pair(str(name), pair, key="corpus.train"))]


def test_both_directions_have_the_same_text_unless_each_has_its_own(data):
    assert pairs(data / "train", GUARANI) == [Pair("hola", "mba'éichapa")]
    for name in (data / "train", data / "{pair}/train", data / "{source}-{target}" / "train"):
        assert pairs(name, BACK) == [Pair("mba'éichapa", "hola")]
    (data / "gn-es").mkdir()
    for side in ("es", "gn"):
        (data / "gn-es" / f"train.{side}").write_text(f"own {side}\n", encoding="utf-8")
    assert pairs(data / "train", BACK) == [Pair("own gn", "own es")]
    assert pairs(data / "train", GUARANI) == [Pair("hola", "mba'éichapa")]


def test_columns_are_not_turned_round(data):
    (data / "es-gn" / "train.tsv").write_text("hola\tmba'éichapa\n", encoding="utf-8")
    assert pairs(data / "train.tsv", GUARANI) == [Pair("hola", "mba'éichapa")]
    assert (has_text(f"{data}/train.tsv", GUARANI), has_text(f"{data}/train.tsv", BACK)) == (True, False)
    with pytest.raises(CorpusError, match=rf"^the pair gn-es: corpus.train={data}/gn-es/train.tsv: there is no file "):
        pairs(data / "train.tsv", BACK)


def test_a_missing_file_names_its_pair(data):
    with pytest.raises(CorpusError) as caught:
        pairs(data / "train", LanguagePair("es", "shp"))
    file = f"{data}/es-shp/train"
    wanted = f"the pair es-shp: corpus.train={file}: there is no file {file}.es (nor {file}.es.gz); check the path and"
    assert str(caught.value) == f"{wanted} the languages"
    assert not has_text(f"{data}/train", LanguagePair("es", "shp"))
    (data / "es-gn" / "train.gn").unlink()
    assert has_text(f"{data}/train", GUARANI)
    for pair in (GUARANI, BACK):
        with pytest.raises(CorpusError, match=f"^the pair {pair}: .*there is no file .*train.gn "):
            pairs(data / "train", pair)
