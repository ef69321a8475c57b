"""The whole network: start and step for search, forward for training."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nmt.errors import ConfigError
from nmt.model.attention import Attention, Summary
from nmt.model.bridge import Bridge
from nmt.model.cells.cell import RecurrentLayer, cell_named
from nmt.model.decoder import Advanced, Decoder, DecoderOutput, DecoderSizes, DecoderState
from nmt.model.encoder import Encoded, Encoder
from nmt.model.initialization import FirstWeights, initialize, without_values
from nmt.model.lexicon import Lexicon, Offer
from nmt.model.pointer import FIRST_BIAS, Mixture, Pointer

if TYPE_CHECKING:
    from nmt.config.model import ModelConfig


class Step(NamedTuple):
    """One position for every place; the fields are those that search reads."""

    logits: Tensor
    """(B, K, V), unnormalised but where `normalized` says otherwise"""
    weights: Tensor | None
    """(B, K, S) attention, where it was asked for"""
    state: Any
    """after this position, of the model's own kind"""
    shortlist: None = None
    normalized: bool = False


class ReadInputs(NamedTuple):
    """Which inputs are read; the embeddings of the others are zero."""

    source: Tensor
    """(B, S) bool"""
    previous: Tensor
    """(B, T) bool"""


class Seq2Seq(nn.Module):
    """An attention sequence-to-sequence model; a step model for search.

    Nothing that belongs to one decode is kept on the module.
    """

    multi_step = None
    """It has only steps."""
    word_dropout = 0.0
    """Probability with which training leaves out a position of a source or a target."""

    def __init__(
        self,
        *,
        source_embedding: nn.Embedding | None,
        target_embedding: nn.Embedding,
        encoder: Encoder,
        bridge: Bridge,
        decoder: Decoder,
        projection: nn.Linear | None,
        output: nn.Linear | None,
        lexicon: Lexicon | None = None,
    ) -> None:
        """Join the parts.

        ``None`` for an embedding or output matrix means that it is the target embedding's. Between attentional vectors
        and a matrix of another width lies a `projection` (Press & Wolf 2017, section 3).
        """
        super().__init__()
        self.source_embedding = source_embedding
        self.target_embedding = target_embedding
        self.encoder = encoder
        self.bridge = bridge
        self.decoder = decoder
        self.projection = projection
        self.output = output
        self.lexicon = lexicon
        self.pointer: Pointer | None = None
        self.output_bias = nn.Parameter(torch.zeros(target_embedding.num_embeddings)) if output is None else None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.target_embedding.weight.device

    def start(
        self,
        source: Tensor,
        lengths: Tensor,
        constraints: object = None,
        *,
        offer: Offer | None = None,
        is_read: Tensor | None = None,
    ) -> DecoderState:
        """Read the sources: source (B, S) ids with EOS, lengths (B,) → a state with one place a sentence.

        An `offer` takes the place of what the model's own lexicon says. `constraints` change nothing here, where the
        whole vocabulary is scored. Where `is_read` (B, S) is False, the embedding is zero.
        """
        mask = torch.arange(source.size(1), device=source.device) < lengths.unsqueeze(1)
        embedded = self._embed(source, self.source_embedding or self.target_embedding, is_read=is_read)
        encoded: Encoded = self.encoder(embedded, lengths)
        if offer is None and self.lexicon is not None:
            offer = self.lexicon(source)
        source_words = None if self.pointer is None else self.pointer.source_words(source)
        return self.decoder.start(encoded, self.bridge(encoded.states), mask, offer=offer, source_words=source_words)

    def step(self, previous: Tensor, state: DecoderState, *, with_weights: bool = False) -> Step:
        """Run one position: previous (B, K) ids → logits (B, K, V) and the state after them.

        With a pointer the logits are log-probabilities.

        Raises:
            ValueError: the model is in training mode, where dropout would garble what it says.
        """
        if self.training:
            raise ValueError("the model is in training mode, where dropout would garble it: call model.eval() first")
        advanced = self.advance(previous, state)
        weights = advanced.weights if with_weights else None
        return Step(self.project(advanced.decoded), weights, advanced.state, normalized=self.pointer is not None)

    def advance(self, previous: Tensor, state: DecoderState) -> Advanced:
        """Run one position without scoring the vocabulary: previous (B, K) ids."""
        return self.decoder.advance(self._embed(previous, self.target_embedding), state)

    def forward(
        self,
        source: Tensor,
        lengths: Tensor,
        previous: Tensor,
        *,
        offer: Offer | None = None,
        read_inputs: ReadInputs | None = None,
    ) -> DecoderOutput:
        """Run a whole target, teacher forced: previous (B, T) ids from BOS on → T positions; `offer` as for `start`.

        Inputs that `read_inputs` leaves out are read as zeros. Project the real positions only, with `project`: the
        output matrix is the largest product of all.
        """
        is_source_read, is_previous_read = read_inputs or (None, None)
        embedded = self._embed(previous, self.target_embedding, is_read=is_previous_read)
        state = self.start(source, lengths, offer=offer, is_read=is_source_read)
        decoded: DecoderOutput = self.decoder(embedded, state)
        return decoded

    def teacher_forced(self, previous: Tensor, state: DecoderState) -> DecoderOutput:
        """Run whole targets as `forward` does, from a state with one place each: previous (B, T) ids."""
        decoded: DecoderOutput = self.decoder(self._embed(previous, self.target_embedding), state)
        return decoded

    def _embed(self, ids: Tensor, embedding: nn.Embedding, *, is_read: Tensor | None = None) -> Tensor:
        """Look up ids (B, T) → (B, T, E), scaled by √E (Vaswani et al. 2017, section 3.4), zero where not `is_read`.

        Rows of norm one make good output weights, but would hardly move the recurrence. Unscaled, training takes twice
        as long to leave the plateau where the source is ignored.

        Word dropout leaves out positions, each by itself (Sennrich & Zhang 2019, "Revisiting Low-Resource Neural
        Machine Translation"); Gal & Ghahramani (2016) leave out all occurrences of a word. The others are not scaled
        up, since translation reads them all as they are.
        """
        scaled: Tensor = embedding(ids) * math.sqrt(embedding.embedding_dim)
        if is_read is not None:
            scaled = scaled * is_read.unsqueeze(-1)
        if self.training and self.word_dropout:
            scaled = scaled * (torch.rand(*ids.shape, 1, device=ids.device) >= self.word_dropout)
        return scaled

    def project(self, decoded: DecoderOutput) -> Tensor:
        """Score the vocabulary: logits (B, Q, V), or (N, V) of selected positions; log-probabilities with a pointer."""
        logits = F.linear(self.features(decoded), *self.output_parameters())
        if decoded.lexicon_bias is not None:
            logits = decoded.lexicon_bias.add_to(logits)
        mixture = self.mixture(decoded)
        return logits if mixture is None else mixture.log_probs(logits)

    def mixture(self, decoded: DecoderOutput) -> Mixture | None:
        """Give what a pointer makes of the output layer's distribution; None without a pointer."""
        if self.pointer is None or decoded.word_attention is None:
            return None
        mixture: Mixture = self.pointer(decoded.attentional, decoded.word_attention)
        return mixture

    def features(self, decoded: DecoderOutput) -> Tensor:
        """Give what the output matrix multiplies: (B, Q, ·), or (N, ·) of selected positions."""
        return decoded.attentional if self.projection is None else self.projection(decoded.attentional)

    def output_parameters(self) -> tuple[Tensor, Tensor]:
        """Return the output matrix (V, ·) and its bias (V,), wherever they live."""
        if self.output is not None:
            return self.output.weight, self.output.bias
        assert self.output_bias is not None
        return self.target_embedding.weight, self.output_bias


