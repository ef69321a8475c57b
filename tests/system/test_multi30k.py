import json
import os
from pathlib import Path

import pytest

from nmt.config.train import CorpusConfig, SubwordsConfig, TrainConfig
from nmt.corpus.batches import BatchSource
from nmt.training.data import prepare
from nmt.training.state import load_state

MULTI30K = Path(os.environ.get("NMT_CORPORA", "corpora")) / "multi30k"
pytestmark = pytest.mark.skipif(
    "NMT_CORPORA" not in os.environ or not (MULTI30K / "train.en").exists(),
    reason="$NMT_CORPORA names no directory with multi30k/train.en; fetch it with nmt corpus fetch multi30k",
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_a_short_training_on_real_captions(nmt_train, cache, tmp_path):
    finished = nmt_train(
        *("experiment=multi30k_en_de", "run_dir=run", "model=tiny", f"corpus.cache_dir={cache}"),
        *("subwords.vocabulary_size=2000", "subwords.sampling_alpha=0", "trainer.threads=1"),
        *("trainer.max_updates=12", "trainer.validate_every=12", "trainer.log_every=12", "corpus.test="),
        *("search.max_length_ratio=0.1", "trainer.precision=fp32"),
    )
    assert finished.code == 0, finished.err
    assert "training text (encoded): 28,999 pairs kept" in finished.err
    assert "1,014 validation pairs" in finished.err
    assert "update 12, epoch 0, " in finished.err
    position = load_state(tmp_path / "run" / "state.pt").position
    assert (position.update, position.last_validation) == (12, 12)
    assert position.best_score >= 0
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    reported = [line for line in lines if line["kind"] == "train"]
    assert len(reported) == 1
    assert 0 < reported[0]["source_padding"] < 0.05
    assert 0 < reported[0]["target_padding"] < 0.05


def test_little_of_a_batch_is_padding(cache):
    config = TrainConfig(
        corpus=CorpusConfig(
            train=str(MULTI30K / "train"),
            valid=str(MULTI30K / "val"),
            source="en",
            target="de",
            cache_dir=str(cache),
        ),
        subwords=SubwordsConfig(vocabulary_size=2000),
    )
    data = prepare(config)
    batches = BatchSource(
        data.corpus,
        source_subwords=data.source_subwords,
        target_subwords=data.target_subwords,
        batch_tokens=2000,
        seed=1,
        prefetch=0,
    )
    epoch = list(batches.epoch(0))
    for side in ("source", "target"):
        real = sum(int(getattr(batch, f"{side}_lengths").sum()) for batch in epoch)
        positions = sum(getattr(batch, side).numel() for batch in epoch)
        assert positions > 400_000
        assert 1 - real / positions < 0.05
