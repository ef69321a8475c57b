"""Rules for plain statements."""

from __future__ import annotations

from dataclasses import replace

from clauses import finish, joined, statement
from draw import Draw
from predicates import animal_deed, deed, departure, dressed, in_some_tense, with_time
from times import BY_TIMETABLE
from words import Pair

JOINING = (Pair(" and ", " und "), Pair(", but ", ", aber "))


def short_statement(draw: Draw) -> Pair:
    """Draw the like of "A dog sleeps"."""
    clause = animal_deed(draw) if draw.chance(0.5) else deed(draw, draw.person())
    return finish(statement(in_some_tense(draw, clause)))


def animal_statement(draw: Draw) -> Pair:
    """Draw the like of "The white cat does not wake up"."""
    return finish(statement(dressed(draw, animal_deed(draw)), time_first=draw.chance(0.4)))


def long_statement(draw: Draw) -> Pair:
    """Draw the like of "In the evening my sister always helps the old man"."""
    clause = dressed(draw, deed(draw, draw.person()), time=0.55)
    return finish(statement(clause, time_first=draw.chance(0.5)))


def modal_statement(draw: Draw) -> Pair:
    """Draw the like of "She has to pick up the children"."""
    clause = dressed(draw, deed(draw, draw.person()), modal=1)
    return finish(statement(clause, time_first=draw.chance(0.5)))


def departure_statement(draw: Draw) -> Pair:
    """Draw the like of "The train leaves at 7:45"."""
    clause = in_some_tense(draw, departure(draw))
    hour = draw.one(BY_TIMETABLE)
    clause = replace(clause, time=Pair(hour.english, hour.german)) if draw.chance(0.5) else with_time(draw, clause)
    return finish(statement(clause, time_first=draw.chance(0.3)))


def two_statements(draw: Draw) -> Pair:
    """Draw the like of "The boy sings, but his sister does not dance"."""
    first, second = (statement(dressed(draw, deed(draw, draw.person()), time=0.1, modal=0.05)) for _ in range(2))
    return finish(joined(first, second, draw.one(JOINING)))
