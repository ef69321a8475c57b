"""The demo corpus's verbs and clauses, against inflections and sentences written by hand."""

from __future__ import annotations

import pytest

from .conftest import clause, phrase, verb

CONJUGATIONS = {
    "run": "laufe läuft laufen gelaufen",
    "see": "sehe sieht sehen gesehen",
    "help": "helfe hilft helfen geholfen",
    "get up": "stehe steht stehen aufgestanden",
    "work": "arbeite arbeitet arbeiten gearbeitet",
    "answer": "antworte antwortet antworten geantwortet",
    "find": "finde findet finden gefunden",
    "like": "mag mag mögen gemocht",
    "know": "kenne kennt kennen gekannt",
    "have": "habe hat haben gehabt",
    "be": "bin ist sind gewesen",
    "remember": "erinnere erinnert erinnern erinnert",
    "invite": "lade lädt laden eingeladen",
}


@pytest.mark.parametrize("english", CONJUGATIONS)
def test_verbs_conjugate(demo, english):
    person, found = demo.german.Person, verb(demo, english)
    persons = (person(True, False), person(False, False), person(False, True))
    forms = [demo.german.present(found, each) for each in persons]
    assert " ".join([*forms, demo.german.participle(found)]) == CONJUGATIONS[english]


STATEMENTS = [
    (("a dog", "run"), {}, "a dog runs", "ein Hund läuft"),
    (("an apple", "be"), {"complement": ("good", "gut")}, "an apple is good", "ein Apfel ist gut"),
    (("she", "pick up"), {"object": "he"}, "she picks him up", "sie holt ihn ab"),
    (("she", "pick up"), {"object": "the children"}, "she picks up the children", "sie holt die Kinder ab"),
    (("I", "call"), {"object": "Anna", "tense": "past"}, "I called Anna", "ich habe Anna angerufen"),
    (("we", "help"), {"object": "the child"}, "we help the child", "wir helfen dem Kind"),
    (("he", "wait for"), {"object": "the bus"}, "he waits for the bus", "er wartet auf den Bus"),
    (("they", "remember"), {"object": "she"}, "they remember her", "sie erinnern sich an sie"),
    (("I", "get up"), {"tense": "past"}, "I got up", "ich bin aufgestanden"),
    (("we", "be"), {"tense": "past", "complement": ("tired", "müde")}, "we were tired", "wir waren müde"),
    (("she", "have"), {"object": "a car", "tense": "past"}, "she had a car", "sie hatte ein Auto"),
    (("he", "eat"), {"object": "an apple", "negated": True}, "he does not eat an apple", "er isst keinen Apfel"),
    (("he", "eat"), {"object": "the apple", "negated": True}, "he does not eat the apple", "er isst den Apfel nicht"),
    (("we", "buy"), {"object": "- cars", "negated": True}, "we do not buy cars", "wir kaufen keine Autos"),
    (
        ("the father", "give"),
        {"recipient": "the boy", "object": "a ball"},
        "the father gives the boy a ball",
        "der Vater gibt dem Jungen einen Ball",
    ),
    (("she", "sleep"), {"progressive": True}, "she is sleeping", "sie schläft gerade"),
    (("they", "swim"), {"progressive": True}, "they are swimming", "sie schwimmen gerade"),
    (("Paul", "fall asleep"), {"frequency": ("always", "immer")}, "Paul always falls asleep", "Paul schläft immer ein"),
    (
        ("Paul", "call"),
        {"object": "the man", "frequency": ("never", "nie")},
        "Paul never calls the man",
        "Paul ruft den Mann nie an",
    ),
    (
        ("I", "open"),
        {"object": "the door", "modal": "can", "negated": True},
        "I cannot open the door",
        "ich kann die Tür nicht aufmachen",
    ),
    (("she", "sing"), {"modal": "want to", "negated": True}, "she does not want to sing", "sie will nicht singen"),
    (("he", "go shopping"), {"modal": "have to", "tense": "past"}, "he had to go shopping", "er musste einkaufen"),
    (
        ("we", "drink"),
        {"object": "- water", "modal": "would like to"},
        "we would like to drink water",
        "wir möchten Wasser trinken",
    ),
    (("Lena", "come back"), {"tense": "future"}, "Lena will come back", "Lena wird zurückkommen"),
]


@pytest.mark.parametrize(("core", "rest", "english", "german"), STATEMENTS)
def test_main_clauses(demo, core, rest, english, german):
    assert demo.clauses.statement(clause(demo, *core, **rest)) == (english, german)


def test_a_time_in_front_sends_the_subject_behind_the_verb(demo):
    built = clause(demo, "the woman", "clean up", object="the kitchen", time=("on Monday", "am Montag"))
    assert demo.clauses.statement(built) == (
        "the woman cleans up the kitchen on Monday",
        "die Frau räumt am Montag die Küche auf",
    )
    assert demo.clauses.statement(built, time_first=True) == (
        "on Monday the woman cleans up the kitchen",
        "am Montag räumt die Frau die Küche auf",
    )


SUBORDINATES = [
    (("he", "call"), {"object": "the doctor"}, "that he calls the doctor", "dass er den Arzt anruft"),
    (("she", "get up"), {"tense": "past"}, "that she got up", "dass sie aufgestanden ist"),
    (
        ("I", "sleep"),
        {"modal": "must", "place": ("at home", "zu Hause")},
        "that I must sleep at home",
        "dass ich zu Hause schlafen muss",
    ),
    (("they", "arrive"), {"tense": "future"}, "that they will arrive", "dass sie ankommen werden"),
]


@pytest.mark.parametrize(("core", "rest", "english", "german"), SUBORDINATES)
def test_subordinate_clauses_end_with_the_verb(demo, core, rest, english, german):
    built = clause(demo, *core, **rest)
    assert demo.clauses.subordinate(built, demo.words.Pair("that", "dass")) == (english, german)


def test_questions(demo):
    built = clause(demo, "she", "invite", object="the guests", tense="past")
    assert demo.clauses.question(built) == ("did she invite the guests", "hat sie die Gäste eingeladen")
    why = demo.words.Pair("why", "warum")
    built = clause(demo, "he", "be", complement=("tired", "müde"), negated=True)
    assert demo.clauses.question(built, why) == ("why is he not tired", "warum ist er nicht müde")


def test_infinitive_clauses(demo):
    built = clause(demo, "she", "turn off", object="the lamps")
    assert demo.clauses.infinitive(built) == ("to turn off the lamps", "die Lampen auszuschalten")
    built = clause(demo, "I", "remember", object="Paul")
    assert demo.clauses.infinitive(built) == ("to remember Paul", "mich an Paul zu erinnern")


def test_relative_clauses_take_commas_and_the_right_pronoun(demo):
    head = phrase(demo, "the woman")
    pronoun = demo.phrases.relative_pronoun(head)
    inner = demo.clauses.subordinate(clause(demo, "he", "help"), demo.words.Pair("whom", pronoun.german[2]))
    built = demo.clauses.Clause(demo.phrases.with_relative(head, inner), verb(demo, "sleep"))
    finished = demo.clauses.finish(demo.clauses.statement(built))
    assert finished == ("The woman whom he helps sleeps.", "Die Frau, der er hilft, schläft.")


def test_the_same_seed_draws_the_same_sentences(demo):
    first, second = demo.draw.Draw(7), demo.draw.Draw(7)
    assert [demo.grammar.sentence(first) for _ in range(50)] == [demo.grammar.sentence(second) for _ in range(50)]
