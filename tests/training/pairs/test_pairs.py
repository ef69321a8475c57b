"""Trainings of several language pairs, from the texts to what translates."""

import signal
from collections import Counter

import pytest
import torch

from nmt.bundle.loading import load
from nmt.bundle.weights import load_bundle
from nmt.config.choices import Precision
from nmt.corpus.pairs import resolve_pair
from nmt.corpus.reader import read_pairs
from nmt.errors import ConfigError, CorpusError
from nmt.export.variant import export, learn_shortlist
from nmt.training.data import prepare
from nmt.training.lexicon import align_text
from nmt.training.run import run
from nmt.training.trainer import Trainer
from nmt.translation.translator import Translator

from .conftest import BACK, GUARANI, SHIPIBO, WORDS, log_of, network_of


def test_each_pair_is_told_apart_and_has_its_share(pairs_config):
    data = prepare(pairs_config(corpus__tags=[3], corpus__temperature=2.0))
    subwords = data.source_subwords
    assert (subwords.languages, subwords.language_ids) == (("gn", "shp"), range(20, 22))
    assert [part.prefix for part in data.corpus.parts] == [(20, 7), (21, 7)]
    sizes = [part.weight * len(part.corpus) for part in data.corpus.parts]
    assert sum(sizes) == pytest.approx(len(data.corpus), rel=1e-4)
    assert sizes[0] / sizes[1] == pytest.approx((160 / 40) ** 0.5, rel=0.02)
    assert {pair: len(text.source) for pair, text in data.valid_texts.items()} == {GUARANI: 6, SHIPIBO: 6}
    assert len(data.valid.source) == 12
    apart = prepare(pairs_config(subwords__joint=False))
    assert apart.source_subwords.languages == apart.target_subwords.languages == ("gn", "shp")
    assert apart.source_subwords.digest != apart.target_subwords.digest
    assert apart.marks == data.marks != ""


def test_extra_texts_may_be_of_some_pairs(pairs_config, texts, write_lines, caplog):
    caplog.set_level("INFO", logger="nmt")
    for side in ("es", "shp"):
        write_lines(texts / "es-shp" / f"more.{side}", ["agua sol"] * 5)
    data = prepare(pairs_config(corpus__extra=[f"{texts}/more"], corpus__weights=[1.0, 2.0]))
    assert [(text.pair, text.weight) for text in data.texts] == [(GUARANI, 1.0), (SHIPIBO, 1.0), (SHIPIBO, 2.0)]
    assert data.corpus.parts[2].weight == pytest.approx(2 * data.corpus.parts[1].weight, rel=1e-4)
    assert f"corpus.extra={texts}/more: there is no such text of es-gn" in caplog.text
    with pytest.raises(CorpusError, match=r"no pair has such a text, as .*/es-gn/moer.es would be; check the path"):
        prepare(pairs_config(corpus__extra=[f"{texts}/moer"]))


@pytest.mark.parametrize("deduplicate", [False, True])
def test_what_one_direction_holds_out_the_other_never_sees(pairs_config, deduplicate):
    changes = {"corpus__valid": "", "corpus__valid_pairs": 9, "corpus__deduplicate": deduplicate}
    data = prepare(pairs_config(corpus__pairs=["es-gn", "gn-es"], **changes))
    held_out = {pair: set(zip(*text, strict=True)) for pair, text in data.valid_texts.items()}
    assert 0 < len(held_out[GUARANI]) <= 9
    assert held_out[BACK] == {pair[::-1] for pair in held_out[GUARANI]}
    for pair, part in zip((GUARANI, BACK), data.corpus.parts, strict=True):
        corpus = part.corpus
        seen = {(corpus.source.line(i), corpus.target.line(i)) for i in range(len(corpus))}
        assert len(seen) > 100
        assert (len(seen) == len(corpus)) == deduplicate
        assert not seen & held_out[pair]


def test_many_sources_of_one_target_need_no_symbols(pairs_config):
    data = prepare(pairs_config(corpus__pairs=["gn-es", "shp-es"]))
    assert data.source_subwords.languages == ()
    assert [part.prefix for part in data.corpus.parts] == [(), ()]


