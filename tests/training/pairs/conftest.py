"""Texts of two language pairs, word by word, and configurations of trainings on them."""

import random

import pytest

from nmt.bundle.networks import build_network
from nmt.config.pairs import LanguagePair

WORDS = ("perro", "casa", "rojo", "viejo", "grande", "camina", "duerme", "cerca", "agua", "sol")
GUARANI, SHIPIBO, BACK = LanguagePair("es", "gn"), LanguagePair("es", "shp"), LanguagePair("gn", "es")


def translated(line, target):
    """Word by word: every language has words of its own."""
    return " ".join(f"{word[::-1]}{'oi' if target == 'gn' else 'ka'}" for word in line.split())


def network_of(config, data):
    return build_network(config.task, config.model, data.source_subwords, data.target_subwords)


def log_of(config):
    return (config.directory / "train.log").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def texts(tmp_path_factory, write_lines):
    folder = tmp_path_factory.mktemp("pairs")
    draw = random.Random(1)
    for pair, count in ((GUARANI, 160), (SHIPIBO, 40)):
        (folder / str(pair)).mkdir()
        for part, size in (("train", count), ("dev", 6)):
            lines = [" ".join(draw.choices(WORDS, k=draw.randint(2, 5))) for _ in range(size)]
            write_lines(folder / str(pair) / f"{part}.es", lines)
            write_lines(folder / str(pair) / f"{part}.{pair.target}", [translated(each, pair.target) for each in lines])
    return folder


@pytest.fixture
def pairs_config(make_config, texts):
    def make(run_dir="run", **changes):
        settings = {
            "corpus__train": f"{texts}/train",
            "corpus__valid": f"{texts}/dev",
            "corpus__pairs": ["es-gn", "es-shp"],
            "corpus__source": "",
            "corpus__target": "",
            "auto": False,
            "trainer__max_updates": 12,
            "trainer__validate_every": 6,
            "subwords__vocabulary_size": 110,
            "model__lexicon_size": 3,
        }
        return make_config(run_dir, **(settings | changes))

    return make
