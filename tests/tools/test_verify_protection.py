import random

import pytest

from nmt.bundle.weights import save_bundle
from nmt.translation.protection import ProtectedLine

LINES = ["a small red house", "the old river stands near the small house", "river", "a house near a river"]


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("verify_protection")


def test_insertions_are_drawn_from_the_seed_and_can_be_counted(tool):
    changed = list(tool.changed_lines(LINES, count=200, seed=1))
    assert (
        changed
        == list(tool.changed_lines(LINES, count=200, seed=1))
        != list(tool.changed_lines(LINES, count=200, seed=2))
    )
    for number, each in enumerate(changed):
        assert 1 <= len(each.inserted) <= 3
        assert all(each.text.count(new) == 1 for new in each.inserted)
        words = [word for word in each.text.split(" ") if word not in each.inserted]
        assert " ".join(words) == LINES[number % len(LINES)]
    kinds = {tool.insertion(random.Random(seed))[0] for seed in range(300)}
    assert {"h", "w", "@", "#", "%", "{", "$", "&"} < kinds


@pytest.mark.parametrize("loses", [False, True])
def test_lines_that_lose_an_insertion_are_counted_and_shown(tool, make_bundle, tmp_path, capsys, monkeypatch, loses):
    save_bundle(make_bundle(), tmp_path / "bundle")
    (tmp_path / "test.en").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    if loses:
        monkeypatch.setattr(ProtectedLine, "restored", lambda self, translation: translation)
    words = [str(tmp_path / "bundle"), "--corpus", str(tmp_path / "test"), "--lines", "20"]
    assert tool.main(words) == (1 if loses else 0)
    printed = capsys.readouterr()
    if loses:
        assert ": 0.00 % of 20 lines give back each insertion, 20 do not" in printed.out
        assert printed.out.count("→") == 10
        assert "0.00 % is below --least 99.5" in printed.err
    else:
        assert printed.out.endswith(": 100.00 % of 20 lines give back each insertion, 0 do not\n")


def test_what_is_not_possible_is_told(tool, capsys):
    assert tool.main(["BUNDLE", "--corpus", "test", "--lines", "0"]) == 2
    assert "--lines 0 is not possible: it must be 1 or more" in capsys.readouterr().err
