"""A teacher's translations of the training text, as text for a smaller model."""

import gzip
import shlex

import pytest

from nmt.bundle.weights import save_bundle
from nmt.cli import augment
from nmt.translation.translator import Translator

SOURCES = ["a small red house", "", "the old river stands near", "a small red house"]
TARGETS = ["x", "y", "", "z"]


@pytest.fixture(scope="module")
def bundle(make_bundle):
    return make_bundle()  # en → zh, beam 3


@pytest.fixture
def distill(bundle, tmp_path_factory, tmp_path, monkeypatch, capsys):
    """A function that runs the command in a directory with a training text: its exit code, stdout and stderr."""
    model = tmp_path_factory.mktemp("bundles") / "en_zh"
    save_bundle(bundle, model)
    monkeypatch.chdir(tmp_path)
    for side, lines in (("en", SOURCES), ("zh", TARGETS)):
        (tmp_path / f"train.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def run(*words, train="train", output="again"):
        code = augment.distill([str(model), "--train", train, "--output", output, "--threads", "1", *words])
        return code, *capsys.readouterr()

    return run


def names(directory):
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize(("words", "changes"), [((), {}), (("--beam-size", "1"), {"beam_size": 1})])
def test_every_source_stands_beside_the_teachers_best_translation(distill, bundle, tmp_path, words, changes):
    code, out, err = distill(*words)
    search = type(bundle.search)(**(vars(bundle.search) | changes))
    expected = [item.text for item in Translator(bundle, search=search).translate(SOURCES)]
    # Its model is not trained, so that most translations do not end.
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith("nmt augment distill: warning: 3 of 4 lines were too long for the model, or ")
    assert (tmp_path / "again.en").read_bytes() == (tmp_path / "train.en").read_bytes()
    assert (tmp_path / "again.zh").read_text(encoding="utf-8") == "".join(f"{text}\n" for text in expected)
    assert shlex.split(out) == ["corpus.extra=[again]", "corpus.weights=[1,1]"]
    assert names(tmp_path) == ["again.en", "again.zh", "train.en", "train.zh"]


def test_columns_of_one_file_are_a_training_text_too(distill, tmp_path):
    assert distill()[0] == 0
    rows = "".join(f"{source}\t{target}\n" for source, target in zip(SOURCES, TARGETS, strict=True))
    (tmp_path / "all.tsv.gz").write_bytes(gzip.compress(rows.encode()))
    assert distill(train="all.tsv.gz", output="more")[0] == 0
    for side in ("en", "zh"):
        assert (tmp_path / f"more.{side}").read_bytes() == (tmp_path / f"again.{side}").read_bytes()


@pytest.mark.parametrize("words", [(), ("--overwrite",)])
def test_the_training_text_is_never_overwritten(distill, tmp_path, words):
    before = [(tmp_path / f"train.{side}").read_bytes() for side in ("en", "zh")]
    message = "nmt augment distill: error: --output ./train is the training text itself; choose another --output\n"
    assert distill(*words, output="./train") == (2, "", message)
    (tmp_path / "linked.zh").hardlink_to(tmp_path / "train.zh")
    message = "--train train is where the translations go (linked.zh); choose another --output"
    assert distill(*words, output="linked") == (2, "", f"nmt augment distill: error: {message}\n")
    assert [(tmp_path / f"train.{side}").read_bytes() for side in ("en", "zh")] == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": "none"}, "--train=none: there is no file none.en (nor none.en.gz); check the path and"),
        ({"output": "no/where"}, "--output no/where.zh: there is no directory no; make it first"),
        ({"train": "short"}, "--train=short: short.en has 1 lines, short.zh has 2 lines; each line needs"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(distill, tmp_path, options, message):
    (tmp_path / "short.en").write_text("a\n")
    (tmp_path / "short.zh").write_text("x\ny\n")
    before = names(tmp_path)
    code, out, err = distill(**options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"nmt augment distill: error: {message}")
    assert names(tmp_path) == before
