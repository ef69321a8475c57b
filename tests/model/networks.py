"""Whole networks whose choices are sharp, and a batch for them: helpers of the tests of seq2seq."""

import torch

from nmt.config.model import ModelConfig
from nmt.model.seq2seq import build_model

V, PAD, BOS, EOS = 11, 0, 2, 3
SOURCE_LENGTHS, TARGET_LENGTHS = [5, 2, 7], [4, 6, 1]


def config(**changes):
    sizes = {"embedding_size": 6, "encoder_hidden_size": 4, "decoder_hidden_size": 8, "attention_size": 5}
    return ModelConfig(**(sizes | {"dropout": 0.0} | changes))


def build(*, vocabularies=(V, V), **changes):
    """A model in evaluation mode whose weights are large enough to make every choice a sharp one."""
    torch.manual_seed(19)
    model = build_model(config(**changes), source_vocabulary=vocabularies[0], target_vocabulary=vocabularies[1])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.randn_like(parameter) * (1.5 if "embedding" in name or "output" in name else 0.6))
        if model.lexicon is not None:
            targets = torch.rand(vocabularies).argsort(1)[:, : model.lexicon.targets.size(1)]
            model.lexicon.fill(targets, torch.rand(targets.shape) ** 3)
    return model.double().eval()


def batch(*, padding=0):
    """Ids with EOS, (B, S + padding) and (B, T + padding), and their lengths."""
    torch.manual_seed(23)
    rows = []
    for lengths in (SOURCE_LENGTHS, TARGET_LENGTHS):
        ids = torch.full((len(lengths), max(lengths)), PAD)
        for row, length in zip(ids, lengths, strict=True):
            row[:length] = torch.cat((torch.randint(4, V, (length - 1,)), torch.tensor([EOS])))
        ids = torch.cat((ids, torch.full((len(lengths), padding), PAD)), dim=1)
        rows += [ids, torch.tensor(lengths)]
    return rows
