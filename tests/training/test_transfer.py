"""Transfer: which rows a run with subwords of its own takes over from the bundle that init_from names."""

import dataclasses
import shutil

import pytest
import torch

import nmt
from nmt.bundle.networks import build_network
from nmt.bundle.weights import Bundle, load_bundle
from nmt.config.choices import TaskName, Tying
from nmt.text.spelling import spell_all
from nmt.training.data import prepare
from nmt.training.lexicon import Translations, fill_lexicon
from nmt.training.transfer import Origins, _translated, take_over

CIPHER = str.maketrans({c: chr(0x10D0 + i) for i, c in enumerate("abcdefghijklmnopqrstuvwxyz")})
SIZES = {"embedding_size": 16, "encoder_hidden_size": 16, "decoder_hidden_size": 32}


@pytest.fixture(scope="session")
def ciphered(tmp_path_factory, text, write_lines):
    """The toy corpus with sources in another script."""
    folder = tmp_path_factory.mktemp("ciphered")
    for part, (start, end) in {"train": (0, 240), "valid": (240, 262)}.items():
        write_lines(folder / f"{part}.ka", [line.lower().translate(CIPHER) for line in text[0][start:end]])
        write_lines(folder / f"{part}.de", text[1][start:end])
    return folder


@pytest.fixture
def in_cipher(ciphered):
    """Settings that train on it."""
    return {
        "corpus__train": str(ciphered / "train"),
        "corpus__valid": str(ciphered / "valid"),
        "corpus__source": "ka",
        "subwords__vocabulary_size": 200,
    }


def network(data, config, *, seed):
    """A model with every weight drawn."""
    torch.manual_seed(seed)
    model = build_network(TaskName.translation, config.model, data.source_subwords, data.target_subwords)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter)
    return model


@pytest.fixture
def related(make_config, make_bundle):
    """Make a child's model, its parent, which translates the other way unless told, and the child's text and config."""

    def make(parent=None, **changes):
        other_way = {"subwords__vocabulary_size": 120, "corpus__source": "de", "corpus__target": "en"}
        other_way["model__tying"] = changes.get("model__tying", Tying.all)
        old, config = make_config(**(other_way | (parent or {}))), make_config(**changes)
        old_data = prepare(old)
        data = prepare(config)
        bundle: Bundle = dataclasses.replace(
            make_bundle(),
            model=network(old_data, old, seed=1),
            config=old.model,
            source_subwords=old_data.source_subwords,
            target_subwords=old_data.target_subwords,
        )
        model = network(data, config, seed=2)
        if model.lexicon is not None:
            fill_lexicon(model.lexicon, config, data)
        return model, bundle, {"data": data, "config": config}

    return make


def mean(rows, weights=None):
    """The weighted mean of rows, as long as they are on average."""
    rows = torch.stack(list(rows)).double()
    weights = torch.ones(len(rows), 1).double() if weights is None else torch.tensor(weights).double().unsqueeze(1)
    middle, length = (rows * weights).sum(0), (rows.norm(dim=1) * weights[:, 0]).sum() / weights.sum()
    return (middle / middle.norm() * length).float()


SAME_WAY = {"corpus__source": "en", "corpus__target": "de"}
SEPARATE = {"subwords__joint": False, "model__tying": Tying.target}
SAME = {"subwords__vocabulary_size": 160, **SAME_WAY}


def test_translations_into_several_languages_are_those_of_the_same_piece():
    """Of four source pieces the last three are new; two languages have two translations each."""
    targets = torch.tensor([[0, 1], [1, 2], [2, 0], [3, 0], [0, 1], [2, 0], [3, 0], [1, 3]], dtype=torch.int32)
    likely = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.2], [0.9, 0], [0.9, 0.1], [0.7, 0], [0.8, 0], [0.5, 0.5]])
    members = _translated(
        [[0], [1], [2], []], Translations(targets, likely), new=torch.tensor([False, True, True, True])
    )
    rows = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [5.0, 5.0, 5.0]])
    # The second piece has translations in both languages; the third too few that are likely; the fourth one that is.
    means = [[0, 0, 0], [0, 0.6 / 1.7, 1.1 / 1.7], [0, 0, 0], [0, 1, 0]]
    assert torch.allclose(members.means(rows, 4), torch.tensor(means))


