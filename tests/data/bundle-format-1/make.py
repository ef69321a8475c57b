"""How the bundles beside this file were made, once, with the nmt that wrote bundle format 1: python make.py

Their weights follow a formula, so their translations mean nothing; but they are always the same.
"""

from dataclasses import replace
from pathlib import Path

import torch

from nmt.bundle.weights import Bundle, load_bundle, save_bundle
from nmt.config.choices import AttentionKind, Cell, Tying
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.model.seq2seq import build_model
from nmt.text.subword_training import train_subwords
from nmt.translation.translator import Translator

HERE = Path(__file__).parent
DEMO = HERE.parents[2] / "corpora" / "demo"
SIZES = {"embedding_size": 12, "encoder_hidden_size": 8, "decoder_hidden_size": 16, "attention_size": 10}
MODELS = {
    "lstm": ModelConfig(**SIZES, encoder_layers=2),
    "gru": ModelConfig(
        **SIZES,
        cell=Cell.gru,
        decoder_layers=3,
        attention=AttentionKind.additive,
        attentional_size=14,
        input_feeding=True,
        tying=Tying.none,
    ),
}


# Of embeddings and output, of all else, and what is added to the end's bias, so that outputs are of many lengths.
SCALES = {"lstm": (0.7, 0.9, 1.0), "gru": (0.5, 0.7, 2.0)}


def fill(model, eos_id, *, scales):
    """Set weight i of all to a multiple of sin(i²), which looks random and is the same everywhere."""
    outside, inside, end = scales
    count = 0
    for name, parameter in sorted(model.named_parameters()):
        places = torch.arange(count, count + parameter.numel(), dtype=torch.float64)
        scale = outside if "embedding" in name or "output" in name else inside
        parameter.data = (scale * torch.sin(places**2)).view_as(parameter).float()
        count += parameter.numel()
    with torch.no_grad():
        model.output_parameters()[1][eos_id] += end


def make(name, config, texts):
    """Make one bundle and its expected translations: source, beam of 4 and greedy, in columns of a file."""
    joint = config.tying is Tying.all
    source = train_subwords(texts["en"] + texts["de"] * joint, kind="unigram" if joint else "bpe", vocabulary_size=120)
    target = source if joint else train_subwords(texts["de"], kind="unigram", vocabulary_size=110)
    model = build_model(config, source_vocabulary=source.vocabulary_size, target_vocabulary=target.vocabulary_size)
    fill(model, target.eos_id, scales=SCALES[name])
    bundle = Bundle(
        model=model.eval(),
        config=config,
        source_subwords=source,
        target_subwords=target,
        source_language="en",
        target_language="de",
        search=SearchConfig(beam_size=4, max_length_ratio=1.0),
        metadata={"updates": 0, "made_by": "tests/data/bundle-format-1/make.py"},
    )
    save_bundle(bundle, HERE / name)
    candidates = [*texts["en"][:40], "", "Ein Satz mit ß, 漢字 & unknown ☃ letters!"]
    expected = translate(load_bundle(HERE / name), candidates)
    steady = set(range(len(candidates)))
    for seed in range(20):
        shaken = translate(shake(load_bundle(HERE / name), seed), candidates)
        steady &= {i for i, row in enumerate(expected) if shaken[i] == row}
    rows = [(candidates[i], *expected[i]) for i in sorted(steady)[-14:]]
    (HERE / f"{name}.tsv").write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8", newline="\n")


def translate(bundle, sources):
    """Translate with the bundle's own search, and greedily."""
    searches = (bundle.search, replace(bundle.search, beam_size=1))
    columns = [[found.text for found in Translator(bundle, search=search).translate(sources)] for search in searches]
    return list(zip(*columns, strict=True))


def shake(bundle, seed):
    """Change every weight by some 3e-5 of itself: what that changes would differ between machines one day."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in bundle.model.parameters():
            parameter *= 1 + 3e-5 * torch.randn_like(parameter)
    return bundle


if __name__ == "__main__":
    demo = {side: (DEMO / f"valid.{side}").read_text(encoding="utf-8").splitlines()[:300] for side in ("en", "de")}
    for key, value in MODELS.items():
        make(key, value, demo)
