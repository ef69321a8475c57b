import pytest

from nmt.choices import Tying
from nmt.config import SubwordsConfig
from nmt.data.corpus import read_text, resolve
from nmt.errors import CorpusError, SubwordError
from nmt.subwords import SubwordModel
from nmt.training.setup import prepare, subword_models


@pytest.fixture
def paths(corpus):
    return resolve(str(corpus / "train"), source="en", target="de", key="corpus.train")


@pytest.fixture
def training(monkeypatch):
    """Count how often subwords are trained, and on what."""
    seen = []
    original = SubwordModel.train

    def counted(sentences, **settings):
        sentences = list(sentences)
        seen.append(sentences)
        return original(sentences, **settings)

    monkeypatch.setattr(SubwordModel, "train", counted)
    return seen


def test_joint_subwords_are_one_model_of_both_sides_trained_once(paths, text, tmp_path, training):
    config = SubwordsConfig(vocabulary_size=160)
    source, target = subword_models(config, paths, cache_dir=tmp_path)
    assert source is target
    assert sorted(training[0]) == sorted([*text[0][:240], *text[1][:240]])
    again, _ = subword_models(config, paths, cache_dir=tmp_path)
    assert again.to_bytes() == source.to_bytes()
    assert len(training) == 1
    assert len(list((tmp_path / "subwords").iterdir())) == 1  # and nothing half-written


def test_separate_subwords_are_each_of_its_own_side(paths, text, tmp_path, training):
    config = SubwordsConfig(vocabulary_size=120, joint=False)
    source, target = subword_models(config, paths, cache_dir=tmp_path)
    assert training == [text[0][:240], text[1][:240]]
    assert source.digest != target.digest
    assert [m.digest for m in subword_models(config, paths, cache_dir=tmp_path)] == [source.digest, target.digest]
    assert len(training) == 2


def test_other_settings_and_other_text_are_other_models(paths, text, tmp_path, training):
    for changes in ({}, {"kind": "bpe"}, {"vocabulary_size": 150}, {"byte_fallback": True}):
        settings = {"vocabulary_size": 450} | changes
        settings |= {"kind": type(SubwordsConfig().kind)[settings.get("kind", "unigram")]}
        subword_models(SubwordsConfig(**settings), paths, cache_dir=tmp_path)
    assert len(training) == 4
    for side, lines in zip(("en", "de"), text, strict=True):
        (tmp_path / f"less.{side}").write_text("\n".join(lines[:200]) + "\n", encoding="utf-8")
    less = resolve(str(tmp_path / "less"), source="en", target="de", key="corpus.train")
    subword_models(SubwordsConfig(vocabulary_size=450), less, cache_dir=tmp_path)
    assert len(training) == 5


def test_models_given_as_files_are_used_as_they_are(paths, text, tmp_path, training):
    models = [SubwordModel.train(lines, kind="bpe", vocabulary_size=100 + 20 * i) for i, lines in enumerate(text)]
    training.clear()
    for name, model in zip(("a.model", "b.model"), models, strict=True):
        (tmp_path / name).write_bytes(model.to_bytes())
    a, b = str(tmp_path / "a.model"), str(tmp_path / "b.model")
    source, target = subword_models(SubwordsConfig(model=a), paths, cache_dir=tmp_path)
    assert source is target
    assert source.digest == models[0].digest
    source, target = subword_models(SubwordsConfig(source_model=a, target_model=b), paths, cache_dir=tmp_path)
    assert [source.digest, target.digest] == [model.digest for model in models]
    assert training == []
    assert not (tmp_path / "subwords").exists()


def test_a_model_file_that_is_not_there(paths, tmp_path):
    with pytest.raises(SubwordError, match=r"missing\.model: cannot read the subword model \(No such file"):
        subword_models(SubwordsConfig(model=str(tmp_path / "missing.model")), paths, cache_dir=tmp_path)


def test_a_cache_that_cannot_be_written_costs_a_warning(paths, tmp_path, caplog):
    (tmp_path / "file").touch()
    source, _ = subword_models(SubwordsConfig(vocabulary_size=160), paths, cache_dir=tmp_path / "file")
    assert source.vocabulary_size == 160
    assert f"the subword model is not cached in {tmp_path / 'file' / 'subwords'}" in caplog.text


def test_prepare_brings_text_subwords_and_validation_together(make_config, corpus, text):
    material = prepare(make_config(corpus__test=str(corpus / "test")))
    assert len(material.corpus) == 240
    assert (material.corpus.source_text(3), material.corpus.target_text(3)) == (text[0][3], text[1][3])
    assert material.valid == (text[0][240:262], text[1][240:262])
    assert material.test == (text[0][262:], text[1][262:])
    assert prepare(make_config()).test is None


def test_the_digest_tells_text_subwords_filters_and_held_out_pairs(make_config):
    one = make_config()
    changes = [
        {},
        {"subwords__vocabulary_size": 150},
        {"corpus__max_source_tokens": 30},
        {"corpus__valid": ""},
        {"corpus__train": one.corpus.valid},
    ]
    digests = [prepare(make_config(**change)).corpus_digest for change in changes]
    assert len(set(digests)) == len(changes)
    assert prepare(make_config()).corpus_digest == digests[0]


def test_subwords_of_a_run_that_goes_on_are_not_trained_again(make_config, tmp_path, training):
    first = prepare(make_config())
    training.clear()
    config = make_config(corpus__cache_dir=str(tmp_path / "an empty cache"))
    again = prepare(config, subwords=(first.source_subwords, first.target_subwords))
    assert again.corpus_digest == first.corpus_digest
    assert training == []


def test_separate_subwords_with_their_own_unknown_rates(make_config, text, tmp_path):
    german = SubwordModel.train(text[1], kind="char", vocabulary_size=120)
    greek = SubwordModel.train(["αβγ δεζ"] * 20, kind="char", vocabulary_size=40)
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
    config.trainer.max_unknown_rate = 1.0
    assert prepare(config).corpus.target_unknown_rate > 0.05


def test_held_out_pairs_are_validated_and_never_trained_on(make_config, corpus):
    material = prepare(make_config(corpus__valid="", corpus__valid_pairs=10))
    train = read_text(resolve(str(corpus / "train"), source="en", target="de", key="corpus.train"))
    kept = [material.corpus.source_text(i) for i in range(len(material.corpus))]
    assert 1 <= len(material.valid.source) <= 10
    assert not set(kept) & set(material.valid.source)
    assert sorted(kept + material.valid.source) == sorted(train.source)
