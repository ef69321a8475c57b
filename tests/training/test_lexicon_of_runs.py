"""Runs with a lexicon: they learn it once, keep it, resume with it, and are the better for it."""

import pytest
import torch

from nmt.bundle.weights import load_bundle
from nmt.config.choices import Schedule, Sides
from nmt.model.lexicon import Lexicon
from nmt.training import lexicon as module
from nmt.training.data import prepare
from nmt.training.lexicon import Folds, Sampling, learn_translations
from nmt.training.state import load_state


@pytest.fixture
def with_lexicon(make_config):
    def make(run_dir="run", **changes):
        return make_config(run_dir, model__lexicon_size=5, **changes)

    return make


@pytest.mark.parametrize(("alpha", "sides"), [(0.0, "both"), (0.3, "both"), (0.3, "source"), (0.2, "target")])
def test_a_run_begins_with_the_lexicon_of_its_text_and_keeps_it(with_lexicon, train, alpha, sides):
    config = with_lexicon(subwords__sampling_alpha=alpha, subwords__sampled_sides=Sides[sides])
    data = prepare(config)
    sampled = {"both": ("source", "target")}.get(sides, (sides,)) if alpha else ()
    expected, others = learn_translations(
        data.corpus,
        source_vocabulary=data.source_subwords.vocabulary_size,
        target_vocabulary=data.target_subwords.vocabulary_size,
        size=5,
        **{f"{side}_sampling": Sampling(data.source_subwords, alpha, config.seed) for side in sampled},
    )
    run_dir = train(config)
    assert (expected[1] > 0.2).sum() > 30
    marks = data.source_subwords.mark_ids
    assert len(marks) == 8
    for each in (expected, *others):  # the text has no marks: each is its own translation
        assert not each.probabilities[list(marks)].any()
        for mark in marks:
            each.targets[mark, 0], each.probabilities[mark, 0] = mark, 0.95
    for weights in (load_bundle(run_dir / "best").model.state_dict(), load_state(run_dir / "state.pt").model):
        assert torch.equal(weights["lexicon.targets"], expected[0])
        assert torch.equal(weights["lexicon.probabilities"], expected[1])
    folds = load_state(run_dir / "state.pt").folds
    assert torch.equal(folds["targets"], torch.stack([each.targets for each in others]))
    assert torch.equal(folds["probabilities"], torch.stack([each.probabilities for each in others]))


def test_it_is_learnt_once_and_resumed_runs_are_those_that_were_not_stopped(
    with_lexicon, train, saved, same, monkeypatch
):
    whole = train(with_lexicon("whole", trainer__max_epochs=2, optimizer__schedule=Schedule.constant))
    first = with_lexicon(trainer__max_epochs=1, optimizer__schedule=Schedule.constant)
    train(first)
    monkeypatch.setattr(module, "cross_fit", None)
    first.trainer.max_epochs = 2
    assert same(saved(train(first))["model"], saved(whole)["model"])


def test_every_pair_is_offered_what_its_fold_says_also_after_a_resume(with_lexicon, train, monkeypatch):
    seen, offer = [], Folds.offer

    def watching(self, source, lines):
        seen.extend(lines.tolist())
        return offer(self, source, lines)

    monkeypatch.setattr(Folds, "offer", watching)
    config = with_lexicon(trainer__max_epochs=1, trainer__max_updates=1000)
    everything = list(range(len(prepare(config).corpus)))
    train(config)
    assert sorted(seen) == everything
    seen.clear()
    config.trainer.max_epochs = 2
    train(config)
    assert sorted(seen) == everything


def test_a_child_has_the_lexicon_of_its_parent(with_lexicon, make_config, train, monkeypatch):
    parent = train(with_lexicon("parent"))
    monkeypatch.setattr(module, "cross_fit", None)
    child = train(make_config("child", init_from=str(parent / "best")))
    assert load_state(child / "state.pt").folds == {}
    one, other = (load_bundle(path / "best").model.lexicon for path in (parent, child))
    assert torch.equal(one.targets, other.targets)
    assert torch.equal(one.probabilities, other.probabilities)


def test_it_helps(with_lexicon, make_config, train, metrics):
    """A few updates with it are worth more than as many without."""
    runs = [with_lexicon("with"), make_config("without")]
    with_, without = (metrics(train(config), "validation")[-1]["perplexity"] for config in runs)
    assert with_ < 0.8 * without


def test_a_lexicon_that_copies_offers_every_subword_itself(make_config, train, saved):
    run_dir = train(make_config(model__lexicon_size=3, model__lexicon_copies=0.3, trainer__max_updates=1))
    bundle = load_bundle(run_dir / "best")
    own = torch.arange(bundle.source_subwords.vocabulary_size)
    first = bundle.source_subwords.mark_ids.stop
    folds = saved(run_dir)["folds"]
    lexicon = {"targets": bundle.model.lexicon.targets, "probabilities": bundle.model.lexicon.probabilities}
    for tables in (lexicon, *({key: each[fold] for key, each in folds.items()} for fold in range(10))):
        is_own = tables["targets"][first:] == own[first:].unsqueeze(1)
        assert ((tables["probabilities"][first:] * is_own).amax(1) >= 0.3 - 1e-6).all()


def test_copies_without_a_lexicon_are_refused(command):
    message = command("model.lexicon_copies=0.2", model__lexicon_size=0).mistake
    assert message == ("model.lexicon_copies=0.2 needs a lexicon: set model.lexicon_size, as in model.lexicon_size=20")


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_with_lines_in_capitals_their_subwords_have_translations_too(make_config, share):
    settings = {"subwords__vocabulary_size": 600, "subwords__sampling_alpha": 0.0}
    settings |= {"augmentation__upper": share, "augmentation__title": share}
    config = make_config(model__lexicon_size=3, **settings)
    data = prepare(config)
    subwords = data.source_subwords
    lexicon = Lexicon(subwords.vocabulary_size, 3, epsilon=1e-4)
    module.fill_lexicon(lexicon, config, data)

    def translated(text):
        """The likeliest translation of each subword, one after the other."""
        ids = subwords.encode(text)
        return subwords.decode(lexicon.targets[ids, lexicon.probabilities[ids].argmax(1)].tolist())

    assert translated("not").startswith("nicht")
    assert translated("NOT").startswith("NICHT") == bool(share)
    assert ("Nicht" in translated("Not")) == bool(share)
