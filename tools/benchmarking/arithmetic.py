"""How many products a model's arithmetic has: weights by the positions that they are multiplied with."""

from __future__ import annotations

from typing import NamedTuple

from nmt.config.choices import Tying
from nmt.config.model import ModelConfig
from nmt.model.cells.cell import cell_named


class Work(NamedTuple):
    """Weights that a position is multiplied with, by part."""

    source: dict[str, int]
    """for each real source position"""
    target: dict[str, int]
    """for each real target position"""
    sentence: dict[str, int]
    """for each pair"""
    embedded: int
    """of the decoder's, those that embeddings are multiplied with, which an exported model looks up"""
    combined: int
    """of attention's, those that values are multiplied with, once for each source position by an exported model"""
    output: int
    """of "output and loss", those of the output matrix"""

    def training_flop(self, part: str, *, source: int, target: int, pairs: int) -> float:
        """FLOP of a part for so many real positions: 2 a weight forward, 4 backward."""
        macs = (
            self.source.get(part, 0) * source + self.target.get(part, 0) * target + self.sentence.get(part, 0) * pairs
        )
        return 6.0 * macs

    def decoding_flop(self, *, source: int, rows: int, sentences: int, exported: bool) -> float:
        """FLOP of a search that read so many source positions and stepped so many rows, its output matrix left out."""
        read, target = sum(self.source.values()), sum(self.target.values()) - self.output
        if exported:
            read, target = read + self.combined, target - self.embedded - self.combined
        return 2.0 * (read * source + target * rows + sum(self.sentence.values()) * sentences)


def weights_of(model: ModelConfig, source_vocabulary: int, target_vocabulary: int) -> Work:
    """Count the weights of the model's products by part; biases and embeddings take none."""
    encoder_cell, decoder_cell = map(cell_named, model.cells)
    gates = decoder_cell.gates
    values, hidden, width = 2 * model.encoder_hidden_size, model.decoder_hidden_size, model.embedding_size
    attentional = model.attentional_size or width
    layers = width + (model.encoder_layers - 1) * values  # what the layers' inputs are wide together
    encoder = encoder_cell.gates * layers + encoder_cell.state_products * model.encoder_layers * values // 2
    encoder *= 2 * model.encoder_hidden_size
    kind, size = model.attention.value, model.attention_size
    context = values if kind != "none" or model.repeat_summary else 0
    fed = (attentional if model.input_feeding else 0) + (context if model.repeat_summary else 0)
    decoder = gates * (width + fed + (model.decoder_layers - 1) * hidden)
    decoder = (decoder + decoder_cell.state_products * model.decoder_layers * hidden) * hidden
    bridge = model.decoder_layers * decoder_cell.parts * values * hidden
    keys = {"general": values * hidden, "additive": values * size}.get(kind, 0)
    query = hidden * size if kind == "additive" else 0
    combine = (context + hidden) * attentional
    # Between attentional vectors and a tied output matrix of another width lies a projection.
    read = attentional if model.tying is Tying.none else width
    projection = attentional * read if read != attentional else 0
    output = read * target_vocabulary
    return Work(
        {"encoder": encoder, "attention": keys},
        {"decoder": decoder, "attention": query + combine, "output and loss": projection + output},
        {"encoder": bridge},
        gates * hidden * width,
        context * attentional,
        output,
    )
