"""Translator: every line has its translation, whatever its batch, and what a translation says of itself."""

import json
import random
from types import SimpleNamespace

import pytest
import torch

from nmt.config.choices import AttentionKind, LengthNormalization
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.translation.request import Request, Translation
from nmt.translation.translator import Translator

from .untrained import make_bundle, sentences, texts


@pytest.fixture(scope="module")
def bundle():
    return make_bundle()


def test_every_line_has_one_translation_in_order(bundle):
    lines = sentences(30)
    together = Translator(bundle).translate(lines)
    assert texts(together) == [Translator(bundle).translate([line])[0].text for line in lines]
    assert len(set(texts(together))) > 8  # the model does look at its source


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_translation_does_not_depend_on_its_batch(bundle, beam_size):
    lines = [*sentences(25), *(" ".join(sentences(count)) for count in (2, 3, 4, 8, 12))]
    runs = []
    for batch_size in (1, 7, 64):
        translator = Translator(bundle, search=SearchConfig(beam_size=beam_size, batch_size=batch_size))
        runs.append(translator.translate(lines))
    shuffled = random.Random(3).sample(range(30), 30)
    back = dict(zip(shuffled, translator.translate([lines[i] for i in shuffled]), strict=True))
    runs.append([back[i] for i in range(30)])
    for results in runs[1:]:
        assert texts(results) == texts(runs[0])
        for here, there in zip(results, runs[0], strict=True):
            assert here.hypotheses[0].log_prob == pytest.approx(there.hypotheses[0].log_prob, abs=1e-4)


def test_the_line_that_occurs_twice_has_the_same_translation_twice(bundle):
    line = sentences(30)[-1]
    first, blank, again = Translator(bundle).translate([line, "", line])
    assert first.hypotheses == again.hypotheses
    assert blank.text == ""


def test_blank_lines_never_reach_the_model(bundle):
    failing = SimpleNamespace(
        model=SimpleNamespace(device=None),  # without start and step
        source_subwords=bundle.source_subwords,
        target_subwords=bundle.target_subwords,
        search=bundle.search,
        tags={},
        pairs=(),
        config=bundle.config,
        source_language="en",
        target_language="de",
    )
    lines = ["", " ", "\t", "\u3000", "\u2028", "\xa0 ", "\r"]
    translations = Translator(failing, n_best=2).translate(lines)
    assert texts(translations) == [""] * len(lines)
    assert all(t.warnings == [] and t.target_tokens == 0 and t.hypotheses[0].finished for t in translations)
    assert Translator(failing).translate([]) == []


@pytest.mark.parametrize(
    "line", ["a\0b", "a\u2028b", "\ufffd", "ὕπνος 漢字 🙂", "<s> </s> <pad> <tag0>", "a\tb", "a\rb"]
)
def test_a_line_may_hold_anything(bundle, line):
    (translation,) = Translator(bundle).translate([line])
    assert isinstance(translation.text, str)


def test_each_sentence_has_its_own_length_limit(bundle):
    endless = make_bundle(end=-1e9)
    search = SearchConfig(beam_size=1, max_length_ratio=1.5)
    lines = ["Red.", " ".join(sentences(8))]
    for line, translation in zip(lines, Translator(endless, search=search).translate(lines), strict=True):
        tokens = len(bundle.source_subwords.encode(line))
        best = translation.hypotheses[0]
        assert len(best.tokens) == int(1.5 * tokens) + 10
        assert not best.finished
        assert translation.target_tokens == len(best.tokens)


def test_a_translation_that_does_not_end_is_warned_of():
    translations = Translator(make_bundle(end=-1e9)).translate(["", "Red."])
    tokens = len(translations[1].hypotheses[0].tokens)
    assert translations[0].warnings == []
    assert translations[1].warnings == [
        f"the translation did not end and was cut after {tokens} subwords (max_length_ratio=2)"
    ]


