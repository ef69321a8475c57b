"""metrics.jsonl: a line at once, dropped where a run resumes before it, a full disk explained."""

import json
import re
import resource

import pytest

from nmt.errors import RunError
from nmt.runs.metrics import Metrics


def test_metrics_are_json_lines_that_are_there_at_once(tmp_path):
    path = tmp_path / "metrics.jsonl"
    metrics = Metrics(path, from_update=0)
    metrics.write("train", update=5, loss=1.5)
    metrics.write("validation", update=5, signature="nrefs:1|größe")
    lines = path.read_text(encoding="utf-8").splitlines()
    metrics.close()
    assert [json.loads(line) for line in lines] == [
        {"kind": "train", "update": 5, "loss": 1.5},
        {"kind": "validation", "update": 5, "signature": "nrefs:1|größe"},
    ]


@pytest.mark.parametrize("rest", ["", '{"kind": "train", "upd', "[]\n", '{"kind": "train"}\n', "7\n"])
def test_metrics_after_the_update_that_a_run_resumes_from_are_dropped(tmp_path, rest):
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"kind": "train", "update": update}) + "\n" for update in (5, 10, 15, 20)]
    path.write_text("".join(lines) + rest, encoding="utf-8")
    metrics = Metrics(path, from_update=10)
    metrics.write("train", update=11)
    metrics.close()
    assert [json.loads(line)["update"] for line in path.read_text(encoding="utf-8").splitlines()] == [5, 10, 11]


def test_metrics_on_a_full_disk_end_in_one_error_that_names_the_file(tmp_path):
    path = tmp_path / "metrics.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    metrics = Metrics(path, from_update=0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        metrics.write("train", update=1)
        with pytest.raises(RunError, match=re.escape(f"cannot save {path}: File too large")):
            metrics.write("train", update=2, text="x" * 300)
        metrics.close()  # says it no second time
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    resumed = Metrics(path, from_update=2)
    resumed.write("train", update=3)
    resumed.close()
    assert [json.loads(line)["update"] for line in path.read_text(encoding="utf-8").splitlines()] == [1, 3]
