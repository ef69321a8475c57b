"""Terms: where they stand in a text, and the files that people keep them in."""

import time

import pytest

from nmt.errors import ConfigError
from nmt.text.glossary import read_glossary
from nmt.text.terms import Term, Terms, checked_terms, count_words


def found(text, *terms):
    return [(text[match.start : match.end], *match.forms) for match in Terms(map(as_term, terms)).find(text)]


def as_term(words):
    source, *forms = words.split("|")
    return Term(source, tuple(forms))


@pytest.mark.parametrize(
    ("text", "terms", "expected"),
    [
        # Whole words alone, of scripts with spaces; a letter with an accent of its own is one.
        ("dogs, a dog-cart and hotdog", ["dog|Hund"], [("dog", "Hund")]),
        ("cafe\u0301 cafe", ["cafe|Café"], [("cafe", "Café")]),
        ("C++ is no C", ["C++|C-plus-plus", "C|Ce"], [("C++", "C-plus-plus"), ("C", "Ce")]),
        (".NET runs, x.NET too", [".NET|Dotnet"], [(".NET", "Dotnet"), (".NET", "Dotnet")]),
        ("ab_c ab", ["ab|x"], [("ab", "x"), ("ab", "x")]),
        # Plain text in scripts without spaces.
        ("一只狗跑", ["狗|dog", "跑|run"], [("狗", "dog"), ("跑", "run")]),
        ("这是iPhone手机", ["iPhone|iPhone"], [("iPhone", "iPhone")]),
        # Case: exact, and a capital where a sentence begins; then the target may have one.
        ("dog DOG Dog", ["dog|Hund"], [("dog", "Hund")]),
        ("Dog! Dog. “Dog?” a Dog", ["dog|kater|Hund"], [("Dog", "Kater", "Hund", "kater")] * 3),
        ("dog. Dog", ["Dog|Rex"], [("Dog", "Rex")]),
        ("Straße. ǆ", ["ß|x", "ǆ|y"], [("ǆ", "y")]),
        # The longest counts, of equally long ones the first.
        ("New York City", ["New York|N", "New York City|NYC", "City|C"], [("New York City", "NYC")]),
        ("a b c d", ["a b|1", "b c|2", "c d|3"], [("a b", "1"), ("c d", "3")]),
        ("a b c d", ["a b|1", "b c d|2"], [("b c d", "2")]),
        # One source with two targets may become either.
        ("a dog", ["dog|Hund", "dog|Köter|Hund"], [("dog", "Hund", "Köter")]),
        ("", ["dog|Hund"], []),
        ("dog", [], []),
    ],
)
def test_where_terms_stand(text, terms, expected):
    assert found(text, *terms) == expected


def test_a_thousand_terms_cost_a_text_little():
    terms = Terms([Term(f"{stem}{i}", ("x",)) for i in range(500) for stem in ("word", "long word ")])
    text = "A man in a blue shirt is standing on a ladder cleaning a window. " * 100

    def seconds():
        start = time.perf_counter()
        assert terms.find(text) == []
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 0.02  # of 1,400 words; a model takes a hundred times that


def test_words_are_counted_whole_or_with_endings():
    text = "Hund Hundes Schäferhund Hund-Hund"
    assert count_words("Hund", text) == 3
    assert count_words("Hund", text, whole=False) == 4
    assert count_words("狗", "一只狗狗") == 2


@pytest.mark.parametrize("terms", [[("", ("x",))], [(" ", ("x",))], [("a", ())], [("a", ("",))], [("a", ("b", " "))]])
def test_terms_that_are_empty_are_refused(terms):
    with pytest.raises(ConfigError, match="is empty: give a source, and one form of its target or more"):
        checked_terms(terms)


def test_a_glossary_has_sources_targets_and_their_forms(tmp_path):
    file = tmp_path / "terms.tsv"
    file.write_bytes("\ufeff# ours\ndog\tHund\tHundes\t\n\n  New  York \t N. Y.\r\n \ndog\tKöter\ncat\tKatze".encode())
    glossary = read_glossary(file)
    assert glossary.terms == (
        Term("dog", ("Hund", "Hundes")),
        Term("New York", ("N. Y.",)),
        Term("dog", ("Köter",)),
        Term("cat", ("Katze",)),
    )
    assert glossary.warnings == (f"{file}: line 6: 'dog' is on line 2 too: it may become either",)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a\tb\ndog\n", "line 2: the target of a term is missing: write source, tab, target"),
        (b"a\t \tb\n", "line 1: the target of a term is missing: write source, tab, target"),
        (b"\tb\n", "line 1: the source of a term is missing: write source, tab, target"),
        (b"a\tb\nc\td\xff\n", "line 2: not UTF-8 (byte 0xff at position 4): save the file as UTF-8"),
    ],
)
def test_a_line_that_is_no_term_is_told(tmp_path, content, told):
    file = tmp_path / "terms.tsv"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_glossary(file)
    assert str(error.value) == f"{file}: {told}"
