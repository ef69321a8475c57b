"""Verify on a trained bundle what translating promises, with as many sentences as you like.

Batches of 1, 7 and 64, in order and shuffled, must give the same translations (a tie that float64 rescoring puts within
1e-5 is the only excuse); beam 1 must equal greedy; every log-probability must equal its teacher-forced rescoring.

    python tools/verify_search.py runs/multi30k_en_de/best corpora/multi30k/test_2016_flickr.en

With --precision it tells of an exported variant, or of bf16, how many translations depend on the batch.
"""

from __future__ import annotations

import copy
import dataclasses
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from nmt.bundle.loading import load
from nmt.bundle.weights import Bundle, load_bundle
from nmt.cli.common import Parser, run
from nmt.config.choices import PRECISIONS
from nmt.config.search import SearchConfig
from nmt.corpus.reader import read_lines
from nmt.errors import RunError
from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.options import SearchOptions
from nmt.search.rules import Forbidden, MinimumLength
from nmt.search.stepper import Stepper
from nmt.translation.model import Translating
from nmt.translation.request import TextHypothesis
from nmt.translation.translator import Translator

NAME = "verify_search.py"
_TIE = 1e-5
_ROUNDING = 1e-3


class Difference(NamedTuple):
    """A sentence that two ways of translating disagree on."""

    line: int
    gap: float
    """log-probability of the first minus that of the second, both rescored in float64"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code: 1 when a promise is broken."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL", help="a bundle")
    parser.add_argument("source", type=Path, metavar="FILE", help="sentences to translate")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N lines (default: all)")
    parser.add_argument("--precision", choices=PRECISIONS, help="count what differs, of this variant or in bf16")

    def command() -> int:
        arguments = parser.parse_args(argv)
        lines = list(read_lines(arguments.source))[: arguments.limit or None]
        if arguments.precision:
            return count(load(arguments.model, precision=arguments.precision), lines)
        return verify(load_bundle(arguments.model), lines)

    return run(command, NAME)


def verify(bundle: Bundle, lines: list[str]) -> int:
    """Check every promise and print a line for each; 0 if all hold.

    Raises:
        RunError: one does not.
    """
    precise = dataclasses.replace(bundle, model=copy.deepcopy(bundle.model).double())
    broken = []
    for beam in (1, 5):
        alone = translate(bundle, lines, beam=beam, batch=1)
        for name, together in in_batches(bundle, lines, beam=beam):
            differences = [
                Difference(i + 1, abs(rescore(precise, line, here) - rescore(precise, line, there)))
                for i, (line, here, there) in enumerate(zip(lines, alone, together, strict=True))
                if here.tokens != there.tokens
            ]
            broken += [d for d in differences if d.gap > _TIE]
            ties = sum(d.gap <= _TIE for d in differences)
            print(
                f"beam {beam}, batch {name} against 1: {len(lines)} sentences, {len(differences)} differ, {ties} ties"
            )
        errors = [abs(h.log_prob - rescore(precise, line, h)) for line, h in zip(lines, alone, strict=True) if h.tokens]
        print(f"beam {beam}, log-probability against float64 teacher-forced rescoring: at most {max(errors):.1e} apart")
        broken += [Difference(i + 1, error) for i, error in enumerate(errors) if error > _ROUNDING]
    unequal = beam_one_against_greedy(bundle, lines)
    print(f"beam 1 against greedy: {len(lines)} sentences, {unequal} differ")
    if broken or unequal:
        raise RunError(f"{len(broken) + unequal} promises are broken, first at {broken[:3]}; please report this bundle")
    return 0


def count(bundle: Translating, lines: list[str]) -> int:
    """Print how many translations are others in a batch, and by how much the scores of the rest are; return 0."""
    for beam in (1, 5):
        alone = translate(bundle, lines, beam=beam, batch=1)
        for name, together in in_batches(bundle, lines, beam=beam):
            gaps = [abs(a.log_prob - b.log_prob) for a, b in zip(alone, together, strict=True) if a.tokens == b.tokens]
            differ, apart = len(lines) - len(gaps), sum(gap > 0 for gap in gaps)
            print(
                f"beam {beam}, batch {name} against 1: {len(lines)} sentences, {differ} differ; "
                f"of the others {apart} log-probabilities do, by {max(gaps, default=0):.1e} at most"
            )
    return 0


def in_batches(bundle: Translating, lines: list[str], *, beam: int) -> Iterator[tuple[str, list[TextHypothesis]]]:
    """Yield the lines' translations in batches of each kind, with its name."""
    everyone = range(len(lines))
    shuffled = random.Random(1).sample(everyone, len(lines))
    for name, batch, order in (("7", 7, everyone), ("64", 64, everyone), ("64 shuffled", 64, shuffled)):
        found = translate(bundle, [lines[i] for i in order], beam=beam, batch=batch)
        together = dict(zip(order, found, strict=True))
        yield name, [together[i] for i in everyone]


def translate(bundle: Translating, lines: list[str], *, beam: int, batch: int) -> list[TextHypothesis]:
    """Translate with the bundle's settings but for the beam and the batch."""
    search: SearchConfig = dataclasses.replace(bundle.search, beam_size=beam, batch_size=batch)
    return [item.hypotheses[0] for item in Translator(bundle, search=search).translate(lines)]


@torch.inference_mode()
def rescore(bundle: Bundle, line: str, hypothesis: TextHypothesis) -> float:
    """Log-probability of a hypothesis, teacher forced; 0 for an empty line."""
    subwords = bundle.target_subwords
    ids = _source_ids(bundle, line)
    if not ids:
        return 0.0
    target = torch.tensor([[*hypothesis.tokens, *[subwords.eos_id] * hypothesis.finished]])
    previous = torch.cat((torch.tensor([[subwords.bos_id]]), target[:, :-1]), dim=1)
    source = torch.tensor([[*ids, subwords.eos_id]])
    logits = bundle.model.project(bundle.model(source, torch.tensor([source.size(1)]), previous))
    return float(logits.log_softmax(-1).gather(2, target.unsqueeze(2)).sum())


def beam_one_against_greedy(bundle: Bundle, lines: list[str]) -> int:
    """Count the sentences whose beam of one differs from greedy search, in tokens or log-probability."""
    subwords = bundle.target_subwords
    forbidden = [subwords.pad_id, subwords.unk_id, subwords.bos_id, *subwords.control_ids]
    rules = (Forbidden(forbidden), MinimumLength(1, eos_id=subwords.eos_id))  # those of the translator
    options = SearchOptions(bos_id=subwords.bos_id, eos_id=subwords.eos_id, rules=rules)
    unequal = 0
    for line in lines:
        ids = _source_ids(bundle, line)
        if not ids:
            continue
        source = np.array([[*ids, bundle.source_subwords.eos_id]])
        lengths, limits = np.array([source.shape[1]]), [2 * len(ids) + 10]
        [[greedy]], [[beam]] = (
            search(Stepper(bundle.model, source, lengths, max_lengths=limits, options=options))
            for search in (greedy_search, beam_search)
        )
        unequal += (greedy.tokens, greedy.log_prob) != (beam.tokens, beam.log_prob)
    return unequal


def _source_ids(bundle: Bundle, line: str) -> list[int]:
    """Encode a line as the translator does, without EOS."""
    subwords, search = bundle.source_subwords, bundle.search
    ids = subwords.encode(line)[: search.max_source_tokens]
    return [*subwords.tag_prefix(search.source_tag), *ids] if ids else []


if __name__ == "__main__":
    sys.exit(main())
