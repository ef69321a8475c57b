"""Two tasks that need memory: symbols to be repeated after a pause, and two marked numbers to be added.

Sequences are drawn here, so every one is exact. N is how far back memory must reach.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Sequences(NamedTuple):
    """What a model reads and what it is asked for; R last positions are asked."""

    inputs: Tensor
    """(B, T, I)"""
    targets: Tensor
    """(B, R)"""


class MemoryTask(ABC):
    """A task; sizes are those of a position."""

    name: ClassVar[str]
    input_size: ClassVar[int]
    """I: features of a position"""
    output_size: ClassVar[int]
    """numbers that a model answers with"""
    asked: ClassVar[int]
    """R: how many last positions are asked"""
    without_memory: ClassVar[str]
    """what a model without memory reaches, for the reader"""

    @abstractmethod
    def draw(self, distance: int, count: int, generator: torch.Generator) -> Sequences:
        """Draw B = `count` sequences of this N."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Compute each sequence's own loss: outputs (B, R, ·), targets (B, R) → (B,)."""

    @abstractmethod
    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Tell which answers are right: outputs (B, R, ·), targets (B, R) → (B, R) bool."""


class Copy(MemoryTask):
    """Repeat the first symbols after N blanks (Hochreiter & Schmidhuber 1997, section 5.2; Arjovsky et al. 2016).

    A sequence is three symbols, N blanks, a mark that asks for the answer, and a blank for each further answer. Each
    symbol is asked N + 3 positions after it was read. Inputs are one-hot: the symbols, the blank, the mark. The loss is
    the mean cross-entropy of the answers in nats.
    """

    name = "copy"
    symbols: ClassVar[int] = 8
    """how many there are to choose from"""
    asked = 3
    input_size = symbols + 2
    output_size = symbols
    without_memory = "an eighth of the symbols right"

    def draw(self, distance: int, count: int, generator: torch.Generator) -> Sequences:
        """See `MemoryTask`."""
        blank, mark = self.symbols, self.symbols + 1
        targets = torch.randint(self.symbols, (count, self.asked), generator=generator)
        read = torch.full((count, self.asked + distance + self.asked), blank)
        read[:, : self.asked] = targets
        read[:, -self.asked] = mark
        return Sequences(F.one_hot(read, self.input_size).float(), targets)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `MemoryTask`."""
        return F.cross_entropy(outputs.transpose(1, 2), targets, reduction="none").mean(1)

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `MemoryTask`."""
        return outputs.argmax(-1) == targets


class Adding(MemoryTask):
    """Add the two marked ones of N numbers (Hochreiter & Schmidhuber 1997, section 5.4).

    Numbers are uniform in [0, 1). One of the first tenth is marked, and another of the first half. So one must be kept
    over N / 2 positions or more, and one over nearly N. The loss is the squared error. The paper calls an error below
    0.04 correct, where targets range over 1. Here they range over 2, so it is 0.08. N is 4 or more.
    """

    name = "adding"
    tolerance: ClassVar[float] = 0.08
    asked = 1
    input_size = 2
    output_size = 1
    without_memory = "15 % within the tolerance"

    def draw(self, distance: int, count: int, generator: torch.Generator) -> Sequences:
        """See `MemoryTask`."""
        numbers = torch.rand(count, distance, generator=generator)
        tenth = max(1, distance // 10)
        first = torch.randint(tenth, (count, 1), generator=generator)
        # One of the others of the first half: those from the first mark on move up by one.
        second = torch.randint(distance // 2 - 1, (count, 1), generator=generator)
        second = second + (second >= first).to(second.dtype)
        marked = torch.zeros(count, distance).scatter(1, torch.cat((first, second), dim=1), 1.0)
        return Sequences(torch.stack((numbers, marked), dim=-1), (numbers * marked).sum(1, keepdim=True))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `MemoryTask`."""
        return (outputs.squeeze(-1) - targets).square().mean(1)

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `MemoryTask`."""
        return (outputs.squeeze(-1) - targets).abs() < self.tolerance


TASKS: dict[str, MemoryTask] = {task.name: task for task in (Copy(), Adding())}
