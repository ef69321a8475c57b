from types import SimpleNamespace

import pytest

import nmt.evaluation.metrics
from nmt.config.search import SearchConfig
from nmt.errors import RunError
from nmt.evaluation.metrics import Score

REFERENCES = ["The cat sat on the old mat.", "", "A dog\u2028barked, loudly.", "Nothing else happened that day."]
HYPOTHESES = ["The cat sat on the mat.", "", "A dog barked  loudly.", ""]


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("evaluate_bleu")


def cells(tool, metadata, *, sentences, scores):
    said = SimpleNamespace(source_language="de", target_language="en", metadata=metadata)
    loaded = SimpleNamespace(
        bundle=SimpleNamespace(precision="fp32"), translator=SimpleNamespace(search=SearchConfig(beam_size=4))
    )
    return tool.cells(loaded, said, "test", sentences=sentences, scores=scores)


def test_the_scores_are_the_commands_and_ours(tool):
    scores = tool.official_scores(HYPOTHESES, REFERENCES, language="en")
    assert [score.name for score in scores] == ["BLEU", "chrF2"]
    assert 0 < scores[0].value < 100


def test_a_score_that_differs_is_refused(tool, monkeypatch):
    monkeypatch.setattr(nmt.evaluation.metrics, "corpus_scores", lambda *_, **__: [Score("BLEU", 1.0, "x")] * 2)
    with pytest.raises(
        RunError, match=r"sacrebleu says BLEU 100\.0 .* but nmt says BLEU 1\.00 \(x\): no row is printed"
    ):
        tool.official_scores(REFERENCES, REFERENCES, language="en")


def test_a_row_has_a_cell_for_every_column_and_dashes_for_the_unknown(tool):
    scores = [tool.Official("BLEU", 12.345, "nrefs:1|case:mixed"), tool.Official("chrF2", 45.678, "nrefs:1")]
    known = {"updates": 12000, "minutes": 9.5, "threads": 2, "target_tokens": 1234567, "experiment": "demo"}
    filled = cells(tool, known, sentences=1000, scores=scores)
    assert len(filled) == len(tool.COLUMNS)
    assert tool.row(filled) == (
        "| de→en | test | 1,000 | 4 | fp32 | 12.35 | 45.68 | 12,000 | 9.5 | 2 | 1,234,567 | demo "
        "| `nrefs:1\\|case:mixed` |"
    )
    assert cells(tool, {}, sentences=1, scores=scores)[7:12] == ["-"] * 5


def test_wrong_use_is_one_line(tool, tmp_path, capsys):
    assert tool.main([str(tmp_path / "nowhere"), "test"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("evaluate_bleu.py: error: ")
    assert error.count("\n") == 1
