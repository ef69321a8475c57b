"""German inflection: articles, adjectives, nouns and verbs, as the tables of a school grammar."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from words import Adjective, Gender, Modal, Noun, Verb, german_stem


class Case(IntEnum):
    """The four cases, in the order of the rows of every table below."""

    NOMINATIVE = 0
    ACCUSATIVE = 1
    DATIVE = 2
    GENITIVE = 3


Forms = tuple[str, str, str, str]
"""One form per `Case`."""
Table = tuple[tuple[str, ...], ...]


def _table(text: str) -> Table:
    """Rows are cases; columns are masculine, feminine, neuter, plural; "-" is no ending."""
    return tuple(tuple(cell.strip("-") for cell in row.split()) for row in text.strip().splitlines())


DEFINITE = _table("""
    der  die  das  die
    den  die  das  die
    dem  der  dem  den
    des  der  des  der
""")
INDEFINITE_ENDINGS = _table("""
    -    e    -    e
    en   e    -    e
    em   er   em   en
    es   er   es   er
""")
STRONG_ENDINGS = _table("""
    er   e    es   e
    en   e    es   e
    em   er   em   en
    en   er   en   er
""")
DEMONSTRATIVE_ENDINGS = (*STRONG_ENDINGS[:3], ("es", "er", "es", "er"))
WEAK_ENDINGS = _table("""
    e    e    e    en
    en   e    e    en
    en   en   en   en
    en   en   en   en
""")
MIXED_ENDINGS = _table("""
    er   e    es   en
    en   e    es   en
    en   en   en   en
    en   en   en   en
""")
NO_ENDINGS = _table("- - - -\n" * 4)
RELATIVE = (*DEFINITE[:2], ("dem", "der", "dem", "denen"), ("dessen", "deren", "dessen", "deren"))


def column(gender: Gender, plural: bool) -> int:
    """Column of a table: the gender, or the plural that all genders share."""
    return 3 if plural else "mfn".index(gender)


class Determiner(NamedTuple):
    """A determiner: its stem, its own endings, and the endings of an adjective after it."""

    stem: str
    endings: Table
    adjective_endings: Table


def determiner(word: str) -> Determiner:
    """Find the declension of a determiner given in its stem form: der, ein, kein, mein, dies, viel, drei, or empty."""
    if word == "der":
        return Determiner("", DEFINITE, WEAK_ENDINGS)
    if word in {"ein", "kein", "mein", "sein", "ihr", "unser"}:
        return Determiner(word, INDEFINITE_ENDINGS, MIXED_ENDINGS)
    if word in {"dies", "jed", "welch"}:
        return Determiner(word, DEMONSTRATIVE_ENDINGS, WEAK_ENDINGS)
    if word in {"viel", "einig"}:
        return Determiner(word, DEMONSTRATIVE_ENDINGS, STRONG_ENDINGS)
    return Determiner(word, NO_ENDINGS, STRONG_ENDINGS)


def noun_form(noun: Noun, case: Case, plural: bool) -> str:
    """Inflect a noun: dative plural -n, weak nouns as in the plural, genitive -(e)s of masculines and neuters."""
    if plural:
        adds_n = case is Case.DATIVE and not noun.german_plural.endswith(("n", "s"))
        return noun.german_plural + ("n" if adds_n else "")
    word = noun.german
    if noun.weak and case is not Case.NOMINATIVE:
        return noun.german_plural
    if case is Case.GENITIVE and noun.gender != "f":
        return word + ("es" if syllables(word) == 1 and word[-1] not in "aeiouäöü" else "s")
    return word


def syllables(word: str) -> int:
    """Count groups of vowels: "Freund" has one, "Bruder" two."""
    vowels = [letter in "aeiouäöü" for letter in word.lower()]
    return sum(now and not before for before, now in zip([False, *vowels], vowels, strict=False))


def noun_phrase_forms(word: str, adjectives: tuple[Adjective, ...], noun: Noun, plural: bool) -> Forms:
    """Decline determiner, adjectives and noun together, in the four cases."""
    found = determiner(word)
    at = column(noun.gender, plural)
    declined = []
    for case in Case:
        parts = [found.stem + found.endings[case][at]]
        parts += [adjective.german_stem + found.adjective_endings[case][at] for adjective in adjectives]
        parts.append(noun_form(noun, case, plural))
        declined.append(" ".join(part for part in parts if part))
    nominative, accusative, dative, genitive = declined
    return nominative, accusative, dative, genitive


def relative_forms(gender: Gender, plural: bool) -> Forms:
    """Decline the relative pronoun that refers to a noun of this gender and number."""
    at = column(gender, plural)
    return RELATIVE[0][at], RELATIVE[1][at], RELATIVE[2][at], RELATIVE[3][at]


# Verbs --------------------------------------------------------------------------------------------------------------

PRETERITE = {"sein": "war", "haben": "hatte", "wissen": "wusste"}
"""Verbs whose past is the preterite also in speech; every other past is a perfect."""


class Person(NamedTuple):
    """What a finite verb agrees with; the second person does not occur ("you" has three translations)."""

    first: bool
    plural: bool


def present(verb: Verb, person: Person) -> str:
    """Present tense without the separable prefix: ich laufe, er läuft, wir laufen."""
    if verb.german == "sein":
        return "sind" if person.plural else "bin" if person.first else "ist"
    if person.plural:
        return verb.german
    if not person.first or not verb.third.endswith("t"):  # ich mag, ich weiß
        return verb.third
    return german_stem(verb.german) + "e"


def preterite(verb: Verb, person: Person) -> str:
    """Preterite of the verbs in `PRETERITE`: ich war, wir hatten."""
    form = PRETERITE[verb.german]
    return form if not person.plural else form + ("n" if form.endswith("e") else "en")


def auxiliary(infinitive: str, person: Person) -> str:
    """Present of haben, sein and werden, which build the perfect and the future."""
    singular, plural, first = {
        "hat": ("hat", "haben", "habe"),
        "ist": ("ist", "sind", "bin"),
        "wird": ("wird", "werden", "werde"),
    }[infinitive]
    return plural if person.plural else first if person.first else singular


def modal_form(modal: Modal, person: Person, past: bool) -> str:
    """Conjugate a modal verb in the present or the preterite: ich kann, sie konnten."""
    if past:
        return modal.german_past_plural if person.plural else modal.german_past
    return modal.german_plural if person.plural else modal.german


def infinitive(verb: Verb) -> str:
    """Infinitive with its prefix: "anrufen"."""
    return verb.prefix + verb.german


def zu_infinitive(verb: Verb) -> str:
    """Infinitive with zu: "zu kaufen", but "anzurufen"."""
    return f"{verb.prefix}zu{verb.german}" if verb.prefix else f"zu {verb.german}"


def participle(verb: Verb) -> str:
    """Past participle with its prefix: "angerufen"."""
    return verb.prefix + verb.participle


def reflexive(person: Person) -> str:
    """Accusative reflexive pronoun: mich, uns, sich."""
    if not person.first:
        return "sich"
    return "uns" if person.plural else "mich"


CONTRACTIONS = {
    "in dem": "im",
    "in das": "ins",
    "an dem": "am",
    "an das": "ans",
    "zu dem": "zum",
    "zu der": "zur",
    "von dem": "vom",
    "bei dem": "beim",
}


def contract(preposition: str, phrase: str) -> str:
    """Join a preposition to its noun phrase: "in" + "dem Park" → "im Park"."""
    article, _, rest = phrase.partition(" ")
    short = CONTRACTIONS.get(f"{preposition} {article}")
    return f"{short} {rest}" if short and rest else f"{preposition} {phrase}"