@pytest.mark.parametrize(
    "shape",
    [{}, SEPARATE, {"model__tying": Tying.none}, {"model__tying": Tying.target}, {"subwords__byte_fallback": True}],
)
def test_with_the_parents_subwords_all_weights_are_the_parents(related, shape):
    shape = shape | ({"subwords__vocabulary_size": 500} if "subwords__byte_fallback" in shape else {})
    model, parent, child = related({**SAME, **shape}, **shape)
    assert child["data"].source_subwords.digest == parent.source_subwords.digest
    origins = take_over(model, parent, **child)
    assert all(torch.equal(model.state_dict()[name], weight) for name, weight in parent.model.state_dict().items())
    sizes = child["data"].source_subwords.vocabulary_size, child["data"].target_subwords.vocabulary_size
    expected = (
        {"both": sizes[1]} if not shape.get("model__tying") else dict(zip(("source", "target"), sizes, strict=True))
    )
    assert origins == {side: Origins(size, 0, 0, 0) for side, size in expected.items()}


def test_each_row_comes_from_the_first_way_that_is_possible(related, in_cipher):
    model, parent, child = related(SAME_WAY, **in_cipher, model__lexicon_size=4)
    lexicon = {name: tensor.clone() for name, tensor in model.lexicon.state_dict().items()}
    origins = take_over(model, parent, **child)["both"]
    old, new = parent.model.target_embedding.weight, model.target_embedding.weight
    spelled = spell_all(child["data"].source_subwords, parent.source_subwords)
    counts = dict.fromkeys(Origins._fields, 0)
    for row, ids, targets, likely in zip(new, spelled, lexicon["targets"], lexicon["probabilities"], strict=True):
        readable = [(t, p) for t, p in zip(targets.tolist(), likely.tolist(), strict=True) if p and spelled[t]]
        if len(ids) == 1:
            counts["spelling"] += 1
            assert torch.equal(row, old[ids[0]])
        elif ids:
            counts["parts"] += 1
            torch.testing.assert_close(row, mean(old[i] for i in ids))
        elif sum(p for _, p in readable) >= 0.5:
            counts["translations"] += 1
            tables = [
                old[spelled[t][0]] if len(spelled[t]) == 1 else mean(old[i] for i in spelled[t]) for t, _ in readable
            ]
            torch.testing.assert_close(row, mean(tables, [p for _, p in readable]), rtol=1e-4, atol=1e-5)
        else:
            counts["fresh"] += 1
    assert origins == Origins(**counts)
    assert min(origins) > 0
    # All other weights are the parent's, and the lexicon is that of the child's text.
    for name, weight in model.state_dict().items():
        if name.startswith("lexicon."):
            assert torch.equal(weight, lexicon[name.removeprefix("lexicon.")])
        elif name not in ("target_embedding.weight", "output_bias"):
            assert torch.equal(weight, parent.model.state_dict()[name])


def test_biases_are_of_the_same_pieces_else_a_mean(related):
    model, parent, child = related()
    take_over(model, parent, **child)
    old = parent.model.output_bias
    for bias, ids in zip(
        model.output_bias, spell_all(child["data"].target_subwords, parent.target_subwords), strict=True
    ):
        torch.testing.assert_close(bias, old[ids].mean() if ids else old.mean())


def test_fresh_rows_are_like_the_parents_and_of_the_seed(related, in_cipher):
    """Targets have no translations: what is new among them, such as a letter that the parent lacks, is fresh."""
    model, parent, child = related(SEPARATE, **in_cipher | SEPARATE)
    old = parent.model.target_embedding.weight
    with torch.no_grad():
        for weight in (parent.model.source_embedding.weight, old):
            weight.mul_(0.01).add_(5)
    weights = []
    for seed in (1, 1, 2):
        take_over(model, parent, data=child["data"], config=dataclasses.replace(child["config"], seed=seed))
        weights.append(model.target_embedding.weight.detach().clone())
    one, again, other = weights
    assert torch.equal(one, again)
    fresh = torch.tensor([a != b for a, b in zip(one.tolist(), other.tolist(), strict=True)])
    spelled = [
        spell_all(child["data"].target_subwords, each) for each in (parent.target_subwords, parent.source_subwords)
    ]
    assert fresh.tolist() == [not (mine or theirs) for mine, theirs in zip(*spelled, strict=True)]
    assert fresh.any()
    assert one[fresh].mean().item() == pytest.approx(5, abs=0.02)
    assert one[fresh].std().item() == pytest.approx(0.014, rel=0.5)


def test_a_child_of_one_vocabulary_has_rows_of_both_of_its_parents(related):
    model, parent, child = related({**SEPARATE, "subwords__vocabulary_size": 100, **SAME_WAY})
    assert take_over(model, parent, **child).keys() == {"both"}
    old = parent.model.state_dict()
    new, checked = model.target_embedding.weight, [0, 0]
    of_source, of_target = (
        spell_all(child["data"].source_subwords, each) for each in (parent.source_subwords, parent.target_subwords)
    )
    for row, first, second in zip(new, of_source, of_target, strict=True):
        if len(first) == 1:
            checked[0] += 1
            assert torch.equal(row, old["source_embedding.weight"][first[0]])
        elif len(second) == 1:
            checked[1] += 1
            assert torch.equal(row, old["target_embedding.weight"][second[0]])
    assert min(checked) > 5


