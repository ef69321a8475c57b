"""Clauses drawn at random: what somebody does, then the tense, time and mood of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import actions
import lexicon as words
from clauses import Clause, Tense
from draw import ANIMALS, DEEDS, THINGS, VEHICLES, Draw
from german import PRETERITE, Case
from phrases import NounPhrase, prepositional
from words import Pair


def deed(draw: Draw, subject: NounPhrase) -> Clause:
    """Draw what a person does: no tense, no time yet."""
    return draw.weighted(KINDS)(draw, subject)


def alone(draw: Draw, subject: NounPhrase) -> Clause:
    """Intransitive verbs: "sleeps", "gets up", "sings loudly", "works in the garden"."""
    group = draw.one((actions.MOVING, actions.SOUNDING, actions.RESTING, actions.ACTING, actions.ACTING))
    clause = Clause(subject, draw.one(group))
    if group is actions.MOVING and draw.chance(0.4):
        return replace(clause, complement=draw.one(words.MANNERS[:2]))
    if group is actions.SOUNDING and draw.chance(0.4):
        return replace(clause, complement=draw.one(words.MANNERS[2:]))
    if clause.verb.prefix == "" and not clause.verb.reflexive and draw.chance(0.4):
        return replace(clause, place=draw.where())
    if group is actions.ACTING and not clause.verb.reflexive and draw.chance(0.3):
        return replace(clause, complement=draw.company())
    return clause


def going(draw: Draw, subject: NounPhrase) -> Clause:
    """Motion towards a place, in the accusative or with zu: "goes to the park"."""
    return Clause(subject, draw.one(actions.GOING), complement=draw.whither())


def travelling(draw: Draw, subject: NounPhrase) -> Clause:
    """Cities and countries take nach: "flies to Berlin"."""
    city = draw.one(words.CITIES)
    verb = draw.one(actions.TRAVELLING + actions.GOING[1:])
    return Clause(subject, verb, complement=Pair(f"to {city.english}", f"nach {city.german}"))


def living(draw: Draw, subject: NounPhrase) -> Clause:
    """Live somewhere."""
    city = draw.one(words.CITIES)
    return Clause(subject, actions.LIVING[0], complement=Pair(f"in {city.english}", f"in {city.german}"))


def meeting(draw: Draw, subject: NounPhrase) -> Clause:
    """Verbs on people, in the accusative, the dative or behind a preposition: "helps the man", "waits for him"."""
    return Clause(subject, draw.one(actions.ON_PEOPLE), object=draw.other_than(subject))


def feeling(draw: Draw, subject: NounPhrase) -> Clause:
    """Verbs of knowing and liking."""
    return Clause(subject, draw.one(actions.FEELING), object=draw.other_than(subject))


def handling(draw: Draw, subject: NounPhrase) -> Clause:
    """Verbs on things: "buys an old car", "turns on the lamp"."""
    verbs, topic = draw.one(DEEDS)
    clause = Clause(subject, draw.one(verbs), object=draw.common(topic))
    if verbs is actions.TRADING and draw.chance(0.3) and clause.verb.english in ("buy", "forget"):
        return replace(clause, complement=prepositional(Pair("for", "für"), draw.other_than(subject), Case.ACCUSATIVE))
    return clause


def errand(draw: Draw, subject: NounPhrase) -> Clause:
    """Something that people set out to do."""
    if draw.chance(0.4):
        return Clause(subject, draw.one(ERRANDS), object=draw.other_than(subject))
    verbs, topic = draw.one(DEEDS[1:-1])
    verb = draw.one([verb for verb in verbs if verb.english not in actions.PUNCTUAL])
    return Clause(subject, verb, object=draw.common(topic))


ERRANDS = tuple(
    verb
    for verb in actions.ON_PEOPLE
    if verb.english in ("visit", "call", "invite", "pick", "look", "help", "thank", "talk")
)


def giving(draw: Draw, subject: NounPhrase) -> Clause:
    """Two objects, the dative before the accusative: "gives the child a ball"."""
    recipient = draw.other_than(subject)
    return Clause(subject, draw.one(actions.GIVING), recipient=recipient, object=draw.common(THINGS))


def being(draw: Draw, subject: NounPhrase) -> Clause:
    """Predicative adjectives, which German does not inflect: "is tired"."""
    adjective = draw.one(words.MOODS)
    return Clause(subject, actions.BE, complement=Pair(adjective.english, adjective.german))


def staying(draw: Draw, subject: NounPhrase) -> Clause:
    """Be somewhere: "is at home"."""
    return Clause(subject, actions.BE, complement=draw.where())


Kind = Callable[[Draw, NounPhrase], Clause]
KINDS: tuple[tuple[float, Kind], ...] = (
    (16, alone),
    (8, going),
    (4, travelling),
    (2, living),
    (18, meeting),
    (5, feeling),
    (34, handling),
    (7, giving),
    (7, being),
    (3, staying),
)


def animal_deed(draw: Draw) -> Clause:
    """Draw what an animal does."""
    subject = draw.common(ANIMALS)
    verb = draw.one(actions.MOVING + actions.RESTING)
    complement = draw.one(words.MANNERS[:2]) if verb in actions.MOVING and draw.chance(0.3) else None
    place = draw.where() if complement is None and not verb.prefix and draw.chance(0.3) else None
    return Clause(subject, verb, complement=complement, place=place)


def departure(draw: Draw) -> Clause:
    """Draw what a vehicle does: "the train leaves at 7:45"."""
    return Clause(draw.common(VEHICLES), draw.one(actions.DEPARTING))


# Tense, time and mood -----------------------------------------------------------------------------------------------


def possible_tenses(clause: Clause) -> tuple[tuple[float, Tense], ...]:
    """Tenses that are idiomatic and that the English form shows ("they read" could be present or past)."""
    verb = clause.verb
    if verb.stative and verb.german not in PRETERITE:
        return ((1, "present"),)
    if verb.past == verb.english and not clause.subject.third_singular:
        return ((3, "present"), (1, "future"))
    return ((5, "present"), (3, "past"), (1.5, "future"))


def in_some_tense(draw: Draw, clause: Clause) -> Clause:
    """Draw a tense."""
    return replace(clause, tense=draw.weighted(possible_tenses(clause)))


def with_modal(draw: Draw, clause: Clause) -> Clause:
    """Add a modal verb, which sends the infinitive to the end of the German clause."""
    modal = draw.one(actions.MODALS)
    tense: Tense = "past" if modal.past and draw.chance(0.25) else "present"
    return replace(clause, modal=modal, tense=tense)


def with_time(draw: Draw, clause: Clause) -> Clause:
    """Add an adverbial of time, unless the verb is a lasting state ("know", "love")."""
    if clause.verb.stative and clause.verb != actions.BE:
        return clause
    time = draw.time(clause.tense, state=clause.verb.stative)
    return replace(clause, time=Pair(time.english, time.german))


def can_negate(clause: Clause) -> bool:
    """Whether negation has one natural reading: not of "every", "three", "sometimes", or an indefinite recipient."""
    if clause.frequency is not None or (clause.modal is not None and not clause.modal.negatable):
        return False
    if clause.recipient is not None and clause.recipient.kind in ("indefinite", "quantified"):
        return False
    if clause.object is not None and clause.object.kind == "quantified":
        return False
    if clause.object is not None and clause.object.kind == "indefinite" and clause.verb.preposition:
        return False
    return clause.subject.kind != "quantified"


def can_progress(clause: Clause) -> bool:
    """Whether the progressive is idiomatic."""
    if clause.verb.english in actions.PUNCTUAL or clause.verb.stative:
        return False
    return clause.modal is None and clause.tense == "present" and clause.time is None


def dressed(draw: Draw, clause: Clause, *, time: float = 0.35, modal: float = 0.15) -> Clause:
    """Draw everything a clause may carry: tense or modal, time, negation, frequency, the progressive."""
    takes_modal = draw.chance(modal) and not clause.verb.stative
    clause = with_modal(draw, clause) if takes_modal else in_some_tense(draw, clause)
    if draw.chance(time):
        clause = with_time(draw, clause)
    elif clause.tense == "present" and clause.modal is None and draw.chance(0.12):
        return replace(clause, frequency=draw.one(words.FREQUENCIES))
    elif can_progress(clause) and draw.chance(0.12):
        return replace(clause, progressive=True)
    if draw.chance(0.2) and can_negate(clause):
        clause = replace(clause, negated=True)
    return clause
