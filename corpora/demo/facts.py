"""Rules for being, having, lying, costing and counting."""

from __future__ import annotations

from dataclasses import replace

import actions
import lexicon as words
import phrases
from clauses import Clause, Tense, finish, question, statement
from draw import ANIMALS, CLOTHES, FURNITURE, MASCULINE_SUBJECTS, PEOPLE, PEOPLE_IN_JOBS, PORTABLE, TEXTS, THINGS, Draw
from german import Case
from phrases import NounPhrase, noun_phrase, possessed, prepositional
from predicates import dressed, in_some_tense
from times import CLOCK, DATES, WEEKDAYS, number
from words import Pair, Verb


def description(draw: Draw) -> Pair:
    """Draw the like of "The new car is not expensive" or "Is the dog old?"."""
    topic = draw.one((PEOPLE, ANIMALS, THINGS, TEXTS, CLOTHES, FURNITURE))
    adjective = draw.one(topic.adjectives)
    subject = draw.common(topic, human=topic is PEOPLE)
    clause = in_some_tense(draw, Clause(subject, actions.BE, complement=Pair(adjective.english, adjective.german)))
    if subject.kind != "quantified" and draw.chance(0.25):
        clause = replace(clause, negated=True)
    return finish(question(clause), "?") if draw.chance(0.2) else finish(statement(clause))


def comparison(draw: Draw) -> Pair:
    """Draw the like of "The horse is bigger than the dog" or "The horse is not as old as the dog"."""
    topic = draw.one((PEOPLE, ANIMALS, THINGS, TEXTS, CLOTHES))
    adjective = draw.one([adjective for adjective in topic.adjectives if adjective.english not in words.COLOURS])
    subject, other = draw.definite(topic), draw.definite(topic)
    while other.english == subject.english:
        other = draw.definite(topic)
    against = other.german[Case.NOMINATIVE]
    if draw.chance(0.6):
        complement = Pair(
            f"{adjective.english_comparative} than {other.english}", f"{adjective.german_comparative} als {against}"
        )
    else:
        complement = Pair(f"as {adjective.english} as {other.english}", f"so {adjective.german} wie {against}")
    tense: Tense = "past" if draw.chance(0.3) else "present"
    return finish(statement(Clause(subject, actions.BE, tense, complement=complement, negated=draw.chance(0.3))))


def profession(draw: Draw) -> Pair:
    """Draw the like of "My brother is a doctor": German without an article, or with kein."""
    noun, subject = draw.one(PEOPLE_IN_JOBS), draw.one(MASCULINE_SUBJECTS)
    phrase = noun_phrase("a", noun)
    job = Pair(phrase.english, noun.german)
    if draw.chance(0.3) and phrase.german_negated is not None:
        job = Pair(f"not {phrase.english}", phrase.german_negated[Case.NOMINATIVE])
    tense: Tense = "past" if draw.chance(0.3) else "present"
    return finish(statement(Clause(subject, actions.BE, tense, complement=job)))


def existence(draw: Draw) -> Pair:
    """Draw the like of "In the garden there is a dog": es gibt with the accusative."""
    topic = draw.one((ANIMALS, FURNITURE, PEOPLE))
    plural = draw.chance(0.4)
    word: str | Pair = number(draw.one(range(2, 13))) if plural else "a"
    target = noun_phrase(word, draw.one(topic.nouns), adjectives=draw.adjectives(topic), plural=plural)
    verb, place = "are" if plural else "is", draw.where()
    thing = target.german[Case.ACCUSATIVE]
    if draw.chance(0.5):
        return finish(Pair(f"{place.english} there {verb} {target.english}", f"{place.german} gibt es {thing}"))
    return finish(Pair(f"there {verb} {target.english} {place.english}", f"es gibt {thing} {place.german}"))


def position(draw: Draw, case: Case) -> Pair:
    """Draw "under the table", with the case that a two-way preposition takes here."""
    furniture = noun_phrase(draw.weighted([(4, "the"), (1, "a")]), draw.one(words.FURNITURE))
    return prepositional(draw.one(words.POSITIONS), furniture, case)


