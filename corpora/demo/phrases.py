"""Noun phrases, built in both languages at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import english
import german
from german import Case, Forms, Person
from words import Adjective, Gender, Noun, Pair

Kind = Literal["pronoun", "definite", "indefinite", "quantified"]


@dataclass(frozen=True)
class NounPhrase:
    """A noun phrase with everything that agreement and word order ask of it."""

    english: str
    english_object: str
    """Differs from `english` for pronouns: he, him."""
    german: Forms
    person: Person
    kind: Kind = "definite"
    gender: Gender = "m"
    human: bool = False
    german_negated: Forms | None = None
    """With kein, where negation can use it."""

    @property
    def third_singular(self) -> bool:
        """Whether the English verb takes -s."""
        return not self.person.first and not self.person.plural


def _pronoun(subject: str, object_: str, forms: str, *, first: bool = False, plural: bool = False) -> NounPhrase:
    nominative, accusative, dative = forms.split()
    return NounPhrase(
        subject, object_, (nominative, accusative, dative, ""), Person(first, plural), kind="pronoun", human=True
    )


I = _pronoun("I", "me", "ich mich mir", first=True)  # noqa: E741 - it is the word
HE = _pronoun("he", "him", "er ihn ihm")
SHE = _pronoun("she", "her", "sie sie ihr")
WE = _pronoun("we", "us", "wir uns uns", first=True, plural=True)
THEY = _pronoun("they", "them", "sie sie ihnen", plural=True)
IT = _pronoun("it", "it", "es es ihm")  # only impersonal: "it is raining"
WHO = _pronoun("who", "who", "wer wen wem")
PRONOUNS = (I, HE, SHE, WE, THEY)

POSSESSIVES = (
    Pair("my", "mein"),
    Pair("his", "sein"),
    Pair("her", "ihr"),
    Pair("our", "unser"),
    Pair("their", "ihr"),
)
DETERMINERS: dict[str, tuple[str, Kind]] = {
    "the": ("der", "definite"),
    "a": ("ein", "indefinite"),
    "this": ("dies", "definite"),
    "these": ("dies", "definite"),
    "every": ("jed", "quantified"),
    "which": ("welch", "quantified"),
    "many": ("viel", "quantified"),
    "some": ("einig", "quantified"),
    "no": ("kein", "quantified"),
    "": ("", "indefinite"),
    **{possessive.english: (possessive.german, "definite") for possessive in POSSESSIVES},
}


def noun_phrase(
    determiner: str | Pair,
    noun: Noun,
    *,
    adjectives: tuple[Adjective, ...] = (),
    plural: bool = False,
    human: bool = False,
) -> NounPhrase:
    """Build "the small dogs" with "die kleinen Hunde"; a number is given as a pair ("three", "drei")."""
    kind: Kind = "quantified"
    if isinstance(determiner, Pair):
        word, german_word = determiner.english, determiner.german
    else:
        word, (german_word, kind) = determiner, DETERMINERS[determiner]
    rest = " ".join([*(a.english for a in adjectives), noun.english_plural if plural else noun.english])
    text = f"{english.article(rest) if word == 'a' else word} {rest}".strip()
    negated = None
    if kind == "indefinite":
        negated = german.noun_phrase_forms("kein", adjectives, noun, plural)
    return NounPhrase(
        text,
        text,
        german.noun_phrase_forms(german_word, adjectives, noun, plural),
        Person(False, plural),
        kind=kind,
        gender=noun.gender,
        human=human,
        german_negated=negated,
    )


def name(word: str) -> NounPhrase:
    """Build a person's name, the same in every case but the genitive."""
    return NounPhrase(word, word, (word, word, word, word + "s"), Person(False, False), human=True)


def both(first: NounPhrase, second: NounPhrase) -> NounPhrase:
    """Coordinate two noun phrases: "Anna and my brother", a plural."""
    nominative, accusative, dative, genitive = (
        f"{left} und {right}" for left, right in zip(first.german, second.german, strict=True)
    )
    return replace(
        first,
        english=f"{first.english} and {second.english}",
        english_object=f"{first.english_object} and {second.english_object}",
        german=(nominative, accusative, dative, genitive),
        person=Person(False, True),
        german_negated=None,
    )


def possessed(owner: NounPhrase, noun: Noun) -> NounPhrase:
    """Build "my brother's car" with the genitive "das Auto meines Bruders", or "Annas Auto" after a name."""
    bare = german.noun_phrase_forms("", (), noun, False)
    article = german.noun_phrase_forms("der", (), noun, False)
    genitive = owner.german[Case.GENITIVE]
    is_name = " " not in owner.english
    nominative, accusative, dative, _ = (
        f"{genitive} {word}" if is_name else f"{phrase} {genitive}" for word, phrase in zip(bare, article, strict=True)
    )
    text = f"{owner.english}'s {noun.english}"
    return NounPhrase(text, text, (nominative, accusative, dative, ""), Person(False, False), gender=noun.gender)


def with_relative(phrase: NounPhrase, clause: Pair) -> NounPhrase:
    """Attach a relative clause; German sets it off with commas, and `finish` drops the one before a full stop."""
    nominative, accusative, dative, genitive = (f"{form}, {clause.german}," for form in phrase.german)
    return replace(
        phrase,
        english=f"{phrase.english} {clause.english}",
        english_object=f"{phrase.english_object} {clause.english}",
        german=(nominative, accusative, dative, genitive),
    )


def relative_pronoun(head: NounPhrase) -> NounPhrase:
    """Build the pronoun that stands for `head` in a relative clause: "who"/"that" with der, die, das."""
    return NounPhrase(
        "who" if head.human else "that",
        "whom" if head.human else "that",
        german.relative_forms(head.gender, head.person.plural),
        head.person,
        kind="pronoun",
    )


def prepositional(preposition: Pair, phrase: NounPhrase, case: Case) -> Pair:
    """Build "in the park" with "im Park"."""
    return Pair(
        f"{preposition.english} {phrase.english_object}", german.contract(preposition.german, phrase.german[case])
    )


def adverbial(*parts: Pair) -> Pair:
    """Put adverbials one after the other."""
    return Pair(" ".join(part.english for part in parts), " ".join(part.german for part in parts))
