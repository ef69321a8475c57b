import json

from nmt.config.search import SearchConfig
from nmt.evaluation.metrics import Score
from nmt.evaluation.report import Report, Speed, Timed, translate_text
from nmt.translation.request import TextHypothesis, Translation

SPEED = Speed(2.0, 1000, 30_000, "cpu", 1, SearchConfig(beam_size=4, batch_size=32))


class Upper:
    """A translator that shouts, and notes which lines it was given together."""

    window = 16

    def __init__(self):
        self.calls = []

    def translate(self, lines):
        self.calls.append(len(lines))
        return [Translation([TextHypothesis(line.upper(), -1.0, -1.0, True, [20] if line else [])]) for line in lines]


def test_a_text_is_translated_window_by_window_in_order():
    translator, seen = Upper(), []
    lines = ["a", "", *(str(i) for i in range(18))]
    timed = translate_text(translator, lines, progress=seen.append)
    assert timed.hypotheses == [line.upper() for line in lines]
    assert translator.calls == [16, 4]
    assert seen == [16, 4]
    assert timed.seconds > 0
    assert timed.target_tokens == 2 * 19  # a subword and the end, and nothing for the blank line


def test_an_empty_text_takes_no_time():
    timed = translate_text(Upper(), [])
    assert timed == Timed([], timed.seconds)
    assert Speed(0.0, 0, 0, "cpu", 1, SearchConfig()).tokens_per_second == 0


def test_a_speed_says_how_it_was_made():
    assert str(SPEED) == (
        "1,000 sentences in 2.0 s: 500.0 sentences/s, 15,000 target tokens/s (beam 4, batches of 32, cpu, 1 CPU thread)"
    )


def test_a_report_is_a_table_or_plain_values():
    scores = [Score("BLEU", 12.345, "nrefs:1"), Score("TER", 101.5, "nrefs:1")]
    report = Report(1000, scores, SPEED, {"model": "best"})
    assert report.table().splitlines() == ["BLEU    12.35  nrefs:1", "TER    101.50  nrefs:1", str(SPEED)]
    values = json.loads(json.dumps(report.to_dict()))
    assert values["model"] == "best"
    assert values["scores"][0] == {"name": "BLEU", "value": 12.345, "signature": "nrefs:1"}
    assert values["speed"]["search"]["beam_size"] == 4
    assert values["speed"]["sentences_per_second"] == 500
    assert Report(1, scores).table().splitlines()[-1] == "1 sentence"