def location(draw: Draw) -> Pair:
    """Draw the like of "The key is under the table": where, so the dative."""
    subject = draw.definite(draw.one((PORTABLE, TEXTS, CLOTHES, ANIMALS)))
    clause = in_some_tense(draw, Clause(subject, actions.BE, complement=position(draw, Case.DATIVE)))
    clause = replace(clause, negated=draw.chance(0.2))
    return finish(statement(clause))


def laying(draw: Draw) -> Pair:
    """Draw the like of "She puts the key on the table": where to, so the accusative."""
    target = draw.definite(draw.one((PORTABLE, TEXTS, CLOTHES)))
    clause = Clause(draw.person(), actions.LAYING[0], object=target, complement=position(draw, Case.ACCUSATIVE))
    return finish(statement(dressed(draw, clause, time=0.2)))


def belonging(draw: Draw) -> Pair:
    """Draw the like of "The red car belongs to my aunt"."""
    clause = Clause(draw.definite(THINGS), actions.BELONGING[0], object=draw.person(), negated=draw.chance(0.25))
    return finish(statement(clause))


def possession(draw: Draw) -> Pair:
    """Draw the like of "My brother's car is new": German puts the owner behind, in the genitive."""
    topic = draw.one((THINGS, TEXTS, CLOTHES))
    owner = phrases.name(draw.one(words.NAMES)) if draw.chance(0.3) else draw.relative()
    if owner.person.plural:
        owner = phrases.name(draw.one(words.NAMES))
    thing = possessed(owner, draw.one(topic.nouns))
    if draw.chance(0.5):
        adjective = draw.one(topic.adjectives)
        clause = Clause(thing, actions.BE, complement=Pair(adjective.english, adjective.german))
    else:
        clause = Clause(draw.person(), draw.one(actions.OWNING), object=thing)
    return finish(statement(in_some_tense(draw, clause)))


def price(draw: Draw) -> Pair:
    """Draw the like of "The car costs twenty-three euros"."""
    return _measured(draw, draw.definite(draw.one((THINGS, CLOTHES))), actions.COSTING, Pair("euros", "Euro"))


def length(draw: Draw) -> Pair:
    """Draw the like of "The book has sixty-one pages"."""
    subject = noun_phrase("the", draw.one(words.TEXTS), adjectives=draw.adjectives(TEXTS))
    return _measured(draw, subject, actions.HAVING[0], Pair("pages", "Seiten"))


def age(draw: Draw) -> Pair:
    """Draw the like of "He is thirty-four years old"."""
    return _measured(draw, draw.person(), actions.BE, Pair("years old", "Jahre alt"))


def _measured(draw: Draw, subject: NounPhrase, verb: Verb, unit: Pair) -> Pair:
    count = number(draw.one(range(2, 61)))
    amount = Pair(f"{count.english} {unit.english}", f"{count.german} {unit.german}")
    return finish(statement(Clause(subject, verb, complement=amount)))


def birthday(draw: Draw) -> Pair:
    """Draw the like of "His birthday is on 3 May"."""
    owner, date = draw.one(phrases.POSSESSIVES), draw.one(DATES)
    return finish(
        Pair(f"{owner.english} birthday is on {date.english}", f"{owner.german} Geburtstag ist am {date.german}")
    )


def calendar(draw: Draw) -> Pair:
    """Draw the like of "Today is 3 May" or "Today is Monday" or "It is half past seven"."""
    kind = draw.weighted([(3, "date"), (1, "weekday"), (2, "clock")])
    if kind == "clock":
        hour = draw.one(CLOCK)
        return finish(Pair(f"it is {hour.english}", f"es ist {hour.german}"))
    day = draw.one(DATES if kind == "date" else WEEKDAYS)
    return finish(Pair(f"today is {day.english}", f"heute ist {'der ' if kind == 'date' else ''}{day.german}"))
