"""What is asked for each line: --prefixes, --tag and --input-format jsonl; errors come after all lines before them."""

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

import nmt
from nmt.bundle.weights import load_bundle
from nmt.cli.score import main as score
from nmt.export.variant import export
from nmt.text.shortlist import Shortlist

SCHEMAS = Path(nmt.__file__).parent.parent / "docs" / "schemas"
KINDS = {"string": str, "integer": int, "number": (int, float), "object": dict, "array": list, "boolean": bool}


def fits(value, schema, root=None):
    """Whether a value is as a JSON schema says, of the words that ours use."""
    root = root or schema
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in schema and not any(fits(value, each, root) for each in schema["anyOf"]):
        return False
    kinds = schema.get("type", list(KINDS))
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if not any(isinstance(value, KINDS[kind]) and isinstance(value, bool) <= (kind == "boolean") for kind in kinds):
        return False
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        return (
            all(key in value for key in schema.get("required", ()))
            and (others is not False or value.keys() <= known.keys())
            and all(fits(each, known.get(key, others), root) for key, each in value.items())
        )
    if isinstance(value, list):
        least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
        return least <= len(value) <= most and all(fits(each, schema.get("items", {}), root) for each in value)
    if isinstance(value, (int, float)):
        return schema.get("minimum", value) <= value <= schema.get("maximum", value)
    return True


def schema(name):
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def named_path(bundle_path, tmp_path_factory, drop_manifest):
    """The bundle with names for its tags."""
    path = tmp_path_factory.mktemp("named") / "bundle"
    shutil.copytree(bundle_path, path)
    drop_manifest(path)
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    config["tags"] = {"formal": 0, "informal": 3}
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return path


HOSTILE = [
    b"Many green trees. " * 40,
    b"",
    b"  \t",
    b"caf\xe9",
    "漢字 🙂".encode(),
    b"a\0b",
    "\u2028".encode(),
    b"The \r",
    b"x",
]


@pytest.mark.parametrize("options", [(), ("--beam-size", 1), ("--sample",), ("--precision", "fp32", "--batch-size", 2)])
def test_each_translation_begins_with_its_prefix(translate_here, bundle_path, tmp_path, options):
    prefixes = [b"The ", b"", b"A small re", b"\xff\xfeMany", "漢".encode(), b"red\r", b" ", b"old", "\u2028x".encode()]
    (tmp_path / "prefixes").write_bytes(b"\n".join(prefixes))  # the last line has no end
    for rotation in range(3):
        lines = HOSTILE[rotation:] + HOSTILE[:rotation]
        found = translate_here(
            bundle_path, *options, "--prefixes", tmp_path / "prefixes", text=b"\n".join(lines) + b"\n"
        )
        assert found.code == 0
        assert found.out.count(b"\n") == len(lines)
        for prefix, line in zip(prefixes, found.out.split(b"\n"), strict=False):
            text = prefix.removesuffix(b"\r").decode("utf-8", errors="replace")
            assert line.decode("utf-8").startswith(text)
        assert f"{tmp_path / 'prefixes'}: line 4: not UTF-8 (byte 0xff at position 1); such bytes" in found.err
        read_past = "line 5: the model does not know characters of the prefix ('漢'), and read past them"
        assert (read_past in found.err) is (rotation < 2)  # the third time line 5 of the input is blank


@pytest.mark.parametrize(
    ("prefixes", "told"),
    [
        ("a\n\n", "has 2 lines, and the input has more: give one for each line, an empty one where nothing is asked"),
        ("a\n" * 5, "has more lines than the input, which has 4: they do not belong together"),
    ],
)
def test_prefixes_are_as_many_as_lines_and_what_is_translated_is_written(
    translate_here, nmt_translate, bundle_path, tmp_path, prefixes, told, make_sentences
):
    file = tmp_path / "prefixes"
    file.write_text(prefixes)
    words, text = (bundle_path, "--prefixes", file, "--quiet"), "\n".join(make_sentences(4))
    runs = [translate_here(*words, text=text)]
    runs += [nmt_translate(*words, "--workers", 2, text=text)] if told.startswith("has 2") else []
    for found in runs:
        assert (found.code, found.err) == (2, f"nmt-translate: error: --prefixes {file} {told}\n")
        assert found.out.count(b"\n") == min(4, prefixes.count("\n"))
        assert found.out.startswith(b"a")


