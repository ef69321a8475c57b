"""Every cell, no attention, a pointer: all train, resume, translate and export through the same code."""

import dataclasses
import signal

import pytest

from nmt.bundle.loading import load
from nmt.config.choices import AttentionKind, Cell
from nmt.errors import ConfigError
from nmt.export.variant import export
from nmt.translation.translator import Translator

NETWORKS = {word.value: {"cell": word} for word in Cell if word is not Cell.lstm}  # which all other tests have
NETWORKS |= {
    "lstm into ssru": {"decoder_cell": "ssru"},
    "none": {"attention": AttentionKind.none},
    "none, repeated": {"attention": AttentionKind.none, "repeat_summary": True},
    "pointer": {"pointer": True},
}
FASTER = {"trainer__validate_every": 24, "optimizer__lr": 0.02}
NOT_EXPORTED = ("ssru", "none", "none, repeated")


@pytest.fixture(params=list(NETWORKS))
def configs(request, make_config):
    """A function that gives the configuration of a run directory."""
    config = make_config()
    model = dataclasses.replace(config.model, **NETWORKS[request.param])
    return lambda run_dir, **changes: dataclasses.replace(make_config(run_dir, **changes), model=model)


def interrupt(trainer):
    signal.raise_signal(signal.SIGINT)


def translations(path, lines, *, batch_size, **options):
    bundle = load(path, threads=1, **options)
    search = dataclasses.replace(bundle.search, beam_size=3, batch_size=batch_size)
    found = Translator(bundle, search=search, n_best=3).translate(lines)
    return [[each.text for each in translation.hypotheses] for translation in found]


def test_a_network_learns_resumes_to_the_bit_translates_and_exports(
    request, configs, train, saved, same, metrics, at_update, text
):
    whole = train(configs("whole", **FASTER))
    losses = [line["loss"] for line in metrics(whole, "train")]
    assert losses[-1] < losses[0]
    config = configs("stopped", **FASTER)
    for stop in (3, 14):
        at_update(stop, interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    assert same(saved(train(config)), saved(whole))

    best, lines = whole / "best", text[0][:8]
    expected = translations(best, lines, batch_size=8)
    assert all(map(any, expected))
    assert translations(best, lines, batch_size=1) == expected
    name = request.node.callspec.params["configs"]
    if name in NOT_EXPORTED:
        with pytest.raises(ConfigError, match=r" cannot be exported; PyTorch runs it as it is$"):
            export(best, "fp32")
    else:
        export(best, "fp32")
        assert load(best).device == "cpu, fp32 by ONNX Runtime"
        assert translations(best, lines, batch_size=5) == expected
