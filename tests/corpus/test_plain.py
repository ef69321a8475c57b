"""Plain text of one side: where its file is looked for, and that each line is a pair."""

import gzip

import pytest

from nmt.corpus.cache import Cache
from nmt.corpus.plain import Plain
from nmt.corpus.reader import read_pairs, read_text
from nmt.errors import CorpusError

LINES = "one two\n\nthree\n"


@pytest.mark.parametrize("name", ["train.en", "train.txt", "train"])
def test_a_text_is_named_by_its_file(tmp_path, name):
    (tmp_path / name).write_text(LINES, encoding="utf-8")
    paths = Plain().find(str(tmp_path / name), "text", key="corpus.train")
    assert list(read_pairs(paths)) == [("one two", "one two"), ("", ""), ("three", "three")]
    assert read_text(paths).target == ["one two", "", "three"]
    assert paths.label == f"corpus.train={tmp_path / name}"


def test_or_by_what_stands_before_its_suffix_and_may_be_gzipped(tmp_path):
    with gzip.open(tmp_path / "train.en.gz", "wt", encoding="utf-8") as file:
        file.write(LINES)
    for name in ("train", "train.en", "train.en.gz"):
        paths = Plain().find(str(tmp_path / name), "en", key="corpus.train")
        assert [pair.target for pair in read_pairs(paths)] == ["one two", "", "three"]


def test_a_file_of_the_package_is_found():
    paths = Plain().find("pkg://nmt.corpora/demo/test", "en", key="corpus.test")
    assert next(iter(read_pairs(paths))).target


def test_what_is_missing_is_told_with_the_key(tmp_path):
    for name, message in (
        (
            f"{tmp_path}/a",
            f"corpus.train={tmp_path}/a: there is no file {tmp_path}/a (nor {tmp_path}/a.en); check the path",
        ),
        ("", "corpus.train is not set: name a file of lines, as in corpus.train=data/train.en"),
        (str(tmp_path), f"corpus.train={tmp_path}: there is no file {tmp_path} (nor {tmp_path}.en); check the path"),
    ):
        with pytest.raises(CorpusError) as caught:
            Plain().find(name, "en", key="corpus.train")
        assert str(caught.value) == message


def test_the_form_belongs_to_what_is_cached(tmp_path):
    (tmp_path / "a.en").write_text(LINES, encoding="utf-8")
    paths = Plain().find(str(tmp_path / "a.en"), "en", key="corpus.train")
    assert Cache(tmp_path).digests(paths)[-1] == "plain"
