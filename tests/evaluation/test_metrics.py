import math

import pytest
import sacrebleu

from nmt.errors import ConfigError, CorpusError
from nmt.evaluation.metrics import (
    bleu,
    check_tokenizer,
    chrf,
    corpus_scores,
    default_tokenizer,
    reference_warnings,
    ter,
)

REFERENCE = ["The cat sat on the old mat today.", "A small dog barked at the bright moon."]
HYPOTHESIS = ["The cat sat on the new mat today.", "A small dog barked at the bright moon."]


def test_a_perfect_translation_scores_100_and_no_edits():
    scores = {score.name: score.value for score in corpus_scores(REFERENCE, REFERENCE)}
    assert scores == pytest.approx({"BLEU": 100.0, "chrF2": 100.0, "TER": 0.0})


def test_bleu_is_the_formula_of_the_paper():
    # Tokens, full stop included: 9 + 9. Changing one word in the middle (the sixth of nine) breaks 1 unigram,
    # 2 bigrams, 3 trigrams and 4 four-grams of 18, 16, 14 and 12; equal lengths bear no brevity penalty.
    expected = 100 * math.exp((math.log(17 / 18) + math.log(14 / 16) + math.log(11 / 14) + math.log(8 / 12)) / 4)
    assert bleu(HYPOTHESIS, REFERENCE).value == pytest.approx(expected)


def test_ter_counts_edits_per_reference_word():
    assert ter(HYPOTHESIS, REFERENCE).value == pytest.approx(100 * 1 / 16)  # Tercom splits at spaces only


def test_every_score_carries_its_signature_with_the_version():
    for score in corpus_scores(HYPOTHESIS, REFERENCE):
        assert f"version:{sacrebleu.__version__}" in score.signature
        assert score.signature in str(score)
    assert "tok:13a" in bleu(HYPOTHESIS, REFERENCE).signature
    assert "case:mixed" in bleu(HYPOTHESIS, REFERENCE).signature


def test_lowercase_ignores_case_and_says_so():
    shouted = [line.upper() for line in REFERENCE]
    assert bleu(shouted, REFERENCE).value < 50
    assert bleu(shouted, REFERENCE, lowercase=True).value == pytest.approx(100)
    assert "case:lc" in bleu(shouted, REFERENCE, lowercase=True).signature
    assert chrf(shouted, REFERENCE, lowercase=True).value == pytest.approx(100)


@pytest.mark.parametrize(
    ("language", "tokenizer"),
    [("en", "13a"), ("", "13a"), ("zh", "zh"), ("zh_TW", "zh"), ("zh-Hans", "zh"), ("ZH", "zh"), ("ja", "char")],
)
def test_the_target_language_chooses_the_tokenizer(language, tokenizer):
    assert default_tokenizer(language) == tokenizer


def test_chinese_is_scored_by_its_characters():
    reference = ["他昨天去了北京的大学。"]
    hypothesis = ["他今天去了北京的大学。"]
    scores = {score.name: score for score in corpus_scores(hypothesis, reference, language="zh")}
    assert "tok:zh" in scores["BLEU"].signature
    assert 50 < scores["BLEU"].value < 100
    assert "asian:yes" in scores["TER"].signature
    assert scores["TER"].value < 20  # one character of eleven, not one sentence of one


def test_unequal_counts_name_both():
    with pytest.raises(
        CorpusError,
        match=r"^1 hypotheses cannot be scored against 2 references: both need the same number of lines, "
        r"blank ones included$",
    ):
        corpus_scores(["a"], REFERENCE)


def test_no_lines_cannot_be_scored():
    with pytest.raises(CorpusError, match="there is nothing to score: the hypotheses and the references have no lines"):
        bleu([], [])


def test_unknown_metrics_and_tokenizers_list_the_known_ones():
    with pytest.raises(ConfigError, match="there is no metric 'blue': take one of bleu, chrf, ter"):
        corpus_scores(REFERENCE, REFERENCE, metrics=["blue"])
    with pytest.raises(ConfigError, match="there is no BLEU tokenizer '13b': take one of 13a, char, "):
        corpus_scores(REFERENCE, REFERENCE, tokenize="13b")


def test_a_tokenizer_that_is_not_installed_is_one_line():
    try:
        import MeCab  # noqa: F401
    except ImportError:
        with pytest.raises(ConfigError, match="cannot load tokenizer ja-mecab: ") as caught:
            check_tokenizer("ja-mecab")
        assert "\n" not in str(caught.value)


def test_blank_lines_are_scored_as_they_are():
    assert bleu(["", *REFERENCE], ["", *REFERENCE]).value == pytest.approx(100)
    assert bleu(["", ""], REFERENCE).value == 0


def test_raw_references_raise_no_warning():
    assert reference_warnings(REFERENCE * 10) == []
    assert reference_warnings(["他昨天去了北京的大学。"] * 20) == []
    assert reference_warnings(["Qu'est-ce que c'est ? Rien !"] * 20) == []
    assert reference_warnings(["ok"] * 3) == []  # too few to say
    assert reference_warnings([]) == []


def test_tokenised_references_are_pointed_at():
    (warning,) = reference_warnings(["The cat , I think , sat ."] * 3, name="test.en")
    assert warning == (
        "test.en looks tokenised (spaces before its punctuation): "
        "scores against it do not compare with scores against the raw text"
    )
    assert reference_warnings(["It &apos;s here"] * 3)


def test_lowercased_references_are_pointed_at():
    (warning,) = reference_warnings(["the cat sat on the mat."] * 20)
    assert warning == (
        "the reference is lowercased throughout: scores against it do not compare with scores against the raw text"
    )