def test_a_shortlist_has_what_spells_the_prefix(translate_here, bundle_path, tmp_path, make_sentences):
    """In int8, with lists too short for any prefix: a search, what is written, and what nmt score says of it."""
    path = tmp_path / "int8"
    shutil.copytree(bundle_path, path)
    size = load_bundle(path).source_subwords.vocabulary_size
    few = Shortlist(np.arange(size + 1), np.full(size, 30), np.arange(20), size)
    export(path, "int8", shortlist=lambda description: few)
    lines, prefixes = make_sentences(6), ["A gr", "Many ", "", "the old riv", "red", "Behind"]
    (tmp_path / "prefixes").write_text("\n".join(prefixes) + "\n")
    for options in ((), ("--beam-size", 1), ("--sample",)):
        words = ("--prefixes", tmp_path / "prefixes", "--format", "jsonl", *options)
        found = translate_here(path, *words, text="\n".join(lines))
        rows = [json.loads(line) for line in found.lines[:-1]]
        assert found.code == 0
        assert all(row["text"].startswith(prefix) for row, prefix in zip(rows, prefixes, strict=True))
    free = [json.loads(line) for line in translate_here(path, "--format", "jsonl", text="\n".join(lines)).lines[:-1]]
    pairs = "".join(f"{line}\t{row['text']}\n" for line, row in zip(lines, free, strict=True))
    scores = [
        float(line.split("\t")[0]) for line in translate_here(path, "--source", "-", text=pairs, main=score).lines[:-1]
    ]
    assert any(one == pytest.approx(row["log_prob"], abs=1e-4) for one, row in zip(scores, free, strict=True))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_prefixes_are_read_as_they_are_needed(nmt_translate, bundle_path, tmp_path):
    """A program may write a prefix once it knows the translation of the line before."""
    pipe = tmp_path / "prefixes"
    os.mkfifo(pipe)
    process = nmt_translate.start(bundle_path, "--quiet", "--prefixes", pipe)
    stop = threading.Timer(60, process.kill)
    stop.start()
    with open(pipe, "wb", buffering=0) as prefixes:
        for prefix in (b"old", b"red"):
            prefixes.write(prefix + b"\n")
            process.stdin.write(b"The river.\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith(prefix)
    assert process.communicate(timeout=60) == (b"", b"")
    stop.cancel()
    assert process.returncode == 0


def test_lines_of_json_ask_for_all_that_a_request_has(translate_here, named_path):
    asked = [
        {"text": "The old river.", "id": "a"},
        {"text": "The old river.", "prefix": "Many ", "id": 7},
        {"text": "", "id": "\u2028 ü"},
        {"text": "", "prefix": "The"},
        {"text": "The old river.", "tag": "informal"},
        {"text": "The old river.", "tag": 3},
        {"text": "The old river.", "tag": -1},
        {"text": "The old river.", "terms": {"river": "red", "old": ["men", "dogs"]}},
        {"text": "a\nb\0 漢", "tag": 15, "prefix": "", "id": -(10**30)},
    ]
    assert all(fits(each, schema("translate-input")) for each in asked)
    options = ("--input-format", "jsonl", "--format", "jsonl", "--quiet")
    text = "\n".join(json.dumps(each, ensure_ascii=number % 2 > 0) for number, each in enumerate(asked))
    found = translate_here(named_path, *options, "--alignments", "--n-best", 2, text=text)
    assert (found.code, found.err) == (0, "")
    rows = [json.loads(line) for line in found.lines[:-1]]
    assert all(fits(row, schema("translate-output")) for row in rows)
    assert [row.get("id") for row in rows] == [each.get("id") for each in asked]
    assert all(row["text"].startswith(each.get("prefix", "")) for row, each in zip(rows, asked, strict=True))
    assert rows[3]["text"] == "The"
    assert rows[4]["text"] == rows[5]["text"] != rows[6]["text"] == rows[0]["text"]
    # For all lines: by name, or by number.
    plain = [translate_here(named_path, *words, text="The old river.") for words in ((), ("--tag", "informal"))]
    assert [each.lines[0] for each in plain] == [rows[0]["text"], rows[4]["text"]]
    by_number = translate_here(named_path, *options, "--tag", 3, text=text).lines
    assert json.loads(by_number[0])["text"] == rows[4]["text"]
    assert json.loads(by_number[6])["text"] == rows[6]["text"]


TERMS = 'from words to their targets, as {"dog": "Hund", "cat": ["Katze", "Kater"]}'
EMPTY = "is empty: give a source, and one form of its target or more"
EXAMPLE = 'write {"text": "A dog runs.", "id": 1}'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", f"it is no JSON (Expecting value at column 1): {EXAMPLE}"),
        ('{"text": "a"', f"it is no JSON (Expecting ',' delimiter at column 13): {EXAMPLE}"),
        ("[1]", f"it is no JSON object: {EXAMPLE}"),
        ("null", f"it is no JSON object: {EXAMPLE}"),
        ("[" * 100_000, None),
        ('{"text": ' + "1" * 5000 + "}", None),
        ("{}", f"'text' is missing: {EXAMPLE}"),
        ('{"text": "a", "text": "b"}', f"it cannot be read (a key stands in it twice): {EXAMPLE}"),
        ('{"text": "a", "prefx": "b"}', "the key 'prefx' is unknown: take text, prefix, terms, tag, to, id"),
        ('{"text": 1}', "'text' is 1: it must be a text"),
        ('{"text": null}', "'text' is null: it must be a text"),
        ('{"text": "a", "prefix": ["b"]}', "'prefix' is [\"b\"]: it must be a text"),
        ('{"text": "a", "tag": 1.0}', "'tag' is 1.0: it must be a text or a whole number"),
        ('{"text": "a", "tag": true}', "'tag' is true: it must be a text or a whole number"),
        ('{"text": "a", "terms": ["b"]}', f"'terms' is [\"b\"]: it must be an object {TERMS}"),
        ('{"text": "a", "terms": {"b": 1}}', "a target in 'terms' is 1: it must be a text, or a list of texts"),
        ('{"text": "a", "terms": {"b": [1]}}', "a target in 'terms' is [1]: it must be a text, or a list of texts"),
        ('{"text": "a", "terms": {"b": []}}', f"the term 'b': () {EMPTY}"),
        ('{"text": "a", "id": NaN}', "'id' is NaN: it must be a text or a whole number"),
        ('{"text": "a", "tag": 16}', "tag 16 is not possible: it must be between 0 and 15, or -1 for none"),
        ('{"text": "a", "tag": "polite"}', "there is no tag 'polite': take one of formal, informal, or -1 for none"),
    ],
)
def test_a_line_that_is_no_request_is_told_after_all_before_it(translate_here, named_path, line, told):
    text = f'{{"text": "The old river."}}\n{line}\n{{"text": "x"}}\n'
    found = translate_here(named_path, "--input-format", "jsonl", text=text)
    assert (found.code, found.out.count(b"\n")) == (2, 1)
    assert found.err.startswith("nmt-translate: error: line 2: ")
    assert found.err.count("\n") == 1
    if told is not None:
        assert found.err == f"nmt-translate: error: line 2: {told}\n"
        if line[1:2] == '"' and line.endswith("}") and "twice" not in told and "polite" not in told:
            assert not fits(json.loads(line), schema("translate-input"))


