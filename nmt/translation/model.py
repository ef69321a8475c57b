"""What a translator needs to know of a trained model, whatever computes it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from nmt.config.search import SearchConfig
from nmt.search.interface import Array, StepModel
from nmt.text.subwords import SubwordModel

if TYPE_CHECKING:
    import torch


class Translating(Protocol):
    """What a Translator needs to know of a trained model: a `Bundle` is one, and what `nmt.bundle.loading` loads."""

    @property
    def model(self) -> StepModel:
        """A step model, in evaluation mode."""

    @property
    def source_subwords(self) -> SubwordModel:
        """The subwords that the model reads."""

    @property
    def target_subwords(self) -> SubwordModel:
        """The subwords that it writes."""

    @property
    def target_language(self) -> str:
        """What it translates into."""

    @property
    def search(self) -> SearchConfig:
        """How to search unless the caller says otherwise."""


def arrays_for(device: "torch.device | None") -> Callable[[npt.NDArray[Any]], Array]:
    """Choose how arrays reach a model: as tensors on its device, or as they are if it has none."""
    if device is None:
        return lambda array: array
    import torch

    return lambda array: torch.from_numpy(array).to(device)
