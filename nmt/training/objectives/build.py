"""From the configuration to the objective."""

from nmt.config.choices import ObjectiveKind
from nmt.config.search import SearchConfig
from nmt.config.train import TrainConfig
from nmt.tasks.task import Task
from nmt.text.vocabulary import Vocabulary, subwords_of
from nmt.training.objectives.cutoff import Cutoff
from nmt.training.objectives.minimum_risk import MinimumRisk
from nmt.training.objectives.mixed import Mixed
from nmt.training.objectives.objective import CrossEntropy, Objective
from nmt.training.objectives.reward import ChrfReward
from nmt.training.objectives.scheduled_sampling import ScheduledSampling
from nmt.training.objectives.self_critical import SelfCritical
from nmt.translation.options import search_options


def build_objective(config: TrainConfig, task: Task, target: Vocabulary) -> Objective:
    """Build what a run minimises.

    Args:
        config: of the run.
        task: whose loss cross-entropy is.
        target: the vocabulary of the target; all but cross-entropy need subwords.
    """
    settings, label_smoothing = config.objective, config.trainer.label_smoothing
    cross_entropy = CrossEntropy(task, label_smoothing=label_smoothing)
    if settings.kind is ObjectiveKind.cross_entropy:
        return cross_entropy
    if settings.kind is ObjectiveKind.scheduled_sampling:
        return ScheduledSampling(settings, label_smoothing=label_smoothing)
    if settings.kind is ObjectiveKind.cutoff:
        return Cutoff(settings, label_smoothing=label_smoothing)
    subwords = subwords_of(target)
    reward = ChrfReward(subwords)
    places = settings.candidates if settings.kind is ObjectiveKind.minimum_risk else 1
    # The settings of search are for the bundle, and may change while a run goes on.
    options = search_options(subwords, SearchConfig(beam_size=places), n_best=places, with_weights=False)
    objective: Objective = SelfCritical(settings, reward, greedy=options)
    if settings.kind is ObjectiveKind.minimum_risk:
        objective = MinimumRisk(settings, reward, beam=options)
    if not settings.cross_entropy_weight:
        return objective
    return Mixed(objective, cross_entropy, weight=settings.cross_entropy_weight)
