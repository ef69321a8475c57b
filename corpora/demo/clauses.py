"""Clauses: one description, put in order by each language's own rules.

English keeps subject, verb, object. German puts the finite verb second in a main clause, first in a yes/no question and
last in a subordinate clause; everything else of the verb waits at the end of the clause.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import english
import german
from german import Case
from phrases import NounPhrase
from words import Modal, Pair, Verb

Tense = Literal["present", "past", "future"]


@dataclass(frozen=True)
class Clause:
    """Who does what, when, where and how."""

    subject: NounPhrase
    verb: Verb
    tense: Tense = "present"
    modal: Modal | None = None
    recipient: NounPhrase | None = None
    """Indirect object, in the dative."""
    object: NounPhrase | None = None
    """Direct or prepositional object, in the case that the verb governs."""
    complement: Pair | None = None
    """Closes the clause: a direction, a predicative adjective, a manner."""
    place: Pair | None = None
    time: Pair | None = None
    frequency: Pair | None = None
    negated: bool = False
    progressive: bool = False

    @property
    def uses_kein(self) -> bool:
        """Whether negation sits in the object (keinen Apfel) instead of in nicht."""
        return self.negated and self.object is not None and self.object.german_negated is not None


def _words(*parts: str) -> str:
    return " ".join(part for part in parts if part)


# English ------------------------------------------------------------------------------------------------------------


class EnglishVerb(NamedTuple):
    """The verb of a clause: an auxiliary that inverts and takes "not" (may be empty), and the rest."""

    auxiliary: str
    rest: str


def _english_verb(clause: Clause, *, inverted: bool) -> EnglishVerb:
    """Conjugate; negation and inversion call for an auxiliary, "do" where there is no other."""
    verb, person = clause.verb, clause.subject.person
    support = inverted or clause.negated
    if clause.tense == "future":
        return EnglishVerb("will", verb.english)
    if clause.modal is not None and not clause.modal.inflected:
        modal = clause.modal.past if clause.tense == "past" else clause.modal.english
        if modal == "would like to":
            return EnglishVerb("would", f"like to {verb.english}")
        return EnglishVerb(modal, verb.english)
    if clause.progressive or verb.english == "be":
        form = english.be(past=clause.tense == "past", first=person.first, plural=person.plural)
        return EnglishVerb(form, english.progressive(verb.english) if clause.progressive else "")
    if clause.modal is not None:
        base, _, to = clause.modal.english.partition(" ")
        past = clause.modal.past.partition(" ")[0]
        rest = f" {to} {verb.english}"
    else:
        base, past, rest = verb.english, verb.past, ""
    if support:
        return EnglishVerb(_do(clause), base + rest)
    if clause.tense == "past":
        return EnglishVerb("", past + rest)
    return EnglishVerb("", (english.third_person(base) if clause.subject.third_singular else base) + rest)


def _do(clause: Clause) -> str:
    if clause.tense == "past":
        return "did"
    return "does" if clause.subject.third_singular else "do"


def _english_predicate(clause: Clause, verb_rest: str) -> str:
    """All that follows subject and auxiliary: verb, objects, adverbials."""
    verb = clause.verb
    parts = [verb_rest]
    if clause.object is None:
        parts += [verb.particle, verb.english_preposition]
    elif clause.object.kind == "pronoun":
        parts += [verb.english_preposition, clause.object.english_object, verb.particle]
    else:
        recipient = clause.recipient.english_object if clause.recipient else ""
        parts += [verb.particle, verb.english_preposition, recipient, clause.object.english_object]
    for adverbial in (clause.complement, clause.place, clause.time):
        parts.append(adverbial.english if adverbial else "")
    return _words(*parts)


def english_statement(clause: Clause) -> str:
    """Subject first: "she does not always pick up the child in the evening"."""
    auxiliary, rest = _english_verb(clause, inverted=False)
    negation = "not" if clause.negated else ""
    frequency = clause.frequency.english if clause.frequency else ""
    finite = "cannot" if (auxiliary, negation) == ("can", "not") else _words(auxiliary, negation)
    return _words(clause.subject.english, finite, frequency, _english_predicate(clause, rest))


def english_question(clause: Clause) -> str:
    """Auxiliary first: "does she pick up the child"."""
    auxiliary, rest = _english_verb(clause, inverted=True)
    negation = "not" if clause.negated else ""
    frequency = clause.frequency.english if clause.frequency else ""
    return _words(auxiliary, clause.subject.english, negation, frequency, _english_predicate(clause, rest))


def english_infinitive(clause: Clause) -> str:
    """To-infinitive: "to pick up the child"."""
    return "to " + _english_predicate(clause, clause.verb.english)


# German -------------------------------------------------------------------------------------------------------------


class GermanVerb(NamedTuple):
    """The verb of a clause in two pieces; German main clauses keep them apart."""

    finite: str
    closing: str
    """Prefix, participle or infinitive at the end of the clause, or empty."""
    joined: bool = False
    """Whether `closing` is a prefix, written together with the finite verb when they meet."""


def _german_verb(clause: Clause) -> GermanVerb:
    verb, person = clause.verb, clause.subject.person
    if clause.modal is not None:
        return GermanVerb(german.modal_form(clause.modal, person, clause.tense == "past"), german.infinitive(verb))
    if clause.tense == "future":
        return GermanVerb(german.auxiliary("wird", person), german.infinitive(verb))
    if clause.tense == "past" and verb.german in german.PRETERITE:
        return GermanVerb(german.preterite(verb, person), "")
    if clause.tense == "past":
        return GermanVerb(german.auxiliary(verb.auxiliary, person), german.participle(verb))
    return GermanVerb(german.present(verb, person), verb.prefix, joined=bool(verb.prefix))


def _german_middle(clause: Clause, *, with_time: bool = True) -> str:
    """Order the middle field: pronouns, time, definite objects, nicht, place, indefinite objects, complement."""
    verb, target = clause.verb, clause.object
    pronouns: list[str] = [german.reflexive(clause.subject.person)] if verb.reflexive else []
    definite: list[str] = []
    indefinite: list[str] = []
    closing: list[str] = []
    if clause.recipient is not None:
        place = pronouns if clause.recipient.kind == "pronoun" else definite
        place = indefinite if clause.recipient.kind in ("indefinite", "quantified") else place
        place.append(clause.recipient.german[Case.DATIVE])
    if target is not None:
        case = Case.DATIVE if verb.case == "dat" else Case.ACCUSATIVE
        form = (target.german_negated if clause.uses_kein and target.german_negated else target.german)[case]
        if verb.preposition:
            closing.append(german.contract(verb.preposition, form))
        elif target.kind == "pronoun":
            pronouns.append(form)
        else:
            (definite if target.kind == "definite" else indefinite).append(form)
    time = [clause.time.german] if clause.time and with_time else []
    frequency = [clause.frequency.german] if clause.frequency else []
    now = ["gerade"] if clause.progressive else []
    negation = ["nicht"] if clause.negated and not clause.uses_kein else []
    if frequency == ["nie"]:
        frequency, negation = [], frequency
    where = [clause.place.german] if clause.place else []
    closing += [clause.complement.german] if clause.complement else []
    if negation or clause.negated:
        order = [pronouns, definite, now, time, negation, where, indefinite, closing]
    else:
        order = [pronouns, frequency, now, time, definite, where, indefinite, closing]
    return _words(*(word for group in order for word in group))


def german_statement(clause: Clause, front: str = "") -> str:
    """Verb second: the subject, or `front` with the subject behind the verb."""
    finite, closing, _ = _german_verb(clause)
    subject = clause.subject.german[Case.NOMINATIVE]
    start = (front, finite, subject) if front else (subject, finite)
    return _words(*start, _german_middle(clause), closing)


def german_question(clause: Clause) -> str:
    """Verb first."""
    finite, closing, _ = _german_verb(clause)
    return _words(finite, clause.subject.german[Case.NOMINATIVE], _german_middle(clause), closing)


def german_subordinate(clause: Clause) -> str:
    """Verb last, a prefix joined to it: "(weil) er den Mann anruft"."""
    finite, closing, joined = _german_verb(clause)
    cluster = closing + finite if joined else _words(closing, finite)
    return _words(clause.subject.german[Case.NOMINATIVE], _german_middle(clause), cluster)


def german_infinitive(clause: Clause) -> str:
    """Infinitive clause with zu: "den Mann anzurufen"."""
    return _words(_german_middle(clause), german.zu_infinitive(clause.verb))


# Both ---------------------------------------------------------------------------------------------------------------


def statement(clause: Clause, *, time_first: bool = False) -> Pair:
    """Build a main clause; with `time_first` its time opens the sentence and German inverts."""
    if not time_first or clause.time is None:
        return Pair(english_statement(clause), german_statement(clause))
    rest = replace(clause, time=None)
    return Pair(f"{clause.time.english} {english_statement(rest)}", german_statement(rest, clause.time.german))


def question(clause: Clause, word: Pair | None = None) -> Pair:
    """Build a yes/no question, or one that a question word opens."""
    asked = word or Pair("", "")
    return Pair(_words(asked.english, english_question(clause)), _words(asked.german, german_question(clause)))


def subordinate(clause: Clause, conjunction: Pair) -> Pair:
    """Build a subordinate clause behind its conjunction, relative pronoun or question word."""
    return Pair(
        _words(conjunction.english, english_statement(clause)),
        _words(conjunction.german, german_subordinate(clause)),
    )


def infinitive(clause: Clause) -> Pair:
    """Build an infinitive clause whose subject is that of the main clause."""
    return Pair(english_infinitive(clause), german_infinitive(clause))


def joined(first: Pair, second: Pair, between: Pair) -> Pair:
    """Put two pieces side by side with what stands between them in each language."""
    return Pair(*(left + middle + right for left, middle, right in zip(first, between, second, strict=True)))


def finish(pair: Pair, mark: str = ".") -> Pair:
    """Make a sentence: a capital at the start, one punctuation mark at the end, no doubled commas."""
    return Pair(*(_finish(text, mark) for text in pair))


def _finish(text: str, mark: str) -> str:
    text = re.sub(r",+", ",", f"{text}{mark}").replace(f",{mark}", mark)
    return text[0].upper() + text[1:]