def build_model(
    config: "ModelConfig",
    *,
    source_vocabulary: int,
    target_vocabulary: int,
    languages: range = range(0),
    first_word: int = 4,
) -> Seq2Seq:
    """Build the network that the configuration describes, with its first weights.

    Args:
        config: what it is made of.
        source_vocabulary: ids of sources.
        target_vocabulary: ids of targets.
        languages: ids of target languages, each of which has a lexicon of its own; empty: all have one.
        first_word: a pointer copies no id below, which are symbols: at the least pad, unk, bos and eos.

    Raises:
        ConfigError: three-way tying, or a pointer, of two vocabularies of different sizes.
    """
    model = _build(config, source_vocabulary, target_vocabulary, languages, first_word)
    encoder, decoder = model.encoder, model.decoder
    layers = [(layer, encoder.cell) for layer in encoder.layers]
    layers += [(layer.rnn, decoder.cell) for layer in decoder.layers if isinstance(layer, RecurrentLayer)]
    initialize(model, layers, FirstWeights(config.init.value, config.init_scale, config.forget_bias))
    if model.pointer is not None:
        nn.init.constant_(model.pointer.gate.bias, FIRST_BIAS)
    return model


def _build(
    config: "ModelConfig", source_vocabulary: int, target_vocabulary: int, languages: range, first_word: int
) -> Seq2Seq:
    """Build the network; the only place where it and the configuration meet."""
    tying = config.tying.value
    encoder_cell, decoder_cell = map(cell_named, config.cells)
    if tying == "all" and source_vocabulary != target_vocabulary:
        raise ConfigError(
            f"model.tying=all needs one vocabulary, but the source has {source_vocabulary} subwords "
            f"and the target {target_vocabulary}; use model.tying=target"
        )
    if config.pointer and source_vocabulary != target_vocabulary:
        raise ConfigError(
            f"model.pointer=true needs one vocabulary, but the source has {source_vocabulary} subwords "
            f"and the target {target_vocabulary}; use model.pointer=false"
        )
    embedding_size, hidden_size = config.embedding_size, config.decoder_hidden_size
    attentional_size = config.attentional_size or embedding_size
    has_projection = tying != "none" and attentional_size != embedding_size
    value_size = 2 * config.encoder_hidden_size
    model = Seq2Seq(
        source_embedding=None if tying == "all" else nn.Embedding(source_vocabulary, embedding_size),
        target_embedding=nn.Embedding(target_vocabulary, embedding_size),
        encoder=Encoder(
            embedding_size,
            config.encoder_hidden_size,
            layers=config.encoder_layers,
            cell=encoder_cell,
            dropout=config.dropout,
        ),
        bridge=Bridge(value_size, hidden_size, layers=config.decoder_layers, parts=decoder_cell.parts),
        decoder=Decoder(
            DecoderSizes(input=embedding_size, hidden=hidden_size, attentional=attentional_size),
            layers=config.decoder_layers,
            cell=decoder_cell,
            attention=_attention(config),
            input_feeding=config.input_feeding,
            dropout=config.dropout,
        ),
        projection=nn.Linear(attentional_size, embedding_size, bias=False) if has_projection else None,
        output=nn.Linear(attentional_size, target_vocabulary) if tying == "none" else None,
        lexicon=Lexicon(source_vocabulary, config.lexicon_size, epsilon=config.lexicon_epsilon, languages=languages)
        if config.lexicon_size
        else None,
    )
    model.pointer = Pointer(attentional_size, first_word=first_word) if config.pointer else None
    model.word_dropout = config.word_dropout
    return model


def _attention(config: "ModelConfig") -> Attention | Summary:
    kind: Any = config.attention.value
    query_size, value_size = config.decoder_hidden_size, 2 * config.encoder_hidden_size
    if kind == "none":
        return Summary(value_size, repeat=config.repeat_summary)
    return Attention(query_size, value_size, kind=kind, attention_size=config.attention_size)


def build_shapes(
    config: "ModelConfig",
    *,
    source_vocabulary: int,
    target_vocabulary: int,
    languages: range = range(0),
    first_word: int = 4,
) -> Seq2Seq:
    """Build the network as `build_model` does, its parameters without values, and without memory for them."""
    with without_values():
        return _build(config, source_vocabulary, target_vocabulary, languages, first_word)
