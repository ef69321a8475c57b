"""Dictionary entries of the demo corpus and the readers of its word lists.

An entry holds what a dictionary prints: an English word beside a German one, with the principal parts that no rule
can predict. Everything else (plurals in -s, third persons, case endings) follows from rules in `english` and `german`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Gender = Literal["m", "f", "n"]
GENDERS: dict[str, Gender] = {"der": "m", "die": "f", "das": "n"}


class Pair(NamedTuple):
    """The same piece of text in both languages."""

    english: str
    german: str


@dataclass(frozen=True)
class Noun:
    """A noun; a mass noun ("water") has no plural."""

    english: str
    english_plural: str
    german: str
    german_plural: str
    gender: Gender
    weak: bool = False
    """Sounds like its plural in every case but the nominative singular (der Junge, den Jungen)."""


@dataclass(frozen=True)
class Adjective:
    """An adjective with its comparative; `german_stem` is what endings are added to (teuer: ein teures Auto)."""

    english: str
    english_comparative: str
    german: str
    german_stem: str
    german_comparative: str


@dataclass(frozen=True)
class Verb:
    """A verb with its principal parts, in both languages.

    The German infinitive, third person and participle are stored without the separable prefix.
    """

    english: str
    past: str
    particle: str
    """Leaves room for an object pronoun: "pick him up"."""
    english_preposition: str
    """Always right before its object: "wait for him"."""
    german: str
    third: str
    participle: str
    auxiliary: Literal["hat", "ist"]
    prefix: str
    """Separable: "auf" in "ich stehe auf", "aufstehen", "aufgestanden", "aufzustehen"."""
    preposition: str
    """German preposition of the object, or empty."""
    case: Literal["acc", "dat"]
    """Case of the object, or of the object's preposition."""
    reflexive: bool = False
    stative: bool = False
    """No progressive in English, and here only in the present."""


@dataclass(frozen=True)
class Modal:
    """A modal verb, with the forms for singular and plural subjects (ich and er always agree)."""

    english: str
    """What goes before the infinitive: "can", or "want to" with an inflected "want"."""
    inflected: bool
    german: str
    german_plural: str
    past: str = ""
    german_past: str = ""
    german_past_plural: str = ""
    negatable: bool = True


@dataclass(frozen=True)
class Place:
    """A place with the prepositions it takes: where (dative), and where to (accusative, or zu with the dative)."""

    noun: Noun
    english_where: str
    german_where: str
    german_to: str


@dataclass(frozen=True)
class Time:
    """An adverbial of time and the tenses it goes with."""

    english: str
    german: str
    tenses: tuple[str, ...] = field(default=("present", "past", "future"))


