"""What a run does with the text that it is given: files of every kind, good and bad."""

import gzip
import os
import random
import shutil
import sys

import pytest
import yaml

from nmt.bundle.loading import load
from nmt.bundle.weights import load_bundle
from nmt.export.variant import export
from nmt.runs.results import read_results
from nmt.text.subword_training import train_subwords
from nmt.translation.translator import Translator


def test_validation_text_is_held_out_where_none_is_named(command, tmp_path):
    finished = command(corpus__valid=None)
    assert finished.code == 0
    bundle = load_bundle(tmp_path / "run" / "best")
    held_out = 240 - bundle.metadata["pairs"]
    assert 1 <= held_out <= 24
    assert f"corpus.valid is empty: {held_out} pairs are held out by hash of the source" in finished.err
    assert f"{bundle.metadata['pairs']} training pairs, {held_out} validation pairs" in finished.err
    again = command("trainer.overwrite=true", corpus__valid=None)
    assert f"corpus.valid is empty: {held_out} pairs" in again.err


def test_the_second_start_reads_the_cache(command, tmp_path):
    first = command(corpus__cache_dir=tmp_path / "cache")
    assert "training unigram subwords on the training text" in first.err
    assert "training text (encoded): 240 pairs kept" in first.err
    second = command(corpus__cache_dir=tmp_path / "cache", run_dir=tmp_path / "second")
    assert "training unigram" not in second.err
    assert "training text (from the cache): 240 pairs kept" in second.err
    weights = [(tmp_path / run / "best" / "model.safetensors").read_bytes() for run in ("run", "second")]
    assert weights[0] == weights[1]


def test_subwords_of_another_script_are_refused(command, tmp_path, corpus):
    model = train_subwords(["αβγ δεζ ηθι κλμ", "νξο πρσ τυφ χψω"] * 20, kind="char", vocabulary_size=60)
    (tmp_path / "greek.model").write_bytes(model.to_bytes())
    message = command(f"subwords.model={tmp_path / 'greek.model'}", subwords__vocabulary_size=None).mistake
    assert message.startswith(f"corpus.train={corpus / 'train'}: ")
    assert "of the source subwords are unknown to the subword model (trainer.max_unknown_rate=0.05)" in message
    assert message.endswith(
        "it was trained on other text: leave subwords.model empty, or set subwords.byte_fallback=true"
    )
    assert not (tmp_path / "run" / "best").exists()


@pytest.mark.parametrize("joint", [True, False])
def test_unknown_subwords_are_not_blamed_on_a_model_that_nobody_gave(command, write_lines, tmp_path, joint):
    draw = random.Random(1)
    common = [chr(0x4E00 + n) for n in range(30)]
    rare = [chr(0x5E00 + n) for n in range(1000)]
    lines = ["".join([*draw.choices(common, k=48), draw.choice(rare)]) for _ in range(200)]
    for side in ("en", "de"):
        write_lines(tmp_path / f"rare.{side}", lines)
    changes = {"corpus__train": tmp_path / "rare", "subwords__vocabulary_size": 100}
    changes |= {"subwords__character_coverage": 0.98, "subwords__joint": joint, "model__tying": "target"}
    changes |= {"trainer__max_unknown_rate": 0.01, "subwords__marks": 0}  # marks would stand for them
    message = command(**changes).mistake
    assert message.startswith(f"corpus.train={tmp_path / 'rare'}: ")
    assert message.endswith(
        "(trainer.max_unknown_rate=0.01); the rarest characters of this text have no place among "
        "subwords.vocabulary_size=100: raise it, or set subwords.byte_fallback=true; check that the files are text in "
        "this language"
    )


