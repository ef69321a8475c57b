"""Rules for questions."""

from __future__ import annotations

from dataclasses import replace

import actions
import phrases
from clauses import Clause, finish, question, statement
from draw import CLOTHES, FOOD, TEXTS, THINGS, Draw
from german import Case
from phrases import noun_phrase
from predicates import deed, departure, dressed, going, handling, in_some_tense, meeting
from words import Pair

WHEN, WHY = Pair("when", "wann"), Pair("why", "warum")
WHERE, WHERE_TO = Pair("where", "wo"), Pair("where", "wohin")


def yes_no_question(draw: Draw) -> Pair:
    """Draw the like of "Does the woman buy a hat?"."""
    return finish(question(dressed(draw, deed(draw, draw.person()))), "?")


def word_question(draw: Draw) -> Pair:
    """Draw the like of "Why does he get up?"."""
    kind = going if draw.chance(0.3) else deed
    clause = dressed(draw, kind(draw, draw.person()), time=0, modal=0.15)
    clause = replace(clause, frequency=None, negated=False, progressive=False)
    word = draw.one((WHEN, WHY))
    if clause.verb in actions.GOING + actions.TRAVELLING and draw.chance(0.6):
        clause, word = replace(clause, complement=None), WHERE_TO
    elif clause.verb in actions.LIVING:
        clause, word = replace(clause, complement=None), WHERE
    elif clause.place is not None:
        clause, word = replace(clause, place=None), WHERE
    return finish(question(clause, word), "?")


def departure_question(draw: Draw) -> Pair:
    """Draw the like of "When does the train arrive?"."""
    return finish(question(in_some_tense(draw, departure(draw)), WHEN), "?")


def person_question(draw: Draw) -> Pair:
    """Draw the like of "Who does she help?": English "who" is "wem", "wen" or "auf wen", as the German verb governs."""
    clause = in_some_tense(draw, replace(meeting(draw, draw.person()), object=None))
    case = Case.DATIVE if clause.verb.case == "dat" else Case.ACCUSATIVE
    german_word = f"{clause.verb.preposition} {phrases.WHO.german[case]}".strip()
    return finish(question(clause, Pair("who", german_word)), "?")


def thing_question(draw: Draw) -> Pair:
    """Draw the like of "What does she buy?"."""
    clause = replace(handling(draw, draw.person()), object=None, complement=None)
    return finish(question(in_some_tense(draw, clause), Pair("what", "was")), "?")


def choice_question(draw: Draw) -> Pair:
    """Draw the like of "Which hat does she take off? How many apples do they eat?"."""
    verbs, topic = draw.one(
        ((actions.EATING, FOOD), (actions.DRESSING, CLOTHES), (actions.READING, TEXTS), (actions.TRADING, THINGS))
    )
    noun, adjectives = draw.one(topic.nouns), draw.adjectives(topic)
    if draw.chance(0.5):
        counted = noun_phrase("many", noun, adjectives=adjectives, plural=True)
        asked = Pair(f"how {counted.english}", f"wie {counted.german[Case.ACCUSATIVE]}")
    else:
        chosen = noun_phrase("which", noun, adjectives=adjectives, plural=draw.chance(0.3))
        asked = Pair(chosen.english, chosen.german[Case.ACCUSATIVE])
    clause = Clause(draw.person(), draw.one(verbs))
    return finish(question(in_some_tense(draw, clause), asked), "?")


def subject_question(draw: Draw) -> Pair:
    """Draw the like of "Who helps the man?"."""
    clause = in_some_tense(draw, deed(draw, phrases.WHO))
    return finish(statement(clause), "?")
