"""The whole grammar: every sentence rule with its share of the corpus."""

from __future__ import annotations

from collections.abc import Callable

import facts
import questions
import statements
import subordinates
from draw import Draw
from words import Pair

Rule = Callable[[Draw], Pair]
RULES: tuple[tuple[float, Rule], ...] = (
    (10, statements.short_statement),
    (5, statements.animal_statement),
    (14, statements.long_statement),
    (6, statements.modal_statement),
    (2.5, statements.departure_statement),
    (4, statements.two_statements),
    (7, questions.yes_no_question),
    (4, questions.word_question),
    (0.5, questions.departure_question),
    (2, questions.person_question),
    (1.5, questions.thing_question),
    (2, questions.choice_question),
    (2, questions.subject_question),
    (8, subordinates.reported),
    (5, subordinates.wondered),
    (7, subordinates.reason),
    (8, subordinates.condition),
    (4, subordinates.purpose),
    (2.5, subordinates.attempt),
    (6, subordinates.relative_subject),
    (5, subordinates.relative_object),
    (4, facts.description),
    (3, facts.comparison),
    (1, facts.profession),
    (3, facts.existence),
    (2.5, facts.location),
    (2, facts.laying),
    (1.5, facts.belonging),
    (2, facts.possession),
    (1.5, facts.price),
    (0.7, facts.length),
    (1.5, facts.age),
    (0.7, facts.birthday),
    (0.8, facts.calendar),
)


def sentence(draw: Draw) -> Pair:
    """Draw one sentence of the language."""
    return draw.weighted(RULES)(draw)
