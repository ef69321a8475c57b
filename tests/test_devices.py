import pytest
import torch

from nmt.devices import choose_device, set_threads
from nmt.errors import ConfigError


def test_devices_that_are_not_there_are_named():
    assert str(choose_device("cpu")) == "cpu"
    assert str(choose_device("auto")) in ("cpu", "cuda")
    with pytest.raises(ConfigError, match="device=gpu is unknown: take auto, cpu, cuda or cuda:N"):
        choose_device("gpu")
    with pytest.raises(
        ConfigError, match=r"device=cuda:99 is not there: PyTorch sees \d+ of its kind; take auto or cpu"
    ):
        choose_device("cuda:99")


def test_threads():
    before = torch.get_num_threads()
    try:
        assert set_threads(1) == 1
        assert set_threads(0) == 1
    finally:
        torch.set_num_threads(before)
    with pytest.raises(ConfigError, match=r"threads=-1 is not possible: it must be 0 \(PyTorch's choice\) or more"):
        set_threads(-1)
