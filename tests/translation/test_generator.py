"""The generator: lines that begin as prompted, and samples that depend on nothing but their own prompt."""

import dataclasses
import random

import pytest
import torch

from nmt.bundle.networks import build_network
from nmt.bundle.weights import Bundle
from nmt.config.choices import TaskName
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.model.log_probs import sequence_log_probs
from nmt.search.ensemble import Ensemble
from nmt.text.subword_training import train_subwords
from nmt.translation.generator import Generator
from nmt.translation.request import Request

WORDS = ["a", "small", "red", "house", "stands", "near", "the", "old", "river", "and", "many", "green", "trees"]
WORDS += ["grow", "behind", "it"]
TEXT = [" ".join(random.Random(seed).choices(WORDS, k=6)) for seed in range(200)]
PROMPTS = ["a small", "the", "", "river near", "x☃ old", "  many  green ", "\u2028", "trees grow behind"]


def make(kind, **search):
    subwords = train_subwords(TEXT, kind=kind, vocabulary_size=70)
    config = ModelConfig(embedding_size=8, decoder_hidden_size=12, decoder_layers=2)
    torch.manual_seed(3)
    model = build_network(TaskName.generation, config, subwords, subwords).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 2
        model.output_bias[subwords.eos_id] = 1.0
    return Bundle(
        model=model,
        config=config,
        task=TaskName.generation,
        source_subwords=subwords,
        target_subwords=subwords,
        source_language="",
        target_language="en",
        search=SearchConfig(**{"batch_size": 4, "max_new_tokens": 20, "beam_size": 2} | search),
    )


@pytest.fixture(scope="module", params=["char", "unigram"])
def bundle(request):
    return make(request.param)


def changed(bundle, **settings):
    return SearchConfig(**vars(bundle.search) | settings)


SEARCHES = [{}, {"beam_size": 1}, {"sample": True}, {"sample": True, "temperature": 0.5, "top_k": 9, "top_p": 0.8}]


@pytest.mark.parametrize("settings", SEARCHES, ids=["beam", "greedy", "sampling", "all"])
def test_each_line_begins_as_prompted_and_blank_ones_stay_blank(bundle, settings):
    found = Generator(bundle, search=changed(bundle, **settings)).translate(PROMPTS)
    texts = [each.text for each in found]
    assert [text == "" for text in texts] == [not prompt.strip() for prompt in PROMPTS]
    for prompt, text in zip(PROMPTS, texts, strict=True):
        assert text.startswith(prompt.rstrip(" ")) or not prompt.strip()
        assert "\n" not in text
    # The log-probability is that of the whole line, whatever it was searched or drawn by.
    subwords, model = bundle.target_subwords, bundle.model
    for each in found:
        for one in each.hypotheses if each.text else []:
            target = torch.tensor([[*one.tokens, *[subwords.eos_id] * one.finished]])
            lengths = torch.tensor([target.size(1)])
            state = model.start(target, lengths)
            [expected] = sequence_log_probs(model, state, target, lengths, bos_id=subwords.bos_id).tolist()
            assert one.log_prob == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("settings", SEARCHES, ids=["beam", "greedy", "sampling", "all"])
def test_a_line_is_the_same_whatever_its_batch_and_order(bundle, settings):
    prompts = [line[: 3 + i % 17] for i, line in enumerate(TEXT[:12])]
    expected = {}
    for prompt in prompts:
        [each] = Generator(bundle, search=changed(bundle, batch_size=1, **settings)).translate([prompt])
        expected[prompt] = each.text
    shuffled = random.Random(1).sample(prompts, len(prompts))
    for batch_size in (5, 64):
        for order in (prompts, shuffled):
            found = Generator(bundle, search=changed(bundle, batch_size=batch_size, **settings)).translate(order)
            assert [each.text for each in found] == [expected[prompt] for prompt in order]


def test_samples_are_numbered_and_equal_lines_have_equal_samples(bundle):
    sampling = changed(bundle, sample=True)
    several = Generator(bundle, search=sampling, n_best=5).translate(["the old", "a", "the old"])
    assert [len(each.hypotheses) for each in several] == [5, 5, 5]
    assert several[0] == several[2]
    assert len({one.text for one in several[0].hypotheses}) > 1
    for number, one in enumerate(several[0].hypotheses, 1):
        [alone] = Generator(bundle, search=sampling).translate([Request("the old", draw=number)])
        assert alone.hypotheses[0].tokens == one.tokens
    other = Generator(bundle, search=changed(bundle, sample=True, seed=2), n_best=5).translate(["the old"])
    assert other[0].hypotheses != several[0].hypotheses


