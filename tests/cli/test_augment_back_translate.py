import gzip
import os
import shlex
import signal

import filelock
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

import nmt
from nmt.bundle.weights import save_bundle
from nmt.cli import augment
from nmt.cli.hydra.overrides import quote_overrides
from nmt.translation.batching import WINDOW_BATCHES
from nmt.translation.translator import Translator

WORDS = ["a", "small", "red", "house", "stands", "near", "the", "old", "river"]
LINES = [" ".join(WORDS[start % 7 : start % 7 + 1 + start % 3]) for start in range(40)]
LINES[3], LINES[20] = "", "the river \u2028 stands"
TEXT = "".join(f"{line}\n" for line in LINES).encode()


@pytest.fixture(scope="module")
def bundle(make_bundle):
    return make_bundle()  # en → zh


@pytest.fixture(scope="module")
def model(bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundles") / "en_zh"
    save_bundle(bundle, path)
    return path


@pytest.fixture
def back_translate(model, tmp_path, monkeypatch, capsys):
    """A function that runs the tool on mono.en in an empty directory: its exit code, stdout and lines of stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mono.en").write_bytes(TEXT)

    def run(*words, **options):
        options = {"input": "mono.en", "output": "back", "source": "zh", "target": "en", "batch_size": 1} | options
        named = [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", str(value))]
        handler = signal.getsignal(signal.SIGINT)  # which a stopped command leaves ignored
        code = augment.back_translate([str(model), "--threads", "1", *named, *words])
        signal.signal(signal.SIGINT, handler)
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


@pytest.fixture
def expected(bundle):
    """The translations of LINES, as a file."""
    return "".join(f"{translation.text}\n" for translation in Translator(bundle).translate(LINES)).encode()


def mistake(finished):
    """The message of a command that ended in one line."""
    code, out, (line,) = finished
    assert (code, out) == (2, "")
    return line.removeprefix("nmt augment back-translate: error: ")


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_both_sides_are_written_line_by_line(back_translate, expected, tmp_path):
    code, out, _ = back_translate()
    assert code == 0
    assert (tmp_path / "back.zh").read_bytes() == expected
    assert (tmp_path / "back.en").read_bytes() == TEXT
    assert expected.split(b"\n")[3] == b""
    assert names(tmp_path) == ["back.en", "back.zh", "mono.en"]
    assert shlex.split(out) == ["corpus.extra=[back]", "corpus.weights=[1,1]", "corpus.tags=[-1,0]"]


def test_several_bundles_translate_back_as_one_ensemble(model, back_translate, make_bundle, tmp_path):
    other = tmp_path / "other"
    save_bundle(make_bundle(2), other)
    assert (
        augment.back_translate(
            [str(model), str(other), "--input", "mono.en", "--output", "both", "--source", "zh", "--target", "en"]
        )
        == 0
    )
    expected = nmt.load(model, other).translate(LINES)
    assert (tmp_path / "both.zh").read_text(encoding="utf-8") == "".join(f"{each.text}\n" for each in expected)


@pytest.mark.parametrize("prefix", ["data/back", "mes données/a,b", "1e3"])
def test_the_printed_settings_mean_the_prefix(prefix):
    words = quote_overrides(shlex.split(augment.training_settings(prefix, tag=0)), multirun=False)
    values = [OverridesParser.create().parse_override(word).value() for word in words]
    assert values == [[prefix], [1, 1], [-1, 0]]


def test_a_gzipped_file_with_other_line_ends_is_the_same_text(back_translate, expected, tmp_path):
    (tmp_path / "mono.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + TEXT.replace(b"\n", b"\r\n")))
    assert back_translate(input="mono.gz")[0] == 0
    assert (tmp_path / "back.zh").read_bytes() == expected
    assert (tmp_path / "back.en").read_bytes() == TEXT


@pytest.fixture
def stopped(back_translate, monkeypatch, tmp_path):
    """Stop the tool in its second window."""
    translate, calls = Translator.translate, []

    def patched(self, lines, **options):
        calls.append(len(lines))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return translate(self, lines, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Translator, "translate", patched)
        code, out, lines = back_translate()
    assert (code, out, lines[-1]) == (
        130,
        "",
        "nmt augment back-translate: stopped; the same command goes on from here",
    )
    partial = tmp_path / "back.zh.partial"
    assert partial.read_bytes().count(b"\n") == calls[0] == WINDOW_BATCHES
    return partial


@pytest.mark.parametrize("rest", [b"", b"half a li", "é".encode()[:1]])
def test_it_goes_on_after_the_last_whole_line(back_translate, stopped, expected, monkeypatch, tmp_path, rest):
    with open(stopped, "ab") as file:
        file.write(rest)
    translate, numbers = Translator.translate, []

    def counting(self, lines):
        numbers.append(len(lines))
        return translate(self, lines)

    monkeypatch.setattr(Translator, "translate", counting)
    code, _, lines = back_translate()
    assert code == 0
    assert lines[0] == f"nmt augment back-translate: going on after line {WINDOW_BATCHES} of {len(LINES)}"
    assert numbers == [16, 8]
    assert (tmp_path / "back.zh").read_bytes() == expected
    assert names(tmp_path) == ["back.en", "back.zh", "mono.en"]


def test_a_stop_between_the_two_renames_is_mended(back_translate, expected, monkeypatch, tmp_path):
    replace = os.replace

    def once(source, target):
        replace(source, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", once)
        assert back_translate()[0] == 130
    assert names(tmp_path) == ["back.en", "back.state.json", "back.zh.partial", "mono.en"]
    assert back_translate()[0] == 0
    assert (tmp_path / "back.zh").read_bytes() == expected
    assert names(tmp_path) == ["back.en", "back.zh", "mono.en"]


def test_another_input_or_search_does_not_go_on_there(back_translate, stopped, bundle, tmp_path):
    before = stopped.read_bytes()
    (tmp_path / "mono.en").write_bytes(TEXT.replace(b"small", b"old"))
    assert mistake(back_translate(beam_size=1)) == (
        "back.zh.partial was made with another input and search; give the same to go on, choose another --output, "
        "or add --overwrite to start anew"
    )
    assert stopped.read_bytes() == before
    assert back_translate("--overwrite", beam_size=1)[0] == 0
    assert (tmp_path / "back.en").read_bytes() == (tmp_path / "mono.en").read_bytes()
    assert (tmp_path / "back.zh").read_bytes().count(b"\n") == len(LINES)


def test_overwriting_goes_on_too(back_translate, stopped, expected, tmp_path):
    (tmp_path / "back.zh").write_bytes(b"old\n")
    code, _, lines = back_translate("--overwrite")
    assert (code, lines[0]) == (0, "nmt augment back-translate: going on after line 16 of 40")
    assert (tmp_path / "back.zh").read_bytes() == expected


def test_what_is_there_is_not_replaced_unless_asked(back_translate, tmp_path):
    (tmp_path / "back.en").write_bytes(b"mine\n")
    message = "back.en exists already and is not --input mono.en; choose another --output, or add --overwrite"
    assert mistake(back_translate()) == message
    (tmp_path / "back.zh").write_bytes(b"mine\n")
    assert mistake(back_translate()) == "back.zh exists already; choose another --output, or add --overwrite"
    assert names(tmp_path) == ["back.en", "back.zh", "mono.en"]
    assert (tmp_path / "back.en").read_bytes() == (tmp_path / "back.zh").read_bytes() == b"mine\n"


def test_the_input_may_be_the_target_side_itself(back_translate, expected, tmp_path):
    before = (tmp_path / "mono.en").stat()
    assert back_translate(output="mono")[0] == 0
    assert (tmp_path / "mono.en").stat().st_ino == before.st_ino
    assert (tmp_path / "mono.en").read_bytes() == TEXT
    assert (tmp_path / "mono.zh").read_bytes() == expected
    assert names(tmp_path) == ["mono.en", "mono.zh"]


def test_a_line_that_is_not_utf8_is_told_before_anything_is_translated(back_translate, monkeypatch, tmp_path):
    (tmp_path / "mono.en").write_bytes(TEXT + b"caf\xe9\n")
    monkeypatch.setattr(Translator, "translate", None)
    assert mistake(back_translate()).startswith("mono.en: line 41 is not UTF-8 (byte 0xe9 at column 4)")


def test_a_second_command_on_the_same_files_is_refused(back_translate, tmp_path):
    with filelock.FileLock(tmp_path / "back.state.lock"):
        assert mistake(back_translate()) == (
            "back.zh is being made by another command; wait, or choose another --output"
        )


def test_cut_sources_are_counted(back_translate):
    code, _, lines = back_translate(max_source_tokens=1)
    assert code == 0
    assert "of 40 lines were too long for the model, or their translations did not end" in lines[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"source": "en", "target": "zh"},
            "MODEL translates en → zh, not zh → en; back-translation needs a model of the opposite direction: "
            "train one with the languages exchanged",
        ),
        (
            {"source": "fr"},
            "MODEL translates en → zh, not en → fr; name a bundle of that direction, or correct --source and --target",
        ),
        ({"source": "en"}, "--source and --target are both en: they must name two languages"),
        ({"input": "nowhere"}, "--input nowhere: there is no such file; check the path"),
        ({"input": "empty"}, "--input empty is empty; name a text with a sentence a line"),
        ({"output": "no/where"}, "--output no/where.zh: there is no directory no; make it first"),
        ({"beam_size": 0}, "--beam-size 0 is not possible: it must be between 1 and 1000"),
        (
            {"input": "other.zh", "output": "other"},
            "--input other.zh is where the translations go (other.zh); choose another --output",
        ),
    ],
)
def test_wrong_use_is_one_line(back_translate, model, tmp_path, options, message):
    (tmp_path / "empty").touch()
    (tmp_path / "other.zh").write_bytes(TEXT)
    assert mistake(back_translate(**options)) == message.replace("MODEL", str(model))
    assert names(tmp_path) == ["empty", "mono.en", "other.zh"]
