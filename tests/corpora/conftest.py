"""The generator of the demo corpus, and phrases and clauses made with it from English words."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

DEMO = Path(__file__).parents[2] / "corpora" / "demo"
MODULES = (
    "actions",
    "clauses",
    "draw",
    "english",
    "german",
    "grammar",
    "lexicon",
    "phrases",
    "predicates",
    "times",
    "words",
)


@pytest.fixture(scope="module")
def demo():
    """The generator's modules; it is a script, so they are found beside it and forgotten afterwards."""
    before = set(sys.modules)
    sys.path.insert(0, str(DEMO))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(DEMO))
        for name in set(sys.modules) - before:
            if str(DEMO) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def noun(demo, english):
    groups = [value for value in vars(demo.lexicon).values() if isinstance(value, tuple)]
    places = [place.noun for place in demo.lexicon.PLACES]
    found = [entry for group in groups for entry in group if isinstance(entry, demo.words.Noun)]
    return next(entry for entry in found + places if english in (entry.english, entry.english_plural))


def adjective(demo, english):
    found = demo.lexicon.OF_PEOPLE + demo.lexicon.OF_ANIMALS + demo.lexicon.OF_THINGS + demo.lexicon.OF_MEALS
    return next(entry for entry in found if entry.english == english)


def phrase(demo, text):
    """Build a noun phrase from English such as "the old men" (a determiner or "-", adjectives, a noun)."""
    determiner, *middle, last = text.split()
    found = noun(demo, last)
    return demo.phrases.noun_phrase(
        {"-": "", "an": "a"}.get(determiner, determiner),
        found,
        adjectives=tuple(adjective(demo, word) for word in middle),
        plural=last == found.english_plural,
    )


def verb(demo, english):
    """Find a verb by its English words: "pick up", "wait for"."""
    groups = [value for value in vars(demo.actions).values() if isinstance(value, tuple)]
    entries = [entry for group in groups for entry in group if isinstance(entry, demo.words.Verb)]
    for entry in (*entries, demo.actions.BE):
        if " ".join(filter(None, (entry.english, entry.particle, entry.english_preposition))) == english:
            return entry
    raise LookupError(english)


def clause(demo, subject, action, **rest):
    pronouns = {pronoun.english: pronoun for pronoun in demo.phrases.PRONOUNS}
    people = {name: demo.phrases.name(name) for name in demo.lexicon.NAMES}

    def build(text):
        return (pronouns | people).get(text) or phrase(demo, text)

    built = {key: build(rest[key]) for key in ("object", "recipient") if key in rest}
    pairs = {key: demo.words.Pair(*rest[key]) for key in ("time", "place", "complement", "frequency") if key in rest}
    if "modal" in rest:
        built["modal"] = next(modal for modal in demo.actions.MODALS if modal.english == rest["modal"])
    plain = {key: rest[key] for key in ("tense", "negated", "progressive") if key in rest}
    return demo.clauses.Clause(build(subject), verb(demo, action), **built, **pairs, **plain)
