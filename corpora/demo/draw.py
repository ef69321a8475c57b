"""Chance: drawing noun phrases, times and whole clauses from the lexicon."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import actions
import lexicon as words
import phrases
from clauses import Tense
from german import Case
from phrases import NounPhrase, noun_phrase, prepositional
from times import OFTEN_USED, TIMES, number
from words import Adjective, Noun, Pair, Place, Time, Verb

T = TypeVar("T")


class Topic(NamedTuple):
    """Nouns with the adjectives that suit them."""

    nouns: tuple[Noun, ...]
    adjectives: tuple[Adjective, ...]


PEOPLE = Topic(words.PEOPLE, words.OF_PEOPLE)
ANIMALS = Topic(words.ANIMALS, words.OF_ANIMALS)
FOOD = Topic(words.FOOD, words.OF_MEALS)
DISHES = Topic(words.DISHES, words.OF_MEALS)
DRINKS = Topic(words.DRINKS, words.OF_MEALS)
THINGS = Topic(words.THINGS, words.OF_THINGS)
PORTABLE = Topic(words.THINGS[2:], words.OF_THINGS)  # all but bicycle and car
TEXTS = Topic(words.TEXTS, words.OF_TEXTS)
CLOTHES = Topic(words.CLOTHES, words.OF_THINGS)
DEVICES = Topic(words.DEVICES, words.OF_THINGS[:7])
OPENINGS = Topic(words.OPENINGS, words.OF_THINGS[:7])
ROOMS = Topic(words.ROOMS, words.OF_THINGS[:7])
FURNITURE = Topic(words.FURNITURE, words.OF_THINGS[:7])
VEHICLES = Topic(words.VEHICLES, words.OF_THINGS[:6])
GOODS = Topic(words.THINGS + words.CLOTHES + words.FOOD, words.OF_THINGS[4:8])

DEEDS: tuple[tuple[tuple[Verb, ...], Topic], ...] = (
    (actions.TRADING, GOODS),
    (actions.TRADING, THINGS),
    (actions.EATING, FOOD),
    (actions.EATING, DISHES),
    (actions.DRINKING, DRINKS),
    (actions.OWNING, THINGS),
    (actions.READING, TEXTS),
    (actions.DRESSING, CLOTHES),
    (actions.SWITCHING, DEVICES),
    (actions.OPENING, OPENINGS),
    (actions.TIDYING, ROOMS),
    (actions.HAVING, GOODS),
)
"""What people do with what."""
MASCULINE_SUBJECTS = (
    phrases.HE,
    *(phrases.name(word) for word in words.NAMES[3:]),
    *(noun_phrase("my", noun, human=True) for noun in words.FAMILY if noun.gender == "m"),
)
"""Subjects of "is a doctor": German would add -in for a woman."""
PEOPLE_IN_JOBS = tuple(noun for noun in words.JOBS if noun.gender == "m")


class Draw:
    """Draws from a seeded generator through `random()` alone, whose values Python keeps stable across versions."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        """Return True in this share of calls."""
        return self._random.random() < probability

    def one(self, items: Sequence[T]) -> T:
        """Draw one item, all equally likely."""
        return items[int(self._random.random() * len(items))]

    def weighted(self, items: Sequence[tuple[float, T]]) -> T:
        """Draw one item in proportion to its weight."""
        left = self._random.random() * sum(weight for weight, _ in items)
        for weight, item in items:
            left -= weight
            if left < 0:
                return item
        return items[-1][1]

    # Noun phrases ---------------------------------------------------------------------------------------------------

    def adjectives(self, topic: Topic, share: float = 0.25) -> tuple[Adjective, ...]:
        """Draw no adjective, one, or rarely a second that is a colour: "the small red ball"."""
        if not self.chance(share):
            return ()
        first, second = self.one(topic.adjectives), self.one(topic.adjectives)
        colours = [adjective.english in words.COLOURS for adjective in (first, second)]
        return (first, second) if colours == [False, True] else (first,)

    def common(self, topic: Topic, *, human: bool = False) -> NounPhrase:
        """Draw a noun phrase of a topic, with any determiner that fits: "the old man", "three cups", "fresh bread"."""
        noun = self.one(topic.nouns)
        adjectives = self.adjectives(topic)
        possessive = self.one(phrases.POSSESSIVES).english
        if noun in words.STRANGERS:
            possessive = "the"  # "her man" is another word
        count = number(self.one(range(2, 13)))
        plural = bool(noun.german_plural) and self.chance(0.3)
        choices: list[tuple[float, str | Pair]]
        if not noun.german_plural:
            choices = [(5, ""), (4, "the"), (1, possessive), (1, "this")]
        elif plural:
            choices = [
                (4, "the"),
                (2, ""),
                (1.5, count),
                (1.5, possessive),
                (0.7, "these"),
                (0.5, "many"),
                (0.5, "some"),
            ]
        else:
            choices = [(5, "the"), (4, "a"), (2, possessive), (1, "this"), (0.5, "every")]
        word = self.weighted(choices)
        return noun_phrase(word, noun, adjectives=adjectives, plural=plural, human=human)

    def relative(self) -> NounPhrase:
        """Draw a member of the family: "my mother", "their uncles"."""
        noun = self.one(words.FAMILY)
        plural = noun in words.SIBLINGS and self.chance(0.2)
        adjectives = self.adjectives(PEOPLE, 0.1)
        word = self.one(phrases.POSSESSIVES).english
        return noun_phrase(word, noun, adjectives=adjectives, plural=plural, human=True)

    def person(self, *, pronouns: bool = True) -> NounPhrase:
        """Draw anyone: a pronoun, a name, a relative, a stranger, or two of them."""
        kind = self.weighted([(4 if pronouns else 0, "pronoun"), (1.5, "name"), (2, "kin"), (3, "noun"), (0.5, "two")])
        if kind == "pronoun":
            return self.one(phrases.PRONOUNS)
        if kind == "name":
            return phrases.name(self.one(words.NAMES))
        if kind == "kin":
            return self.relative()
        if kind == "noun":
            return self.common(PEOPLE, human=True)
        return phrases.both(phrases.name(self.one(words.NAMES)), self.relative())

    def other_than(self, subject: NounPhrase) -> NounPhrase:
        """Draw a person as an object; "I see me" and "we help me" are not said."""
        while True:
            person = self.person()
            if person.english != subject.english and not (person.person.first and subject.person.first):
                return person

    def definite(self, topic: Topic, *, human: bool = False) -> NounPhrase:
        """Draw a definite noun phrase: "the red cars", "my umbrella"."""
        noun, plural = self.one(topic.nouns), self.chance(0.3)
        possessive = "the" if noun in words.STRANGERS else self.one(phrases.POSSESSIVES).english
        word = self.weighted([(4, "the"), (1, possessive)])
        return noun_phrase(word, noun, adjectives=self.adjectives(topic, 0.15), plural=plural, human=human)

    # Adverbials -----------------------------------------------------------------------------------------------------

    def time(self, tense: Tense, *, state: bool = False) -> Time:
        """Draw an adverbial of time that goes with a tense; a state is not said to hold "every week"."""
        while True:
            time = self.one(OFTEN_USED[:9] if state else self.weighted(TIMES))
            if tense in time.tenses:
                return time

    def where(self) -> Pair:
        """Draw a place to be at: "in the park", "at home", "in Berlin"."""
        if self.chance(0.12):
            return Pair("at home", "zu Hause")
        if self.chance(0.15):
            city = self.one(words.CITIES)
            return Pair(f"in {city.english}", f"in {city.german}")
        place = self.one(words.PLACES)
        phrase = self._place(place)
        return prepositional(Pair(place.english_where, place.german_where), phrase, Case.DATIVE)

    def whither(self) -> Pair:
        """Draw a place to go to: "to the park" is "in den Park", "to the station" is "zum Bahnhof"."""
        if self.chance(0.1):
            return Pair("home", "nach Hause")
        if self.chance(0.1):
            person = self.person(pronouns=False)
            return prepositional(Pair("to", "zu"), person, Case.DATIVE)
        place = self.one(words.PLACES)
        case = Case.DATIVE if place.german_to == "zu" else Case.ACCUSATIVE
        return prepositional(Pair("to", place.german_to), self._place(place), case)

    def _place(self, place: Place) -> NounPhrase:
        adjectives = self.adjectives(Topic((), words.OF_PLACES), 0.15)
        word = self.weighted([(9, "the"), (1, "a"), (1, "this")])
        return noun_phrase(word, place.noun, adjectives=adjectives)

    def company(self) -> Pair:
        """Draw someone to do it with, or without: "with my brother", "without him"."""
        preposition, case = self.weighted(
            [(3, (Pair("with", "mit"), Case.DATIVE)), (1, (Pair("without", "ohne"), Case.ACCUSATIVE))]
        )
        return prepositional(preposition, self.person(pronouns=False), case)
