"""Bundles: what is saved loads again, wherever it is moved, and no interruption or full disk costs the old one."""

import dataclasses
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

import nmt
from nmt.bundle import weights
from nmt.bundle.description import FORMAT
from nmt.bundle.networks import build_network
from nmt.bundle.weights import load_bundle, save_bundle
from nmt.config.choices import AttentionKind, Cell, TaskName, Tying
from nmt.config.model import ModelConfig
from nmt.config.schema import to_dict
from nmt.errors import ConfigError
from nmt.translation.translator import Translator

DATA = Path(__file__).parents[1] / "data"
WORDS = "a small red house stands near the old river and many green trees grow behind it in spring"


def siblings(path):
    return sorted(other.name for other in path.parent.iterdir() if other != path)


@pytest.mark.parametrize(
    ("joint", "tying"), [(True, "all"), (True, "target"), (True, "none"), (False, "target"), (False, "none")]
)
def test_what_is_saved_loads_again(make_bundle, assert_same_bundle, tmp_path, joint, tying):
    bundle = make_bundle(joint=joint, tying=Tying[tying])
    path = tmp_path / "deep" / "er" / "best"
    save_bundle(bundle, path)
    loaded = load_bundle(path)
    assert_same_bundle(loaded, bundle)
    assert not loaded.model.training
    assert all(parameter.requires_grad for parameter in loaded.model.parameters())
    names = ["subwords.model"] if joint else ["subwords.source.model", "subwords.target.model"]
    assert sorted(file.name for file in path.iterdir()) == sorted(
        ["README.md", "config.json", "model.safetensors", *names]
    )
    assert siblings(path) == []
    source, lengths = torch.tensor([[20, 21, 22, 3]]), torch.tensor([4])
    previous = torch.tensor([[2, 20, 21]])
    # Nearly, because weights that lie elsewhere in memory may be summed in another order.
    torch.testing.assert_close(loaded.model(source, lengths, previous), bundle.model(source, lengths, previous))


@pytest.mark.parametrize("cell", list(Cell))
@pytest.mark.parametrize("attention", list(AttentionKind))
def test_every_kind_of_network_loads_again(make_bundle, assert_same_bundle, tmp_path, cell, attention):
    bundle = make_bundle(cell=cell, attention=attention, encoder_layers=3, decoder_layers=2, input_feeding=True)
    save_bundle(bundle, tmp_path / "best")
    assert_same_bundle(load_bundle(tmp_path / "best"), bundle)


def test_a_pointer_loads_again_and_copies_no_symbol(make_bundle, assert_same_bundle, tmp_path):
    bundle = make_bundle(pointer=True)
    save_bundle(bundle, tmp_path / "best")
    loaded = load_bundle(tmp_path / "best")
    assert_same_bundle(loaded, bundle)
    assert "lstm encoder-decoder with general attention and a pointer" in (tmp_path / "best/README.md").read_text(
        "utf-8"
    )
    subwords = loaded.source_subwords
    symbols = {*range(4), *subwords.control_ids, *subwords.language_ids, *subwords.mark_ids}
    assert loaded.model.pointer.first_word == max(symbols) + 1 == len(symbols)


def test_a_pointer_between_two_subword_models_is_refused(make_bundle):
    bundle, config = make_bundle(joint=False, tying=Tying.none), ModelConfig(pointer=True, tying=Tying.none)
    with pytest.raises(ConfigError, match=r"^a model with model.pointer=true needs one subword model for both sides$"):
        build_network(TaskName.translation, config, bundle.source_subwords, bundle.target_subwords)


@pytest.mark.parametrize("tying", ["none", "target", "all"])
def test_tied_matrices_are_stored_once(make_bundle, tmp_path, tying):
    bundle = make_bundle(tying=Tying[tying])
    save_bundle(bundle, tmp_path / "best")
    file = tmp_path / "best" / "model.safetensors"
    stored = safetensors.torch.load_file(file)
    parameters = dict(bundle.model.named_parameters())
    assert stored.keys() == parameters.keys()
    assert {name for name in stored if name.startswith(("source_embedding", "output."))} == {
        "none": {"source_embedding.weight", "output.weight", "output.bias"},
        "target": {"source_embedding.weight"},
        "all": set(),
    }[tying]
    # The file is the numbers, four bytes each, and a header: eight bytes of length, then that many.
    header = int.from_bytes(file.read_bytes()[:8], "little")
    assert file.stat().st_size - 8 - header == 4 * sum(parameter.numel() for parameter in parameters.values())


def test_weights_are_saved_in_fp32(make_bundle, tmp_path):
    bundle = make_bundle()
    bundle.model.double()
    save_bundle(bundle, tmp_path / "best")
    stored = safetensors.torch.load_file(tmp_path / "best" / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float32}
    assert bundle.model.output_bias.dtype == torch.float64


