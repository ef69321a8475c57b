"""An untrained model whose sentences end, and lines for it: helpers of the tests of Translator."""

import random

import torch

from nmt.bundle.weights import Bundle
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.model.seq2seq import build_model
from nmt.text.subword_training import train_subwords

TEXT = "a small red house stands near the old river and many green trees grow behind it in spring"


def sentences(count, *, seed=1, longest=12):
    draw = random.Random(seed)
    return [" ".join(draw.choices(TEXT.split(), k=draw.randint(1, longest))).capitalize() + "." for _ in range(count)]


def make_bundle(*, end=3.0, **network):
    """An untrained model whose choices are sharp, so that rounding decides none, and most of whose sentences end."""
    config = ModelConfig(embedding_size=16, encoder_hidden_size=16, decoder_hidden_size=32, **network)
    subwords = train_subwords(sentences(300), kind="unigram", vocabulary_size=80)
    size = subwords.vocabulary_size
    torch.manual_seed(1)
    model = build_model(config, source_vocabulary=size, target_vocabulary=size).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter *= 1.0 if "embedding" in name else 2.0
        model.output_bias[subwords.eos_id] = end
    return Bundle(
        model=model,
        config=config,
        source_subwords=subwords,
        target_subwords=subwords,
        source_language="en",
        target_language="xx",
        search=SearchConfig(beam_size=3, batch_size=8),
    )


def texts(translations):
    return [translation.text for translation in translations]
