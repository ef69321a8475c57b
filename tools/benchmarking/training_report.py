"""Reports of measured trainings, as Markdown: a speed and where the time goes, and ours beside peers'."""

from __future__ import annotations

import statistics
from typing import Any


def speed_report(threads: int, found: dict[str, Any]) -> str:
    """Write what was measured as Markdown."""
    fp32, bf16 = found["fp32_rate"], found["bf16_rate"]
    lines = [
        f"## {threads} thread{'s' * (threads != 1)}, {found['precision']}, {found['parameters']:,} parameters",
        "",
        f"- {found['tokens_per_second']:,.0f} real target tokens/s, {found['ms_per_update']:.0f} ms an update",
        f"- padding {found['source_padding']:.1%} source, {found['target_padding']:.1%} target",
        f"- peak memory {found['peak_mb']:,.0f} MB",
        f"- {found['rate'] / 1e9:.1f} GFLOP/s: {found['rate'] / fp32:.0%} of the fp32 matrix-product rate "
        f"({fp32 / 1e9:.0f} GFLOP/s), {found['rate'] / bf16:.0%} of the bf16 rate ({bf16 / 1e9:.0f} GFLOP/s)",
        "",
        "| part, alone | ms an update | share | of the fp32 rate |",
        "| --- | ---: | ---: | ---: |",
    ]
    total = sum(ms for ms, _ in found["parts"].values())
    for part, (ms, rate) in found["parts"].items():
        of_rate = f"{rate / fp32:.0%}" if rate else ""
        lines.append(f"| {part} | {ms:.1f} | {ms / total:.0%} | {of_rate} |")
    return "\n".join([*lines, ""])


def comparison(threads: int, rounds: dict[str, list[dict[str, Any]]]) -> str:
    """Write the rounds of ours, which come first, and of the peers as Markdown: medians, and ratios of them."""
    lines = [
        f"### Beside peers, {threads} thread{'s' * (threads != 1)}, in turns",
        "",
        "| | parameters | real target tokens/s, median | every round | padding, source and target | peak MB |",
        "| --- | ---: | ---: | --- | --- | ---: |",
    ]
    medians = {}
    for name, found in rounds.items():
        speeds = [one["tokens_per_second"] for one in found]
        medians[name] = statistics.median(speeds)
        padding = f"{found[-1]['source_padding']:.1%}, {found[-1]['target_padding']:.1%}"
        lines.append(
            f"| {name} | {found[-1]['parameters']:,} | {medians[name]:,.0f} "
            f"| {', '.join(f'{speed:,.0f}' for speed in speeds)} | {padding} "
            f"| {max(one['peak_mb'] for one in found):,.0f} |"
        )
    lines.append("")
    for name, median in list(medians.items())[1:]:
        lines.append(f"- nmt trains {medians['nmt'] / median:.2f} times the target tokens/s of {name}")
    return "\n".join([*lines, ""])
