"""The log of a run: times in the file, none on the terminal, and a reader who goes away."""

import re

from nmt.runs.log import LOG, logging_to


def test_the_log_goes_to_a_file_with_times_and_to_stderr_without(tmp_path, capsys):
    path = tmp_path / "train.log"
    with logging_to(path):
        LOG.info("Größe %d", 7)
        LOG.warning("look out")
        LOG.debug("nobody sees this")
    LOG.info("nor this")
    assert capsys.readouterr().err == "Größe 7\nlook out\n"
    lines = path.read_text(encoding="utf-8").splitlines()
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(f"{stamp} INFO Größe 7", lines[0])
    assert re.fullmatch(f"{stamp} WARNING look out", lines[1])
    assert len(lines) == 2


def test_a_second_run_appends_to_the_log(tmp_path, capsys):
    for number in (1, 2):
        with logging_to(tmp_path / "train.log"):
            LOG.info("start %d", number)
    assert [line[-7:] for line in (tmp_path / "train.log").read_text(encoding="utf-8").splitlines()] == [
        "start 1",
        "start 2",
    ]
