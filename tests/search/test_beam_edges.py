"""Beam search where there is little to search, in other precisions, and with what cannot be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nmt.errors import ConfigError, RunError
from nmt.search.beam import beam_search


def test_an_empty_batch(tables, kind):
    assert tables.search(beam_search, tables.random_model(0, kind=kind), [], limits=3) == []


def test_a_batch_of_empty_limits_takes_no_step(tables, kind):
    model = tables.random_model(0, kind=kind)
    found = tables.search(beam_search, model, [1, 2], limits=0, lengths=[2, 1], with_weights=True)
    assert [tables.plain(one) for one in found] == [[((), 0.0, 0.0, False)]] * 2
    assert [one.weights.shape for [one] in found] == [(0, 2), (0, 1)]
    assert model.shapes == []


def test_limits_may_be_arrays(tables, kind):
    model = tables.random_model(5, kind=kind)
    as_list, as_array = [3, 6], np.array([3, 6])
    assert tables.search(beam_search, model, [1, 2], limits=as_list) == tables.search(
        beam_search, model, [1, 2], limits=as_array
    )


def test_half_precision_logits_are_normalised_in_single(tables):
    import torch

    model = tables.random_model(3, kind="torch", vocabulary=9)
    model.logits = torch.from_numpy(model.logits).bfloat16().double().numpy()
    expected = tables.search(beam_search, model, range(4), limits=8, beam_size=3, n_best=3)
    single = model.step
    model.step = lambda *args, **options: (step := single(*args, **options))._replace(logits=step.logits.bfloat16())
    assert tables.search(beam_search, model, range(4), limits=8, beam_size=3, n_best=3) == expected


def test_an_unknown_normalization_is_an_error(tables):
    with pytest.raises(ConfigError) as raised:
        tables.search(beam_search, tables.random_model(0), [1], limits=3, normalization="wu")
    assert str(raised.value) == "unknown length normalization 'wu'; choose one of: gnmt, average"


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_model_that_diverged_is_an_error(tables, kind, broken):
    model = tables.random_model(0, kind=kind)
    model.logits[model.following[3]] = broken
    with np.errstate(invalid="ignore"), pytest.raises(RunError) as raised:
        tables.search(beam_search, model, [3], limits=5, beam_size=2)
    assert str(raised.value) == (
        "the model's scores at target position 2 are not numbers (NaN or infinite): its weights are damaged or its "
        "training diverged; use an earlier checkpoint"
    )
