"""Bundles of untrained models that tests of several folders share."""

import itertools

import torch

from nmt.bundle.weights import Bundle
from nmt.config.model import ModelConfig
from nmt.config.pairs import parse_pairs
from nmt.config.search import SearchConfig
from nmt.model.seq2seq import build_model
from nmt.text.subword_training import train_subwords


def bundle_of_languages(seed=1, pairs=("es-gn", "es-shp", "gn-es"), **changes):
    """A small bundle of these pairs, with weights by their seed and a lexicon for each target language."""
    pairs = parse_pairs(pairs)
    words = ["a", "small", "red", "house", "stands", "near", "the", "old", "river"]
    lines = [" ".join(order) for order in itertools.permutations(words, 3)]
    languages = ("gn", "shp", "es")
    subwords = train_subwords(lines, kind="unigram", vocabulary_size=80, marks=2, languages=languages)
    sizes = {"embedding_size": 8, "encoder_hidden_size": 6, "decoder_hidden_size": 12, "lexicon_size": 2}
    config = ModelConfig(**(sizes | changes))
    torch.manual_seed(seed)
    count = subwords.vocabulary_size
    model = build_model(
        config, source_vocabulary=count, target_vocabulary=count, languages=subwords.language_ids
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter)
        model.output_bias[subwords.eos_id] = 4.0  # so that translations end
        if model.lexicon is not None:
            targets = torch.randint(subwords.mark_ids.stop, count, (3 * count, 2))
            model.lexicon.fill(targets, torch.rand(targets.shape))
    sources, targets = ([*{pair[side] for pair in pairs}] for side in (0, 1))
    return Bundle(
        model=model,
        config=config,
        source_subwords=subwords,
        target_subwords=subwords,
        source_language=sources[0] if len(sources) == 1 else "",
        target_language=targets[0] if len(targets) == 1 else "",
        pairs=pairs,
        search=SearchConfig(beam_size=3, max_length_ratio=1.0),
    )
