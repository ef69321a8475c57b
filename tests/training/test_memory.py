"""What would not fit memory is refused before anything is made, with the estimate beside what there is."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

import nmt
from nmt.config.model import ModelConfig
from nmt.config.schema import from_dict
from nmt.config.train import TrainConfig
from nmt.errors import ConfigError
from nmt.model.seq2seq import build_model
from nmt.training.data import prepare
from nmt.training.memory import Estimate, estimate, require_memory

GB = 10**9
CPU = torch.device("cpu")
IDLE = 200e6
"""What Python and PyTorch take before anything is made, at the least."""


@pytest.fixture
def refusal(monkeypatch):
    """A function that compares an estimate with so much free memory, and returns what it says."""

    def check(needed, config=None, *, free, processes=1):
        monkeypatch.setattr("nmt.training.memory.free_memory", lambda device: free)
        try:
            require_memory(needed, config or TrainConfig(), CPU, processes=processes)
        except ConfigError as error:
            return str(error)
        return ""

    return check


@pytest.mark.parametrize(
    ("largest", "advice"),
    [
        ({"model": 5 * GB}, "5.0 GB are for 1,000 parameters; make the model smaller, as with model=small"),
        (
            {"batch": 4 * GB},
            "4.0 GB are for trainer.batch_tokens=2000; lower it or corpus.max_source_tokens, or raise "
            "trainer.accumulation",
        ),
        ({"lexicon": 3 * GB}, "3.0 GB are for model.lexicon_size=0; lower it"),
    ],
)
def test_the_largest_part_is_named(refusal, largest, advice):
    needed = Estimate(**({"parameters": 1000, "model": GB, "batch": GB, "lexicon": GB} | largest))
    total = f"{needed.total / GB:.1f} GB"
    assert refusal(needed, free=2 * GB) == (
        f"this training needs at least {total} of memory, and 2.0 GB are free on cpu: {advice}"
    )
    assert refusal(needed, free=needed.total) == ""
    assert refusal(needed, free=None) == ""
    several = refusal(needed, free=needed.total, processes=2)
    assert several.startswith(f"this training needs at least {total} of memory in each of 2 processes, and")


def test_what_a_model_needs_is_what_is_counted_in_it(make_config):
    config = make_config()
    config.model.lexicon_size = 7
    data = prepare(config)
    model = build_model(config.model, source_vocabulary=160, target_vocabulary=160)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    found = estimate(config, data)
    assert found.parameters == parameters
    assert found.model == parameters * 4 * 5
    assert found.lexicon == 160 * 7 * 8 * 11


def test_a_batch_is_no_larger_than_the_text_and_a_part_no_smaller_than_its_longest_pair(make_config):
    config = make_config()
    data = prepare(config)
    corpus = data.corpus
    sides = [side for part in corpus.parts for side in (part.corpus.source, part.corpus.target)]
    positions = max(len(side.ids) + len(corpus) for side in sides)
    rows = [[len(side.row(i)) + 1 for i in range(len(corpus))] for side in sides]
    attended = max(source * target for source, target in zip(*rows, strict=True))

    def batch(tokens, accumulation=1, processes=1):
        config.trainer.batch_tokens, config.trainer.accumulation = tokens, accumulation
        found = estimate(config, data, processes=processes).batch
        return found // 4 - attended

    one = batch(1000) / 1000
    assert batch(500) == 500 * one
    assert batch(1000, accumulation=2) == batch(1000, processes=2) == 500 * one
    assert batch(100_000_000) == positions * one
    assert batch(1) == batch(1000, accumulation=1000) == max(map(max, rows)) * one


PEAK = """
import resource, sys
from nmt.cli.hydra.train import main
code = main(sys.argv[1:])
print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit elsewhere")
@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["model.embedding_size=256", "model.decoder_hidden_size=1536", "trainer.batch_tokens=200"], "model"),
        (["model.encoder_hidden_size=256", "model.encoder_layers=4", "trainer.batch_tokens=6000"], "batch"),
    ],
)
def test_a_training_takes_more_than_the_estimate(make_config, corpus, cache, tmp_path, words, part):
    """Otherwise it would refuse what fits."""
    settings = [f"corpus.train={corpus / 'train'}", f"corpus.valid={corpus / 'valid'}", f"corpus.cache_dir={cache}"]
    settings += ["corpus.source=en", "corpus.target=de", "subwords.vocabulary_size=160", "subwords.sampling_alpha=0"]
    settings += ["trainer.threads=1", "trainer.precision=fp32", "trainer.max_updates=2", "model.lexicon_size=0"]
    settings += ["search.max_length_ratio=0.1"]  # what was hardly trained translates as long as it may
    settings += ["auto=false"]
    environment = os.environ | {"PYTHONPATH": str(Path(nmt.__file__).parent.parent)}
    command = [sys.executable, "-c", PEAK, *settings, *words]
    finished = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=200, check=True
    )
    code, peak = map(int, finished.stdout.split())
    assert code == 0, finished.stderr
    config = make_config(subwords__sampling_alpha=0.0)
    used = yaml.safe_load((tmp_path / "runs" / "run" / "config.yaml").read_text(encoding="utf-8"))
    config.model = from_dict(ModelConfig, used["model"])
    config.trainer.batch_tokens = used["trainer"]["batch_tokens"]
    needed = estimate(config, prepare(config))
    assert max(needed.model, needed.batch) == getattr(needed, part)
    assert 60e6 < needed.total < 1024 * peak - IDLE


def test_a_model_that_does_not_fit_costs_an_earlier_run_nothing(command, contents, tmp_path):
    command()
    before = contents(tmp_path / "run")
    wide = {"model__embedding_size": 65536, "model__decoder_hidden_size": 65536}
    for again in (False, True):
        words = ["trainer.overwrite=true"] if again else ["run_dir=other"]
        message = command(*words, **wide, **({} if again else {"run_dir": None})).mistake
        pattern = r"this training needs at least [\d,]+\.\d GB of memory, and [\d,]+\.\d GB are free on cpu: "
        assert re.match(pattern + r"[\d,]+\.\d GB are for [\d,]+ parameters; make the model smaller", message)
        assert contents(tmp_path / "run") == before
    assert not (tmp_path / "other").exists()
