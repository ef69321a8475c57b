import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from nmt.bundle.weights import Bundle
from nmt.config.choices import AttentionKind, LengthNormalization
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError, RunError
from nmt.model.seq2seq import build_model
from nmt.text.subword_training import train_subwords
from nmt.translation.batching import cut_batches, windows
from nmt.translation.request import Request, Translation
from nmt.translation.rows import RowTranslator
from nmt.translation.translator import Translator

TEXT = "a small red house stands near the old river and many green trees grow behind it in spring"


def sentences(count, *, seed=1, longest=12):
    draw = random.Random(seed)
    return [" ".join(draw.choices(TEXT.split(), k=draw.randint(1, longest))).capitalize() + "." for _ in range(count)]


def make_bundle(*, end=3.0, **network):
    """An untrained model whose choices are sharp, so that rounding decides none, and most of whose sentences end."""
    config = ModelConfig(embedding_size=16, encoder_hidden_size=16, decoder_hidden_size=32, **network)
    subwords = train_subwords(sentences(300), kind="unigram", vocabulary_size=80)
    size = subwords.vocabulary_size
    torch.manual_seed(1)
    model = build_model(config, source_vocabulary=size, target_vocabulary=size).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter *= 1.0 if "embedding" in name else 2.0
        model.output_bias[subwords.eos_id] = end
    return Bundle(
        model=model,
        config=config,
        source_subwords=subwords,
        target_subwords=subwords,
        source_language="en",
        target_language="xx",
        search=SearchConfig(beam_size=3, batch_size=8),
    )


@pytest.fixture(scope="module")
def bundle():
    return make_bundle()


def texts(translations):
    return [translation.text for translation in translations]


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


