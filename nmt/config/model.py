"""The network."""

from dataclasses import dataclass, field

from nmt.config.choices import AttentionKind, Cell, Initialization, Pooling, Tying
from nmt.config.schema import check_ranges, within
from nmt.errors import ConfigError, require


@dataclass
class ModelConfig:
    """The network."""

    cell: Cell = Cell.lstm
    """recurrence of encoder and decoder"""
    encoder_cell: str = ""
    """another recurrence for the encoder, one of those that model.cell has; empty: model.cell's"""
    decoder_cell: str = ""
    """another recurrence for the decoder, one of those that model.cell has; empty: model.cell's"""
    embedding_size: int = field(default=256, metadata=within(1, 65_536))
    """E, width of the embeddings"""
    encoder_layers: int = field(default=1, metadata=within(1, 64))
    """layers of the bidirectional encoder"""
    encoder_hidden_size: int = field(default=256, metadata=within(1, 65_536))
    """H of the encoder, in each direction"""
    decoder_layers: int = field(default=1, metadata=within(1, 64))
    """layers of the decoder"""
    decoder_hidden_size: int = field(default=512, metadata=within(1, 65_536))
    """H of the decoder"""
    attention: AttentionKind = AttentionKind.general
    """scoring of encoder positions: dot, general (Luong et al. 2015), additive (Bahdanau et al. 2015); none: the
    decoder has one vector of the source (Sutskever et al. 2014)"""
    attention_size: int = field(default=256, metadata=within(1, 65_536))
    """A, width of additive attention's hidden layer"""
    pooling: Pooling = Pooling.attention
    """with task=classification, how a line's words become one vector: attention (a mean weighted by a learnt query,
    Yang et al. 2016; model.attention_size is its width) or last (the last states of both directions)"""
    attentional_size: int = field(default=0, metadata=within(0, 65_536))
    """width of the attentional vector; where the output is tied to the embeddings, it is projected to their width; 0:
    the embedding size"""
    repeat_summary: bool = False
    """with model.attention=none, give the decoder the source's vector at each step too (Cho et al. 2014)"""
    input_feeding: bool = False
    """feed the attentional vector back into the next step (Luong et al. 2015, section 3.3); slower to train"""
    tying: Tying = Tying.all
    """shared embedding matrices: none, target (target and output) or all (source too; needs one joint subword model)"""
    dropout: float = field(default=0.2, metadata=within(0, 1, below=True))
    """dropout on the inputs and outputs of every layer"""
    word_dropout: float = field(default=0.0, metadata=within(0, 1, below=True))
    """probability with which training leaves out a word (Iyyer et al. 2015); with task=translation, a subword at each
    position of both sides (Sennrich & Zhang 2019)"""
    window: int = field(default=0, metadata=within(0, 16))
    """with task=labelling or classification, the encoder reads each word beside so many neighbours on both sides
    (Collobert et al. 2011); 0: the word alone"""
    character_size: int = field(default=32, metadata=within(0, 4096))
    """with task=labelling or classification, width of the characters' embeddings and of each direction of the layer
    that reads a word's characters (Lample et al. 2016); 0: words only"""
    lexicon_size: int = field(default=0, metadata=within(0, 1000))
    """translations of each source subword, from word alignments of the training text; the model favours them where
    attention reads the subword (Arthur et al. 2016); 0: none"""
    lexicon_copies: float = field(default=0.0, metadata=within(0, 1, below=True))
    """least probability, in the lexicon, of a target subword that is spelled as the source subword, so that names are
    copied; 0: what alignments say"""
    lexicon_epsilon: float = field(default=1e-4, metadata=within(0, 1, above=True))
    """added to a word's probability by the lexicon; a smaller value gives the lexicon more weight"""
    pointer: bool = False
    """copy subwords of the source where attention looks, as far as a learnt gate opens (See et al. 2017); needs one
    joint subword model"""
    init: Initialization = Initialization.glorot_orthogonal
    """first weights: glorot_orthogonal (Glorot & Bengio 2010; recurrent ones orthogonal, Saxe et al. 2014),
    symmetric_uniform (Sutskever et al. 2014) or truncated_normal"""
    init_scale: float = field(default=0.08, metadata=within(0, 1, above=True))
    """bound of symmetric_uniform; standard deviation of truncated_normal, which is cut at two of them"""
    forget_bias: float = field(default=1.0, metadata=within(-100, 100))
    """first bias of forget gates, and of a GRU's update gate; above 0, they begin open (Jozefowicz et al. 2015,
    section 5; Tallec & Ollivier 2018, section 2)"""

    @property
    def cells(self) -> tuple[str, str]:
        """Name the recurrences of the encoder and the decoder."""
        return self.encoder_cell or self.cell.value, self.decoder_cell or self.cell.value

    def validate(self) -> None:
        """Raise ConfigError when a value is impossible or two of them exclude each other."""
        check_ranges(self, "model.")
        for key in ("encoder_cell", "decoder_cell"):
            name = getattr(self, key)
            require(name in ("", *Cell), f"model.{key}", name, f"one of {', '.join(Cell)}, or empty")
        if self.attention is AttentionKind.none and self.lexicon_size:
            raise ConfigError(
                f"model.lexicon_size={self.lexicon_size} is not possible with model.attention=none: the lexicon "
                "favours translations of what attention looks at; set model.lexicon_size=0"
            )
        if self.attention is AttentionKind.none and self.pointer:
            raise ConfigError(
                "model.pointer=true is not possible with model.attention=none: the pointer copies what attention looks "
                "at; set model.pointer=false, or another model.attention"
            )
        if self.lexicon_copies and not self.lexicon_size:
            raise ConfigError(
                f"model.lexicon_copies={self.lexicon_copies:g} needs a lexicon: set model.lexicon_size, as in "
                "model.lexicon_size=20"
            )
        if self.repeat_summary and self.attention is not AttentionKind.none:
            raise ConfigError(
                f"model.repeat_summary=true is for model.attention=none: with attention={self.attention} each step "
                "reads the source anyway"
            )
        if self.attention is AttentionKind.dot and self.decoder_hidden_size != 2 * self.encoder_hidden_size:
            raise ConfigError(
                f"model.attention=dot needs model.decoder_hidden_size ({self.decoder_hidden_size}) to be twice "
                f"model.encoder_hidden_size ({self.encoder_hidden_size}); use attention=general otherwise"
            )
