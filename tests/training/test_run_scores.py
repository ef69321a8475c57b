"""The test text of a run: scored with its best bundle, once for each text."""

import json
import shutil
import signal

from nmt.bundle.loading import load
from nmt.bundle.weights import load_bundle
from nmt.export.variant import export
from nmt.training import run as run_module


def test_the_test_text_is_scored_with_the_best_bundle(command, tmp_path, corpus):
    finished = command("search.beam_size=3", corpus__test=corpus / "test")
    assert finished.code == 0
    values = json.loads((tmp_path / "run" / "best" / "config.json").read_text(encoding="utf-8"))["metadata"]["test"]
    assert values.startswith("BLEU ")
    assert "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:" in values
    assert "; chrF2 " in values
    assert values.endswith(f", beam 3, {corpus / 'test'}")
    assert f"test (beam 3, {corpus / 'test'}): BLEU " in finished.err
    assert f"- test: {values}" in (tmp_path / "run" / "best" / "README.md").read_text(encoding="utf-8")


def test_a_run_stopped_while_its_test_is_scored_is_scored_next_time(command, tmp_path, corpus, monkeypatch, contents):
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "score_test", lambda *_, **__: signal.raise_signal(signal.SIGINT))
        assert command(corpus__test=corpus / "test").code == 130
    assert "test" not in load_bundle(tmp_path / "run" / "best").metadata
    assert command(corpus__test=corpus / "test").code == 0
    assert load_bundle(tmp_path / "run" / "best").metadata["test"].endswith(f"beam 5, {corpus / 'test'}")
    before = contents(tmp_path / "run")
    third = command(corpus__test=corpus / "test")
    assert "test (" not in third.err
    assert contents(tmp_path / "run") == before


def test_scoring_another_test_text_leaves_what_was_exported(command, tmp_path, corpus, contents):
    for side in ("en", "de"):
        shutil.copy(corpus / f"test.{side}", tmp_path / f"exam.{side}")
    exam = tmp_path / "exam"
    assert command(corpus__test=exam).code == 0
    best = tmp_path / "run" / "best"
    export(best, "int8")
    before = {name: content for name, content in contents(best).items() if "config.json" not in str(name)}
    known = load_bundle(best).metadata
    # The same name, another text.
    for side in ("en", "de"):
        path = exam.with_suffix(f".{side}")
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[1:]), encoding="utf-8", newline="\n")
    again = command(corpus__test=exam)
    assert (again.code, again.err.count("test (beam 5, ")) == (0, 1)
    after = {name: content for name, content in contents(best).items() if "config.json" not in str(name)}
    assert {name for name in before if before[name] != after[name]} <= {
        name for name in before if "README" in str(name)
    }
    assert set(before) == set(after)
    assert load(best).precision == "int8"
    assert load_bundle(best).metadata["test_digest"] != known["test_digest"]
    assert "test (" not in command(corpus__test=exam).err
