"""The output formats of translations; a format only renders.

To add one, write a function from a `Line` to the lines of the format, and name it in FORMATS. Say in the command's help
what it looks like.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from nmt.translation.request import Decision, TextHypothesis, Translation


class Line(NamedTuple):
    """A translation to be written, and what is asked of it."""

    translation: Translation
    number: int
    """of the input's line, counted from 1"""
    scores: bool = False
    """write scores, where the format has them on demand"""
    alignments: bool = False
    """write alignments"""
    attention: bool = False
    """write the weights of words"""
    several: bool = False
    """list the hypotheses even where there is one"""


def text(line: Line) -> Iterator[str]:
    """Write the best translation: its score before it, its alignment and the weights of words behind it, with tabs."""
    best = line.translation.hypotheses[0]
    parts = [f"{best.score:.4f}"] if line.scores else []
    parts.append(best.text)
    if line.alignments:
        parts.append(pharaoh(best.alignment or ()))
    if line.attention and line.translation.decision is not None and line.translation.decision.words:
        parts.append(weighted(line.translation.decision))
    yield "\t".join(parts)


def jsonl(line: Line) -> Iterator[str]:
    """Write an object with the line's number, its id, the best translation and, where there are several, all."""
    hypotheses = line.translation.hypotheses
    id_entry = {} if line.translation.id is None else {"id": line.translation.id}
    values: dict[str, Any] = {"line": line.number, **id_entry} | _plain(hypotheses[0], line)
    if line.translation.decision is not None:
        values |= _decided(hypotheses[0].text, line.translation.decision)
    if line.several or len(hypotheses) > 1:
        values["hypotheses"] = [_plain(hypothesis, line) for hypothesis in hypotheses]
    yield json.dumps(values, ensure_ascii=False)


def moses(line: Line) -> Iterator[str]:
    """Write Moses' n-best list: a line for each hypothesis, numbered from 0."""
    for hypothesis in line.translation.hypotheses:
        # Moses writes its own separator in a text like this.
        written = hypothesis.text.replace("|||", "&#124;&#124;&#124;")
        fields = [str(line.number - 1), written, f"log_prob= {hypothesis.log_prob:.4f}", f"{hypothesis.score:.4f}"]
        if line.alignments:
            fields.append(pharaoh(hypothesis.alignment or ()))
        yield " ||| ".join(fields)


FORMATS: dict[str, Callable[[Line], Iterator[str]]] = {"text": text, "jsonl": jsonl, "moses": moses}
"""Each yields lines without their ends."""


def _plain(hypothesis: TextHypothesis, line: Line) -> dict[str, Any]:
    values = {
        "text": hypothesis.text,
        "score": round(hypothesis.score, 6),
        "log_prob": round(hypothesis.log_prob, 6),
        "finished": hypothesis.finished,
    }
    return values | {"alignment": hypothesis.alignment or []} if line.alignments else values


def _decided(label: str, decision: Decision) -> dict[str, Any]:
    """Turn a decision into plain values; a model without attention has none to show."""
    probabilities = {name: round(each, 6) for name, each in decision.probabilities.items()}
    values: dict[str, Any] = {"label": label, "probabilities": probabilities, "words": decision.words}
    if decision.attention is not None:
        values["attention"] = [round(weight, 6) for weight in decision.attention]
    return values


def weighted(decision: Decision) -> str:
    """Write each word with its weight behind a colon: ``How:0.71 far:0.20``."""
    pairs = zip(decision.words, decision.attention or (), strict=False)
    return " ".join(f"{word}:{weight:.2f}" for word, weight in pairs)


def pharaoh(alignment: Sequence[tuple[int, int]]) -> str:
    """Write an alignment in Pharaoh's form: ``0-0 1-2``, source word before target word."""
    return " ".join(f"{source}-{target}" for source, target in alignment)
