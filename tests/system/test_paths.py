"""A locale that knows ASCII alone: nothing of a run is lost for the name that it has."""

import json
import os
import shutil
import sys

import pytest

from nmt.bundle.description import read_config

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems' paths are Unicode")
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_a_name_with_an_umlaut_where_the_locale_is_ascii(make_command, tiny, tmp_path):
    folder, best = tmp_path / "löc", tmp_path / "runs" / "löc" / "best"
    folder.mkdir()
    for file in [*tmp_path.glob("train.*"), *tmp_path.glob("valid.*")]:
        shutil.copy(file, folder)
    words = [*tiny, "run_dir=runs/löc", "corpus.train=löc/train", "corpus.valid=löc/valid", "corpus.test=löc/valid"]
    words += ["trainer.max_updates=2", "trainer.validate_every=2"]

    def run(module, *arguments, **options):
        command = make_command(module)
        command.environment |= ASCII
        finished = command(*arguments, **options)
        assert (finished.code, "Traceback" in finished.err) == (0, False), finished.err
        return finished.out

    for _ in range(2):  # the second finds a finished run
        run("hydra.train", *words)
    assert os.fsencode(read_config(best)["metadata"]["corpus"]) == os.fsencode("löc/train")
    lines = (best.parent / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[-1])["update"] == 2
    run("export", best, "--precision", "int8", "--shortlist", 20)
    assert run("translate", best, "--workers", 2, text="Ein Löwe.\n").count("\n") == 1
    files = ("--source", folder / "valid.en", "--reference", folder / "valid.de")
    scored = json.loads(run("evaluate", best, "--precision", "fp32", *files, "--format", "json"))
    assert os.fsencode(scored["reference"]) == os.fsencode(folder / "valid.de")
