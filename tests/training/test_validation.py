from types import SimpleNamespace

import pytest
import torch

from nmt.config.train import TrainConfig
from nmt.training.validation import validate


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_in_validation_and_as_before_after_it(training):
    model, seen = torch.nn.Linear(1, 1).train(training), []

    def looking(bundle, text, *, search, batch_size, shares):
        seen.append((bundle.model.training, text, batch_size, shares.size))
        return "found"

    def failing(bundle, text, **_):
        raise MemoryError

    bundle, config = SimpleNamespace(model=model), TrainConfig()
    assert validate(SimpleNamespace(validate=looking), bundle, "text", config=config) == "found"
    assert seen == [(False, "text", config.trainer.valid_batch_size, 1)]
    assert model.training is training
    with pytest.raises(MemoryError):
        validate(SimpleNamespace(validate=failing), bundle, "text", config=config)
    assert model.training is training
