"""The table of auto is in order, possible, and speaks of the presets that there are."""

import importlib.resources
import itertools
from pathlib import Path

import pytest
import yaml

import nmt
from nmt.config.model import ModelConfig
from nmt.config.schema import with_keys
from nmt.config.train import CorpusConfig, TrainConfig
from nmt.model.seq2seq import build_shapes
from nmt.training.auto.table import MODELS, ROWS, rows_for, settings_of

GROUPS = [list(rows) for _, rows in itertools.groupby(ROWS, key=lambda row: row.pairs)]


@pytest.mark.parametrize("name", MODELS)
def test_sizes_are_those_of_the_presets(name):
    preset = yaml.safe_load(importlib.resources.files("nmt.conf").joinpath(f"model/{name}.yaml").read_text("utf-8"))
    assert {key: preset[key] for key in MODELS[name]} == MODELS[name]
    # What else a preset says, the table says in columns of its own.
    assert preset.keys() - MODELS[name].keys() <= {"dropout", "lexicon_size"}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_a_configuration_that_can_be(row):
    config = TrainConfig(corpus=CorpusConfig(train="data/train", source="en", target="de"))
    with_keys(config, settings_of(row)).validate()
    assert row.most_passes >= max(1, row.passes)


def test_rows_are_in_order_and_each_number_of_pairs_ends_with_a_row_for_any_speed():
    assert [row[:2] for row in ROWS] == sorted((row[:2] for row in ROWS), key=lambda key: (key[0], -key[1]))
    assert ROWS[0].pairs == 0
    assert all(rows[-1].passes == 0 for rows in GROUPS)
    assert len({row[:2] for row in ROWS}) == len(ROWS)


def parameters(row):
    config = ModelConfig(**MODELS[row.model])
    model = build_shapes(config, source_vocabulary=row.vocabulary, target_vocabulary=row.vocabulary)
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("rows", GROUPS)
def test_fewer_passes_have_no_larger_model_and_no_more_dropout(rows):
    for more, fewer in itertools.pairwise(rows):
        assert parameters(fewer) <= parameters(more)
        assert fewer.dropout <= more.dropout
        assert fewer.sampling <= more.sampling


def test_more_pairs_have_no_smaller_vocabulary():
    for less, more in itertools.pairwise(GROUPS):
        assert less[0].vocabulary <= more[0].vocabulary
        assert less[0].most_passes >= more[0].most_passes


def test_the_rows_of_a_text_are_those_of_the_largest_number_that_it_reaches():
    numbers = sorted({row.pairs for row in ROWS})
    for pairs in (0, 1, 50, *(number + step for number in numbers for step in (-1, 0, 1) if number), 10**9):
        rows = rows_for(pairs)
        assert {row.pairs for row in rows} == {max(number for number in numbers if number <= pairs)}
        assert [row.passes for row in rows] == sorted((row.passes for row in rows), reverse=True)


def test_the_page_has_the_table():
    """Paste what is expected into docs/training.md where the table has changed."""
    lines = []
    for row in ROWS:
        first = [f"{row.pairs:,}", f"{row.passes:g}", f"{row.vocabulary:,}", row.model, row.lexicon, row.dropout]
        cells = [*first, row.sampling, row.smoothing, f"{row.batch:,}", row.lr, row.warmup, row.most_passes]
        lines.append(f"| {' | '.join(map(str, cells))} |\n")
    expected = "".join(lines)
    page = (Path(nmt.__file__).parents[1] / "docs" / "training.md").read_text(encoding="utf-8")
    assert expected in page, expected


def test_columns_are_all_written_as_keys():
    row = ROWS[0]._replace(
        vocabulary=1, lexicon=2, dropout=0.3, sampling=0.4, smoothing=0.5, batch=6, lr=7.0, warmup=8, model="base"
    )
    settings = settings_of(row)
    sizes = {f"model.{key}": value for key, value in MODELS["base"].items()}
    assert settings == sizes | {
        "subwords.vocabulary_size": 1,
        "model.lexicon_size": 2,
        "model.dropout": 0.3,
        "subwords.sampling_alpha": 0.4,
        "subwords.sampled_sides": "source",
        "trainer.label_smoothing": 0.5,
        "trainer.batch_tokens": 6,
        "optimizer.lr": 7.0,
        "optimizer.warmup_updates": 8,
    }
