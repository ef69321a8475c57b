"""A tagger: words with their characters → a bidirectional encoder → a CRF over labels (Lample et al. 2016).

Shapes: B sentences, T tokens, H hidden, Y labels.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nmt.model.crf import CRF
from nmt.model.initialization import without_values
from nmt.model.words import WordParts, WordReader, WordSizes, WordTensors, word_parts

if TYPE_CHECKING:
    from nmt.config.model import ModelConfig


class Tagger(WordReader):
    """Scores the labels of each token; nothing that belongs to one sentence is kept on it."""

    def __init__(self, parts: WordParts, *, output: nn.Linear, crf: CRF) -> None:
        """Join the parts."""
        super().__init__(parts)
        self.output, self.crf = output, crf

    def forward(self, words: WordTensors) -> Tensor:
        """Score each label for each token: (B, T, Y)."""
        scores: Tensor = self.output(self.read(words).values)
        return scores

    def log_likelihood(self, words: WordTensors, labels: Tensor) -> Tensor:
        """Compute the log-probability of the labels of each sentence, in nats: labels (B, T) below Y → (B,)."""
        emissions = self(words).float()
        with torch.autocast(emissions.device.type, enabled=False):
            return self.crf.log_likelihood(emissions, labels, words.mask)

    @torch.inference_mode()
    def emissions(self, *words: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Do what `forward` does from arrays to an array, for `nmt.translation.labeller`.

        Raises:
            ValueError: the model is in training mode, where dropout would garble what it says.
        """
        self.require_evaluation()
        scores: npt.NDArray[Any] = self(self.tensors(*words)).float().cpu().numpy()
        return scores

    @property
    def transitions(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """The CRF's scores of transitions and of both ends, as `nmt.search.viterbi.Transitions` has it."""
        between, start, end = (
            part.detach().float().cpu().numpy() for part in (self.crf.transitions, self.crf.start, self.crf.end)
        )
        return between, start, end


def build_tagger(config: "ModelConfig", sizes: WordSizes) -> Tagger:
    """Build the tagger that the configuration describes, with its first weights."""
    model = _build(config, sizes)
    model.begin(config)
    return model


def build_tagger_shapes(config: "ModelConfig", sizes: WordSizes) -> Tagger:
    """Build the tagger as `build_tagger` does, its parameters without values, and without memory for them."""
    with without_values():
        return _build(config, sizes)


def _build(config: "ModelConfig", sizes: WordSizes) -> Tagger:
    parts = word_parts(config, sizes)
    return Tagger(parts, output=nn.Linear(2 * config.encoder_hidden_size, sizes.labels), crf=CRF(sizes.labels))
