"""Labelled files: what they hold, and the one line about what is wrong with them."""

import gzip

import pytest

from nmt.corpus.cache import Cache
from nmt.corpus.labelled import Labelled
from nmt.corpus.reader import read_pairs
from nmt.errors import CorpusError
from nmt.text.words import LabelVocabulary


@pytest.fixture
def paths(tmp_path):
    """Write a file and resolve it."""

    def write(content, name="a.conll", **settings):
        (tmp_path / name).write_text(content, encoding="utf-8")
        return named(tmp_path / name, **settings)

    return write


def named(path, **settings):
    return Labelled(**settings).find(str(path), ("tokens", "tags"), key="corpus.train")


def message(paths):
    with pytest.raises(CorpusError) as caught:
        list(read_pairs(paths))
    text, folder = str(caught.value), f"{paths.source.parent}/"
    assert text.startswith(folder)
    return text.removeprefix(folder)


def test_a_conll_file_is_sentences(paths):
    content = "\n我\tO\n爱\tO\n北京\tB-LOC\n天安门\tI-LOC\n\nNew York\tB-LOC\r\n\n\n"
    expected = [("我 爱 北京 天安门", "O O B-LOC I-LOC"), ("New\u00a0York", "B-LOC")]
    assert list(read_pairs(paths(content))) == expected


def test_conll_of_four_columns_parted_by_spaces(paths):
    content = "-DOCSTART- -X- O O\n\nEU NNP I-NP B-ORG\nsays VBZ I-VP O\n"
    assert list(read_pairs(paths(content, "a.bio"))) == [("EU says", "B-ORG O")]


def test_a_conllu_file_is_its_words_and_universal_tags(paths):
    rest = "\t_\t_\t0\troot\t_\t_"
    content = (
        f"# text = don't\n1-2\tdon't\t_\t_{rest}\n1\tdo\tdo\tAUX{rest}\n2\tn't\tnot\tPART{rest}\n2.1\tx\tx\tX{rest}\n\n"
    )
    assert list(read_pairs(paths(content, "a.conllu"))) == [("do n't", "AUX PART")]


def test_two_parallel_files(tmp_path):
    (tmp_path / "p.tokens").write_text("我 爱  北京\n\n", encoding="utf-8")
    (tmp_path / "p.tags").write_text("O O B-LOC\n\n", encoding="utf-8")
    assert list(read_pairs(named(tmp_path / "p"))) == [("我 爱 北京", "O O B-LOC"), ("", "")]
    (tmp_path / "p.tags").write_text("O O\n\n", encoding="utf-8")
    assert message(named(tmp_path / "p")).startswith("p.tags: line 1 has 2 labels for the 3 tokens of ")


def test_a_packed_file(tmp_path):
    path = tmp_path / "a.conll.gz"
    path.write_bytes(gzip.compress(b"a\tO\n"))
    assert list(read_pairs(named(path))) == [("a", "O")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a\tO\nb\n", "a.conll: line 2 has a token and no label; write both, parted by a tab"),
        ("a\tO\nb\t\n", "a.conll: line 2 has a token and no label; write both, parted by a tab"),
        (
            "a\tO\nb\tx\tO\n",
            "a.conll: line 2 has 3 columns, and the others have 2 (token first, label last); correct it",
        ),
        ("a\tO\n\n\nb\tO\n", "a.conll: line 3 ends an empty sentence; one blank line parts two sentences"),
        (
            "a\tO\nb\tI-X\n",
            "a.conll: line 2 is broken BIO: I-X follows O, and continues no entity; correct it, or set "
            "corpus.repair_bio=true to read it as B-X",
        ),
        (
            "a\tB-Y\nb\tI-X\n",
            "a.conll: line 2 is broken BIO: I-X follows B-Y, and continues no entity; correct it, or set "
            "corpus.repair_bio=true to read it as B-X",
        ),
        (
            "a\tB-X\n\nb\tI-X\n",
            "a.conll: line 3 is broken BIO: I-X begins a sentence, and continues no entity; correct it, or set "
            "corpus.repair_bio=true to read it as B-X",
        ),
        ("a\tB X\n", "a.conll: line 1 has the label 'B X', and labels have no spaces; correct it"),
    ],
)
def test_a_bad_conll_file(paths, content, expected):
    assert message(paths(content)) == expected


ROW = "{}\ta\ta\t{}\t_\t_\t0\troot\t_\t_\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("1\ta\tNOUN\n", "a.conllu: line 1 has 3 columns, and CoNLL-U has 10, parted by tabs"),
        (ROW.format(1, "_"), "a.conllu: line 1 has no label (UPOS); add it"),
        ("# text\n\n" + ROW.format(1, "X"), "a.conllu: line 2 ends an empty sentence, which began in line 1"),
        (ROW.format("a", "X"), "a.conllu: line 1 begins with 'a' instead of a token's number"),
    ],
)
def test_a_bad_conllu_file(paths, content, expected):
    assert message(paths(content, "a.conllu")) == expected


def test_broken_bio_is_repaired_and_counted_where_it_is_asked_for(paths):
    found = paths("a\tI-X\nb\tI-X\nc\tI-Y\nd\tO\n", repair_bio=True)
    [sentence] = found.form.sentences(found)
    assert (sentence.labels, sentence.repaired) == (["B-X", "I-X", "B-Y", "O"], 2)


def test_digits_of_tokens_are_stripped_where_it_is_asked_for(paths):
    assert list(read_pairs(paths("科0\tO\n31\tO\n", strip_token_digits=True))) == [("科 3", "O O")]
    expected = "a.conll: line 2 has the token 技, which does not end in a digit; set corpus.strip_token_digits=false"
    assert message(paths("科0\tO\n技\tO\n", strip_token_digits=True)) == expected


def test_a_label_that_was_never_seen_is_named_with_its_line(paths):
    found = paths("a\tO\n\nb\tB-X\n")
    found.form.check(found, LabelVocabulary(["B-X", "O"]))
    with pytest.raises(
        CorpusError, match=r"a.conll: line 3 has the label B-X, which never occurs in the training text; "
    ):
        found.form.check(found, LabelVocabulary(["O"]))


def test_the_settings_of_a_file_are_part_of_its_digest(paths, tmp_path):
    cache = Cache(tmp_path / "cache")
    digests = [cache.digests(paths("a\tO\n", repair_bio=repair)) for repair in (False, True)]
    assert digests[0][0] == digests[1][0]
    assert digests[0] != digests[1]
