"""A teacher's translations of the training text, as text for a smaller model."""

import gzip
import hashlib
import shlex

import pytest

import nmt
from nmt.bundle.weights import save_bundle
from nmt.cli import augment
from nmt.config.choices import Tying
from nmt.recipes.teacher import Teacher
from nmt.search.ensemble import Ensemble
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

    def run(*words, models=(model,), train="train", output="again"):
        options = ("--train", train, "--output", output, "--threads", "1", *words)
        code = augment.distill([*map(str, models), *options])
        return code, *capsys.readouterr()

    run.model = model

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


@pytest.fixture
def others(make_bundle, tmp_path_factory):
    """Two more models of the same subwords."""
    paths = [tmp_path_factory.mktemp("bundles") / f"seed {seed}" for seed in (2, 3)]
    for seed, path in zip((2, 3), paths, strict=True):
        save_bundle(make_bundle(seed), path)
    return paths


def test_several_bundles_translate_as_one_ensemble(distill, others, tmp_path):
    paths = [distill.model, *others]
    assert distill(models=paths)[0] == 0
    made = (tmp_path / "again.zh").read_text(encoding="utf-8")
    translator = nmt.load(*paths, threads=1)
    assert isinstance(translator.bundle.model, Ensemble)
    assert made == "".join(f"{each.text}\n" for each in translator.translate(SOURCES))
    for number, path in enumerate(paths):
        assert distill(models=[path], output=f"alone{number}")[0] == 0
        assert (tmp_path / f"alone{number}.zh").read_text(encoding="utf-8") != made


def test_what_one_set_of_bundles_began_no_other_set_goes_on_with(distill, others, tmp_path, monkeypatch):
    first, (second, third) = distill.model, others
    assert distill(models=[first, second])[0] == 0
    whole = (tmp_path / "again.zh").read_bytes()
    translate, calls = Translator.translate, []

    def stopping(self, lines):
        calls.append(list(lines))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return translate(self, lines)

    with monkeypatch.context() as patch:
        patch.setattr(Translator, "translate", stopping)
        patch.setattr("nmt.translation.translator.WINDOW_BATCHES", 2)
        code, _, err = distill("--batch-size", "1", models=[first, second], output="more")
        assert (code, calls) == (130, [SOURCES[:2], SOURCES[2:]])
    partial = tmp_path / "more.zh.partial"
    begun = partial.read_bytes()
    for models in ([first], [second], [second, first], [first, third], [first, second, third], [first, first, second]):
        code, out, err = distill(models=models, output="more")
        assert (code, out, err) == (
            2,
            "",
            "nmt augment distill: error: more.zh.partial was made with another model; give the same to go on, choose "
            "another --output, or add --overwrite to start anew\n",
        )
        assert partial.read_bytes() == begun
    code, _, err = distill(models=[first, second], output="more")
    assert (code, err.splitlines()[0]) == (0, "nmt augment distill: going on after line 2 of 4")
    assert (tmp_path / "more.zh").read_bytes() == whole


def test_what_one_bundle_began_before_there_were_ensembles_goes_on(distill):
    """Its state has one digest, which is that of the model's files; several have a list of such."""
    files = sorted(path for path in distill.model.iterdir() if path.suffix in (".safetensors", ".model"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    assert len(files) == 2
    assert Teacher(distill.model).load().fingerprint()["model"] == digest
    assert Teacher(distill.model, other_paths=(distill.model,)).load().fingerprint()["model"] == [digest, digest]


def test_bundles_that_are_no_ensemble_are_told_in_one_line(distill, make_bundle, tmp_path_factory, tmp_path):
    path = tmp_path_factory.mktemp("bundles") / "two subword models"
    save_bundle(make_bundle(joint=False, tying=Tying.target), path)
    before = names(tmp_path)
    assert distill(models=[distill.model, path]) == (
        2,
        "",
        f"nmt augment distill: error: {distill.model} and {path} cannot be one ensemble: their target subwords differ; "
        "train models of one ensemble with the same subword model (subwords.model)\n",
    )
    code, out, err = distill(models=[distill.model, tmp_path])
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"nmt augment distill: error: {tmp_path} is not a bundle")
    assert names(tmp_path) == before


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
