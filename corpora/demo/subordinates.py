"""Rules for sentences with a subordinate clause, whose verb German sends to the end."""

from __future__ import annotations

from dataclasses import replace

import actions
from clauses import Clause, finish, infinitive, joined, question, statement, subordinate
from draw import CLOTHES, PEOPLE, TEXTS, THINGS, Draw
from german import Case
from phrases import NounPhrase, relative_pronoun, with_relative
from predicates import deed, dressed, errand, in_some_tense, meeting
from questions import WHEN, WHY
from words import Pair

THAT, WHETHER = Pair("that", "dass"), Pair("if", "ob")
REASONS = (Pair("because", "weil"), Pair("although", "obwohl"))
CONDITIONS = (Pair("if", "wenn"), Pair("when", "wenn"), Pair("before", "bevor"), Pair("while", "während"))
COMMA = Pair(", ", ", ")
GERMAN_COMMA = Pair(" ", ", ")


def reported(draw: Draw) -> Pair:
    """Draw the like of "He says that the train arrives"."""
    main = in_some_tense(draw, Clause(draw.person(), draw.one(actions.SAYING)))
    main = replace(main, tense="present") if main.tense == "future" else main
    clause = dressed(draw, deed(draw, draw.person()), time=0.25, modal=0.1)
    return finish(joined(statement(main), subordinate(clause, THAT), GERMAN_COMMA))


def wondered(draw: Draw) -> Pair:
    """Draw the like of "I do not know why she works today"."""
    verb = draw.one(actions.WONDERING)
    negated = verb.english == "know"
    main = Clause(draw.person(), verb, tense=draw.one(("present", "past")), negated=negated)
    clause = dressed(draw, deed(draw, draw.person()), time=0, modal=0.1)
    clause = replace(clause, frequency=None, negated=False, progressive=False)
    word = draw.weighted([(2, WHETHER), (1, WHEN), (1, WHY)])
    return finish(joined(statement(main), subordinate(clause, word), GERMAN_COMMA))


def reason(draw: Draw) -> Pair:
    """Draw the like of "She sleeps because she is tired"."""
    main, clause = _two_clauses(draw)
    return _attached(draw, main, subordinate(clause, draw.one(REASONS)))


def condition(draw: Draw) -> Pair:
    """Draw the like of "If he comes back, we cook"."""
    main, clause = (replace(clause, tense="present", time=None) for clause in _two_clauses(draw))
    conjunction = draw.one(CONDITIONS)
    if conjunction.english != "if":
        clause = replace(clause, negated=False, frequency=None)
    return _attached(draw, main, subordinate(clause, conjunction))


def _two_clauses(draw: Draw) -> tuple[Clause, Clause]:
    subject = draw.person()
    other = subject if subject.kind == "pronoun" and draw.chance(0.5) else draw.person()
    main = dressed(draw, deed(draw, subject), time=0, modal=0.1)
    return main, dressed(draw, deed(draw, other), time=0.15, modal=0.15)


def _attached(draw: Draw, main: Clause, side: Pair) -> Pair:
    """Put a subordinate clause behind the main clause or, taking the place before the German verb, in front of it."""
    if draw.chance(0.5):
        return finish(joined(statement(main), side, GERMAN_COMMA))
    inverted = Pair(statement(main).english, question(main).german)
    return finish(joined(side, inverted, COMMA))


def purpose(draw: Draw) -> Pair:
    """Draw the like of "He goes to the city to buy a hat"."""
    subject = draw.person()
    main = in_some_tense(draw, Clause(subject, draw.one(actions.GOING), complement=draw.whither()))
    aim = infinitive(errand(draw, subject))
    return finish(joined(statement(main), Pair(aim.english, f"um {aim.german}"), GERMAN_COMMA))


def attempt(draw: Draw) -> Pair:
    """Draw the like of "We try to clean up the kitchen"."""
    subject = draw.person()
    main = in_some_tense(draw, Clause(subject, draw.one(actions.ATTEMPTING)))
    return finish(joined(statement(main), infinitive(errand(draw, subject)), GERMAN_COMMA))


def relative_clause(draw: Draw, head: NounPhrase) -> Pair:
    """Draw a relative clause about a person: the pronoun takes its case from the verb inside."""
    pronoun = relative_pronoun(head)
    if draw.chance(0.5):
        clause = dressed(draw, deed(draw, pronoun), time=0.15, modal=0.1)
        return subordinate(clause, Pair("", ""))
    clause = in_some_tense(draw, replace(meeting(draw, draw.person()), object=None))
    case = Case.DATIVE if clause.verb.case == "dat" else Case.ACCUSATIVE
    german_word = f"{clause.verb.preposition} {pronoun.german[case]}".strip()
    return subordinate(clause, Pair(pronoun.english_object, german_word))


def thing_clause(draw: Draw, head: NounPhrase) -> Pair:
    """Draw a relative clause about a thing: "that she has bought"."""
    pronoun = relative_pronoun(head)
    verb = draw.one(actions.OWNING + actions.TRADING)
    clause = in_some_tense(draw, Clause(draw.person(), verb))
    return subordinate(clause, Pair(pronoun.english_object, pronoun.german[Case.ACCUSATIVE]))


def relative_subject(draw: Draw) -> Pair:
    """Draw the like of "The man who repairs the car is tired"."""
    head = draw.definite(PEOPLE, human=True)
    subject = with_relative(head, relative_clause(draw, head))
    return finish(statement(in_some_tense(draw, deed(draw, subject))))


def relative_object(draw: Draw) -> Pair:
    """Draw the like of "We know the woman whom he helps"."""
    if draw.chance(0.5):
        head = draw.definite(PEOPLE, human=True)
        target = with_relative(head, relative_clause(draw, head))
        verb = draw.one([verb for verb in actions.ON_PEOPLE + actions.FEELING if not verb.prefix + verb.preposition])
    else:
        head = draw.definite(draw.one((THINGS, CLOTHES, TEXTS)))
        target = with_relative(head, thing_clause(draw, head))
        verb = draw.one([verb for verb in actions.OWNING + actions.HAVING if not verb.prefix])
    clause = Clause(draw.person(), verb, object=target)
    return finish(statement(clause))