@pytest.mark.parametrize("settings", [{"beam_size": 1}, {"beam_size": 3}, {"sample": True}])
def test_a_translation_has_the_least_length_or_says_that_it_cannot(settings):
    bundle, lines = make_bundle(end=8.0), sentences(8)
    short, long = (
        Translator(bundle, search=SearchConfig(min_length=least, **settings)).translate(lines) for least in (0, 12)
    )
    assert any(len(each.hypotheses[0].tokens) < 12 for each in short)
    for each in long:
        best = each.hypotheses[0]
        assert len(best.tokens) >= 12
        assert best.finished or each.warnings
    [cut] = Translator(bundle, search=SearchConfig(min_length=80, **settings)).translate(["Red."])
    length = len(cut.hypotheses[0].tokens)
    assert cut.warnings == [
        f"the translation did not end and was cut after {length} subwords (max_length_ratio=2, too little for "
        "min_length=80)"
    ]


def test_a_long_source_is_cut_with_a_warning(bundle):
    search = SearchConfig(beam_size=1, max_source_tokens=5)
    long = "Red house. " * 5000
    tokens = len(bundle.source_subwords.encode(long))
    short, cut = Translator(bundle, search=search).translate(["Red.", long])
    assert not any("cut to" in warning for warning in short.warnings)
    assert cut.warnings[0] == (f"its {tokens} subwords were cut to max_source_tokens=5; give one sentence a line")
    assert len(cut.hypotheses[0].tokens) <= 5 * 2 + 10


def test_n_best_hypotheses_come_best_first(bundle):
    for translation in Translator(bundle, n_best=3).translate(sentences(10)):
        assert 1 <= len(translation.hypotheses) <= 3
        finished = [hypothesis for hypothesis in translation.hypotheses if hypothesis.finished]
        assert translation.hypotheses[: len(finished)] == finished
        assert [h.score for h in finished] == sorted((h.score for h in finished), reverse=True)


def test_one_best_is_the_first_of_n_best(bundle):
    lines = sentences(10)
    assert texts(Translator(bundle, n_best=3).translate(lines)) == texts(Translator(bundle).translate(lines))


def test_log_prob_is_what_teacher_forced_rescoring_gives(bundle):
    translations = Translator(bundle, n_best=3).translate(["Many green trees grow."])
    best, subwords = translations[0].hypotheses[0], bundle.source_subwords
    target = [*best.tokens, subwords.eos_id]
    source = torch.tensor([[*subwords.encode("Many green trees grow."), subwords.eos_id]])
    previous = torch.tensor([[subwords.bos_id, *best.tokens]])
    with torch.no_grad():
        decoded = bundle.model(source, torch.tensor([source.size(1)]), previous)
        log_probs = torch.log_softmax(bundle.model.project(decoded), -1)[0]
    assert best.finished
    assert best.log_prob == pytest.approx(sum(log_probs[t, i].item() for t, i in enumerate(target)), abs=1e-4)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_only_text_is_emitted(bundle, beam_size):
    wanting = make_bundle(end=-1e9)
    reserved = [wanting.source_subwords.pad_id, wanting.source_subwords.unk_id, wanting.source_subwords.bos_id]
    reserved += wanting.source_subwords.control_ids
    with torch.no_grad():
        wanting.model.output_bias[reserved] = 100.0
    search = SearchConfig(beam_size=beam_size)
    for translation in Translator(wanting, search=search, n_best=beam_size).translate(sentences(5)):
        assert translation.text
        for hypothesis in translation.hypotheses:
            assert not set(reserved) & set(hypothesis.tokens)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_no_repeat_ngram_holds_for_greedy_and_beam(beam_size):
    endless = make_bundle(end=-1e9)
    for size, may_repeat in ((0, True), (2, False)):
        search = SearchConfig(beam_size=beam_size, no_repeat_ngram=size)
        pairs = [
            list(zip(t.hypotheses[0].tokens, t.hypotheses[0].tokens[1:], strict=False))
            for t in Translator(endless, search=search).translate(sentences(10))
        ]
        assert any(len(set(row)) < len(row) for row in pairs) == may_repeat


def test_line_ends_inside_a_translation_become_spaces(bundle):
    class Spelling:
        """The bundle's subwords, but each target subword is written with line ends."""

        def __getattr__(self, name):
            return getattr(bundle.target_subwords, name)

        def decode(self, ids):
            return "a\nb\r\nc\rd"

    spelling = SimpleNamespace(
        model=bundle.model,
        source_subwords=bundle.source_subwords,
        target_subwords=Spelling(),
        search=bundle.search,
        tags={},
        pairs=(),
        config=bundle.config,
        source_language="en",
        target_language="de",
    )
    assert Translator(spelling).translate(["Red."])[0].text == "a b c d"