def test_subwords_without_the_languages_are_refused(pairs_config, texts, tmp_path):
    files = {"one": ["es-gn"], "several": ["es-gn", "es-shp"]}
    for name, pairs in files.items():
        files[name] = str(tmp_path / name)
        subwords = prepare(pairs_config(corpus__pairs=pairs)).source_subwords
        (tmp_path / name).write_bytes(subwords.to_bytes())
    with pytest.raises(ConfigError, match=r"no symbol for the target language gn of corpus.pairs .they have none."):
        prepare(pairs_config(subwords__model=files["one"]))
    with pytest.raises(ConfigError, match=r"no symbol for the target language es of corpus.pairs .they have gn, shp."):
        prepare(pairs_config(corpus__pairs=["gn-es"], subwords__model=files["several"]))
    both = {"subwords__source_model": files["one"], "subwords__target_model": files["several"]}
    with pytest.raises(ConfigError, match=r"target_model have symbols of different target languages$"):
        prepare(pairs_config(**both))
    one = {"corpus__pairs": [], "corpus__source": "es", "corpus__target": "gn", "corpus__train": f"{texts}/es-gn/train"}
    with pytest.raises(ConfigError, match=r"symbols of target languages .gn, shp.: name .* with corpus.pairs=.es-gn. "):
        prepare(pairs_config(**one, corpus__valid="", subwords__model=files["several"]))
    assert prepare(pairs_config(corpus__pairs=["es-shp"], subwords__model=files["several"])).corpus.parts[0].prefix == (
        21,
    )


def test_a_run_scores_each_pair_resumes_to_the_bit_and_translates_by_language(
    pairs_config, metrics, saved, same, monkeypatch, texts
):
    config = pairs_config("whole", corpus__test=f"{texts}/dev", optimizer__lr=0.02)
    run(config)
    lines = metrics(config.directory, "validation")
    for line in lines:
        for metric in ("bleu", "chrf"):
            assert line[metric] == pytest.approx((line[f"{metric}/es-gn"] + line[f"{metric}/es-shp"]) / 2, abs=2e-3)
        perplexities = sorted(line[f"perplexity/{pair}"] for pair in ("es-gn", "es-shp"))
        assert perplexities[0] < line["perplexity"] < perplexities[1]
    log = log_of(config)
    assert f"  chrF2 of each pair: es-gn {lines[0]['chrf/es-gn']:.2f}, es-shp {lines[0]['chrf/es-shp']:.2f}" in log
    assert "corpus.temperature=5: an epoch goes through es-gn " in log
    assert "es-gn, es-shp: 200 training pairs, 12 validation pairs" in log
    bundle = load_bundle(config.directory / "best")
    assert (bundle.source_language, bundle.target_language, bundle.pairs) == ("es", "", (GUARANI, SHIPIBO))
    assert bundle.metadata["test_pairs"].keys() == {"es-gn", "es-shp"}
    assert bundle.model.lexicon.targets.shape == (2 * bundle.source_subwords.vocabulary_size, 3)

    stopped = pairs_config("stopped", corpus__test=f"{texts}/dev", optimizer__lr=0.02)
    update = Trainer._update

    def patched(self, gradient_norm):
        update(self, gradient_norm)
        if self.position.update == 7:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", patched)
        with pytest.raises(KeyboardInterrupt):
            run(stopped)
    run(stopped)
    whole, again = saved(config.directory), saved(stopped.directory)
    assert all(same(whole[key], again[key]) for key in whole)
    with pytest.raises(ConfigError, match=r"another configuration: corpus.temperature \(5.0 → 1.0\)"):
        run(pairs_config("stopped", corpus__test=f"{texts}/dev", optimizer__lr=0.02, corpus__temperature=1.0))


def endings(bundle, to, lines):
    search = bundle.search
    search.to, search.beam_size = to, 1
    words = [word for each in Translator(bundle, search=search).translate(lines) for word in each.text.split()]
    return {end: sum(word.endswith(end) for word in words) for end in ("oi", "ka")}


def test_lexicons_and_shortlists_offer_words_of_the_language_that_is_asked_for(pairs_config, texts):
    config = pairs_config(trainer__max_updates=60, trainer__validate_every=60, optimizer__lr=0.02)
    run(config)
    best = config.directory / "best"
    lines = [" ".join(WORDS[i : i + 3]) for i in range(7)]
    text = [resolve_pair(f"{texts}/train", pair, key="--train") for pair in (GUARANI, SHIPIBO)]
    export(
        best,
        "int8",
        shortlist=lambda described: learn_shortlist(described, text, size=4, languages=["gn", "shp"]),
    )
    export(best, "fp32")
    weights = load_bundle(best)
    for precision in ("int8", "fp32"):
        exported = load(best, precision=precision)
        for to, own, other in (("gn", "oi", "ka"), ("shp", "ka", "oi")):
            found = endings(exported, to, lines)
            assert found[own] > 5 * found[other]
            if precision == "fp32":
                assert found == endings(weights, to, lines)
    with pytest.raises(ConfigError, match="no training text of the target language shp for the shortlist"):
        learn_shortlist(weights, text[:1], size=4, languages=["gn"])


