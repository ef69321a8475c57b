"""Classified files: what they hold, and the one line about what is wrong with them."""

import gzip

import pytest

from nmt.corpus.cache import Cache
from nmt.corpus.classified import Classified
from nmt.corpus.reader import read_pairs
from nmt.errors import CorpusError
from nmt.text.words import ClassVocabulary


@pytest.fixture
def paths(tmp_path):
    """Write a file and resolve it."""

    def write(content, name="a.tsv", **settings):
        data = content if isinstance(content, bytes) else content.encode("utf-8")
        (tmp_path / name).write_bytes(data)
        return named(tmp_path / name, **settings)

    return write


def named(path, **settings):
    return Classified(**settings).find(str(path), ("text", "labels"), key="corpus.train")


def message(paths):
    with pytest.raises(CorpusError) as caught:
        list(read_pairs(paths))
    text, folder = str(caught.value), f"{paths.source.parent}/"
    assert text.startswith(folder)
    return text.removeprefix(folder)


def test_columns_are_text_and_label(paths):
    content = "\ufeffA good film!\tpositive\r\n这部电影不好。\tvery negative \n"
    assert list(read_pairs(paths(content))) == [
        ("A good film !", "positive"),
        ("这 部 电 影 不 好 。", "very negative"),
    ]


def test_a_label_before_its_text(paths):
    content = "NUM:dist How far is it ?\nHUM:ind\tWho\twas it?\n"
    assert list(read_pairs(paths(content, "a.label"))) == [("How far is it ?", "NUM:dist"), ("Who was it ?", "HUM:ind")]


def test_coarse_labels_are_what_stands_before_the_colon(paths):
    content = "NUM:dist How far ?\nABBR What ?\nX:a:b Why ?\n"
    assert [pair.target for pair in read_pairs(paths(content, "a.label", coarse=True))] == ["NUM", "ABBR", "X"]


def test_two_parallel_files(tmp_path):
    (tmp_path / "p.text").write_text("Good!\nBad.\n", encoding="utf-8")
    (tmp_path / "p.labels").write_text("yes\nno no\n", encoding="utf-8")
    assert list(read_pairs(named(tmp_path / "p"))) == [("Good !", "yes"), ("Bad .", "no no")]
    (tmp_path / "p.labels").write_text("yes\n\n", encoding="utf-8")
    assert message(named(tmp_path / "p")) == "p.labels: line 2 has no label; add it, or take the line out"
    (tmp_path / "p.labels").write_text("yes\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"p.text has 2 lines, .*p.labels has 1 lines"):
        list(read_pairs(named(tmp_path / "p")))


def test_a_packed_file(tmp_path):
    for name, content in (("a.tsv.gz", b"a\tX\n"), ("a.label.gz", b"X a\n")):
        (tmp_path / name).write_bytes(gzip.compress(content))
        assert list(read_pairs(named(tmp_path / name))) == [("a", "X")]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.tsv", "a\tX\nb\n", "a.tsv: line 2 has no label; add it, or take the line out"),
        ("a.tsv", "a\tX\nb\t \n", "a.tsv: line 2 has no label; add it, or take the line out"),
        ("a.tsv", "a\tX\n\nb\tX\n", "a.tsv: line 2 has no label; add it, or take the line out"),
        ("a.tsv", " \tX\n", "a.tsv: line 1 has no text; add it, or take the line out"),
        (
            "a.tsv",
            "a\tX\nb\tc\tX\n",
            "a.tsv: line 2 has 3 columns instead of two (text, tab, label); correct it",
        ),
        ("a.label", "X a\nX\n", "a.label: line 2 has no text; add it, or take the line out"),
        ("a.label", "X a\n b\n", "a.label: line 2 has no label; add it, or take the line out"),
        ("a.label", "X a\n\nX b\n", "a.label: line 2 has no label; add it, or take the line out"),
    ],
)
def test_a_bad_file(paths, name, content, expected):
    assert message(paths(content, name)) == expected


def test_a_coarse_label_may_not_be_empty(paths):
    assert message(paths(":x a\n", "a.label", coarse=True)) == (
        "a.label: line 1 has no label; add it, or take the line out"
    )


def test_bytes_that_are_not_utf8_are_replaced_and_told_with_their_line(paths):
    found = paths(b"X a\nX sister\xf0city b\n", "a.label")
    assert list(read_pairs(found))[1] == ("sister \ufffd city b", "X")
    [note] = found.form.check(found, ClassVocabulary(["X"]))
    assert note == f"{found.source}: line 2 is not UTF-8 (byte 0xf0 at column 9); such bytes were replaced"


def test_long_texts_are_cut_where_it_is_asked_for(paths):
    found = paths("a b c\tX\nd e\tX\n", most_words=2)
    assert [(each.words, each.is_cut) for each in found.form.examples(found)] == [
        (["a", "b"], True),
        (["d", "e"], False),
    ]


def test_a_label_that_was_never_seen_is_named_with_its_line(paths):
    found = paths("a\tX\nb\tY\n")
    assert found.form.check(found, ClassVocabulary(["X", "Y"])) == []
    with pytest.raises(CorpusError, match=r"a.tsv: line 2 has the label Y, which never occurs in the training text; "):
        found.form.check(found, ClassVocabulary(["X"]))


def test_the_settings_of_a_file_are_part_of_its_digest(paths, tmp_path):
    cache = Cache(tmp_path / "cache")
    changes = [{}, {"coarse": True}, {"most_words": 3}]
    digests = [str(cache.digests(paths("a\tX\n", **change))) for change in changes]
    digests.append(str(cache.digests(paths("a\tX\n", "a.label"))))  # the columns mean something else there
    assert len(set(digests)) == 4


def test_a_tab_ends_a_label_of_several_words(paths):
    found = paths("about an order\tWhere is it\nother Who are you\n", "a.label")
    assert list(read_pairs(found)) == [("Where is it", "about an order"), ("Who are you", "other")]
