"""The classifier: a label for each line, and nothing that depends on the other lines."""

import math

import pytest
import torch

from nmt.bundle.networks import build_network
from nmt.bundle.weights import Bundle, load_bundle, save_bundle
from nmt.config.choices import Pooling, TaskName
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.text.words import ClassVocabulary, LabelVocabulary, WordVocabulary
from nmt.translation.classifier import Classifier
from nmt.translation.labeller import Labeller
from nmt.translation.request import Decision, Request, Translation
from nmt.translation.translator import Translator

TEXT = ["A bb, abc?", "cab", "x bb bb aaaa c", "bb abc cab a a a bb"]
LABELS = ["no", "perhaps so", "yes"]


def make(pooling=Pooling.attention, **search):
    words, labels = WordVocabulary.train(TEXT, size=60, ignore_case=True), ClassVocabulary(LABELS)
    config = ModelConfig(embedding_size=8, encoder_hidden_size=6, character_size=4, attention_size=5, pooling=pooling)
    torch.manual_seed(2)
    model = build_network(TaskName.classification, config, words, labels).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 3
    return Bundle(
        model=model,
        config=config,
        task=TaskName.classification,
        source_subwords=words,
        target_subwords=labels,
        source_language="text",
        target_language="labels",
        search=SearchConfig(batch_size=2, max_source_tokens=6, **search),
    )


@pytest.fixture(scope="module")
def bundle():
    return make()


def test_every_line_has_one_label_with_its_probability(bundle):
    for item in Classifier(bundle).translate(TEXT):
        assert item.text in LABELS
        chances = item.decision.probabilities
        assert sorted(chances) == LABELS
        assert sum(chances.values()) == pytest.approx(1)
        assert list(chances.values()) == sorted(chances.values(), reverse=True)
        [best] = item.hypotheses
        assert best.score == best.log_prob == pytest.approx(math.log(chances[item.text]))


def test_words_are_shown_with_their_weights(bundle):
    item = Classifier(bundle).translate([TEXT[0]])[0]
    assert item.decision.words == ["A", "bb", ",", "abc", "?"]
    assert len(item.decision.attention) == 5
    assert sum(item.decision.attention) == pytest.approx(1)
    assert Classifier(make(Pooling.last)).translate([TEXT[0]])[0].decision.attention is None


def test_as_many_labels_as_are_asked_for_the_best_first(bundle):
    for count, expected in ((2, 2), (3, 3), (9, 3)):
        item = Classifier(bundle, n_best=count).translate([TEXT[0]])[0]
        assert [each.text for each in item.hypotheses] == list(item.decision.probabilities)[:expected]


def test_lines_without_words_have_no_label(bundle):
    items = Classifier(bundle).translate(["", " \u2028 ", "a", "\t"])
    assert [bool(item.text) for item in items] == [False, False, True, False]
    assert items[0].decision == Decision(attention=[])


@pytest.mark.parametrize("pooling", [Pooling.attention, Pooling.last])
def test_a_line_has_the_same_answer_whatever_its_batch(pooling):
    classifier = Classifier(make(pooling), search=SearchConfig(batch_size=64))
    alone = {line: classifier.translate([line])[0] for line in TEXT}
    for lines in (TEXT, TEXT[::-1], TEXT * 3):
        for line, item in zip(lines, classifier.translate(lines), strict=True):
            assert item.text == alone[line].text
            assert item.decision.probabilities == pytest.approx(alone[line].decision.probabilities, abs=1e-5)
            assert item.decision.attention == pytest.approx(alone[line].decision.attention, abs=1e-5)


def test_lines_that_differ_in_case_or_white_space(bundle):
    one, same, other = Classifier(bundle).translate(["a  bb", "\ta bb ", "A BB"])
    assert one == same
    assert one.decision.probabilities != other.decision.probabilities  # by its characters


def test_of_long_lines_the_first_words_are_read_with_a_warning(bundle):
    item, start, other = Classifier(bundle).translate([Request(TEXT[3], id=7), "bb abc cab a a a", TEXT[0]])
    assert (item.id, item.decision) == (7, start.decision)
    assert item.warnings == ["only the first max_source_tokens=6 of its 7 words were read"]
    assert not start.warnings
    assert not other.warnings


def test_an_answer_comes_back_from_plain_values(bundle):
    for item in Classifier(bundle, n_best=2).translate([TEXT[0], ""]):
        assert Translation.from_dict(item.to_dict()) == item


def test_a_bundle_that_classifies_comes_back_as_it_was(bundle, tmp_path):
    save_bundle(bundle, tmp_path / "b")
    again = load_bundle(tmp_path / "b")
    assert again.task is TaskName.classification
    names = sorted(path.name for path in (tmp_path / "b").iterdir())
    assert names == ["README.md", "config.json", "labels.json", "model.safetensors", "words.json"]
    assert Classifier(again).translate(TEXT) == Classifier(bundle).translate(TEXT)


def test_none_takes_anothers_models(bundle, make_bundle):
    with pytest.raises(ConfigError, match="the model does not translate, it gives labels: use nmt predict"):
        Translator(bundle)
    with pytest.raises(ConfigError, match="the model does not label tokens: use nmt predict, or nmt-translate"):
        Labeller(bundle)
    with pytest.raises(ConfigError, match="the model does not classify lines: use nmt predict, or nmt-translate"):
        Classifier(make_bundle())


def test_a_network_needs_the_vocabulary_of_its_task(bundle):
    for task, target in (
        (TaskName.labelling, bundle.target_subwords),
        (TaskName.classification, LabelVocabulary(["O"])),
    ):
        with pytest.raises(ConfigError, match=f"a model of task={task} needs a vocabulary of words and one of labels"):
            build_network(task, bundle.config, bundle.source_subwords, target)
