"""The network."""

from dataclasses import dataclass, field

from nmt.config.choices import AttentionKind, Cell, Tying
from nmt.config.schema import check_ranges, within
from nmt.errors import ConfigError


@dataclass
class ModelConfig:
    """The network."""

    cell: Cell = Cell.lstm
    """recurrence of encoder and decoder"""
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
    """scoring of encoder positions: dot, general (Luong et al. 2015) or additive (Bahdanau et al. 2015)"""
    attention_size: int = field(default=256, metadata=within(1, 65_536))
    """A, width of additive attention's hidden layer"""
    attentional_size: int = field(default=0, metadata=within(0, 65_536))
    """width of the attentional vector; where the output is tied to the embeddings, it is projected to their width; 0:
    the embedding size"""
    input_feeding: bool = False
    """feed the attentional vector back into the next step (Luong et al. 2015, section 3.3); slower to train"""
    tying: Tying = Tying.all
    """shared embedding matrices: none, target (target and output) or all (source too; needs one joint subword model)"""
    dropout: float = field(default=0.2, metadata=within(0, 1, below=True))
    """dropout on the inputs and outputs of every layer"""
    lexicon_size: int = field(default=0, metadata=within(0, 1000))
    """translations of each source subword, from word alignments of the training text; the model favours them where
    attention reads the subword (Arthur et al. 2016); 0: none"""
    lexicon_epsilon: float = field(default=1e-4, metadata=within(0, 1, above=True))
    """added to a word's probability by the lexicon; a smaller value gives the lexicon more weight"""

    def validate(self) -> None:
        """Raise ConfigError when a value is impossible or two of them exclude each other."""
        check_ranges(self, "model.")
        if self.attention is AttentionKind.dot and self.decoder_hidden_size != 2 * self.encoder_hidden_size:
            raise ConfigError(
                f"model.attention=dot needs model.decoder_hidden_size ({self.decoder_hidden_size}) to be twice "
                f"model.encoder_hidden_size ({self.encoder_hidden_size}); use attention=general otherwise"
            )