def test_a_loaded_model_keeps_training(make_bundle, tmp_path):
    save_bundle(make_bundle(), tmp_path / "best")
    model = load_bundle(tmp_path / "best").model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    arguments = torch.tensor([[20, 21, 3]]), torch.tensor([3]), torch.tensor([[2, 20]])
    before = model.project(model(*arguments))
    before.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    optimizer.step()
    assert not torch.equal(model.project(model(*arguments)), before)


def test_nothing_in_a_bundle_is_pickle(make_bundle, tmp_path, monkeypatch):
    save_bundle(make_bundle(joint=False, tying=Tying.target), tmp_path / "best")
    for file in (tmp_path / "best").iterdir():
        assert not file.read_bytes().startswith((b"\x80", b"PK")), file  # a pickle, or the archive torch.save makes

    def forbidden(*arguments, **options):
        raise AssertionError("a pickle is read")

    for module, name in [(pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")]:
        monkeypatch.setattr(module, name, forbidden)
    load_bundle(tmp_path / "best")


def test_config_json_says_what_another_program_needs(make_bundle, tmp_path):
    bundle = make_bundle(joint=False, tying=Tying.target)
    save_bundle(bundle, tmp_path / "best")
    config = json.loads((tmp_path / "best" / "config.json").read_text(encoding="utf-8"))
    assert config["format"] == FORMAT
    assert config["nmt_version"] == nmt.__version__
    assert config["languages"] == {"source": "en", "target": "zh"}
    assert config["special_ids"] == {"pad": 0, "unk": 1, "bos": 2, "eos": 3}
    assert config["model"] == to_dict(bundle.config)
    assert config["search"]["beam_size"] == 3
    assert config["variants"] == {"fp32": {"weights": "model.safetensors"}}
    assert config["metadata"]["score"] == "BLEU 12.3 (größer ist besser)"


def test_names_of_tags_are_kept(make_bundle, tmp_path):
    named = dataclasses.replace(make_bundle(), tags={"formal": 0, "informal": 4})
    save_bundle(named, tmp_path / "best")
    assert load_bundle(tmp_path / "best").tags == named.tags
    config = json.loads((tmp_path / "best" / "config.json").read_text(encoding="utf-8"))
    assert config["tags"] == {"formal": 0, "informal": 4}
    assert "--tag formal or --tag informal" in (tmp_path / "best" / "README.md").read_text(encoding="utf-8")


def test_the_model_card_tells_what_it_is(make_bundle, tmp_path):
    bundle = make_bundle()
    save_bundle(bundle, tmp_path / "best")
    card = (tmp_path / "best" / "README.md").read_text(encoding="utf-8")
    for words in ("# en → zh", "lstm encoder-decoder with general attention", "- score: BLEU 12.3 (größer ist besser)"):
        assert words in card
    bundle.metadata.clear()
    assert "- nothing is recorded" in weights.model_card(bundle)


def test_a_bundle_can_be_moved_and_copied_anywhere(make_bundle, assert_same_bundle, tmp_path, monkeypatch):
    bundle = make_bundle()
    save_bundle(bundle, tmp_path / "best")
    moved = tmp_path / "mes modèles=1, 2" / "译"
    moved.parent.mkdir()
    shutil.move(tmp_path / "best", moved)
    copied = tmp_path / "copied"
    shutil.copytree(moved, copied)
    assert_same_bundle(load_bundle(moved), bundle)
    shutil.rmtree(moved)
    assert_same_bundle(load_bundle(copied), bundle)
    monkeypatch.chdir(copied)
    assert_same_bundle(load_bundle(Path(".")), bundle)
    monkeypatch.chdir(tmp_path)
    assert_same_bundle(load_bundle("copied"), bundle)


def test_saving_replaces(make_bundle, assert_same_bundle, tmp_path):
    path = tmp_path / "best"
    for bundle in (make_bundle(1, joint=False, tying=Tying.none), make_bundle(2), make_bundle(3)):
        save_bundle(bundle, path)
        assert_same_bundle(load_bundle(path), bundle)
        assert siblings(path) == []
    assert not (path / "subwords.source.model").exists()


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_bundles_of_format_1_load_and_translate_as_they_always_did(name):
    """Made once, by make.py beside them, and never again: an older bundle must keep working."""
    path = DATA / "bundle-format-1" / name
    lines = (path.parent / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    sources, beam, greedy = zip(*(line.split("\t") for line in lines), strict=True)
    bundle = load_bundle(path)
    assert json.loads((path / "config.json").read_text(encoding="utf-8"))["format"] == 1
    assert bundle.search.beam_size == 4
    plain = replace(bundle.search, protect=False, check_numbers=False)
    assert [found.text for found in Translator(bundle, search=plain).translate(sources)] == list(beam)
    search = replace(plain, beam_size=1)
    assert [found.text for found in Translator(bundle, search=search).translate(sources)] == list(greedy)
