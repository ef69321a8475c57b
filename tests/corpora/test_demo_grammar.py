"""The demo corpus's grammar, against inflections and sentences written by hand."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

DEMO = Path(__file__).parents[2] / "corpora" / "demo"
MODULES = (
    "actions",
    "clauses",
    "draw",
    "english",
    "german",
    "grammar",
    "lexicon",
    "phrases",
    "predicates",
    "times",
    "words",
)


@pytest.fixture(scope="module")
def demo():
    """The generator's modules; it is a script, so they are found beside it and forgotten afterwards."""
    before = set(sys.modules)
    sys.path.insert(0, str(DEMO))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(DEMO))
        for name in set(sys.modules) - before:
            if str(DEMO) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def noun(demo, english):
    groups = [value for value in vars(demo.lexicon).values() if isinstance(value, tuple)]
    places = [place.noun for place in demo.lexicon.PLACES]
    found = [entry for group in groups for entry in group if isinstance(entry, demo.words.Noun)]
    return next(entry for entry in found + places if english in (entry.english, entry.english_plural))


def adjective(demo, english):
    found = demo.lexicon.OF_PEOPLE + demo.lexicon.OF_ANIMALS + demo.lexicon.OF_THINGS + demo.lexicon.OF_MEALS
    return next(entry for entry in found if entry.english == english)


def phrase(demo, text):
    """Build a noun phrase from English such as "the old men" (a determiner or "-", adjectives, a noun)."""
    determiner, *middle, last = text.split()
    found = noun(demo, last)
    return demo.phrases.noun_phrase(
        {"-": "", "an": "a"}.get(determiner, determiner),
        found,
        adjectives=tuple(adjective(demo, word) for word in middle),
        plural=last == found.english_plural,
    )


def verb(demo, english):
    """Find a verb by its English words: "pick up", "wait for"."""
    groups = [value for value in vars(demo.actions).values() if isinstance(value, tuple)]
    entries = [entry for group in groups for entry in group if isinstance(entry, demo.words.Verb)]
    for entry in (*entries, demo.actions.BE):
        if " ".join(filter(None, (entry.english, entry.particle, entry.english_preposition))) == english:
            return entry
    raise LookupError(english)


def clause(demo, subject, action, **rest):
    pronouns = {pronoun.english: pronoun for pronoun in demo.phrases.PRONOUNS}
    people = {name: demo.phrases.name(name) for name in demo.lexicon.NAMES}

    def build(text):
        return (pronouns | people).get(text) or phrase(demo, text)

    built = {key: build(rest[key]) for key in ("object", "recipient") if key in rest}
    pairs = {key: demo.words.Pair(*rest[key]) for key in ("time", "place", "complement", "frequency") if key in rest}
    if "modal" in rest:
        built["modal"] = next(modal for modal in demo.actions.MODALS if modal.english == rest["modal"])
    plain = {key: rest[key] for key in ("tense", "negated", "progressive") if key in rest}
    return demo.clauses.Clause(build(subject), verb(demo, action), **built, **pairs, **plain)


DECLENSIONS = {
    "the old man": "der alte Mann, den alten Mann, dem alten Mann, des alten Mannes",
    "a young woman": "eine junge Frau, eine junge Frau, einer jungen Frau, einer jungen Frau",
    "my small child": "mein kleines Kind, mein kleines Kind, meinem kleinen Kind, meines kleinen Kindes",
    "the boy": "der Junge, den Jungen, dem Jungen, des Jungen",
    "a student": "ein Student, einen Studenten, einem Studenten, eines Studenten",
    "every bear": "jeder Bär, jeden Bären, jedem Bären, jedes Bären",
    "this expensive car": "dieses teure Auto, dieses teure Auto, diesem teuren Auto, dieses teuren Autos",
    "the tired neighbours": "die müden Nachbarn, die müden Nachbarn, den müden Nachbarn, der müden Nachbarn",
    "- big dogs": "große Hunde, große Hunde, großen Hunden, großer Hunde",
    "- fresh bread": "frisches Brot, frisches Brot, frischem Brot, frischen Brotes",
    "- cold milk": "kalte Milch, kalte Milch, kalter Milch, kalter Milch",
    "- warm tea": "warmer Tee, warmen Tee, warmem Tee, warmen Tees",
    "our new cars": "unsere neuen Autos, unsere neuen Autos, unseren neuen Autos, unserer neuen Autos",
    "many small apples": "viele kleine Äpfel, viele kleine Äpfel, vielen kleinen Äpfeln, vieler kleiner Äpfel",
}


@pytest.mark.parametrize("english", DECLENSIONS)
def test_noun_phrases_decline(demo, english):
    assert ", ".join(phrase(demo, english).german) == DECLENSIONS[english]


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


@pytest.mark.parametrize(
    ("preposition", "english", "case", "german"),
    [
        ("in", "the park", 2, "im Park"),
        ("in", "the park", 1, "in den Park"),
        ("in", "the museum", 1, "ins Museum"),
        ("zu", "the station", 2, "zum Bahnhof"),
        ("zu", "my friends", 2, "zu meinen Freunden"),
        ("unter", "a table", 2, "unter einem Tisch"),
        ("auf", "the chairs", 2, "auf den Stühlen"),
    ],
)
def test_prepositions_govern_a_case_and_contract(demo, preposition, english, case, german):
    assert demo.german.contract(preposition, phrase(demo, english).german[case]) == german


@pytest.mark.parametrize(
    ("owner", "english", "german"),
    [
        ("my brother", "my brother's car", "das Auto meines Bruders"),
        ("her aunt", "her aunt's car", "das Auto ihrer Tante"),
        ("Anna", "Anna's car", "Annas Auto"),
    ],
)
def test_possessors_take_the_genitive(demo, owner, english, german):
    who = demo.phrases.name(owner) if owner == "Anna" else phrase(demo, owner)
    built = demo.phrases.possessed(who, noun(demo, "car"))
    assert (built.english, built.german[0]) == (english, german)


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (2, "two", "zwei"),
        (12, "twelve", "zwölf"),
        (17, "seventeen", "siebzehn"),
        (21, "twenty-one", "einundzwanzig"),
        (30, "thirty", "dreißig"),
        (56, "fifty-six", "sechsundfünfzig"),
        (77, "seventy-seven", "siebenundsiebzig"),
    ],
)
def test_numbers(demo, value, english, german):
    assert demo.times.number(value) == (english, german)


def test_clock_counts_half_hours_towards_the_next(demo):
    clock = dict(demo.times.CLOCK)
    assert clock["one o'clock"] == "ein Uhr"
    assert clock["half past six"] == "halb sieben"
    assert clock["half past twelve"] == "halb eins"
    assert clock["a quarter to one"] == "Viertel vor eins"


def test_the_same_seed_draws_the_same_sentences(demo):
    first, second = demo.draw.Draw(7), demo.draw.Draw(7)
    assert [demo.grammar.sentence(first) for _ in range(50)] == [demo.grammar.sentence(second) for _ in range(50)]
