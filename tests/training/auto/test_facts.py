"""What auto knows of a text, on texts made for the purpose."""

import dataclasses
import itertools

import pytest

from nmt.config.choices import SubwordKind
from nmt.config.pairs import LanguagePair
from nmt.corpus.cache import Cache
from nmt.corpus.reader import resolve
from nmt.errors import CorpusError
from nmt.training.auto import facts as facts_module
from nmt.training.auto.facts import TextFacts, find_facts, join_facts, read_facts, subword_lengths
from nmt.training.texts import TrainingText


@pytest.fixture
def text_of(tmp_path):
    """A function that writes pairs and finds their files."""

    def write(pairs, name="text"):
        for side, column in zip(("a", "b"), zip(*pairs, strict=True), strict=True):
            (tmp_path / f"{name}.{side}").write_text("".join(f"{line}\n" for line in column), encoding="utf-8")
        return resolve(str(tmp_path / name), source="a", target="b", key="corpus.train")

    return write


def test_pairs_with_text_are_counted_and_repeated_ones_once(text_of):
    pairs = [("a b", "x"), ("a b", "x"), ("", "x"), ("a b", " \u2028"), ("a b", "y"), (" a b ", "x"), ("\0", "\0")]
    facts = read_facts(text_of(pairs))
    assert (facts.pairs, facts.distinct, facts.repeated) == (5, 3, 2)
    assert (facts.source_characters, facts.target_characters) == (pytest.approx(7 / 3), 1)


def test_letters_and_words_that_both_sides_have(text_of):
    facts = read_facts(text_of([("Aab 12", "ac, Haus"), ("Haus b", "é")]))
    # a a b h a u s b has 8 letters, of which 3 are a; a c h a u s é has 7, of which 2 are
    assert facts.shared_letters == pytest.approx(min(3 / 8, 2 / 7) + 3 * min(1 / 8, 1 / 7))
    assert facts.shared_words == pytest.approx((1 / 3 + 1 / 3) / 2)
    assert (facts.source_letters, facts.target_letters) == ("abhsu", "achsué")
    assert (facts.source_unspaced, facts.target_unspaced) == (0, 0)


def test_scripts_without_spaces_are_known(text_of):
    facts = read_facts(text_of([("你好世界", "hello"), ("ab你好", "x")]))
    assert facts.source_unspaced == pytest.approx(6 / 8)
    assert (facts.target_unspaced, facts.shared_letters, facts.shared_words) == (0, 0, 0)


def test_a_line_of_a_million_characters_is_no_sentence(text_of):
    facts = read_facts(text_of([("x" * 1_000_000, "y"), ("abc", "de")]))
    assert (facts.pairs, facts.distinct, facts.source_characters, facts.target_characters) == (2, 2, 3, 2)
    alone = read_facts(text_of([("x" * 1_000_000, "y" * 1_000_000)]))
    assert (alone.distinct, alone.source_characters, alone.shared_letters) == (1, 0, 0)
    assert subword_lengths(alone, 1000) == (1, 1)


def test_of_many_pairs_the_words_of_some_are_looked_at(text_of, monkeypatch):
    monkeypatch.setattr(facts_module, "_FIRST_PAIRS", 4)
    monkeypatch.setattr(facts_module, "_EVERY", 3)
    seen = []
    monkeypatch.setattr(facts_module._Side, "add", lambda side, text, looked_at: seen.append((text, looked_at)))
    read_facts(text_of([(str(i), str(i)) for i in range(12)]))
    assert [int(text) for text, looked_at in seen[::2] if looked_at] == [0, 1, 2, 3, 6, 9]
    assert len(seen) == 24


def test_a_text_without_pairs_has_no_facts(text_of):
    assert read_facts(text_of([("", "")])) == TextFacts()
    assert join_facts([TextFacts()], [1.0], once=True) == TextFacts()


