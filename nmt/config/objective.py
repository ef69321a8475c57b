"""What training minimises."""

from dataclasses import dataclass, field

from nmt.config.choices import Decay, ObjectiveKind
from nmt.config.schema import MOST_COUNTED, check_ranges, within
from nmt.errors import ConfigError


@dataclass
class ObjectiveConfig:
    """What training minimises; self_critical and minimum_risk search, and start from a trained bundle."""

    kind: ObjectiveKind = ObjectiveKind.cross_entropy
    """cross_entropy, scheduled_sampling (Bengio et al. 2015), self_critical (Rennie et al. 2017), minimum_risk (Shen
    et al. 2016) or cutoff (Gao et al. 2022)"""
    cross_entropy_weight: float = field(default=0.0, metadata=within(0, 1, below=True))
    """share of cross-entropy mixed into self_critical and minimum_risk; 0: none, as in the papers"""
    decay: Decay = Decay.inverse_sigmoid
    """how the share of reference tokens that scheduled_sampling feeds falls: inverse_sigmoid, linear or exponential"""
    half_updates: int = field(default=2000, metadata=within(1, MOST_COUNTED))
    """updates after which scheduled_sampling feeds a reference token with probability 1/2"""
    least_reference: float = field(default=0.0, metadata=within(0, 1))
    """the least probability with which scheduled_sampling feeds a reference token"""
    feed_best: bool = False
    """scheduled_sampling feeds the model's best token, not one drawn from its distribution"""
    samples: int = field(default=1, metadata=within(1, 100))
    """outputs that self_critical draws for each source"""
    candidates: int = field(default=5, metadata=within(2, 100))
    """places of minimum_risk's beam, all of whose outputs are candidates"""
    with_reference: bool = True
    """the reference is one more candidate of minimum_risk (Shen et al. 2016, algorithm 1)"""
    sharpness: float = field(default=5e-3, metadata=within(0, 100, above=True))
    """exponent of the candidates' probabilities in minimum_risk, α (Shen et al. 2016, equation 12)"""
    cutoff_rate: float = field(default=0.05, metadata=within(0, 1, below=True))
    """probability with which cutoff leaves out the embedding of a subword, position by position on both sides"""
    cutoff_weight: float = field(default=3.0, metadata=within(0, 1000))
    """weight of the divergence between the predictions of cutoff's whole and cut inputs, α (Gao et al. 2022)"""
    cutoff_cross_entropy: float = field(default=0.0, metadata=within(0, 1000))
    """weight of the cross-entropy of cutoff's cut inputs (Shen et al. 2020); 0: it is not computed"""
    max_length_ratio: float = field(default=1.5, metadata=within(0, 1000, above=True))
    """an output may have this many subwords for each subword of the reference, plus 10"""

    def validate(self) -> None:
        """Raise ConfigError when a value is impossible."""
        check_ranges(self, "objective.")
        if self.kind is ObjectiveKind.cutoff and not (self.cutoff_weight or self.cutoff_cross_entropy):
            raise ConfigError(
                "objective.cutoff_weight=0 and objective.cutoff_cross_entropy=0 leave cutoff without a use: set one of "
                "them, or take objective=cross_entropy"
            )

    def require_parent(self, init_from: str, *, inherits: bool) -> None:
        """Raise ConfigError where the objective searches, and nothing was trained that could.

        Args:
            init_from: the parent, if there is one.
            inherits: whether the run has the parent's subwords.
        """
        if self.kind.searches and not init_from:
            raise ConfigError(
                f"objective.kind={self.kind} learns from the model's own outputs, so it needs a trained model: train "
                "with objective=cross_entropy first, then name the bundle, as in init_from=runs/mine/best"
            )
        if self.kind.searches and not inherits:
            raise ConfigError(
                f"objective.kind={self.kind} learns from the model's own outputs, which are noise at first with "
                "subwords.inherit=false: train with objective=cross_entropy first, then start from that bundle"
            )
