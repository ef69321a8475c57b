"""One run on a screen of text: its settings, scores and times."""

from collections.abc import Mapping
from typing import Any

from nmt.runs.results import RunResults
from nmt.runs.tables import as_typed, progress


def overview(run: RunResults, defaults: Mapping[str, Any]) -> str:
    """Write a run as lines of text.

    Args:
        run: what its files tell.
        defaults: the settings of a run without any of its own, as ``{"optimizer.lr": 0.001, ...}``. Only settings that
            differ are listed.
    """
    lines = [f"{run.directory}: {_state(run)}"]
    if not run.settings:
        return f"{lines[0]}\n"
    lines.append(f"  languages        {run.settings['corpus.source']} → {run.settings['corpus.target']}")
    lines.append(f"  training         {run.updates:,} updates, {run.epochs} epochs, {run.minutes:.1f} minutes")
    scores = {"validation BLEU": (run.bleu, f"greedy, {run.signature}"), "test BLEU": (run.test_bleu, run.test_how)}
    for name, (score, how) in scores.items():
        lines.append(f"  {name:<15}  " + ("none" if score is None else f"{score:.2f} ({how})"))
    best = run.directory / "best"
    lines.append(f"  bundle           {best if (best / 'config.json').is_file() else 'none'}")
    lines.append("  settings that differ from the defaults of nmt-train:")
    for key, value in run.settings.items():
        if key != "run_dir" and value != defaults.get(key):
            lines.append(f"    {key}={as_typed(value)}")
    return "\n".join(lines) + "\n"


def _state(run: RunResults) -> str:
    if run.failure:
        return f"failed: {run.failure}"
    return "finished" if run.finished else f"unfinished: {progress(run)}"
