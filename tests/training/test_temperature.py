"""How much of the training each pair gets, and each language of the subwords' text."""

from collections import Counter
from dataclasses import replace

import pytest

from nmt.config.pairs import LanguagePair
from nmt.corpus.reader import CorpusPaths
from nmt.training.temperature import Balance, passes
from nmt.training.texts import HoldOut, TrainingText

GUARANI, SHIPIBO = LanguagePair("es", "gn"), LanguagePair("es", "shp")


def test_shares_are_in_proportion_to_a_root_of_the_sizes():
    sizes = {"a": 8100.0, "b": 100.0}
    assert passes(sizes, 1) == {"a": 1.0, "b": 1.0}
    often = passes(sizes, 2)  # 90 to 10, of 8,200
    assert often == {"a": pytest.approx(0.9 * 8200 / 8100, rel=1e-5), "b": pytest.approx(0.1 * 8200 / 100, rel=1e-5)}
    alike = passes(sizes, 1000)
    assert alike["a"] * 8100 == pytest.approx(alike["b"] * 100, rel=0.01)
    assert sum(often[key] * size for key, size in sizes.items()) == pytest.approx(8200, rel=1e-5)
    assert passes({"a": 5.0}, 3) == {"a": 1.0}


@pytest.fixture
def balance(tmp_path):
    def make(temperature, **held_out):
        texts = []
        for pair, count in ((GUARANI, 80), (SHIPIBO, 20)):
            files = [tmp_path / f"{pair}.{side}" for side in pair]
            for side, file in zip(pair, files, strict=True):
                file.write_text("".join(f"{side} {i}\n" for i in range(count)), encoding="utf-8")
            texts.append(TrainingText(CorpusPaths("text", *files), 1.0, -1, pair))
        return Balance(texts, held_out, temperature, ("gn", "shp"))

    return make


@pytest.mark.parametrize(
    ("temperature", "sides", "expected"),
    [
        (1, ("source", "target"), {"es": 100, "gn": 80, "shp": 20}),
        (2, ("target",), {"gn": 66, "shp": 33}),  # 2 to 1, of 100
        (2, ("source",), {"es": 100}),
        (1000, ("source", "target"), {"es": 66, "gn": 66, "shp": 66}),
    ],
)
def test_each_language_has_its_share_of_the_text(balance, temperature, sides, expected):
    lines = [*balance(temperature).lines(sides)]
    counts = Counter(line.split()[0] for line in lines)
    assert counts.keys() == expected.keys()
    assert all(abs(counts[language] - count) <= 1 for language, count in expected.items())
    each = Counter(line for line in lines if line.startswith("shp"))
    assert not each or (len(each) == 20 and max(each.values()) - min(each.values()) <= 1)  # all alike often
    assert lines == [*balance(temperature).lines(sides)]


def test_what_is_held_out_is_no_text_of_it(balance):
    made = balance(1)
    held_out = Balance(made.texts, {GUARANI: HoldOut(2**64)}, 1, ())
    assert Counter(line.split()[0] for line in held_out.lines()) == {"es": 20, "shp": 20}
    assert held_out.recipe != made.recipe
    assert [*Balance(made.texts, dict.fromkeys((GUARANI, SHIPIBO), HoldOut(2**64)), 1, ()).lines()] == []


def test_what_stands_twice_counts_once(balance):
    made = balance(1)
    for text in made.texts:
        for file in (text.paths.source, text.paths.target):
            file.write_text(file.read_text(encoding="utf-8") * 2, encoding="utf-8")
    whole, once = Counter(made.lines()), Counter(replace(made, deduplicate=True).lines())
    assert whole == {line: 2 * count for line, count in once.items()}
    assert (once["es 0"], once["es 79"]) == (2, 1)


def test_lines_are_there_in_other_letter_cases_too(balance):
    counts = Counter(line.split()[0] for line in balance(1).lines(cases={str.upper: 0.25}))
    assert counts == {"es": 100, "gn": 80, "shp": 20, "ES": 25, "GN": 20, "SHP": 5}
