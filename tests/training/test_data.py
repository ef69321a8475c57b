"""The text of a training: what is held out of it, further corpora, and digests that tell one from another."""

import json

import pytest

from nmt.corpus.reader import read_text, resolve
from nmt.errors import CorpusError
from nmt.text.subword_training import train_subwords
from nmt.training.data import prepare


def test_prepare_brings_text_subwords_and_validation_together(make_config, corpus, text):
    data = prepare(make_config(corpus__test=str(corpus / "test")))
    assert len(data.corpus) == 240
    encoded = data.corpus.parts[0].corpus
    assert (encoded.source.line(3), encoded.target.line(3)) == (text[0][3], text[1][3])
    assert data.valid == (text[0][240:262], text[1][240:262])
    assert data.test == (text[0][262:], text[1][262:])
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


def sources_of(data, number=0):
    corpus = data.corpus.parts[number].corpus
    return [corpus.source.line(i) for i in range(len(corpus))]


def test_held_out_pairs_are_validated_and_never_trained_on(make_config, corpus, tmp_path, training):
    data = prepare(make_config(corpus__valid="", corpus__valid_pairs=10, corpus__cache_dir=str(tmp_path / "cache")))
    train = read_text(resolve(str(corpus / "train"), source="en", target="de", key="corpus.train"))
    kept = sources_of(data)
    assert 1 <= len(data.valid.source) <= 10
    assert not set(kept) & set(data.valid.source)
    assert sorted(kept + data.valid.source) == sorted(train.source)
    # nor do they shape the subwords
    encoded = data.corpus.parts[0].corpus
    assert sorted(training[0]) == sorted(kept + [encoded.target.line(i) for i in range(len(encoded))])


def test_the_text_is_read_for_what_to_hold_out_once(make_config, monkeypatch, tmp_path):
    settings = {"corpus__valid": "", "corpus__cache_dir": str(tmp_path / "cache")}
    first = prepare(make_config(**settings))

    def read(*_):
        raise AssertionError("the text was read again")

    monkeypatch.setattr("nmt.corpus.reader.read_lines", read)
    again = prepare(make_config(**settings))
    assert again.valid == first.valid
    assert again.corpus_digest == first.corpus_digest
    monkeypatch.undo()
    fewer = prepare(make_config(corpus__valid_pairs=5, **settings))
    assert 1 <= len(fewer.valid.source) <= 5 < len(first.valid.source)


@pytest.fixture
def extra(text, tmp_path, write_lines):
    """Two further corpora: one whose pairs are of its own, and one that repeats pairs of the training text."""
    for name, lines in (("own", (250, 280)), ("same", (0, 240))):
        for side, column in zip(("en", "de"), text, strict=True):
            write_lines(tmp_path / f"{name}.{side}", [f"{line} " for line in column[slice(*lines)]])
    return [str(tmp_path / "own"), str(tmp_path / "same")]


def test_several_corpora_have_a_store_each_and_share_their_subwords(
    make_config, text, extra, tmp_path, training, caplog
):
    config = make_config(
        corpus__extra=extra,
        corpus__weights=[1.0, 0.5, 2.0],
        corpus__tags=[-1, 0, 15],
        corpus__cache_dir=str(tmp_path / "cache"),
    )
    with caplog.at_level("INFO", logger="nmt"):
        data = prepare(config)
    assert [len(part.corpus) for part in data.corpus.parts] == [240, 30, 240]
    assert [part.weight for part in data.corpus.parts] == [1, 0.5, 2]
    assert [part.prefix for part in data.corpus.parts] == [(), (4,), (19,)]
    assert data.corpus.pairs(0) == 240 + 15 + 480
    assert len(training[0]) == 2 * (240 + 30 + 240)
    assert sources_of(data, 1) == [f"{line} " for line in text[0][250:280]]
    assert f"training text corpus.train={config.corpus.train}, weight 1, no tag (encoded): 240 pairs" in caplog.text
    assert f"training text corpus.extra={extra[0]}, weight 0.5, tag 0 (encoded): 30 pairs kept" in caplog.text
    plain = prepare(make_config(corpus__extra=extra))
    assert [(part.weight, part.prefix) for part in plain.corpus.parts] == [(1.0, ())] * 3


