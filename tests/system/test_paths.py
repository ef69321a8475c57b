"""A locale that knows ASCII alone: nothing of a run is lost for the name that it has."""

import json
import os
import shutil
import sys

import pytest

from nmt.bundle.description import read_config

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems' paths are Unicode")
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
# Runs one command after the other in one process. Their words are the process's own, as Python decodes them there.
RUN = """
import sys
from nmt.cli.main import main
words = sys.argv[1:]
while words:
    end = words.index("then")
    if code := main(words[:end]):
        sys.exit(code)
    words = words[end + 1 :]
"""


def test_a_name_with_an_umlaut_where_the_locale_is_ascii(make_command, tiny, tmp_path):
    folder, best = tmp_path / "löc", tmp_path / "runs" / "löc" / "best"
    folder.mkdir()
    for file in [*tmp_path.glob("train.*"), *tmp_path.glob("valid.*")]:
        shutil.copy(file, folder)
    words = [*tiny, "run_dir=runs/löc", "corpus.train=löc/train", "corpus.valid=löc/valid", "corpus.test=löc/valid"]
    words += ["trainer.max_updates=2", "trainer.validate_every=2"]
    files = ("--source", folder / "valid.en", "--reference", folder / "valid.de")
    commands = [
        ["train", *words],
        ["train", *words],  # finds a finished run
        ["export", best, "--precision", "int8", "--shortlist", 20],
        ["translate", best, "--workers", 2],
        ["evaluate", best, "--precision", "fp32", *files, "--format", "json"],
    ]
    script = tmp_path / "commands.py"
    script.write_text(RUN, encoding="utf-8")
    command = make_command(script)
    command.environment |= ASCII
    finished = command(*(word for each in commands for word in (*each, "then")), text="Ein Löwe.\n")
    assert (finished.code, "Traceback" in finished.err) == (0, False), finished.err
    assert os.fsencode(read_config(best)["metadata"]["corpus"]) == os.fsencode("löc/train")
    lines = (best.parent / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[-1])["update"] == 2
    translation, _, scored = finished.out.partition("\n")
    assert translation
    assert os.fsencode(json.loads(scored)["reference"]) == os.fsencode(folder / "valid.de")
