"""A linear-chain conditional random field over the labels of a sentence (Lafferty, McCallum & Pereira 2001).

The score of labels y of a sentence x with T tokens is

    s(x, y) = start[y_1] + Σ_t emission[t, y_t] + Σ_t transition[y_(t-1), y_t] + end[y_T]

and log p(y | x) = s(x, y) - log Σ_y' exp s(x, y'). The sum runs over all Y^T sequences. The forward algorithm computes
it in T steps. The best sequence is found by `nmt.search.viterbi`, which needs no PyTorch.

Shapes: B sentences, T tokens, Y labels.
"""

import torch
from torch import Tensor, nn


class CRF(nn.Module):
    """Scores of labels that follow each other."""

    def __init__(self, labels: int) -> None:
        """Make a layer for so many labels; all its scores begin at zero."""
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(labels, labels))
        """(Y, Y), from the label before to the label after"""
        self.start = nn.Parameter(torch.zeros(labels))
        self.end = nn.Parameter(torch.zeros(labels))

    def log_likelihood(self, emissions: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
        """Compute log p(labels | sentence), in nats: (B,).

        Args:
            emissions: (B, T, Y) score of each label for each token.
            labels: (B, T) ids below Y; what stands at padding does not count.
            mask: (B, T), True at real tokens, which come first; each sentence has one at least.
        """
        return self.score(emissions, labels, mask) - self.log_partition(emissions, mask)

    def score(self, emissions: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
        """Add up the scores of one sequence of labels for each sentence: (B,); arguments as for `log_likelihood`."""
        chosen = emissions.gather(2, labels.unsqueeze(2)).squeeze(2)  # (B, T)
        moves = self.transitions[labels[:, :-1], labels[:, 1:]]  # (B, T - 1)
        last = labels.gather(1, mask.sum(1, keepdim=True) - 1).squeeze(1)  # (B,)
        inside = (chosen * mask).sum(1) + (moves * mask[:, 1:]).sum(1)
        return self.start[labels[:, 0]] + inside + self.end[last]

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Compute log Z, the logarithm of the sum over all sequences of exp of their scores: (B,).

        The forward algorithm in log space: α_t[y] sums over all sequences of t labels that end with y.
        """
        alpha = self.start + emissions[:, 0]  # (B, Y)
        for t in range(1, emissions.size(1)):
            # (B, Y, 1) + (Y, Y) = (B, Y, Y), summed over the label before
            following = torch.logsumexp(alpha.unsqueeze(2) + self.transitions, dim=1) + emissions[:, t]
            alpha = torch.where(mask[:, t].unsqueeze(1), following, alpha)
        return torch.logsumexp(alpha + self.end, dim=1)
