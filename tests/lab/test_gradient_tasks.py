"""The tasks are what they say: what is asked stands where it is said to stand, and the answer is right."""

import pytest
import torch

from nmt.lab.gradients.options import TASK_NAMES
from nmt.lab.gradients.tasks import TASKS


def draw(name, distance, *, seed=1, count=200):
    return TASKS[name].draw(distance, count, torch.Generator().manual_seed(seed))


def test_the_names_are_known_without_torch():
    assert list(TASKS) == list(TASK_NAMES)


@pytest.mark.parametrize("distance", [1, 7, 40])
def test_copy_asks_for_each_symbol_at_its_distance(distance):
    inputs, targets = draw("copy", distance)
    assert inputs.shape == (200, 3 + distance + 3, 10)
    assert (inputs.sum(-1) == 1).all()  # one-hot
    read = inputs.argmax(-1)
    for i in range(3):
        asked_at = inputs.size(1) - 3 + i
        assert torch.equal(read[:, asked_at - (distance + 3)], targets[:, i])
    assert set(targets.flatten().tolist()) == set(range(8))
    assert (read[:, 3:-3] == 8).all()  # blanks
    assert (read[:, -3] == 9).all()  # the mark
    assert (read[:, -2:] == 8).all()


@pytest.mark.parametrize("distance", [4, 10, 55])
def test_adding_asks_for_the_sum_of_the_two_marked(distance):
    inputs, targets = draw("adding", distance)
    numbers, marks = inputs.unbind(-1)
    assert inputs.shape == (200, distance, 2)
    assert ((numbers >= 0) & (numbers < 1)).all()
    for row in range(200):
        first, second = marks[row].nonzero().flatten().tolist()
        assert min(first, second) < max(1, distance // 10)
        assert max(first, second) < distance // 2
        assert marks[row].sum() == 2
        assert targets[row, 0] == numbers[row, first] + numbers[row, second]


def test_both_marks_of_adding_move():
    marks = draw("adding", 40, count=2000).inputs[..., 1]
    assert (marks.sum(0)[:20] > 0).all()
    assert (marks.sum(0)[20:] == 0).all()


@pytest.mark.parametrize("name", TASK_NAMES)
def test_a_seed_makes_the_same_sequences(name):
    one, again, other = draw(name, 12), draw(name, 12), draw(name, 12, seed=2)
    assert torch.equal(one.inputs, again.inputs)
    assert torch.equal(one.targets, again.targets)
    assert not torch.equal(one.targets, other.targets)


def test_what_is_correct_and_what_it_costs():
    copy, adding = TASKS["copy"], TASKS["adding"]
    outputs = torch.zeros(1, 3, 8)
    outputs[0, :, 5] = 100.0
    targets = torch.tensor([[5, 5, 1]])
    assert copy.correct(outputs, targets).tolist() == [[True, True, False]]
    assert copy.loss(outputs, targets).item() == pytest.approx(100 / 3)
    outputs, targets = torch.tensor([[[1.0]], [[1.0]]]), torch.tensor([[1.07], [1.09]])
    assert adding.correct(outputs, targets).tolist() == [[True], [False]]
    assert adding.loss(outputs, targets).tolist() == pytest.approx([0.07**2, 0.09**2], rel=1e-4)


def test_what_a_model_without_memory_reaches():
    """The share that stands below the table: always answering 1, the mean, has |sum - 1| < 0.08 with 1 - 0.92²."""
    targets = draw("adding", 50, count=20_000).targets
    share = TASKS["adding"].correct(torch.ones(20_000, 1, 1), targets).double().mean()
    assert share == pytest.approx(1 - 0.92**2, abs=0.01)