def test_half_characters_and_wrong_bytes_in_json_are_replaced(translate_here, bundle_path):
    text = b'{"text": "The \\ud800 river", "id": "\\udc00"}\n{"text": "caf\xe9"}\n{"text": "caf\xe9}\n'
    found = translate_here(bundle_path, "--input-format", "jsonl", "--format", "jsonl", text=text)
    assert found.code == 2
    assert [json.loads(line).get("id") for line in found.lines[:-1]] == ["\ufffd", None]
    assert found.err.splitlines()[-1] == (
        "nmt-translate: error: line 3: not UTF-8 (byte 0xe9 at position 14); such bytes were replaced"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--prefixes", "x", "--input-format", "jsonl"),
            "--prefixes is for lines of text: with --input-format jsonl each object has its own prefix",
        ),
        (("--tag", "1", "--source-tag", "1"), "--tag and --source-tag say the same: leave one of them out"),
        (("--tag", "polite"), "there is no tag 'polite': take one of formal, informal, or -1 for none"),
        (("--tag", "16"), "tag 16 is not possible: it must be between 0 and 15, or -1 for none"),
        (("--prefixes", ""), "--prefixes is empty: name a file with a line for each line of input"),
        (("--prefixes", "no/where"), "no/where: No such file or directory"),
        (("--prefixes", "."), ".: Is a directory"),
    ],
)
def test_what_cannot_be_asked_is_told_before_anything_is_read(translate_here, named_path, words, told):
    found = translate_here(named_path, *words, text="x\n")
    assert (found.code, found.out, found.err) == (2, b"", f"nmt-translate: error: {told}\n")
