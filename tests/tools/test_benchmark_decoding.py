"""The benchmark of decoding, on a bundle and a stand-in for a peer that translate at once."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from nmt.bundle.weights import save_bundle
from nmt.errors import BundleError, ConfigError
from nmt.export.variant import export
from nmt.runtime.model import OnnxModel
from nmt.text.shortlist import Shortlist
from nmt.translation.translator import Translator

LINES = ["a small red house", "the old river stands near", "", "river", "a house near a river", "river"]
# Translates every sentence to itself, a piece short where the beam is one.
CTRANSLATE2 = """
from types import SimpleNamespace

class Translator:
    def __init__(self, model, *, device, compute_type, inter_threads=1, intra_threads):
        assert (device, compute_type, inter_threads * intra_threads) == ("cpu", "int8", 1)

    def translate_batch(self, sources, *, beam_size, max_decoding_length, max_batch_size):
        assert max_decoding_length == 70
        assert len(sources) == 1 or max_batch_size > 1
        return [SimpleNamespace(hypotheses=[source[: len(source) - (beam_size == 1)]]) for source in sources]
"""


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("benchmark_decoding")


@pytest.fixture(scope="module")
def decoding(load_tool):
    return load_tool("benchmarking.decoding")


@pytest.fixture(scope="module")
def bundle(make_bundle):
    return make_bundle()


@pytest.fixture(scope="module")
def folder(bundle, tmp_path_factory):
    """A directory with a bundle, a test set and a peer."""
    folder = tmp_path_factory.mktemp("decoding")
    save_bundle(bundle, folder / "bundle")
    for name in ("source", "reference"):
        (folder / name).write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    package = folder / "python" / "ctranslate2"
    information = folder / "python" / "ctranslate2-9.9.dist-info"
    for path in (package, information):
        path.mkdir(parents=True)
    (package / "__init__.py").write_text(CTRANSLATE2)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: ctranslate2\nVersion: 9.9\n")
    return folder


def words(folder, *more):
    return [str(folder / "bundle"), "--source", str(folder / "source"), "--reference", str(folder / "reference"), *more]


@pytest.mark.usefixtures("forks_commands")
def test_every_row_is_a_line_of_a_table(tool, folder, python_that_finds, capfdbinary):
    peer = ["--peer", f"ctranslate2:{folder}", "--peer-subwords", str(folder / "bundle" / "subwords.model")]
    peer += ["--peer-python", python_that_finds(folder / "python")]
    chosen = ["fp32:1:64:1", "ctranslate2-int8:*:1:1", "fp32-workers:1:64:2"]
    chosen = [word for pattern in chosen for word in ("--rows", pattern)]
    options = ["--beams", "1", "5", "--threads", "1", "2", "--peer-max-length", "70", "--sentences", "2"]
    assert tool.main(words(folder, *peer, *chosen, *options)) == 0
    processor, _, head, _, *rows, _, note = capfdbinary.readouterr().out.decode().splitlines()
    assert processor.startswith("Processor: ")
    assert head == tool.table_row(tool.COLUMNS)
    cells = [row.strip("| ").split(" | ") for row in rows]
    assert [row[:5] for row in cells] == [
        ["ctranslate2-int8", "1", "1", "1", "2"],
        ["ctranslate2-int8", "5", "1", "1", "2"],
        ["fp32", "1", "64", "1", "6"],
        ["fp32-workers", "1", "64", "2", "6"],
    ]
    assert float(cells[0][-1]) < 100
    assert cells[1][-1] == "100.00"
    assert cells[2][-1] == cells[3][-1]
    assert all(float(cell.replace(",", "")) > 0 for row in cells for cell in row[5:9])
    assert re.fullmatch(r"\d+%", cells[2][9])
    assert re.match(r"fp32 product rate: \d+ to \d+ GFLOP/s; BLEU nrefs:1\|case:mixed", note)


def test_what_is_counted_is_what_a_search_does(decoding, bundle, folder):
    """Greedily and one by one, a row is stepped for every target position; a line that is known already for none."""
    request = {"bundle": str(folder / "bundle"), "engine": "fp32", "source": LINES, "began": 0.0}
    found = decoding.measure(request | {"words": ["--beam-size", "1", "--batch-size", "1", "--threads", "1"]})
    distinct = sorted(filter(None, set(LINES)))
    translations = Translator(bundle, search=replace(bundle.search, beam_size=1, batch_size=1)).translate(distinct)
    steps = sum(translation.target_tokens for translation in translations)
    positions = sum(len(bundle.source_subwords.encode(line)) + 1 for line in distinct)
    products = 0
    for name, weight in bundle.model.named_parameters():
        if weight.dim() > 1:
            of_source = "encoder" in name or "key" in name
            times = len(distinct) if "bridge" in name else positions if of_source else steps
            products += weight.numel() * times  # the embedding, which is tied, is the output matrix of a step
    assert found["flop"] == 2 * products
    assert found["hypotheses"][3] == found["hypotheses"][5] == translations[distinct.index("river")].text
    assert found["target_tokens"] == steps + translations[distinct.index("river")].target_tokens


@pytest.mark.parametrize(("beam", "batch"), [(1, 1), (1, 4), (3, 1)])
@pytest.mark.parametrize("listed", [False, True])
def test_positions_taken_ahead_count_as_steps(decoding, make_bundle, tmp_path, monkeypatch, beam, batch, listed):
    bundle = make_bundle()
    with torch.no_grad():  # nothing that is forbidden, for which search takes back what was taken ahead
        bundle.model.output_bias[[0, 1, 2, *bundle.target_subwords.control_ids, *([3] if beam > 1 else [])]] = -100
    save_bundle(bundle, tmp_path / "bundle")
    vocabulary = bundle.target_subwords.vocabulary_size
    nothing = np.zeros(bundle.source_subwords.vocabulary_size + 1, dtype=np.int64)
    always = np.array([*range(4), *range(vocabulary // 2, vocabulary)])
    shortlist = Shortlist(nothing, nothing[:0], always, vocabulary) if listed else None
    export(tmp_path / "bundle", "fp32", shortlist=None if shortlist is None else lambda said: shortlist)
    request = {"bundle": str(tmp_path / "bundle"), "engine": "fp32", "source": LINES, "began": 0.0}
    request["words"] = ["--beam-size", str(beam), "--batch-size", str(batch), "--threads", "1"]
    ahead = decoding.measure(request)
    taken = []
    monkeypatch.setattr(OnnxModel, "take_steps", lambda *given, **options: taken.append(given))
    assert decoding.measure(request)["flop"] == ahead["flop"]
    assert taken


def test_rows_are_chosen_by_patterns(decoding):
    options = {"beams": [1, 5], "batches": [1, 64], "threads": [1, 2]}
    rows = decoding.rows_of(["int8", "fp32"], patterns=[], **options)
    assert len(rows) == 16
    assert rows[0].name == "int8:1:1:1"
    chosen = decoding.rows_of(["int8", "fp32"], patterns=["fp32:5:*:1", "int8:1:1:2"], **options)
    assert [row.name for row in chosen] == ["fp32:5:1:1", "fp32:5:64:1", "int8:1:1:2"]
    with pytest.raises(
        ConfigError, match=r"^--rows bf16:\* matches none of the 16 rows; they are ENGINE:BEAM:BATCH:THR"
    ):
        decoding.rows_of(["int8", "fp32"], patterns=["bf16:*"], **options)
    shared = decoding.rows_of(["int8", "int8-workers"], patterns=["int8-workers:*"], **options)
    assert [row.name for row in shared] == ["int8-workers:1:64:2", "int8-workers:5:64:2"]
    assert len(decoding.rows_of(["int8"], beams=[1], batches=[1], threads=[1, 1], patterns=[])) == 1


def test_engines_are_the_variants_of_the_bundle(decoding, folder, tmp_path):
    assert decoding.engines_of(folder / "bundle", with_bf16=False) == ["fp32", "fp32-workers"]
    graphs = {"encoder": "e", "step": "s"}
    exported = {"fp32": {"weights": "w"} | graphs, "int8": {"shortlist": "l"} | graphs}
    (tmp_path / "config.json").write_text(json.dumps({"variants": exported}), encoding="utf-8")
    assert decoding.engines_of(tmp_path, with_bf16=True) == [
        *("fp32", "fp32-workers", "fp32-torch", "bf16", "bf16-workers"),
        *("int8", "int8-workers"),
    ]
    engines = ("fp32", "fp32-torch", "int8", "int8-workers")
    assert [decoding.has_shortlist(tmp_path, engine) for engine in engines] == [False, False, True, True]
    with pytest.raises(BundleError, match=r"config\.json: cannot be read .* name a directory that nmt-train saved"):
        decoding.engines_of(tmp_path / "none", with_bf16=False)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--beams", "0"], "--beams [0] is not possible: it must be 1 or more"),
        (["--rounds", "0"], "--rounds 0 is not possible: it must be 1 or more"),
        (["--peer", "onmt"], "--peer onmt:: there is no such model; write KIND:PATH, as in onmt:model.pt"),
        (
            ["--peer", "onmt:{folder}"],
            "--peer onmt needs --peer-subwords FILE, the SentencePiece model of its training",
        ),
        (["--reference", "/dev/null"], "{folder}/source has 6 lines and /dev/null has 0: they need the same number"),
        (
            ["--peer", "moses:{folder}", "--peer-subwords", "{folder}/source"],
            "--peer moses is unknown: take one of onmt,",
        ),
    ],
)
def test_wrong_use_is_one_line(tool, folder, capsys, more, message):
    assert tool.main(words(folder, *(word.format(folder=folder) for word in more))) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"benchmark_decoding.py: error: {message.format(folder=folder)}")
    assert err.count("\n") == 1


def test_without_a_bundle_there_is_nothing_to_measure(tool, capsys):
    assert tool.main([]) == 2
    assert capsys.readouterr().err == (
        "benchmark_decoding.py: error: BUNDLE is missing; see benchmark_decoding.py --help\n"
    )
