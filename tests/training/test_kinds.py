"""Training text in two spellings: what is written otherwise than the validation text bears a control symbol."""

import random
import shutil

import pytest

from nmt.bundle.loading import load
from nmt.config.choices import Schedule
from nmt.config.corpus import UNLIKE_TAG
from nmt.config.pairs import LanguagePair
from nmt.corpus.batches import BatchSource
from nmt.errors import ConfigError
from nmt.training.data import prepare
from nmt.training.run import run
from nmt.translation.translator import Translator

WORDS = ("perro", "casa", "rojo", "viejo", "grande", "camina", "duerme", "cerca", "agua", "sol")
OLD = str.maketrans({"k": "qu", "w": "hu", "s": "z"})
"""An older spelling."""


def translated(line):
    return " ".join(f"{word[::-1].replace('o', 'k').replace('a', 'w')}s" for word in line.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_lines):
    """Training text of which a half is in the older spelling, and a dev text that is not."""
    folder, draw = tmp_path_factory.mktemp("kinds"), random.Random(1)
    for part, size in (("train", 400), ("dev", 120)):
        lines = [" ".join(draw.choices(WORDS, k=draw.randint(2, 5))) for _ in range(size)]
        targets = list(map(translated, lines))
        if part == "train":
            targets = [target if number < 200 else target.translate(OLD) for number, target in enumerate(targets)]
        write_lines(folder / f"{part}.es", lines)
        write_lines(folder / f"{part}.xx", targets)
    return folder


@pytest.fixture
def kinds_config(make_config, folder):
    def make(run_dir="run", **changes):
        texts = {"train": f"{folder}/train", "valid": f"{folder}/dev", "source": "es", "target": "xx"}
        own = {f"corpus__{key}": value for key, value in texts.items()} | {"corpus__tag_unlike": True}
        own |= {"subwords__vocabulary_size": 110, "model__lexicon_size": 3, "corpus__deduplicate": True}
        return make_config(run_dir, **own | changes)

    return make


def test_the_symbol_stands_before_what_is_spelt_otherwise(kinds_config, caplog):
    data = prepare(kinds_config())
    [part] = data.corpus.parts
    assert part.marked.tolist() == [line >= 200 for line in part.corpus.lines.tolist()]
    assert part.mark == data.source_subwords.tag_prefix(UNLIKE_TAG)
    stream = BatchSource(data.corpus, data.source_subwords, data.target_subwords, batch_tokens=400, seed=1)
    for batch in stream.epoch(0):
        old = [data.target_subwords.decode(row.tolist()).find("z") >= 0 for row in batch.target]
        assert [row[0] == part.mark[0] for row in batch.source.tolist()] == old


def test_text_of_one_spelling_bears_none(kinds_config, make_config, folder, tmp_path, write_lines):
    for side in ("es", "xx"):
        lines = (folder / f"train.{side}").read_text(encoding="utf-8").splitlines()
        write_lines(tmp_path / f"new.{side}", lines[:200])
    data = prepare(kinds_config(corpus__train=str(tmp_path / "new")))
    assert [part.marked for part in data.corpus.parts] == [None]


def test_a_model_writes_as_the_validation_text_does_and_otherwise_when_asked(kinds_config, train, tmp_path):
    best = train(kinds_config(trainer__max_updates=240, trainer__validate_every=240, model__dropout=0.0)) / "best"
    bundle = load(best)
    lines = ["casa grande", "perro viejo duerme", "sol cerca agua"]
    new = [each.text for each in Translator(bundle).translate(lines)]
    bundle.search.source_tag = UNLIKE_TAG
    old = [each.text for each in Translator(bundle).translate(lines)]
    assert not any("z" in text for text in new)
    assert all("z" in text for text in old)


def test_each_language_pair_has_its_own_kinds(kinds_config, folder, tmp_path, write_lines):
    for pair, target in (("es-xx", "xx"), ("es-yy", "yy")):
        (tmp_path / pair).mkdir()
        for part in ("train", "dev"):
            for side in ("es", target):
                lines = (folder / f"{part}.{side.replace('yy', 'xx')}").read_text(encoding="utf-8").splitlines()
                write_lines(tmp_path / pair / f"{part}.{side}", lines[:200])  # of yy one spelling
        if target == "xx":
            for side in ("es", "xx"):
                shutil.copy(folder / f"train.{side}", tmp_path / pair)
    config = kinds_config(
        corpus__train=f"{tmp_path}/train",
        corpus__valid=f"{tmp_path}/dev",
        corpus__pairs=["es-xx", "es-yy"],
        corpus__source="",
        corpus__target="",
    )
    data = prepare(config)
    marked = {text.pair: part.marked for text, part in zip(data.texts, data.corpus.parts, strict=True)}
    assert marked[LanguagePair("es", "yy")] is None
    assert marked[LanguagePair("es", "xx")].sum() > 100


def test_a_run_that_goes_on_is_refused_other_validation_text(kinds_config, folder, tmp_path, write_lines):
    settings = {"corpus__valid": str(tmp_path / "dev"), "optimizer__schedule": Schedule.inverse_sqrt}
    for lines, updates in ((120, 4), (110, 8)):
        for side in ("es", "xx"):
            text = (folder / f"dev.{side}").read_text(encoding="utf-8").splitlines()
            write_lines(tmp_path / f"dev.{side}", text[:lines])
        config = kinds_config(trainer__max_updates=updates, **settings)
        if updates == 4:
            run(config)
    with pytest.raises(ConfigError, match="were chosen on other text than"):
        run(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corpus__tags": [11]}, "corpus.tags has 11, the control symbol of corpus.tag_unlike; choose another tag"),
        ({"corpus__valid": ""}, "corpus.tag_unlike=true compares with a validation text: name it in corpus.valid"),
    ],
)
def test_what_is_at_odds_with_it_is_refused(kinds_config, changes, message):
    with pytest.raises(ConfigError) as error:
        kinds_config(**changes).validate()
    assert message in str(error.value)
