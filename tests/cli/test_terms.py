"""nmt-translate --glossary and --terms, and the terms of a line of JSON."""

import json

import pytest


def test_a_glossary_is_kept_to_and_warned_of(translate_here, bundle_path, tmp_path):
    glossary = tmp_path / "terms.tsv"
    glossary.write_text("# ours\nriver\tgreen men\nold\tred\tsmall\nriver\tdogs\n", encoding="utf-8")
    text = "The old river.\nMany trees.\n"
    words = (bundle_path, "--glossary", glossary)
    found = translate_here(*words, "--terms", "hard", "--beam-size", 4, text=text)
    assert (found.code, found.err) == (
        0,
        f"nmt-translate: warning: {glossary}: line 4: 'river' is on line 2 too: it may become either\n",
    )
    assert "green men" in found.lines[0] or "dogs" in found.lines[0]
    assert "red" in found.lines[0] or "small" in found.lines[0]
    plain = translate_here(bundle_path, "--beam-size", 4, text=text)
    assert found.lines[1] == plain.lines[1]
    assert translate_here(*words, "--quiet", text=text).err == ""
    # The same from the line itself.
    own = json.dumps({"text": "The old river.", "terms": {"river": ["green men", "dogs"], "old": ["red", "small"]}})
    options = ("--terms", "hard", "--beam-size", 4, "--input-format", "jsonl")
    assert translate_here(bundle_path, *options, text=own).lines[0] == found.lines[0]


@pytest.mark.parametrize(
    ("content", "words", "told"),
    [
        ("a\tb\ndog\n", (), "FILE: line 2: the target of a term is missing: write source, tab, target"),
        ("a\tb\n", ("--terms", "hard", "--beam-size", 1), "terms=hard needs a beam of 2 places or more"),
        ("a\tb\n", ("--terms", "hard", "--sample"), "terms=hard is for a beam, and outputs are sampled"),
        (None, (), "cannot read the glossary FILE (No such file or directory): name a file of terms"),
    ],
)
def test_what_is_wrong_with_a_glossary_is_told(translate_here, bundle_path, tmp_path, content, words, told):
    file = tmp_path / "terms.tsv"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    found = translate_here(bundle_path, "--glossary", file, *words, text="a\n")
    assert (found.code, found.out, found.err.count("\n")) == (2, b"", 1)
    assert found.err.startswith(f"nmt-translate: error: {told.replace('FILE', str(file))}")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--glossary", ""), "--glossary is empty: name a file of terms"),
        (
            ("--terms", "soft"),
            "--terms says what terms are, and there are none: add --glossary FILE, or leave it out",
        ),
        (("--glossary", "."), "cannot read the glossary . (it is a directory, not a file): name a file of terms"),
    ],
)
def test_options_that_say_nothing_are_refused(translate_here, bundle_path, words, told):
    found = translate_here(bundle_path, *words, text="a\n")
    assert (found.code, found.out, found.err) == (2, b"", f"nmt-translate: error: {told}\n")