def test_what_is_held_out_is_in_none_of_the_corpora(make_config, extra, caplog):
    with caplog.at_level("INFO", logger="nmt"):
        data = prepare(make_config(corpus__valid="", corpus__valid_pairs=10, corpus__extra=extra))
    held_out = set(data.valid.source)
    assert 1 <= len(held_out) <= 10
    assert sorted(source.strip() for source in sources_of(data, 2)) == sorted(sources_of(data))
    assert not held_out & {source.strip() for number in range(3) for source in sources_of(data, number)}
    assert f"{len(held_out)} whose source is validation text" in caplog.text
    # of a corpus of its own nothing is left out, though it has sources whose hash is as small
    assert len(sources_of(data, 1)) == 30 - len(held_out & {s.strip() for s in sources_of(data, 1)})


def test_digests_tell_every_corpus_and_batches_its_weight_and_tag(make_config, extra):
    def digests(**changes):
        data = prepare(make_config(**changes))
        return data.corpus_digest, data.corpus.digest

    alone, both, swapped = (digests(corpus__extra=names) for names in ([], extra, extra[::-1]))
    assert len({alone[0], both[0], swapped[0]}) == 3
    weighted, tagged = (
        digests(corpus__extra=extra, corpus__weights=[1.0, 2.0, 1.0]),
        digests(corpus__extra=extra, corpus__tags=[-1, 0, -1]),
    )
    assert weighted[0] == tagged[0] == both[0]
    assert len({both[1], weighted[1], tagged[1]}) == 3


def test_each_corpus_must_be_known_to_the_subwords(make_config, tmp_path, write_lines, text):
    for side in ("en", "de"):
        write_lines(tmp_path / f"greek.{side}", ["αβγ δεζ ηθι κλμ"] * 5)
    german = train_subwords([*text[0], *text[1]], kind="char", vocabulary_size=120)
    (tmp_path / "german").write_bytes(german.to_bytes())
    config = make_config(corpus__extra=[str(tmp_path / "greek")], subwords__model=str(tmp_path / "german"))
    with pytest.raises(CorpusError) as error:
        prepare(config)
    assert str(error.value).startswith(f"corpus.extra={tmp_path / 'greek'}: 50.0% of the source subwords are unknown")


@pytest.mark.parametrize("problem", ["missing", "empty"])
def test_a_further_corpus_is_named_where_it_is_at_fault(make_config, tmp_path, write_lines, problem):
    name = tmp_path / "further"
    if problem == "empty":
        for side in ("en", "de"):
            write_lines(tmp_path / f"further.{side}", [""])
    with pytest.raises(CorpusError) as error:
        prepare(make_config(corpus__extra=[str(name)]))
    assert str(error.value).startswith(
        f"corpus.extra={name}: " + {"missing": "there is no file", "empty": "no pair is left"}[problem]
    )


def test_a_training_on_several_corpora_goes_on_exactly_where_it_was_stopped(
    command, interrupted, extra, saved, same, tmp_path
):
    settings = {"corpus__extra": f"[{extra[0]}]", "corpus__weights": "[0.5,1.5]", "corpus__tags": "[-1,3]"}
    settings |= {"subwords__sampling_alpha": 0.2, "search__source_tag": 3, "corpus__tag_names": "[a,b,c,other]"}
    assert command(run_dir=tmp_path / "whole", **settings).code == 0
    stopped = interrupted(**settings)
    assert command(**settings).code == 0
    assert same(saved(stopped), saved(tmp_path / "whole"))
    bundle = json.loads((tmp_path / "whole" / "best" / "config.json").read_text(encoding="utf-8"))
    assert bundle["tags"] == {"a": 0, "b": 1, "c": 2, "other": 3}
    changed = command(**(settings | {"corpus__weights": "[0.5,1]"}))
    assert "another configuration: corpus.weights ([0.5, 1.5] → [0.5, 1.0])" in changed.mistake


def test_a_pair_that_stands_twice_counts_once_in_text_subwords_and_digest(
    make_config, text, tmp_path, training, write_lines
):
    for side, lines in zip(("en", "de"), text, strict=True):
        write_lines(tmp_path / f"twice.{side}", lines[:100] * 2)
    settings = {"corpus__train": str(tmp_path / "twice"), "corpus__cache_dir": str(tmp_path / "cache")}
    plain, once = (prepare(make_config(**settings, corpus__deduplicate=each)) for each in (False, True))
    assert (len(plain.corpus), len(once.corpus)) == (200, 100)
    assert [len(sentences) for sentences in training] == [400, 200]
    assert once.corpus.parts[0].corpus.counts.repeated == 100
    assert plain.corpus_digest != once.corpus_digest