def test_a_numbered_blank_line_is_made_from_nothing(bundle):
    sampling = Generator(bundle, search=changed(bundle, sample=True))
    found = sampling.translate([Request("", draw=number) for number in range(1, 31)])
    assert all(each.text for each in found)
    assert len({each.text for each in found}) > 10
    assert sampling.translate([Request("", draw=7)])[0].text == found[6].text
    # Without sampling all numbers are the same line.
    greedy = Generator(bundle, search=changed(bundle, beam_size=1))
    assert len({each.text for each in greedy.translate([Request("", draw=1), Request(" ", draw=2)])}) == 1


def test_of_a_long_prompt_the_last_subwords_are_read(bundle):
    short = changed(bundle, max_source_tokens=4, beam_size=1)
    prompt = "many green trees grow behind the old river"
    ids = bundle.target_subwords.encode(prompt)
    [found] = Generator(bundle, search=short).translate([prompt])
    assert found.text.startswith(prompt)
    assert found.hypotheses[0].tokens[:4] == ids[-4:]
    assert found.warnings[0] == f"only the last max_source_tokens=4 of the prompt's {len(ids)} subwords were read"


def test_what_does_not_end_is_cut_with_a_warning(bundle):
    for settings in ({"beam_size": 1}, {"sample": True}):
        [found] = Generator(bundle, search=changed(bundle, max_new_tokens=1, **settings)).translate(["a small red"])
        best = found.hypotheses[0]
        begun = bundle.target_subwords.encode("a small red")
        assert len(best.tokens) - len(begun) == (0 if best.finished else 1)
        if not best.finished:
            assert found.warnings == ["the line did not end and was cut after max_new_tokens=1 new subwords"]


def test_characters_that_the_model_does_not_know_stay_and_are_told(bundle):
    [found] = Generator(bundle).translate(["old ☃☃ house"])
    assert found.text.startswith("old ☃☃ house")
    assert found.warnings[0] == "the model does not know characters of the prompt ('☃'), and read past them"


def test_a_space_behind_a_prompt_counts_where_subwords_are_characters():
    bundle = make("char", beam_size=1)
    subwords = bundle.target_subwords
    [found, without] = Generator(bundle).translate(["the ", "the"])
    ids = subwords.encode("the")
    assert found.hypotheses[0].tokens[: len(ids) + 1] == [*ids, subwords.pieces.index("\u2581")]
    assert found.text.startswith("the ") or found.text == "the"
    assert "  " not in found.text
    assert without.hypotheses[0].tokens[: len(ids)] == ids
    # Elsewhere a subword begins with its space.
    other = make("unigram", beam_size=1)
    one, same = Generator(other).translate(["the ", "the"])
    assert one.hypotheses[0].tokens == same.hypotheses[0].tokens
    assert one.text == same.text


def test_more_lines_than_the_beam_holds_are_refused_but_not_more_samples(bundle):
    with pytest.raises(ConfigError, match="n_best=3 is not possible with beam_size=2"):
        Generator(bundle, n_best=3)
    assert len(Generator(bundle, search=changed(bundle, sample=True), n_best=3).translate(["a"])[0].hypotheses) == 3


def test_samples_are_counted_from_one():
    with pytest.raises(ConfigError, match="draw 0 is not possible: samples are counted from 1"):
        Request("a", draw=0)


def test_invisible_characters_are_no_unknown_ones(bundle):
    [found] = Generator(bundle).translate(["a\u200b\x1b small"])
    assert not [each for each in found.warnings if "does not know" in each]


@pytest.mark.parametrize("settings", SEARCHES[:3])
def test_a_line_has_the_least_length(bundle, settings):
    found = Generator(bundle, search=changed(bundle, min_length=15, **settings)).translate(PROMPTS)
    assert all(
        len(each.hypotheses[0].tokens) >= 15 for each, prompt in zip(found, PROMPTS, strict=True) if prompt.strip()
    )
    with pytest.raises(ConfigError) as caught:
        Generator(bundle, search=changed(bundle, min_length=20, **settings))
    assert str(caught.value) == (
        "search.min_length=20 is not possible with search.max_new_tokens=20: it must be below that"
    )


def test_language_models_are_one_ensemble(bundle):
    several = dataclasses.replace(bundle, model=Ensemble([bundle.model] * 2))
    for settings in SEARCHES[:3]:
        one, two = (
            Generator(each, search=changed(bundle, **settings)).translate(PROMPTS) for each in (bundle, several)
        )
        assert [each.text for each in two] == [each.text for each in one]
