"""Subword models of the training text: trained once for each text and settings, or as files that are given."""

import pytest

from nmt.config.choices import Sides, Tying
from nmt.config.train import SubwordsConfig
from nmt.corpus.cache import Cache
from nmt.corpus.reader import resolve
from nmt.errors import CorpusError, SubwordError
from nmt.text.subword_training import train_subwords
from nmt.training.data import prepare
from nmt.training.subwords import subword_models


@pytest.fixture
def paths(corpus):
    return resolve(str(corpus / "train"), source="en", target="de", key="corpus.train")


def test_joint_subwords_are_one_model_of_both_sides_trained_once(paths, text, tmp_path, training):
    config = SubwordsConfig(vocabulary_size=160)
    source, target = subword_models(config, [paths], cache=Cache(tmp_path))
    assert source is target
    assert sorted(training[0]) == sorted([*text[0][:240], *text[1][:240]])
    again, _ = subword_models(config, [paths], cache=Cache(tmp_path))
    assert again.to_bytes() == source.to_bytes()
    assert len(training) == 1
    assert len(list((tmp_path / "subwords").iterdir())) == 1  # and nothing half-written
    # which shapes batches, not subwords
    sampled = SubwordsConfig(vocabulary_size=160, sampling_alpha=0.2, sampled_sides=Sides.source)
    subword_models(sampled, [paths], cache=Cache(tmp_path))
    assert len(training) == 1


def test_separate_subwords_are_each_of_its_own_side(paths, text, tmp_path, training):
    config = SubwordsConfig(vocabulary_size=120, joint=False)
    source, target = subword_models(config, [paths], cache=Cache(tmp_path))
    assert training == [text[0][:240], text[1][:240]]
    assert source.digest != target.digest
    assert [m.digest for m in subword_models(config, [paths], cache=Cache(tmp_path))] == [source.digest, target.digest]
    assert len(training) == 2


def test_other_settings_and_other_text_are_other_models(paths, text, tmp_path, training):
    for changes in ({}, {"kind": "bpe"}, {"vocabulary_size": 150}, {"byte_fallback": True}):
        settings = {"vocabulary_size": 450} | changes
        settings |= {"kind": type(SubwordsConfig().kind)[settings.get("kind", "unigram")]}
        subword_models(SubwordsConfig(**settings), [paths], cache=Cache(tmp_path))
    assert len(training) == 4
    for side, lines in zip(("en", "de"), text, strict=True):
        (tmp_path / f"less.{side}").write_text("\n".join(lines[:200]) + "\n", encoding="utf-8")
    less = resolve(str(tmp_path / "less"), source="en", target="de", key="corpus.train")
    subword_models(SubwordsConfig(vocabulary_size=450), [less], cache=Cache(tmp_path))
    assert len(training) == 5


def test_models_given_as_files_are_used_as_they_are(paths, text, tmp_path, training):
    models = [train_subwords(lines, kind="bpe", vocabulary_size=100 + 20 * i) for i, lines in enumerate(text)]
    training.clear()
    for name, model in zip(("a.model", "b.model"), models, strict=True):
        (tmp_path / name).write_bytes(model.to_bytes())
    a, b = str(tmp_path / "a.model"), str(tmp_path / "b.model")
    source, target = subword_models(SubwordsConfig(model=a), [paths], cache=Cache(tmp_path))
    assert source is target
    assert source.digest == models[0].digest
    source, target = subword_models(SubwordsConfig(source_model=a, target_model=b), [paths], cache=Cache(tmp_path))
    assert [source.digest, target.digest] == [model.digest for model in models]
    assert training == []
    assert not (tmp_path / "subwords").exists()


def test_a_model_file_that_is_not_there(paths, tmp_path):
    with pytest.raises(SubwordError, match=r"missing\.model: cannot read the subword model \(No such file"):
        subword_models(SubwordsConfig(model=str(tmp_path / "missing.model")), [paths], cache=Cache(tmp_path))


def test_a_cache_that_cannot_be_written_costs_a_warning(paths, tmp_path, caplog):
    (tmp_path / "file").touch()
    source, _ = subword_models(SubwordsConfig(vocabulary_size=160), [paths], cache=Cache(tmp_path / "file"))
    assert source.vocabulary_size == 160
    assert f"the subword model is not cached in {tmp_path / 'file' / 'subwords'}" in caplog.text


def test_subwords_of_a_run_that_goes_on_are_not_trained_again(make_config, tmp_path, training):
    first = prepare(make_config())
    training.clear()
    config = make_config(corpus__cache_dir=str(tmp_path / "an empty cache"))
    again = prepare(config, subwords=(first.source_subwords, first.target_subwords))
    assert again.corpus_digest == first.corpus_digest
    assert training == []


def test_separate_subwords_with_their_own_unknown_rates(make_config, text, tmp_path):
    german = train_subwords(text[1], kind="char", vocabulary_size=120)
    greek = train_subwords(["αβγ δεζ"] * 20, kind="char", vocabulary_size=40)
    for name, model in (("german", german), ("greek", greek)):
        (tmp_path / name).write_bytes(model.to_bytes())
    config = make_config(
        subwords__source_model=str(tmp_path / "german"),
        subwords__target_model=str(tmp_path / "greek"),
        model__tying=Tying.target,
    )
    with pytest.raises(CorpusError) as error:
        prepare(config)
    assert "of the target subwords are unknown to the subword model (trainer.max_unknown_rate=0.05)" in str(error.value)
    assert str(error.value).endswith(
        "; it was trained on other text: leave subwords.source_model and subwords.target_model empty, "
        "or set subwords.byte_fallback=true"
    )
    config.init_from = "runs/general/best"
    with pytest.raises(CorpusError) as error:
        prepare(config)
    assert str(error.value).endswith(
        "on other text: fine-tuning keeps the subwords of init_from=runs/general/best, so take another parent, "
        "or let this run have subwords of its own with subwords.inherit=false"
    )
    config.trainer.max_unknown_rate = 1.0
    assert prepare(config).corpus.parts[0].corpus.target_unknown_rate > 0.05


def test_subwords_are_trained_anew_when_other_pairs_are_held_out(make_config, tmp_path, training):
    for changes in ({}, {"corpus__valid": ""}, {"corpus__valid": "", "corpus__valid_pairs": 5}):
        prepare(make_config(corpus__cache_dir=str(tmp_path / "cache"), **changes))
    assert len(training) == len({tuple(sorted(sentences)) for sentences in training}) == 3
