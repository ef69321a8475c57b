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
    tokenizer_warnings,
    too_long_for_ter,
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


CHINESE = (
    "zh ZH zh_TW zh-Hans zho zho_Hans zho_Hant zh-Hant-HK chi cmn cmn_Hans yue yue_Hant wuu hak nan gan lzh und-Hani"
)
BY_CHARACTER = (
    "ja JA jpn jpn_Jpan ko kor kor_Hang th tha tha_Thai lo lao lao_Laoo km khm khm_Khmr my mya bur mya_Mymr "
    "bo bod tib bod_Tibt dz dzo nod shn shn_Mymr mnw jv-Java jav_Java ban-Bali ii khb tdd ja_JP.UTF-8"
)
WITH_SPACES = "en eng eng_Latn de pt-BR jv jav ru rus_Cyrl hi vie tr ceb zh-Latn zho_Latn ja-Latn no und root x-klingon"
NO_CODES = [
    "",
    " ",
    "x",
    "target",
    "ref",
    "trg",
    "txt",
    "out",
    "1",
    "123",
    "中文",
    "\udce9",
    "zzz" * 10_000,
    "-",
    "_",
    "e n",
]


@pytest.mark.parametrize("language", CHINESE.split())
def test_chinese_by_any_code_has_its_tokenizer(language):
    assert default_tokenizer(language) == default_tokenizer(language, REFERENCE) == "zh"


@pytest.mark.parametrize("language", BY_CHARACTER.split())
def test_languages_without_spaces_are_scored_by_the_character(language):
    assert default_tokenizer(language) == default_tokenizer(language, REFERENCE) == "char"


@pytest.mark.parametrize("language", [*WITH_SPACES.split(), *NO_CODES])
def test_other_languages_and_what_is_none_have_the_tokenizer_for_most(language):
    assert default_tokenizer(language) == default_tokenizer(language, REFERENCE) == "13a"


@pytest.mark.parametrize("language", ["zh_TW.UTF-8", "zh_CN@pinyin", "zh-", "zh.txt", "zh_中", "zh-" * 10_000])
def test_of_an_odd_code_the_first_part_counts(language):
    assert default_tokenizer(language) == "zh"


SPACELESS = {
    "zh": ["他昨天去了北京的大学。", "我昨天去了Peking的大學看他們，の一。", "𠀀的𠀁一𠀂是𠀃"],
    "char": [
        "彼は昨日、北京の大学へ行った。",
        "コンピューター",
        "เขาไปมหาวิทยาลัยเมื่อวานนี้",
        "ລາວໄປມະຫາວິທະຍາໄລມື້ວານນີ້",
        "គាត់បានទៅសាកលវិទ្យាល័យកាលពីម្សិលមិញ",
        "သူမနေ့ကတက္ကသိုလ်ကိုသွားခဲ့တယ်။",
        "ཁོང་ཁ་སང་སློབ་གྲྭ་ཆེན་མོར་ཕྱིན་པ་རེད།",
        "ꦲꦏ꧀ꦱꦫꦗꦮ",
    ],
}


@pytest.mark.parametrize(("tokenizer", "line"), [(name, line) for name, lines in SPACELESS.items() for line in lines])
@pytest.mark.parametrize("language", ["", "target", "txt", "en"])
def test_where_the_language_says_nothing_the_script_of_the_references_decides(tokenizer, line, language):
    assert default_tokenizer(language, ["", line, "12.5 %"]) == tokenizer
    (score,) = corpus_scores([line], [line], metrics=["bleu"], language=language)
    assert score.value == pytest.approx(100)
    assert f"tok:{tokenizer}" in score.signature


def test_some_foreign_words_do_not_decide():
    assert default_tokenizer("en", ["In Chinese it is called 北京大学, and so on."] * 3) == "13a"
    assert default_tokenizer("", ["그는 어제 대학에 갔다."]) == "13a"  # Korean has spaces
    assert default_tokenizer("", ["", "12.5 %"]) == "13a"


def test_a_tokenizer_that_the_text_chose_is_told_of():
    chinese = SPACELESS["zh"]
    assert tokenizer_warnings(chinese, tokenize="zh", language="cmn") == []
    assert tokenizer_warnings(chinese, tokenize="zh", language=None) == []
    assert tokenizer_warnings(REFERENCE, tokenize="13a", language="target") == []
    (warning,) = tokenizer_warnings(
        chinese, tokenize="zh", language="target", name="ref.target", advice="--tokenize NAME takes another"
    )
    assert warning == (
        "ref.target has no spaces between words, and 'target' is no language written so: "
        "BLEU's tokenizer is zh; --tokenize NAME takes another"
    )
    (warning,) = tokenizer_warnings(chinese, tokenize="zh", language="")
    assert warning == ("the reference has no spaces between words, and no language is named: BLEU's tokenizer is zh")


@pytest.mark.parametrize(
    ("references", "tokenize"), [(["House", "", "An old dog"], "13a"), (SPACELESS["zh"][:1], "none"), ([""], "char")]
)
def test_references_too_short_for_bleu_are_told_of(references, tokenize):
    assert bleu(references, references, tokenize=tokenize).value == 0
    (warning,) = tokenizer_warnings(references, tokenize=tokenize, language=None, name="ref.en")
    assert warning == (
        f"no line of ref.en has 4 words for BLEU's tokenizer {tokenize}: BLEU is 0 whatever the translations, "
        "so look at chrF"
    )
    longer = [*references, "An old dog ."]
    assert bleu(longer, longer, tokenize=tokenize).value == pytest.approx(100)
    assert tokenizer_warnings(longer, tokenize=tokenize, language=None) == []


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


def test_references_that_are_mostly_blank_are_pointed_at():
    (warning,) = reference_warnings([*REFERENCE, *[" "] * 3], name="test.en")
    assert warning == "3 of the 5 lines of test.en are blank"
    assert reference_warnings([*REFERENCE, "", ""]) == []


@pytest.mark.parametrize(
    ("tokenize", "line", "expected"),
    [
        ("13a", "word " * 250, 0),
        ("13a", "word " * 251, 2),
        ("13a", "字" * 251, 0),
        ("zh", "字" * 251, 2),
        ("char", "字" * 250, 0),
    ],
)
def test_a_line_that_ter_would_take_minutes_for(tokenize, line, expected):
    short = ["a b", "c d", "e f"]
    long = ["a b", line, line]
    assert too_long_for_ter(short, short, tokenize=tokenize) == 0
    assert too_long_for_ter(long, short, tokenize=tokenize) == expected
    assert too_long_for_ter(short, long, tokenize=tokenize) == expected
