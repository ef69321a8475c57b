import pytest
import torch

from nmt.config.choices import Precision
from nmt.config.model import ModelConfig
from nmt.config.train import TrainerConfig
from nmt.corpus.batches import Batch
from nmt.model.lexicon import Lexicon
from nmt.model.seq2seq import build_model
from nmt.tasks.translation import TRANSLATION
from nmt.training.gradient import BatchGradient, part_of
from nmt.training.lexicon import Folds
from nmt.training.objectives.objective import CrossEntropy
from nmt.training.parallel import Processes

VOCABULARY = 30
CROSS_ENTROPY = CrossEntropy(TRANSLATION, label_smoothing=0.1)


@pytest.fixture
def batch():
    """Seven pairs of unlike lengths, longest neither first nor last."""
    generator = torch.Generator().manual_seed(5)
    source_lengths, target_lengths = torch.tensor([3, 9, 4, 2, 7, 6, 5]), torch.tensor([5, 2, 3, 8, 4, 1, 6])

    def rows(lengths):
        ids = torch.randint(4, VOCABULARY, (len(lengths), int(lengths.max())), generator=generator)
        return ids.masked_fill(torch.arange(ids.size(1)) >= lengths.unsqueeze(1), 0)

    return Batch(rows(source_lengths), source_lengths, rows(target_lengths), target_lengths, torch.arange(7))


def gradients(batch, *, accumulation=1, dropout=0.0, lexicon=0, folds=None, update=0, processes=None):
    torch.manual_seed(1)
    config = ModelConfig(
        embedding_size=8, encoder_hidden_size=6, decoder_hidden_size=12, dropout=dropout, lexicon_size=lexicon
    )
    model = build_model(config, source_vocabulary=VOCABULARY, target_vocabulary=VOCABULARY)
    if model.lexicon is not None:
        targets = torch.rand(VOCABULARY, VOCABULARY).argsort(1)[:, :lexicon]
        model.lexicon.fill(targets, torch.rand(targets.shape))
    compute = BatchGradient(
        model,
        CROSS_ENTROPY,
        config=TrainerConfig(accumulation=accumulation),
        precision=Precision.fp32,
        folds=folds,
        processes=processes or Processes(),
    )
    loss = compute(batch, seed=3, update=update)
    return loss, {name: parameter.grad for name, parameter in model.named_parameters()}


def draw_folds(count=3, size=1):
    """What each of some folds says; every fold something else."""
    generator = torch.Generator().manual_seed(8)
    targets = torch.rand(count, VOCABULARY, VOCABULARY, generator=generator).argsort(2)[..., :size]
    return Folds(targets.int(), torch.rand(targets.shape, generator=generator), 1e-4)


@pytest.mark.parametrize(
    ("lexicon", "folds"), [(0, None), (1, None), (1, draw_folds())], ids=["none", "lexicon", "folds"]
)
@pytest.mark.parametrize("parts", [2, 3, 7, 11])
def test_accumulated_parts_have_the_gradient_of_the_whole_batch(batch, parts, lexicon, folds):
    options = {"lexicon": lexicon, "folds": folds}
    whole_loss, whole = gradients(batch, **options)
    loss, accumulated = gradients(batch, accumulation=parts, **options)
    assert loss.tokens == whole_loss.tokens == 29
    assert loss.smoothed == pytest.approx(whole_loss.smoothed, rel=1e-6)
    assert loss.negative_log_likelihood == pytest.approx(whole_loss.negative_log_likelihood, rel=1e-6)
    for name, gradient in whole.items():
        torch.testing.assert_close(accumulated[name], gradient, rtol=1e-4, atol=1e-7, msg=name)


def test_there_are_no_more_parts_than_pairs_and_one_line_says_so(batch, monkeypatch, caplog):
    """A million parts of seven pairs would be computed for a quarter of an hour, nearly all of them for nothing."""
    forward, calls = BatchGradient._forward, []

    def counted(self, part, moment):
        calls.append(len(part.source))
        return forward(self, part, moment)

    monkeypatch.setattr(BatchGradient, "_forward", counted)
    caplog.set_level("INFO", logger="nmt")
    _, seven = gradients(batch, accumulation=7, dropout=0.5)
    assert calls == [1] * 7
    assert caplog.messages == []
    _, million = gradients(batch, accumulation=1_000_000, dropout=0.5)
    assert calls == [1] * 14
    assert caplog.messages == ["trainer.accumulation=1000000: a batch of 7 pairs has 7 parts"]
    assert all(torch.equal(million[name], gradient) for name, gradient in seven.items())