def test_several_texts_count_by_the_pairs_that_an_epoch_reads():
    one = TextFacts(100, 50, source_characters=10, shared_words=0.2, source_letters="ab", target_letters="c")
    other = TextFacts(30, 30, source_characters=40, source_letters="bd", target_letters="c")
    once = join_facts([one, other], [1.0, 2.0], once=True)
    assert (once.pairs, once.distinct, once.epoch_pairs) == (130, 80, 110)
    assert once.source_characters == pytest.approx((50 * 10 + 60 * 40) / 110)
    assert once.shared_words == pytest.approx(50 * 0.2 / 110)
    assert (once.source_letters, once.target_letters) == ("abd", "c")
    assert join_facts([one, other], [1.0, 2.0], once=False).epoch_pairs == 160


@pytest.mark.parametrize(("temperature", "weights"), [(1.0, (1.0, 1.0)), (1e9, (0.625, 2.5))])
def test_language_pairs_count_as_the_temperature_says(text_of, tmp_path, temperature, weights):
    pairs = (LanguagePair("a", "b"), LanguagePair("b", "a"))
    lines = [[("aa", "b")] * 4 + [(f"aa{i}", "b") for i in range(7)], [("aaaa", "c"), ("aaab", "c")]]
    texts = [
        TrainingText(text_of(each, name), 1.0, -1, pair) for each, name, pair in zip(lines, "xy", pairs, strict=True)
    ]
    facts = find_facts(texts, temperature=temperature, cache=Cache(tmp_path / "cache"), once=True)
    assert facts.by_pair == {"a-b": 8, "b-a": 2}
    assert (facts.pairs, facts.distinct, facts.epoch_pairs) == (13, 10, pytest.approx(10))
    many = 8 * weights[0], 2 * weights[1]
    assert facts.source_characters == pytest.approx((many[0] * 23 / 8 + many[1] * 4) / 10)
    assert facts.target_letters == "bc"
    empty = TrainingText(text_of([("", "")], "z"), 1.0, -1, LanguagePair("a", "c"))
    assert find_facts([empty], temperature=5.0, cache=Cache(tmp_path / "cache"), once=True).by_pair == {"a-c": 0}


def test_a_text_is_read_once_and_again_when_it_changes(text_of, tmp_path, monkeypatch):
    reads, original = [], facts_module.read_facts

    def read(paths):
        reads.append(paths)
        return original(paths)

    monkeypatch.setattr(facts_module, "read_facts", read)
    paths, cache = text_of([("a b", "x"), ("a", "y")]), tmp_path / "cache"

    def find(paths, weight=1.0):
        return find_facts([TrainingText(paths, weight, -1)], temperature=5.0, cache=Cache(cache), once=True)

    found = [find(paths, weight) for weight in (1.0, 1.0, 3.0)]
    assert len(reads) == 1
    assert found[0] == found[1] == dataclasses.replace(found[2], epoch_pairs=2)
    find(text_of([("a b", "x")]))
    assert len(reads) == 2


def test_texts_that_cannot_be_read_are_told_as_everywhere(text_of, tmp_path):
    paths = text_of([("a", "b")] * 3)
    (tmp_path / "text.b").write_text("b\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"text.a has 3 lines, .*text.b has 1 lines"):
        find_facts([TrainingText(paths, 1.0, -1)], temperature=5.0, cache=Cache(tmp_path / "cache"), once=True)


def test_lengths_grow_with_text_and_shrink_with_the_vocabulary():
    facts = TextFacts(source_characters=60, target_characters=30, target_unspaced=1.0)
    lengths = [subword_lengths(facts, size) for size in (500, 1000, 4000, 16_000, 1_000_000)]
    assert all(one.source > other.source >= 60 / 4.6 for one, other in itertools.pairwise(lengths[:4]))
    assert lengths[1] == (pytest.approx(1 + 60 / 2.8), pytest.approx(1 + 30 / 1.4))
    assert subword_lengths(facts, 1000, kind=SubwordKind.char) == (61, 31)
    assert lengths[1].longer == max(lengths[1])