def test_average_normalisation_reaches_the_search(bundle):
    search = SearchConfig(beam_size=2, normalization=LengthNormalization.average)
    for translation in Translator(bundle, search=search).translate(sentences(5)):
        best = translation.hypotheses[0]
        assert best.score == pytest.approx(best.log_prob / (len(best.tokens) + best.finished))


def test_impossible_settings_are_refused(bundle):
    with pytest.raises(ConfigError, match=r"search\.beam_size=0 is not possible: it must be between 1 and 1000"):
        Translator(bundle, search=SearchConfig(beam_size=0))
    with pytest.raises(
        ConfigError, match="n_best=4 is not possible with beam_size=3: it must be between 1 and the beam size"
    ):
        Translator(bundle, n_best=4)


def test_a_model_in_training_mode_is_refused(bundle):
    training = make_bundle()
    training.model.train()
    with pytest.raises(ValueError, match=r"the model is in training mode.* call model\.eval\(\) first"):
        Translator(training).translate(["Red."])


def test_translations_leave_no_trace_in_the_model(bundle):
    before = {name: value.clone() for name, value in bundle.model.state_dict().items()}
    translation = Translator(bundle).translate(sentences(3))[0]
    assert isinstance(translation, Translation)
    assert all(torch.equal(before[name], value) for name, value in bundle.model.state_dict().items())
    assert all(parameter.grad is None for parameter in bundle.model.parameters())


def test_what_the_vocabulary_lacks_is_kept_with_every_line_that_has_it(make_bundle):
    translator = Translator(make_bundle(), search=SearchConfig(beam_size=3, protect=False))
    lines = ["the old river", "the 😀 old", "", "漢字", "the 😀 old"]
    assert [item.unknown for item in translator.translate(lines)] == ["", "😀", "", "漢字", "😀"]
    assert not any("vocabulary" in warning for item in translator.translate(lines) for warning in item.warnings)


def test_alignments_link_words_by_attention(bundle):
    translator = Translator(bundle, search=SearchConfig(beam_size=2), n_best=2, alignments=True, attention=True)
    plain = Translator(bundle, search=SearchConfig(beam_size=2), n_best=2)
    lines = sentences(10)
    for tag in (-1, 3):
        requests = [Request(line, tag=tag) for line in lines]
        for line, found, other in zip(lines, translator.translate(requests), plain.translate(requests), strict=True):
            assert [each.text for each in found.hypotheses] == [each.text for each in other.hypotheses]
            assert all(each.alignment is each.attention is None for each in other.hypotheses)
            for each in found.hypotheses:
                assert [target for _, target in each.alignment] == list(range(len(each.text.split())))
                assert all(0 <= source < len(line.split()) for source, _ in each.alignment)
                rows = torch.tensor(each.attention)
                assert rows.shape == (len(each.tokens), len(bundle.source_subwords.encode(line)) + 1 + (tag >= 0))
                assert torch.allclose(rows.sum(1), torch.ones(len(each.tokens)), atol=1e-5)


def test_a_model_without_attention_has_no_alignments():
    bundle = make_bundle(attention=AttentionKind.none)
    expected = texts(Translator(bundle).translate(sentences(3)))
    for asked in ("alignments", "attention"):
        with pytest.raises(ConfigError) as caught:
            Translator(bundle, **{asked: True}).translate(sentences(3))
        assert str(caught.value) == (
            "the model has no attention (model.attention=none), which would tell what each word translates; "
            "leave out alignments and attention"
        )
    assert len(expected) == 3


def test_translations_are_plain_values(bundle):
    translator = Translator(bundle, n_best=2, alignments=True)
    requests = [Request("the old river", id=4), Request(""), Request("Many 漢 trees", prefix="red", tag=3)]
    for request, translation in zip(requests, translator.translate(requests), strict=True):
        assert Request(**json.loads(json.dumps(request.to_dict()))) == request
        assert Translation.from_dict(json.loads(json.dumps(translation.to_dict()))) == translation