def test_a_child_of_two_vocabularies_has_rows_of_its_parents_one(related):
    model, parent, child = related({"model__tying": Tying.all, **SAME_WAY}, **SEPARATE)
    origins = take_over(model, parent, **child)
    assert list(origins) == ["source", "target"]
    old = parent.model.target_embedding.weight
    for embedding, pieces in (
        (model.source_embedding, child["data"].source_subwords),
        (model.target_embedding, child["data"].target_subwords),
    ):
        spelled = spell_all(pieces, parent.source_subwords)
        assert sum(len(ids) == 1 for ids in spelled) > 30
        for row, ids in zip(embedding.weight, spelled, strict=True):
            assert len(ids) != 1 or torch.equal(row, old[ids[0]])


def test_an_output_matrix_of_its_own_is_taken_over_row_by_row(related):
    model, parent, child = related(model__tying=Tying.none)
    take_over(model, parent, **child)
    old = parent.model.output
    for row, bias, ids in zip(
        model.output.weight,
        model.output.bias,
        spell_all(child["data"].target_subwords, parent.target_subwords),
        strict=True,
    ):
        if ids:
            torch.testing.assert_close(row, mean(old.weight[i] for i in ids))
            torch.testing.assert_close(bias, old.bias[ids].mean())


def test_a_child_without_a_lexicon_has_its_text_aligned(related, in_cipher):
    """So a new script begins with the rows of its translations here too."""
    here, there = (related(SAME_WAY, **in_cipher, model__lexicon_size=size) for size in (0, 20))
    for model, parent, child in (here, there):
        assert take_over(model, parent, **child)["both"].translations > 30
    torch.testing.assert_close(here[0].target_embedding.weight, there[0].target_embedding.weight)


# From here on: the command.

UNSAID = {"model": None, **{f"model__{key}": None for key in (*SIZES, "attentional_size")}}


def test_a_child_outlives_its_parent(
    command, interrupted, same, saved, metrics, tmp_path, in_cipher, train, make_config
):
    train(make_config("parent", trainer__max_updates=3, trainer__validate_every=3, model__lexicon_size=4))
    child = {"init_from": tmp_path / "parent" / "best", "subwords__inherit": "false", **in_cipher, **UNSAID}
    whole = command(run_dir=tmp_path / "whole", **child)
    assert whole.code == 0, whole.err
    assert f"starting from the weights of {child['init_from']}; subwords of both: 1" in whole.err
    run_dir = interrupted(**child)
    shutil.rmtree(tmp_path / "parent")
    finished = command(**child)
    assert finished.code == 0, finished.err
    assert same(saved(run_dir), saved(tmp_path / "whole"))
    assert metrics(run_dir) == metrics(tmp_path / "whole")
    bundle = load_bundle(run_dir / "best")
    assert bundle.source_subwords.characters > set("\u10d0\u10d4")
    assert bundle.config.embedding_size == 16
    text = (run_dir / "config.yaml").read_text(encoding="utf-8")
    assert "inherit: false\n" in text
    assert f"init_from: {child['init_from']}\n" in text
    message = command(**child | {"subwords__inherit": None}).mistake
    assert f"{run_dir} holds a run with another configuration: subwords.inherit (False → True)" in message


def test_what_to_do_about_another_script_is_said(command, tmp_path, in_cipher, train, make_config):
    train(make_config("parent", trainer__max_updates=1, trainer__validate_every=1))
    child = {"init_from": tmp_path / "parent" / "best", **in_cipher, **UNSAID}
    message = command(**child | {"subwords__vocabulary_size": None}).mistake
    assert message.endswith(
        f"fine-tuning keeps the subwords of init_from={child['init_from']}, so take another parent, "
        "or let this run have subwords of its own with subwords.inherit=false"
    )


def test_it_helps(make_config, in_cipher, metrics):
    """A child in another script is ahead of a run from scratch after the same few updates, also from Python."""
    parent = make_config("parent", trainer__max_updates=60, trainer__validate_every=60, model__lexicon_size=8)
    nmt.train(parent)
    few = {"trainer__max_updates": 12, "trainer__validate_every": 12, "model__lexicon_size": 8, **in_cipher}
    runs = [make_config("scratch", **few)]
    runs.append(make_config("child", **few, init_from=f"{parent.run_dir}/best", subwords__inherit=False))
    results = [nmt.train(config) for config in runs]
    assert results[0].updates == results[1].updates == 12
    scratch, child = (metrics(config.run_dir, "validation")[-1]["perplexity"] for config in runs)
    assert child < 0.8 * scratch
