"""The configuration of nmt-train: its groups, and the checks that concern several of them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from nmt.config.choices import Tying
from nmt.config.corpus import CorpusConfig
from nmt.config.model import ModelConfig
from nmt.config.schema import check_ranges, within
from nmt.config.search import SearchConfig
from nmt.config.subwords import SubwordsConfig
from nmt.config.trainer import OptimizerConfig, TrainerConfig
from nmt.errors import ConfigError, require


class Removed(NamedTuple):
    """A key that an earlier nmt had."""

    harmless: Any
    """the value that had no effect: a run that had it resumes"""
    advice: str
    """what replaced it, and what to do"""


REMOVED = {
    "trainer.sampled_words": Removed(0, "sampled softmax was given up, and the loss looks at all words; leave it out"),
}


@dataclass
class TrainConfig:
    """Everything nmt-train needs."""

    name: str = "run"
    """name of the run"""
    run_dir: str = "runs/${name}"
    """directory of the run: best/ and last/ (bundles), train.log, metrics.jsonl, state.pt, config.yaml"""
    seed: int = field(default=1, metadata=within(0, 2**63 - 1))
    """seed of initial weights, batches, dropout and subword sampling"""
    init_from: str = ""
    """a bundle whose weights, subwords and model settings training starts from; empty: from scratch"""
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    subwords: SubwordsConfig = field(default_factory=SubwordsConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    search: SearchConfig = field(default_factory=SearchConfig)

    @property
    def directory(self) -> Path:
        """The directory that ``run_dir`` names."""
        return Path(self.run_dir).expanduser()

    def validate(self) -> None:
        """Raise ConfigError for the first key, in any group, that is missing, impossible or at odds with another."""
        for group in (self.corpus, self.subwords, self.model, self.optimizer, self.trainer, self.search):
            group.validate()
        check_ranges(self)
        require(bool(self.run_dir), "run_dir", "''", "a directory")
        one_model = self.subwords.joint if not self.subwords.source_model else False
        if self.model.tying is Tying.all and not (one_model or self.subwords.model):
            raise ConfigError(
                "model.tying=all needs one subword model for both sides: use subwords.joint=true, or model.tying=target"
            )