def test_the_mean_of_the_parts_means_would_be_another_gradient(batch):
    """The test above would not pass by chance: parts with fewer positions weigh less."""
    _, whole = gradients(batch)
    means = [gradients(part_of(batch, number, parts=2)[0])[1] for number in range(2)]
    name = "target_embedding.weight"
    assert not torch.allclose((means[0][name] + means[1][name]) / 2, whole[name], rtol=1e-2, atol=1e-6)


def test_gradients_do_not_add_up_over_updates(batch):
    torch.manual_seed(1)
    config = ModelConfig(embedding_size=8, encoder_hidden_size=6, decoder_hidden_size=12, dropout=0.0)
    model = build_model(config, source_vocabulary=VOCABULARY, target_vocabulary=VOCABULARY)
    compute = BatchGradient(
        model, CROSS_ENTROPY, config=TrainerConfig(accumulation=2), precision=Precision.fp32, processes=Processes()
    )
    compute(batch, seed=3, update=0)
    first = [p.grad.clone() for p in model.parameters()]
    compute(batch, seed=3, update=1)
    assert all(torch.equal(p.grad, before) for p, before in zip(model.parameters(), first, strict=True))


@pytest.mark.parametrize("accumulation", [1, 3])
def test_dropout_is_a_function_of_seed_update_and_rank(batch, accumulation):
    _, once = gradients(batch, dropout=0.5, accumulation=accumulation, update=4)
    torch.rand(17)
    _, again = gradients(batch, dropout=0.5, accumulation=accumulation, update=4)
    _, later = gradients(batch, dropout=0.5, accumulation=accumulation, update=5)
    name = "target_embedding.weight"
    assert torch.equal(once[name], again[name])
    assert not torch.allclose(once[name], later[name])


def test_every_process_has_a_dropout_of_its_own(batch):
    one, other = (gradients(batch, dropout=0.5, update=4, processes=Processes(rank=rank))[1] for rank in (0, 1))
    assert not torch.allclose(one["target_embedding.weight"], other["target_embedding.weight"])


def test_a_pair_is_offered_what_its_fold_says(batch):
    """Each pair alone, with a model whose own lexicon is that of the fold."""
    folds = draw_folds(size=2)
    losses = []
    for row, number in enumerate([4, 0, 5, 11, 2, 7, 3]):
        part, _ = part_of(batch, row, parts=7)
        loss, _ = gradients(part._replace(lines=torch.tensor([number])), lexicon=2, folds=folds)
        own = Folds(*(part[[number % 3] * 3] for part in (folds.targets, folds.probabilities)), folds.epsilon)
        same, _ = gradients(part, lexicon=2, folds=own)
        other, _ = gradients(part, lexicon=2)
        assert loss.smoothed == same.smoothed != other.smoothed
        losses.append(loss.smoothed)
    whole, _ = gradients(batch._replace(lines=torch.tensor([4, 0, 5, 11, 2, 7, 3])), lexicon=2, folds=folds)
    assert whole.smoothed == pytest.approx(sum(losses), rel=1e-5)


def test_a_model_reads_a_fold_as_it_reads_its_own_lexicon():
    folds = draw_folds(size=4)
    own = Lexicon(VOCABULARY, 4, epsilon=folds.epsilon)
    source, lines = torch.randint(0, VOCABULARY, (5, 6)), torch.tensor([3, 1, 8, 0, 4])
    weights = torch.rand(5, 2, 6).softmax(2)
    logits = folds.offer(source, lines).lexicon_bias(weights).add_to(torch.zeros(5, 2, VOCABULARY))
    for row, pair in enumerate(lines.tolist()):
        own.fill(folds.targets[pair % 3], folds.probabilities[pair % 3])
        one = slice(row, row + 1)
        expected = own(source[one]).lexicon_bias(weights[one]).add_to(torch.zeros(1, 2, VOCABULARY))
        torch.testing.assert_close(logits[one], expected)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 10])
def test_parts_hold_every_row_once_and_no_useless_padding(batch, parts):
    rows = []
    for number in range(parts):
        part, weight = part_of(batch, number, parts=parts)
        assert part.source.size(1) == part.source_lengths.max() or parts == 1
        assert part.target.size(1) == part.target_lengths.max() or parts == 1
        if weight:
            for i, (source, target) in enumerate(zip(part.source_lengths, part.target_lengths, strict=True)):
                rows.append((part.source[i, :source].tolist(), part.target[i, :target].tolist()))
        else:
            assert len(part.source) == 1
    expected = [
        (batch.source[i, : batch.source_lengths[i]].tolist(), batch.target[i, : batch.target_lengths[i]].tolist())
        for i in range(7)
    ]
    assert sorted(rows) == sorted(expected)
