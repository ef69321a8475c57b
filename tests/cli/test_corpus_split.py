import pytest

from nmt.cli import corpus

PAIRS = [
    ("一", "one"),
    ("二", "two"),
    ("三", "three"),
    # The test set, of which all but the first and the last are known.
    ("四", "four"),
    ("二", "second"),
    ("贰", " two "),
    ("五", "five"),
    ("四", "fourth"),
    ("六", "six"),
]
VALID = [("伍", "five")]


@pytest.fixture
def split(tmp_path, monkeypatch, capsys):
    """A function that runs the tool in a directory with the corpus: its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    for name, pairs in (("train", PAIRS), ("valid", VALID)):
        for side, language in enumerate(("zh", "en")):
            text = "".join(f"{pair[side]}\n" for pair in pairs)
            (tmp_path / f"{name}.{language}").write_text(text, encoding="utf-8")

    def run(*words):
        languages = ["--source", "zh", "--target", "en"]
        code = corpus.split(["train", *languages, "--output", "new/split", *words])
        return code, *capsys.readouterr()

    return run


def test_the_last_pairs_that_are_new_become_the_test_set(split, tmp_path):
    code, out, err = split("--valid", "valid", "--last", "6")
    assert (code, err) == (0, "")
    assert out == "new/split: 3 train, 1 valid, 2 test pairs; 4 of the last 6 were left out as seen before\n"
    found = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "new" / "split").iterdir()}
    assert found == {
        "train.zh": "一\n二\n三\n",
        "train.en": "one\ntwo\nthree\n",
        "valid.zh": "伍\n",
        "valid.en": "five\n",
        "test.zh": "四\n六\n",
        "test.en": "four\nsix\n",
    }
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["split"]


def test_without_a_validation_text_there_is_none(split, tmp_path):
    assert split("--last", "3")[0] == 0
    assert (tmp_path / "new" / "split" / "test.en").read_text(encoding="utf-8") == "five\nsix\n"
    assert not (tmp_path / "new" / "split" / "valid.en").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--last", "0"], "--last 0 is not possible: it must be 1 or more"),
        (["--last", "9"], "--last 9 leaves nothing of the 9 pairs of train; lower it"),
        (["--output", "."], "--output . is there already: name a new directory, or remove it first"),
        (
            ["--valid", "none"],
            "valid=none: there is no file none.zh (nor none.zh.gz); check the path and the languages",
        ),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(split, tmp_path, words, message):
    code, out, err = split(*words)
    assert (code, out, err) == (2, "", f"nmt corpus split: error: {message}\n")
    assert not (tmp_path / "new").exists()