def test_augmentation_and_copies_keep_languages_apart(pairs_config):
    tasks = {"reversed_words": 0.3, "replaced_words": 0.3, "concatenation": 0.2, "upper": 0.1}
    changes = {f"augmentation__{key}": share for key, share in tasks.items()}
    config = pairs_config(**changes, corpus__tags=[3], subwords__vocabulary_size=160, model__lexicon_copies=0.3)
    data = prepare(config)
    subwords = data.source_subwords
    for links, end in zip(data.augmentation.links, ("oi", "ka"), strict=True):
        assert links.entries
        assert all(entry.target.endswith(end) for entry in links.entries)
    config.directory.mkdir()
    trainer = Trainer(config, data, model=network_of(config, data), precision=Precision.fp32)
    trainer.reporter.close()
    rows = [
        row
        for batch in trainer.batches.epoch(0)
        for row in zip(batch.source.tolist(), batch.target.tolist(), strict=True)
    ]
    tags = Counter()
    for source, target in rows:
        end, other = (("oi", "ka"), ("ka", "oi"))[subwords.language_ids.index(source[0])]
        text = subwords.decode(target).lower()
        assert end in text
        assert other not in text.replace(end, "")
        tags[tuple(i - 4 for i in source[1:] if 4 <= i < 20)] += 1
    assert tags.keys() == {(3,), (13, 3), (14, 3)}
    lexicon, _ = align_text(config, data, size=3)
    size = subwords.vocabulary_size
    symbols = [i + number * size for number in range(2) for i in subwords.language_ids]
    assert not (
        torch.isin(lexicon.targets[symbols], torch.tensor(subwords.language_ids)) & (lexicon.probabilities[symbols] > 0)
    ).any()
    piece = subwords.pieces.index("A")
    for row in (piece, piece + size):
        assert lexicon.probabilities[row][lexicon.targets[row] == piece].max() >= 0.3


def test_auto_looks_at_the_text_of_all_pairs(pairs_config, texts):
    keys = {"corpus.train", "corpus.valid", "corpus.pairs", "trainer.max_updates", "corpus.cache_dir"}
    config = pairs_config(auto=True, trainer__max_updates=1)
    run(config, chosen=keys)
    told = log_of(config)
    counts = [
        len(set(read_pairs(resolve_pair(f"{texts}/train", pair, key="corpus.train")))) for pair in (GUARANI, SHIPIBO)
    ]
    assert "auto: different pairs of es-gn {}, es-shp {}".format(*counts) in told
    assert f"auto: 200 pairs ({sum(counts)} different), about " in told
    assert f"auto: corpus.deduplicate=true: {200 - sum(counts)} pairs stand there before; each counts once" in told
    assert f"es-gn, es-shp: {sum(counts)} training pairs, " in told
    assert "auto: subwords.vocabulary_size=600: " in told
    run(pairs_config(auto=True, trainer__max_updates=1), chosen=keys)
    again = log_of(config).removeprefix(told)
    assert "is finished: trainer.max_updates=1 reached; there is nothing left to train" in again
    assert "auto: " not in again


def test_a_missing_file_names_its_pair_in_one_line(command, texts):
    languages = {"corpus__source": None, "corpus__target": None, "corpus__valid": None}
    finished = command("corpus.pairs=[es-gn,es-aym]", corpus__train=texts / "train", **languages)
    assert finished.mistake.startswith(f"the pair es-aym: corpus.train={texts}/es-aym/train: there is no file ")
    finished = command("corpus.pairs=[es-gn]", corpus__train=texts / "train", corpus__valid=None)
    assert finished.mistake == "corpus.source=en and corpus.pairs both name languages: leave corpus.source out"
    template = f"corpus.train={texts}/{{pair}}/{{source}}.nothing"
    finished = command("corpus.pairs=[es-gn]", template, corpus__train=None, **languages)
    assert f"corpus.train={texts}/es-gn/es.nothing: there is no file " in finished.mistake