def english_plural(noun: str) -> str:
    """Regular English plural: "box" → "boxes", "city" → "cities", "dog" → "dogs"."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def _entries(table: str) -> list[tuple[str, str]]:
    lines = [line.strip() for line in table.strip().splitlines()]
    return [(english.strip(), german.strip()) for english, german in (line.split("=") for line in lines)]


def nouns(table: str) -> tuple[Noun, ...]:
    """Read lines like ``mouse/mice = die Maus/Mäuse``; ``weak`` at the end marks the weak declension."""
    found = []
    for english, german in _entries(table):
        singular, _, plural = english.partition("/")
        article, word, *flags = german.split()
        german_singular, _, german_plural = word.partition("/")
        found.append(
            Noun(
                english=singular,
                english_plural=plural or english_plural(singular),
                german=german_singular,
                german_plural=german_plural,
                gender=GENDERS[article],
                weak="weak" in flags,
            )
        )
    return tuple(found)


def adjectives(table: str) -> tuple[Adjective, ...]:
    """Read lines like ``expensive, more expensive = teuer/teur, teurer``."""
    found = []
    for english, german in _entries(table):
        base, comparative = english.split(", ")
        form, german_comparative = german.split(", ")
        word, _, stem = form.partition("/")
        found.append(Adjective(base, comparative, word, stem or word, german_comparative))
    return tuple(found)


ENGLISH_VERB = re.compile(r"(?P<base>\w+)(\|(?P<particle>\w+)|:(?P<preposition>\w+))?( (?P<past>\w+))?")
GERMAN_VERB = re.compile(
    r"(?P<reflexive>sich )?((?P<prefix>\w+)\|)?(?P<infinitive>\w+)( (?P<third>\w+))?"
    r" (?P<auxiliary>hat|ist) (?P<participle>\w+)( \+(?P<preposition>\w+))?( (?P<case>acc|dat))?"
)


def verbs(table: str, *, stative: bool = False) -> tuple[Verb, ...]:
    """Read lines like ``pick|up = ab|holen hat geholt`` and ``wait:for = warten hat gewartet +auf acc``.

    English: base form, ``|particle`` or ``:preposition``, past where irregular. German: infinitive, third person where
    irregular, auxiliary and participle of the perfect, preposition and case of the object (accusative where silent).
    """
    found = []
    for left, right in _entries(table):
        english, german = ENGLISH_VERB.fullmatch(left), GERMAN_VERB.fullmatch(right)
        if english is None or german is None:
            raise ValueError(f"cannot read the verb entry '{left} = {right}'")
        found.append(
            Verb(
                english=english["base"],
                past=english["past"] or regular_past(english["base"]),
                particle=english["particle"] or "",
                english_preposition=english["preposition"] or "",
                german=german["infinitive"],
                third=german["third"] or regular_third(german["infinitive"]),
                participle=german["participle"],
                auxiliary="ist" if german["auxiliary"] == "ist" else "hat",
                prefix=german["prefix"] or "",
                preposition=german["preposition"] or "",
                case="dat" if german["case"] == "dat" else "acc",
                reflexive=german["reflexive"] is not None,
                stative=stative,
            )
        )
    return tuple(found)


DOUBLING = frozenset({"run", "swim", "get", "put", "forget", "stop", "travel", "sit"})


def regular_past(base: str) -> str:
    """Regular English past: "dance" → "danced", "try" → "tried", "stop" → "stopped"."""
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ied"
    return base + (base[-1] if base in DOUBLING else "") + "ed"


def german_stem(infinitive: str) -> str:
    """Strip -en or -n: "kaufen" → "kauf", "erinnern" → "erinner"."""
    return infinitive[:-2] if infinitive.endswith("en") else infinitive[:-1]


def regular_third(infinitive: str) -> str:
    """Regular third person singular: "kaufen" → "kauft", "arbeiten" → "arbeitet", "öffnen" → "öffnet"."""
    stem = german_stem(infinitive)
    return stem + ("et" if stem.endswith(("t", "d", "ffn", "chn")) else "t")


def modals(table: str) -> tuple[Modal, ...]:
    """Read lines like ``can could = kann können konnte konnten``; ``*`` after the verb marks an inflected one.

    ``!`` marks a modal that is not negated, because its negation means something else ("must not": darf nicht).
    """
    found = []
    for english, german in _entries(table):
        base, _, past = english.partition(", ")
        forms = german.split()
        found.append(
            Modal(
                english=base.strip("*!"),
                inflected=base.endswith("*"),
                german=forms[0],
                german_plural=forms[1],
                past=past,
                german_past=forms[2] if past else "",
                german_past_plural=forms[3] if past else "",
                negatable=not base.endswith("!"),
            )
        )
    return tuple(found)


def places(table: str) -> tuple[Place, ...]:
    """Read lines like ``station = der Bahnhof/Bahnhöfe : at an zu``: English where, German where, German where to."""
    found = []
    for line in table.strip().splitlines():
        entry, _, prepositions = line.rpartition(" : ")
        (noun,) = nouns(entry)
        found.append(Place(noun, *prepositions.split()))
    return tuple(found)


def pairs(table: str) -> tuple[Pair, ...]:
    """Read lines like ``quickly = schnell``."""
    return tuple(Pair(*entry) for entry in _entries(table))