@pytest.mark.parametrize("batch_size", [4, 8])
def test_long_lines_make_smaller_batches(bundle, monkeypatch, batch_size):
    batches = []
    translate = RowTranslator._batch

    def watching(self, batch, options):
        batches.append([len(row.ids) for row in batch])
        return translate(self, batch, options)

    monkeypatch.setattr(RowTranslator, "_batch", watching)
    lines = [*sentences(20, seed=4), *(" ".join(sentences(count)) for count in range(2, 60, 3))]
    search = SearchConfig(beam_size=1, batch_size=batch_size, max_source_tokens=500, protect=False)
    together = texts(Translator(bundle, search=search).translate(lines))
    lengths = [length for batch in batches for length in batch]
    assert len(lengths) == len(set(lines))
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 400 > 20 > lengths[-1]
    for batch in batches[:-1]:
        assert len(batch) == max(1, min(batch_size, batch_size * 128 // batch[0]))
    assert together == [texts(Translator(bundle, search=search).translate([line]))[0] for line in lines]


@pytest.fixture
def seen(bundle, monkeypatch):
    """Sources that reach the model, without padding."""
    rows = []
    start = type(bundle.model).start

    def watching(self, source, lengths, constraints=None):
        rows.extend(row[:length] for row, length in zip(source.tolist(), lengths.tolist(), strict=True))
        return start(self, source, lengths)

    monkeypatch.setattr(type(bundle.model), "start", watching)
    return rows


@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_tag_stands_before_every_source(bundle, seen, beam_size):
    lines, subwords = sentences(10), bundle.source_subwords
    runs = {}
    for tag in (-1, 0, 15):
        seen.clear()
        search = SearchConfig(beam_size=beam_size, batch_size=4, source_tag=tag)
        runs[tag] = texts(Translator(bundle, search=search).translate(["", *lines, " "]))
        before = [] if tag < 0 else [subwords.control_ids[tag]]
        assert sorted(seen) == sorted([*before, *subwords.encode(line), subwords.eos_id] for line in set(lines))
        assert runs[tag][0] == runs[tag][-1] == ""
    assert len(set(map(tuple, runs.values()))) == 3


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_tagged_translation_does_not_depend_on_its_batch(bundle, beam_size):
    lines = [*sentences(15), *(" ".join(sentences(count)) for count in (2, 4, 8))]
    runs = []
    for batch_size in (1, 7, 64):
        search = SearchConfig(beam_size=beam_size, batch_size=batch_size, source_tag=2)
        runs.append(texts(Translator(bundle, search=search).translate(lines)))
    assert runs[0] == runs[1] == runs[2]


def test_a_tag_counts_neither_for_the_cut_nor_for_the_length(bundle, seen):
    endless = make_bundle(end=-1e9)
    search = SearchConfig(beam_size=1, max_source_tokens=5, max_length_ratio=2, source_tag=1)
    (translation,) = Translator(endless, search=search).translate(["Red house near the old river."])
    ids = endless.source_subwords.encode("Red house near the old river.")
    assert seen == [[endless.source_subwords.control_ids[1], *ids[:5], endless.source_subwords.eos_id]]
    assert translation.warnings[0].startswith(f"its {len(ids)} subwords were cut to max_source_tokens=5")
    assert len(translation.hypotheses[0].tokens) == 2 * 5 + 10


def test_a_tag_that_no_subword_model_has_is_refused(bundle):
    for tag in (-2, 16):
        with pytest.raises(
            ConfigError, match=rf"search\.source_tag={tag} is not possible: it must be between 0 and 15, or -1"
        ):
            Translator(bundle, search=SearchConfig(source_tag=tag))


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


def test_windows():
    assert list(windows(["a", "b", "c"], 2)) == [["a", "b"], ["c"]]
    assert list(windows([], 2)) == []


@pytest.mark.parametrize(
    ("lengths", "size", "scores", "rows"),
    [
        ([9] * 5, 2, 1, [2, 2, 1]),
        ([300, 256, 128, 5], 2, 1, [1, 1, 2]),
        ([2**17] * 2 + [2**16] * 5, 10_000, 1, [2, 4, 1]),
        ([2**19, 1], 10_000, 1, [1, 1]),
        ([9] * 5, 64, 2**27, [2, 2, 1]),
        ([9] * 2, 64, 2**40, [1, 1]),
    ],
    ids=["size", "long", "positions", "very long", "scores", "very many scores"],
)
def test_the_memory_of_a_batch_is_bounded(lengths, size, scores, rows):
    cuts = list(cut_batches(lengths, size, scores=scores))
    assert [len(lengths[cut]) for cut in cuts] == rows
    assert [place for cut in cuts for place in range(len(lengths))[cut]] == list(range(len(lengths)))


def test_what_the_vocabulary_lacks_is_kept_with_every_line_that_has_it(make_bundle):
    translator = Translator(make_bundle(), search=SearchConfig(beam_size=3, protect=False))
    lines = ["the old river", "the 😀 old", "", "漢字", "the 😀 old"]
    assert [item.unknown for item in translator.translate(lines)] == ["", "😀", "", "漢字", "😀"]
    assert not any("vocabulary" in warning for item in translator.translate(lines) for warning in item.warnings)


def test_a_request_may_have_a_prefix_that_its_translation_begins_with(bundle):
    lines = sentences(12)
    free = Translator(bundle).translate(lines)
    prefixes = ["Many green", "", "the old river"] * 4
    requests = [Request(line, prefix=prefix) for line, prefix in zip(lines, prefixes, strict=True)]
    for beam_size in (1, 3):
        search = SearchConfig(beam_size=beam_size, batch_size=4)
        translator = Translator(bundle, search=search, n_best=beam_size)
        found = translator.translate(requests)
        for request, translation in zip(requests, found, strict=True):
            assert all(each.text.startswith(request.prefix) for each in translation.hypotheses)
            [alone] = translator.translate([request])
            assert [each.tokens for each in alone.hypotheses] == [each.tokens for each in translation.hypotheses]
        free = translator.translate(lines)
        for request, translation, other in zip(requests, found, free, strict=True):
            if not request.prefix:
                assert [each.tokens for each in translation.hypotheses] == [each.tokens for each in other.hypotheses]


def test_what_a_translation_begins_with_by_itself_changes_nothing_as_its_prefix(bundle):
    translator, same = Translator(bundle, search=SearchConfig(beam_size=1)), 0
    for line in sentences(30):
        [free] = translator.translate([line])
        if free.hypotheses[0].finished:
            [forced] = translator.translate([Request(line, prefix=free.text)])
            assert forced.text.startswith(free.text)
            if free.hypotheses[0].tokens == bundle.target_subwords.encode(free.text):
                assert forced.hypotheses[0].tokens == free.hypotheses[0].tokens
                assert forced.hypotheses[0].log_prob == pytest.approx(free.hypotheses[0].log_prob, abs=1e-5)
                same += 1
    assert same


def test_a_long_prefix_leaves_room_for_a_translation(bundle):
    prefix = " ".join(sentences(10))
    [translation] = Translator(bundle).translate([Request("Red.", prefix=prefix)])
    assert translation.text.startswith(prefix)
    assert len(translation.hypotheses[0].tokens) > len(bundle.target_subwords.encode(prefix))


@pytest.mark.parametrize("prefix", ["Man", "Many ", "", " ", " Many", "Many  green", "Many 漢 ", "漢", "Many\t"])
@pytest.mark.parametrize("settings", [{"beam_size": 1}, {"beam_size": 3}, {"sample": True}])
def test_a_translation_begins_with_exactly_its_prefix(bundle, prefix, settings):
    translator = Translator(bundle, search=SearchConfig(**settings), n_best=3 if settings != {"beam_size": 1} else 1)
    requests = [Request(line, prefix=prefix) for line in ["", *sentences(6)]]
    subwords = bundle.target_subwords
    for translation in translator.translate(requests):
        for each in translation.hypotheses:
            assert each.text.startswith(prefix)
            begun = subwords.decode(subwords.encode(prefix))
            if each.finished and each.tokens:  # what stands behind the prefix is what the model took
                rest = subwords.decode(each.tokens).removeprefix(begun)
                assert each.text.removeprefix(prefix).split() == rest.split()
                assert not (prefix.endswith(" ") and begun and rest) or rest.startswith(" ")
        if "漢" in prefix and translation.hypotheses[0].tokens:
            assert translation.warnings[0] == (
                "the model does not know characters of the prefix ('漢'), and read past them"
            )
    assert translator.translate([Request("", prefix=prefix)])[0].text == prefix


def test_a_prefix_may_end_inside_a_word(bundle):
    """The word goes on, or another begins; the model may take a subword that is longer than what was given."""
    translator, line = Translator(bundle, search=SearchConfig(sample=True, temperature=3), n_best=40), sentences(1)[0]
    [found] = translator.translate([Request(line, prefix="the gr")])
    rests = [each.text.removeprefix("the gr") for each in found.hypotheses]
    assert {rest[:1] == " " for rest in rests if rest} == {True, False}
    whole = bundle.target_subwords.encode("the green")
    begun = bundle.target_subwords.encode("the gr")
    assert len(whole) == 2 < len(begun)
    starts = [each.tokens[:2] for each in found.hypotheses]
    assert whole in starts
    assert begun[:2] in starts


def test_a_request_may_have_a_tag_of_its_own(bundle, seen):
    subwords = bundle.source_subwords
    translator = Translator(bundle, search=SearchConfig(beam_size=1, source_tag=2))
    for tag, expected in ((None, [subwords.control_ids[2]]), (-1, []), (7, [subwords.control_ids[7]])):
        seen.clear()
        translator.translate([Request("Red.", tag=tag)])
        assert seen == [[*expected, *subwords.encode("Red."), subwords.eos_id]]
    with pytest.raises(ConfigError, match="tag 16 is not possible: it must be between 0 and 15, or -1 for none"):
        Request("Red.", tag=16)


def test_a_tag_may_have_a_name(bundle, seen):
    named = replace(bundle, tags={"formal": 0, "informal": 4})
    translator = Translator(named, search=SearchConfig(beam_size=1))
    translator.translate([Request("Red.", tag="informal")])
    assert seen == [[8, *bundle.source_subwords.encode("Red."), 3]]
    futures = [translator.submit(Request("Red.", tag=tag)) for tag in ("polite", "formal")]
    translator.flush()
    assert futures[1].result().text
    with pytest.raises(ConfigError) as caught:
        futures[0].result()
    assert str(caught.value) == "there is no tag 'polite': take one of formal, informal, or -1 for none"
    with pytest.raises(ConfigError) as caught:
        Translator(bundle).translate([Request("Red.", tag="formal")])
    assert str(caught.value) == (
        "there is no tag 'formal': the model has no names, take a number (0 to 15), or -1 for none"
    )


def test_the_id_comes_back_and_equal_requests_are_translated_once(bundle, seen):
    line = "the old river"
    found = Translator(bundle).translate([Request(line, id="a"), Request("", id=2), Request(line, id=3), line])
    assert [translation.id for translation in found] == ["a", 2, 3, None]
    assert len(seen) == 1
    assert found[0].hypotheses == found[2].hypotheses


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


def test_what_is_submitted_waits_for_a_full_window_or_a_flush(bundle):
    translator = Translator(bundle, search=SearchConfig(beam_size=1, batch_size=1))
    lines = sentences(20)
    expected = texts(translator.translate(lines))
    futures = [translator.submit(Request(line)) for line in lines]
    assert [future.done() for future in futures] == [True] * 16 + [False] * 4
    translator.flush()
    assert texts(future.result(0) for future in futures) == expected
    translator.flush()  # of nothing


def test_at_its_deadline_what_waits_is_translated(bundle):
    translator = Translator(bundle, deadline=0.05)
    lines = sentences(3)
    futures = [translator.submit(Request(line)) for line in lines]
    assert texts(future.result(30) for future in futures) == texts(Translator(bundle).translate(lines))
    assert translator.submit(Request(lines[0])).result(30).text == futures[0].result().text


def test_threads_may_share_a_translator(bundle):
    translator, lines = Translator(bundle, deadline=0.01), sentences(40)
    expected = texts(Translator(bundle).translate(lines))
    with ThreadPoolExecutor(8) as threads:
        submitted = list(threads.map(lambda line: translator.submit(Request(line)).result(60).text, lines))
        translated = list(threads.map(lambda line: translator.translate([line])[0].text, lines))
    assert submitted == translated == expected


def test_an_error_reaches_everyone_who_waits_and_a_cancelled_request_nobody(bundle, monkeypatch):
    translator = Translator(bundle)
    futures = [translator.submit(Request(line)) for line in ("Red.", "The river.", "Many trees.")]
    assert futures[1].cancel()

    def fail(self, *arguments):
        raise RunError("out of luck")

    monkeypatch.setattr(type(bundle.model), "start", fail)
    translator.flush()
    for future in (futures[0], futures[2]):
        with pytest.raises(RunError, match="out of luck"):
            future.result(0)
    assert futures[1].cancelled()
    monkeypatch.undo()
    assert translator.translate(["Red."])[0].text  # it goes on


@pytest.mark.parametrize("prefix", ["the {x}", "http://a.b", "Man", "the 😀 ", "😀", "  red {x} gr"])
@pytest.mark.parametrize("settings", [{"beam_size": 1}, {"beam_size": 3}, {"sample": True}])
def test_spans_come_back_once_behind_or_within_the_prefix(prefix, settings):
    bundle, lines = make_bundle(end=1.0), ["{x} the 😀 river", "😀", "see http://a.b or {x} here", "old 😀 and 😀 {x}"]
    translations = Translator(bundle, search=SearchConfig(**settings)).translate(
        [Request(line, prefix=prefix) for line in lines]
    )
    for line, translation in zip(lines, translations, strict=True):
        assert translation.text.startswith(prefix)
        for span in ("{x}", "😀", "http://a.b"):
            assert translation.text.count(span) == max(line.count(span), prefix.count(span))