def make_broken(folder, kind, write_lines):
    """Write a corpus that cannot be read; return what the message must say."""
    source, target = folder / "text.en", folder / "text.de"
    write_lines(source, ["A dog.", "A cat.", "A cow."])
    write_lines(target, ["Ein Hund.", "Eine Katze.", "Eine Kuh."])
    if kind == "missing":
        target.unlink()
        return f"there is no file {target} (nor {target}.gz); check the path and the languages"
    if kind == "unequal":
        write_lines(target, ["Ein Hund."])
        return f"{source} has 3 lines, {target} has 1 lines; each line needs its counterpart on the same line"
    if kind == "UTF-16":
        target.write_bytes("Ein Hund.\nEine Katze.\nEine Kuh.\n".encode("utf-16-be"))
        return f"{target} is UTF-16 text (big-endian), not UTF-8; convert it with iconv -f UTF-16BE -t UTF-8"
    if kind == "gzip":
        source.write_bytes(gzip.compress(source.read_bytes()))
        return f"{source} is gzip-compressed; unpack it with gunzip, or rename it: called {source}.gz it is read as it"
    if kind == "not UTF-8":
        target.write_bytes("Ein Hund.\nEine Kätzin.\n".encode("latin-1"))
        return f"{target}: line 2 is not UTF-8 (byte 0xe4 at column 7); convert the file, for example with iconv"
    for path in (source, target):
        path.write_bytes(b"")
    return "subwords cannot be trained: the training text has no words; check the corpus files"


@pytest.mark.parametrize("kind", ["missing", "unequal", "not UTF-8", "UTF-16", "gzip", "empty"])
@pytest.mark.parametrize("key", ["train", "valid", "test"])
def test_a_corpus_that_cannot_be_read(write_lines, command, tmp_path, key, kind):
    expected = make_broken(tmp_path, kind, write_lines)
    if kind == "empty" and key != "train":
        expected = f"corpus.{key}={tmp_path / 'text'}: {tmp_path / 'text.en'} is empty; name a corpus with text"
    message = command(**{f"corpus__{key}": tmp_path / "text"}).mistake
    assert expected in message
    if kind in ("missing", "unequal"):
        assert message.startswith(f"corpus.{key}={tmp_path / 'text'}: ")
    assert not (tmp_path / "run" / "best").exists()


def test_tsv_and_gzip_train_as_plain_files_do(write_lines, command, tmp_path, corpus):
    text = {
        (part, side): (corpus / f"{part}.{side}").read_text(encoding="utf-8").splitlines()
        for part in ("train", "valid")
        for side in ("en", "de")
    }
    for part in ("train", "valid"):
        write_lines(tmp_path / f"{part}.tsv", map("\t".join, zip(text[part, "en"], text[part, "de"], strict=True)))
        for side in ("en", "de"):
            with gzip.open(tmp_path / f"{part}.{side}.gz", "wt", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{line}\n" for line in text[part, side])
    weights = []
    for run, suffix in (("plain", None), ("tsv", ".tsv"), ("gzip", "")):
        paths = {f"corpus__{part}": tmp_path / f"{part}{suffix}" for part in ("train", "valid")}
        assert command(run_dir=tmp_path / run, **(paths if suffix is not None else {})).code == 0
        weights.append((tmp_path / run / "last" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] == weights[2]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' paths are Unicode")
def test_a_path_that_is_not_utf8_is_as_good_as_another(command, corpus, tmp_path):
    """Of all that is written some names paths: the state, both bundles, config.yaml, the log."""
    name = os.fsdecode(b"l\xf6c")
    shutil.copytree(corpus, tmp_path / name)
    run_dir, train = tmp_path / "runs" / name, tmp_path / name / "train"
    for _ in range(2):  # the second finds a finished run
        finished = command(run_dir=run_dir, corpus__train=train, corpus__test=tmp_path / name / "test")
        assert finished.code == 0
    bundle = load_bundle(run_dir / "best")
    assert bundle.metadata["corpus"] == str(train)
    assert bundle.metadata["test"].endswith(str(tmp_path / name / "test"))
    assert yaml.safe_load((run_dir / "config.yaml").read_text(encoding="utf-8"))["corpus"]["train"] == str(train)
    assert read_results(run_dir).test_score("bleu") is not None
    export(run_dir / "best", "int8")
    [translation] = Translator(load(run_dir / "best", precision="int8")).translate(["A dog runs."])
    assert translation.hypotheses[0].tokens
    assert command(init_from=run_dir / "best", run_dir=tmp_path / "child").code == 0
