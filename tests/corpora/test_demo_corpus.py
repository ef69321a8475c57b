"""The checked-in demo corpus is what its generator writes, and is fit to train and to judge a translator."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
import sacrebleu

DEMO = Path(__file__).parents[2] / "corpora" / "demo"
PARTS = ("train", "valid", "test")
FILES = tuple(f"{part}.{side}" for part in PARTS for side in ("en", "de"))
WORD = re.compile(r"\w+(?:[-:']\w+)*")


def read(name: str) -> list[str]:
    text = (DEMO / name).read_bytes().decode("utf-8")
    assert text.endswith("\n")
    return text[:-1].split("\n")


def words(text: str) -> list[str]:
    return WORD.findall(text.lower())


@pytest.fixture(scope="module")
def corpus() -> dict[str, list[str]]:
    return {name: read(name) for name in FILES}


def test_generator_writes_the_checked_in_files(tmp_path):
    command = [sys.executable, "-B", str(DEMO / "generate.py"), "--output", str(tmp_path)]
    subprocess.run(command, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (DEMO / name).read_bytes(), name


def test_sizes(corpus):
    assert {name: len(lines) for name, lines in corpus.items()} == {
        "train.en": 30_000,
        "train.de": 30_000,
        "valid.en": 500,
        "valid.de": 500,
        "test.en": 500,
        "test.de": 500,
    }
    assert sum((DEMO / name).stat().st_size for name in FILES) < 3_000_000


def test_lines_are_plain_sentences(corpus):
    for lines in corpus.values():
        for line in lines:
            assert line == " ".join(line.split())
            assert line[0].isupper() or line[0].isdigit()
            assert re.fullmatch(r"([^.?]|(?<=\d)\.(?= ))+[.?]", line)
            assert len(words(line)) <= 10


@pytest.mark.parametrize("side", ["en", "de"])
def test_no_sentence_occurs_twice(corpus, side):
    lines = [line for part in PARTS for line in corpus[f"{part}.{side}"]]
    assert len(set(lines)) == len(lines)


def test_german_is_a_function_of_lower_case_english(corpus):
    german_of: dict[str, str] = {}
    for part in PARTS:
        for source, target in zip(corpus[f"{part}.en"], corpus[f"{part}.de"], strict=True):
            assert german_of.setdefault(source.lower(), target) == target


@pytest.mark.parametrize("side", ["en", "de"])
def test_held_out_words_are_known_from_training(corpus, side):
    known = Counter(word for line in corpus[f"train.{side}"] for word in words(line))
    for part in ("valid", "test"):
        unknown = {word for line in corpus[f"{part}.{side}"] for word in words(line) if known[word] < 10}
        assert not unknown


@pytest.mark.parametrize("side", ["en", "de"])
def test_vocabulary_is_worth_learning(corpus, side):
    forms = {word for part in PARTS for line in corpus[f"{part}.{side}"] for word in words(line)}
    assert len(forms) >= 600


def features(text: str) -> frozenset[str]:
    """Words and neighbouring pairs of words, the punctuation mark included."""
    tokens = re.findall(r"[\w:'-]+|[.?,]", text.lower())
    return frozenset(tokens) | {f"{left} {right}" for left, right in pairwise(tokens)}


def nearest(query: frozenset[str], trained: list[frozenset[str]], holders: dict[str, list[int]]) -> int:
    """Find the training sentence that shares the largest part of its features with the query (Dice coefficient).

    Only the 300 candidates that share most of the query's rarer features are compared in full.
    """
    rare = sorted((feature for feature in query if feature in holders), key=lambda feature: len(holders[feature]))
    shared = Counter(place for feature in rare[: max(4, 2 * len(rare) // 3)] for place in holders[feature])
    candidates = [place for place, _ in shared.most_common(300)]
    return max(candidates, key=lambda place: 2 * len(query & trained[place]) / (len(query) + len(trained[place])))


def test_copying_the_nearest_training_target_does_not_translate(corpus):
    trained = [features(line) for line in corpus["train.en"]]
    holders: dict[str, list[int]] = defaultdict(list)
    for place, found in enumerate(trained):
        for feature in found:
            holders[feature].append(place)
    copied = [corpus["train.de"][nearest(features(line), trained, holders)] for line in corpus["test.en"]]
    score = sacrebleu.corpus_bleu(copied, [corpus["test.de"]]).score
    assert 10 < score < 40


# Each construction: a pattern of the English side, the pattern that its translation must have, how often at least.
CONSTRUCTIONS = {
    "verb second after a time": (r"^(On \w+day|Today|Yesterday|In the evening) ", r"^(Am|Heute|Gestern) ", 300),
    "that": (r" that .* (was|were) \w+\.$", r", dass .* (war|waren)\.$", 10),
    "because": (r"\w because ", r", weil ", 100),
    "although first": (r"^Although [^,]*, ", r"^Obwohl .*, ", 100),
    "conditions": (r"^If [^,]*, ", r"^Wenn ", 50),
    "whether": (r"(know|knew|asks?|asked) if ", r", ob ", 200),
    "before": (r"(before|Before) ", r"(bevor|Bevor) ", 100),
    "purpose": (r"^[^,]* (goes|drives|went|drove) to [^,]* to (buy|look for|visit) ", r", um .* zu \w+\.$", 20),
    "purpose of a separable verb": (
        r"(tries|tried|forgets|forgot) to (call|invite|pick) ",
        r" (an|ein|ab)zu(rufen|laden|holen)\.$",
        20,
    ),
    "separable verb in two": (
        r"^(\w+ ){1,2}(calls|invites|tries on|turns on|brings along) (\w+ )?\w+\.$",
        r" \w+t .* (an|ein|mit)\.$",
        10,
    ),
    "separable participle": (r" woke up\b", r"\baufgewacht\b", 50),
    "past with sein": (r"^\w+ \w+ ran\b[^,]*\.$", r" (ist|bin|sind)\b.* gelaufen\b", 10),
    "dative object": (r"\b(helps?|thanks?|answers?|follows?) him\b", r"\bihm\b", 20),
    "accusative pronoun": (r"\b(sees?|finds?|visits?|calls?) him\b", r"\bihn\b", 20),
    "reflexive": (r"\bI (remember|remembered|hurry|hurried)\b", r"\bmich\b", 10),
    "kein": (r" (does|do|did|will) not (buy|read|eat) an? ", r"\bkein(e|en)?\b", 5),
    "nicht": (r" (does|do|did|will) not (buy|read|eat) the ", r" nicht\b", 10),
    "never": (r" never ", r" nie\b", 100),
    "future": (r" will ", r"\b(wird|werde|werden|Wird|Werde|Werden)\b", 1000),
    "modal": (r" (can|cannot) ", r"\b(kann|können)\b", 200),
    "negated modal": (r"^\w+ may not ", r" (darf|dürfen) .*\b(nicht|kein\w*)\b", 10),
    "progressive": (r" (is|are|am) (?!boring)\w+ing\b", r"\bgerade\b", 200),
    "relative subject": (r"^The \w+ who [^,]*", r"^(Der|Die|Das) \w+, (der|die|das) ", 200),
    "relative dative": (
        r"^The (man|boy|teacher) whom (\w+ )?\w+ (helps|helped|thanked|follows) ",
        r"^Der \w+, dem ",
        3,
    ),
    "yes or no": (r"^Does .*\?$", r"\?$", 300),
    "where to": (r"^Where (do|does|did) .* (go|drive|fly)\?$", r"^Wohin ", 80),
    "who in the dative": (r"^Who (do|does|did) .* (help|thank|follow)\?$", r"^Wem ", 30),
    "who behind a preposition": (r"^Who (do|does|did) .* wait for\?$", r"^Auf wen ", 5),
    "how many": (r"^How many ", r"^Wie viele ", 100),
    "comparative": (r" (is|are) not \w+er than ", r" (ist|sind) nicht .*er als ", 20),
    "equality": (r" as \w+ as ", r" so \w+ wie ", 100),
    "profession": (r"^He is an? \w+\.$", r"^Er ist \w+\.$", 3),
    "existence": (r"^There is a", r"^Es gibt eine?n?\b", 100),
    "where": (r" is under (the|a) ", r" ist .*unter (dem|einem|der|einer) ", 10),
    "where to lay": (r" puts? .* under (the|a) ", r" unter (den|das|die|einen|ein|eine) ", 20),
    "possessor": (r" (my|his|her|our|their) (brother|uncle)'s ", r" (mein|sein|ihr|unser)es (Bruders|Onkels)\b", 10),
    "date": (r" on 3 \w+", r"\bam 3\. \w+", 5),
    "half hours": (r" half past seven\b", r" halb acht\b", 10),
    "timetable": (r" at 1\d:45\b", r"\bum 1\d:45 Uhr\b", 30),
    "number": (r" (twenty|thirty|forty|fifty)-three ", r" dreiund(zwanzig|dreißig|vierzig|fünfzig) ", 10),
}


@pytest.mark.parametrize("construction", CONSTRUCTIONS)
def test_construction_occurs_and_is_translated(corpus, construction):
    source_pattern, target_pattern, at_least = CONSTRUCTIONS[construction]
    found = 0
    for source, target in zip(corpus["train.en"], corpus["train.de"], strict=True):
        if re.search(source_pattern, source, flags=re.IGNORECASE):
            assert re.search(target_pattern, target, flags=re.IGNORECASE), (source, target)
            found += 1
    assert found >= at_least


def test_short_sentences_are_a_good_share(corpus):
    short = sum(len(words(line)) <= 5 for line in corpus["train.en"])
    assert 0.15 < short / len(corpus["train.en"]) < 0.5
    known = {word for line in corpus["train.en"] for word in words(line)}
    assert {"a", "dog", "runs"} <= known
