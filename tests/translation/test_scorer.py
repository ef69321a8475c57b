"""The scorer: what translations are worth to a model, pair by pair."""

import pytest

from nmt.config.choices import AttentionKind, LengthNormalization
from nmt.config.schema import changed
from nmt.errors import ConfigError
from nmt.translation.request import Request
from nmt.translation.scorer import ScoredPair, Scorer
from nmt.translation.translator import Translator

LINES = ["a small red house", "the old river", "river", "", "near the old red house stands", "a a a", "😀", "the 😀"]
LINES += ["see {x} and 😀 the river"]


@pytest.mark.parametrize("tag", [-1, 3])
def test_a_translator_says_the_same_of_its_translations(make_bundle, tag):
    bundle, same = make_bundle(), 0
    for normalization in LengthNormalization:
        search = changed(bundle.search, {"normalization": normalization, "source_tag": tag, "max_length_ratio": 5.0})
        translator = Translator(bundle, search=search, alignments=True, n_best=3)
        texts = [Request(line, prefix=prefix) for line in LINES for prefix in ("", "the old", "river")]
        pairs, expected = [], []
        for request, translation in zip(texts, translator.translate(texts), strict=True):
            for each in translation.hypotheses:
                if each.finished and each.tokens == bundle.target_subwords.encode(each.text):
                    pairs.append((request.text, each.text))
                    expected.append(each)
        for found, each in zip(Scorer(bundle, search=search, alignments=True).score(pairs), expected, strict=True):
            if each.tokens:
                assert found.log_prob == pytest.approx(each.log_prob, abs=1e-4)
                assert found.score == pytest.approx(each.score, abs=1e-4)
                assert found.target_tokens == len(each.tokens) + 1
                assert found.alignment == each.alignment
                same += 1
    assert same


def test_a_score_depends_on_its_pair_alone(make_bundle):
    bundle = make_bundle()
    pairs = [(source, target) for source in LINES for target in (*LINES, "漢", "red " * 60)]
    together = Scorer(bundle, search=changed(bundle.search, {"batch_size": 7})).score(pairs)
    for pair, found in [*zip(pairs, together, strict=True)][::3]:
        [alone] = Scorer(bundle).score([pair])
        assert alone.log_prob == pytest.approx(found.log_prob, abs=1e-4, rel=1e-6)
        assert (alone.unknown, alone.target_tokens) == (found.unknown, found.target_tokens)
        assert ("漢" in alone.unknown) is (pair[1] == "漢")
        assert ("😀" in alone.unknown) is ("😀" in pair[1] and "😀" not in pair[0])  # else it is protected
    assert Scorer(bundle, alignments=True).score([("", " "), ("\u2028", "")]) == [ScoredPair(alignment=[])] * 2
    assert Scorer(bundle).score([]) == []


def test_a_long_source_is_cut_with_a_warning(make_bundle):
    bundle = make_bundle()
    scorer = Scorer(bundle, search=changed(bundle.search, {"max_source_tokens": 2}))
    ids = bundle.source_subwords.encode("a small red house")
    [cut, same] = scorer.score([("a small red house", "river"), (bundle.source_subwords.decode(ids[:2]), "river")])
    assert cut.warnings == [f"its {len(ids)} subwords were cut to max_source_tokens=2; give one sentence a line"]
    assert (cut.log_prob, same.warnings) == (same.log_prob, [])


def test_a_model_without_attention_aligns_nothing(make_bundle):
    with pytest.raises(ConfigError, match=r"the model has no attention \(model.attention=none\).*leave out alignments"):
        Scorer(make_bundle(attention=AttentionKind.none), alignments=True).score([("river", "river")])
