"""The labeller: a label for each token, and nothing that depends on the other lines."""

import pytest
import torch

from nmt.bundle.networks import build_network
from nmt.bundle.weights import Bundle, load_bundle, save_bundle
from nmt.config.choices import TaskName
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.text.words import LabelVocabulary, WordVocabulary, may_follow
from nmt.translation.labeller import Labeller
from nmt.translation.request import Request
from nmt.translation.translator import Translator

TEXT = ["a bb abc", "cab", "x bb bb aaaa c", "bb abc cab a a a bb"]
LABELS = ["O", "B-X", "I-X", "B-Y", "I-Y"]


@pytest.fixture(scope="module")
def bundle():
    words, labels = WordVocabulary.train(TEXT, size=60), LabelVocabulary.train([" ".join(LABELS)])
    config = ModelConfig(embedding_size=8, encoder_hidden_size=6, character_size=4)
    torch.manual_seed(2)
    model = build_network(TaskName.labelling, config, words, labels).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 3
        torch.nn.init.normal_(model.crf.transitions)
    return Bundle(
        model=model,
        config=config,
        task=TaskName.labelling,
        source_subwords=words,
        target_subwords=labels,
        source_language="tokens",
        target_language="labels",
        search=SearchConfig(batch_size=2, max_source_tokens=6),
    )


def test_every_token_has_a_label_and_labels_spell_entities(bundle):
    for line, item in zip(TEXT, Labeller(bundle).translate(TEXT), strict=True):
        labels = item.text.split(" ")
        assert len(labels) == len(line.split())
        assert all(map(may_follow, ["O", *labels[:-1]], labels))


def test_lines_that_have_no_tokens_have_no_labels(bundle):
    assert [item.text for item in Labeller(bundle).translate(["", "   ", "a", "  "])][::3] == ["", ""]


def test_a_line_has_the_same_labels_whatever_its_batch(bundle):
    labeller = Labeller(bundle, search=SearchConfig(batch_size=64))
    alone = [labeller.translate([line])[0] for line in TEXT]
    for lines in (TEXT, TEXT[::-1], TEXT * 3):
        expected = dict(zip(TEXT, alone, strict=True))
        for line, item in zip(lines, labeller.translate(lines), strict=True):
            assert item.text == expected[line].text
            assert item.hypotheses[0].log_prob == pytest.approx(expected[line].hypotheses[0].log_prob, abs=1e-4)


def test_long_lines_are_labelled_in_parts_with_a_warning(bundle):
    item, other = Labeller(bundle).translate([Request(TEXT[3], id=7), TEXT[0]])
    parts = Labeller(bundle).translate(["bb abc cab a a a", "bb"])
    assert item.text == " ".join(part.text for part in parts)
    assert item.id == 7
    assert item.warnings == ["its 7 tokens were labelled in parts of max_source_tokens=6; give one sentence a line"]
    assert not other.warnings


def test_a_bundle_that_labels_comes_back_as_it_was(bundle, tmp_path):
    save_bundle(bundle, tmp_path / "b")
    again = load_bundle(tmp_path / "b")
    assert again.task is TaskName.labelling
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        "README.md",
        "config.json",
        "labels.json",
        "model.safetensors",
        "words.json",
    ]
    assert [each.text for each in Labeller(again).translate(TEXT)] == [
        each.text for each in Labeller(bundle).translate(TEXT)
    ]


def test_neither_takes_the_others_models(bundle, make_bundle):
    with pytest.raises(ConfigError, match="the model does not translate, it gives labels"):
        Translator(bundle)
    with pytest.raises(ConfigError, match="the model does not label tokens: use nmt predict"):
        Labeller(make_bundle())
