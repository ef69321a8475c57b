"""measure_auto.py: rows are made once, texts are shortened, the table puts the best first."""

import json
from pathlib import Path

import pytest

import corpora as texts

DEMO = Path(texts.__file__).parent / "demo"


@pytest.fixture
def tool(load_tool):
    return load_tool("measure_auto")


def test_a_row_is_a_whole_training_and_is_made_once(tool, tmp_path, monkeypatch):
    corpora = tmp_path / "corpora"
    corpora.mkdir()
    for side in ("en", "de"):
        lines = (DEMO / f"train.{side}").read_text(encoding="utf-8").splitlines(keepends=True)
        for name, part in (("train", lines[:120]), ("valid", lines[120:126])):
            (corpora / f"{name}.{side}").write_text("".join(part), encoding="utf-8", newline="\n")
    monkeypatch.setenv("NMT_CORPORA", str(corpora))
    monkeypatch.setitem(tool.TEXTS, "2k", tool.Text("train", "valid", "en", "de", 100))
    small = ["model.embedding_size=16", "model.encoder_hidden_size=16", "model.decoder_hidden_size=32"]
    small += ["model.attentional_size=32", "trainer.max_updates=6", "trainer.validate_every=3"]
    small += [f"corpus.cache_dir={tmp_path / 'cache'}", "trainer.precision=fp32"]
    monkeypatch.setitem(tool.VARIANTS, "bpe", small)
    kept = tmp_path / "kept.jsonl"
    words = ["train", "--texts", "2k", "--variants", "bpe", "--runs", str(tmp_path / "runs"), "--kept", str(kept)]
    assert tool.main(words) == 0
    [row] = map(json.loads, kept.read_text(encoding="utf-8").splitlines())
    assert (row["text"], row["variant"], row["seed"], row["updates"]) == ("2k", "bpe", 1, 6)
    assert row["update"] in (3, 6)
    assert len(row["searches"]) == 5
    assert next(iter(row["searches"])) == "beam 5"
    assert (tmp_path / "runs/train-100.de").read_text(encoding="utf-8").count("\n") == 100
    before = kept.read_bytes()
    assert tool.main(words) == 0
    assert kept.read_bytes() == before
    monkeypatch.delenv("NMT_CORPORA")
    assert tool.main([*words, "--seeds", "2"]) == 2


def test_the_table_has_means_of_seeds_and_the_best_first(tool):
    def row(variant, seed, chrf, **searches):
        key = {"text": "4k", "variant": variant, "seed": seed, "minutes": 5.0, "threads": 1}
        return key | {"chrf": chrf, "bleu": 1.0, "epochs": 8, "searches": searches}

    rows = [row("auto", 1, 20.0, beam=21.0, mbr=25.0), row("auto", 2, 21.0, beam=20.5, mbr=24.0), row("bpe", 1, 22.0)]
    assert tool.table(rows).splitlines()[2:] == [
        "| 4k | 5 of 1 | bpe | 1 | 22.00 | 1.00 | 22.00 | 8 |",
        "| 4k | 5 of 1 | auto | 2 | 20.50 | 1.00 | 24.50 | 8 |",
    ]


def test_every_variant_has_keys_that_there_are(tool, load_tool):
    training = load_tool("benchmark_training")
    # Of several values of a key the last counts, so that all can be composed at once.
    words = [word for settings in tool.VARIANTS.values() for word in settings]
    base = ["corpus.train=x", "corpus.valid=y", "corpus.source=en", "corpus.target=de", "model.lexicon_size=20"]
    config = training.configuration(training.compose([*words, *base, "subwords.sampling_alpha=0"]))
    assert (config.subwords.kind, config.objective.kind, config.model.lexicon_copies) == ("bpe", "cutoff", 0.5)
