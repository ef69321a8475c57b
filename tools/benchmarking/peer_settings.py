"""The peers' configurations for the text, sizes and batches of one of ours.

Text goes to them as the numbers of our subwords, so that all toolkits train on the same positions. Peers feed the
attentional vector back, as is usual for them. OpenNMT-py's decoder starts with the encoder's last states; JoeyNMT has a
bridge as we do. Neither ties matrices here: their attentional vectors are as wide as the decoder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from nmt.config.train import TrainConfig
from nmt.errors import ConfigError
from nmt.training.data import TrainingData

_FIRST_OWN = 4
"""Ids below are pad, unk, bos and eos, for which every toolkit has its own."""
_NEVER = 1_000_000
_SIDES = ("source", "target")


def write_text(data: TrainingData, folder: Path) -> None:
    """Write train.source, train.target, valid.source, valid.target and the vocabularies below a folder.

    The training text is that of one epoch, its best segmentation; sampling is not asked of the peers.
    """
    corpus = data.corpus
    chosen = corpus.choose(np.arange(corpus.pairs(0)), seed=1, epoch=0)
    models = {"source": data.source_subwords, "target": data.target_subwords}
    for side in _SIDES:
        _write(folder / f"train.{side}", (map(str, row.tolist()) for row in corpus.ids(chosen, side)))
        valid = models[side].encode_batch(getattr(data.valid, side))
        _write(folder / f"valid.{side}", (map(str, row) for row in valid))
        numbers = [str(number) for number in range(_FIRST_OWN, models[side].vocabulary_size)]
        (folder / f"words.{side}").write_text("".join(f"{number}\n" for number in numbers), encoding="ascii")
        (folder / f"counted.{side}").write_text("".join(f"{number}\t1\n" for number in numbers), encoding="ascii")


def settings_for(kind: str, config: TrainConfig, *, folder: Path, data: TrainingData) -> Path:
    """Write the configuration of a peer for the text in a folder; return its file.

    Args:
        kind: onmt or joey.
        config: ours.
        folder: where `write_text` wrote.
        data: what was written there.

    Raises:
        ConfigError: the peer has no such model.
    """
    if {*config.model.cells} not in ({"lstm"}, {"gru"}) or config.model.attention == "none":
        raise ConfigError(
            "the peers have LSTM and GRU with attention alone: set model.cell=lstm or gru, for both sides, and "
            "model.attention=general"
        )
    values = {"onmt": _onmt, "joey": _joey}[kind](config, folder, data)
    path = folder / f"{kind}.yaml"
    path.write_text(json.dumps(values, indent=1), encoding="utf-8")  # JSON is YAML too
    return path


def _onmt(config: TrainConfig, folder: Path, data: TrainingData) -> dict[str, Any]:
    model, optimizer, trainer = config.model, config.optimizer, config.trainer
    if model.encoder_layers != model.decoder_layers or 2 * model.encoder_hidden_size != model.decoder_hidden_size:
        raise ConfigError(
            "OpenNMT-py hands the encoder's states to the decoder as they are: set model.encoder_layers="
            f"{model.decoder_layers} and model.encoder_hidden_size={model.decoder_hidden_size // 2}, as the decoder's"
        )
    text = {
        name: {"path_src": str(folder / f"{part}.source"), "path_tgt": str(folder / f"{part}.target")}
        for name, part in (("text", "train"), ("valid", "valid"))
    }
    return {
        "data": {name: {**paths, "transforms": []} for name, paths in text.items()},
        "save_data": str(folder / "onmt"),
        "src_vocab": str(folder / "counted.source"),
        "tgt_vocab": str(folder / "counted.target"),
        "save_model": str(folder / "onmt" / "model"),
        "overwrite": True,
        "num_workers": 0,
        # What is sorted by length at once; a larger one than the text would hold it several times.
        "bucket_size": min(100_000, data.corpus.pairs(0)),
        "batch_type": "tokens",
        "batch_size": trainer.batch_tokens,
        "batch_size_multiple": 1,
        "normalization": "tokens",
        "train_steps": _NEVER,
        "valid_steps": _NEVER,
        "save_checkpoint_steps": _NEVER,
        "report_every": _NEVER,
        "optim": "adam",
        "learning_rate": optimizer.lr,
        "adam_beta2": optimizer.beta2,
        "max_grad_norm": optimizer.clip_norm,
        "label_smoothing": trainer.label_smoothing,
        "dropout": [model.dropout],
        "encoder_type": "brnn",
        "decoder_type": "rnn",
        "rnn_type": model.cells[0].upper(),
        "enc_layers": model.encoder_layers,
        "dec_layers": model.decoder_layers,
        "enc_hid_size": 2 * model.encoder_hidden_size,
        "dec_hid_size": model.decoder_hidden_size,
        "word_vec_size": model.embedding_size,
        "global_attention": {"dot": "dot", "general": "general", "additive": "mlp"}[model.attention.value],
        "input_feed": 1,
        "seed": config.seed,
    }


def _joey(config: TrainConfig, folder: Path, data: TrainingData) -> dict[str, Any]:
    model, optimizer, trainer = config.model, config.optimizer, config.trainer
    if model.attention.value == "dot":
        raise ConfigError("JoeyNMT has no dot attention: set model.attention=general or additive")
    vocabulary = max(data.source_subwords.vocabulary_size, data.target_subwords.vocabulary_size)
    side = {"level": "word", "lowercase": False, "max_length": 10_000, "voc_min_freq": 1, "tokenizer_type": "space"}
    layer = {"type": "recurrent", "rnn_type": model.cells[0], "dropout": model.dropout}
    layer |= {"embeddings": {"embedding_dim": model.embedding_size, "scale": False}}
    symbols = {name: f"<{name}>" for name in ("unk", "pad", "bos", "eos")}
    return {
        "name": "benchmark",
        "model_dir": str(folder / "joey"),
        "use_cuda": False,
        "fp16": False,
        "random_seed": config.seed,
        "data": {
            "train": str(folder / "train"),
            "dev": str(folder / "valid"),
            "dataset_type": "plain",
            **{
                name: {**side, "lang": ours, "voc_limit": vocabulary, "voc_file": str(folder / f"words.{ours}")}
                for name, ours in (("src", "source"), ("trg", "target"))
            },
            "special_symbols": {
                **{f"{name}_token": symbol for name, symbol in symbols.items()},
                **{f"{name}_id": number for number, name in enumerate(symbols)},
            },
        },
        "testing": {"beam_size": 1, "batch_size": 64, "batch_type": "sentence", "eval_metrics": []},
        "training": {
            "optimizer": "adam",
            "learning_rate": optimizer.lr,
            "adam_betas": [optimizer.beta1, optimizer.beta2],
            "clip_grad_norm": optimizer.clip_norm,
            "label_smoothing": trainer.label_smoothing,
            "loss": "crossentropy",
            "normalization": "tokens",
            # Its batches are not of like lengths, so that half of their positions are padding.
            "batch_size": 2 * trainer.batch_tokens,
            "batch_type": "token",
            "scheduling": "exponential",  # one is needed; this one changes nothing before the first epoch ends
            "early_stopping_metric": "loss",
            "epochs": _NEVER,
            "validation_freq": _NEVER,
            "logging_freq": _NEVER,
            "overwrite": True,
            "shuffle": True,
        },
        "model": {
            "initializer": "xavier_uniform",
            "tied_embeddings": False,
            "encoder": {
                **layer,
                "hidden_size": model.encoder_hidden_size,
                "num_layers": model.encoder_layers,
                "bidirectional": True,
            },
            "decoder": {
                **layer,
                "hidden_size": model.decoder_hidden_size,
                "num_layers": model.decoder_layers,
                "hidden_dropout": model.dropout,
                "input_feeding": True,
                "init_hidden": "bridge",
                "attention": {"general": "luong", "additive": "bahdanau"}[model.attention.value],
            },
        },
    }


def _write(path: Path, rows: Iterable[Iterable[str]]) -> None:
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.writelines(" ".join(row) + "\n" for row in rows)
