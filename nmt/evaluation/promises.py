"""The promises of a bundle, checked on this machine: its files, its models, and the command that translates.

Each model is a subject: the weights by PyTorch, and every exported variant by ONNX Runtime. Two translations that are a
tie are both right. In fp32 that is one of at most 1e-5 in log-probability, which PyTorch computes in float64.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nmt.bundle.description import Description, read_description, read_whole
from nmt.bundle.loading import exported_parts, load
from nmt.bundle.manifest import CARD, damage
from nmt.config.choices import VARIANTS, TaskName
from nmt.corpus.reader import is_blank
from nmt.errors import ConfigError, NmtError
from nmt.evaluation.rescoring import source_ids, target_ids, token_log_probs
from nmt.evaluation.subject import INT8, SingleSteps, Subject, default_language, random_lines, shown
from nmt.text.shortlist import Shortlist
from nmt.text.vocabulary import subwords_of
from nmt.translation.translator import Translator

PYTORCH = "pytorch"
SUBJECTS = (PYTORCH, *reversed(VARIANTS))
"""What can be checked: the weights by PyTorch, and the variants by ONNX Runtime."""

_FAR = 0.5
"""Root mean square of what int8 changes in the log-probability of a token, above which it is no rounding."""
SAMPLES = 100
"""Lines that are made up where none are given, and the most that two workers translate."""
_MANY_WORDS, _MOST_SUBWORDS = 10_000, 64

Command = Callable[[Sequence[str], bytes], bytes]
"""``nmt-translate`` with this bundle: options and input → output; NmtError where it fails."""


class Check(NamedTuple):
    """What became of a promise."""

    subject: str
    """one of `SUBJECTS`, or ``bundle``"""
    promise: str
    kept: bool | None
    """None: it could not be checked"""
    detail: str
    """what was done, with how many lines; where the promise is broken, the first counterexample"""


class Finding(NamedTuple):
    """What a check did and, where the promise is broken, how it shows first."""

    done: str
    broken: str = ""


def verify(path: Path, *, lines: Sequence[str], names: Sequence[str] = (), command: Command) -> Iterator[Check]:
    """Check the promises of a bundle, one after another.

    Args:
        path: the bundle.
        lines: sentences to translate; none: `SAMPLES` sequences of the bundle's own subwords, see `random_lines`.
        names: of `SUBJECTS`; none: all that the bundle has.
        command: runs ``nmt-translate``.

    Raises:
        BundleError: there is no bundle, or its description cannot be read.
        ConfigError: the bundle has nothing of a name, or its model does not translate.
    """
    description = read_whole(path, read_description)
    if description.task is TaskName.generation:
        raise ConfigError(f"the promises that are checked are a translation's, and {path} continues text")
    parts = {name: exported_parts(path, description, name) for name in VARIANTS}
    for name in names:
        if not parts.get(name, True):
            raise ConfigError(f"{path} has no variant {name}; make it with: nmt-export {path} --precision {name}")
    yield _check("bundle", "files are as they were written", partial(_files, path, description))
    lines = lines or random_lines(subwords_of(description.source_subwords), SAMPLES)
    reference: Subject | None = None
    for name in SUBJECTS:
        is_wanted = name in names or not names
        if not parts.get(name, True) or not (is_wanted or name == PYTORCH):
            continue
        try:
            subject = _load(path, description, name, lines, reference)
        except ConfigError as error:
            if is_wanted:
                yield Check(name, "loads", None, str(error))
            continue
        except NmtError as error:
            yield Check(name, "loads", False, str(error))
            continue
        subject.translate_into(default_language(description))
        if is_wanted:
            for promise, check in _promises(subject, reference, command, is_exported=bool(parts["fp32"])):
                yield _check(name, promise, check)
        reference = reference or subject


def _check(subject: str, promise: str, check: Callable[[], Finding]) -> Check:
    try:
        finding = check()
    except NmtError as error:
        return Check(subject, promise, False, str(error))
    return Check(subject, promise, not finding.broken, finding.broken or finding.done)


def _load(path: Path, description: Description, name: str, lines: Sequence[str], reference: Subject | None) -> Subject:
    """Load a subject; ConfigError where something that it needs is not here."""
    if name == PYTORCH:
        weights = path / description.variants["fp32"]["weights"]
        if not weights.exists():
            raise ConfigError(f"{weights} is not there, and only PyTorch needs it")
        try:
            from nmt.bundle.weights import load_bundle
        except ImportError:
            raise ConfigError("PyTorch is not installed: pip install torch") from None
        bundle = load_bundle(path)
        return Subject(name, bundle, lines, judge=copy.deepcopy(bundle.model).double())
    try:
        importlib.import_module("onnxruntime")
    except ImportError:
        raise ConfigError("ONNX Runtime is not installed: pip install onnxruntime") from None
    exported = load(path, precision=name, device="cpu")
    file = exported_parts(path, description, name).get("shortlist")
    shortlist = Shortlist.load(path / file) if file else None
    if name == "int8":
        return Subject(name, exported, lines, tolerance=INT8, shortlist=shortlist)
    # With a shortlist, other words share the probability: it judges itself.
    judge = reference.judge if reference and not shortlist else None
    return Subject(name, exported, lines, judge=judge, shortlist=shortlist)


def _promises(
    subject: Subject, reference: Subject | None, command: Command, *, is_exported: bool
) -> Iterator[tuple[str, Callable[[], Finding]]]:
    """List what is promised of a subject: names and checks."""
    for beam in subject.beams:
        way = "greedy" if beam == 1 else f"beam {beam}"
        yield f"does not depend on the batch ({way})", partial(_independent, subject, beam)
        yield f"log-probabilities are those of rescoring ({way})", partial(_rescored, subject, beam)
        if subject.bundle.model.multi_step is not None:
            yield f"many positions at once are single steps ({way})", partial(_single, subject, beam)
        if reference and subject.name == "fp32" and not subject.shortlist:
            yield f"translates as {reference.name} ({way})", partial(_alike, subject, reference, beam)
    yield "beam 1 is greedy", partial(_greedy, subject)
    if reference and (subject.name == "int8" or subject.shortlist):
        yield f"is close to {reference.name}", partial(_close, subject, reference)
    if subject.shortlist:
        yield "shortlist", partial(_coverage, subject, subject.shortlist, reference or subject)
    if subject.name != PYTORCH or not is_exported:
        precision = "fp32" if subject.name == PYTORCH else subject.name
        options = ("--precision", precision, "--device", "cpu", "--quiet", *subject.options)
        yield "one line of output for each of input", partial(_faithful, subject, command, options)
        yield "two workers translate as one", partial(_workers, subject, command, options)


def _files(path: Path, description: Description) -> Finding:
    parts = {name: dict(files) for name, files in description.variants.items()}
    weights = parts.get("fp32", {}).pop("weights", "")
    names = {
        *(set(description.files) - {CARD, weights}),
        *(file for files in parts.values() for file in files.values()),
    }
    if (path / weights).exists() or not any(parts.values()):  # a copy for ONNX Runtime alone may lack them
        names.add(weights)
    broken = "; ".join(reason for name in sorted(names) if (reason := damage(path, name, description.files)))
    if not description.files:
        return Finding(f"{len(names)} are there; an earlier nmt saved them without checksums", broken)
    return Finding(f"size and SHA-256 of {len(names)}", broken)


def _independent(subject: Subject, beam: int) -> Finding:
    ties = 0
    for name, together in subject.in_batches(beam):
        more, broken = subject.compare(subject.alone(beam), together, f"alone and in batches of {name}")
        if broken:
            return Finding("", broken)
        ties += more
    return Finding(f"{subject.count} alone, in batches of 7, 64, and 64 shuffled{_ties(ties)}")


def _rescored(subject: Subject, beam: int) -> Finding:
    largest = 0.0
    for number, (line, found) in enumerate(zip(subject.lines, subject.alone(beam), strict=True), 1):
        gap = abs(found.log_prob - subject.rescore(line, found))
        if not gap <= subject.tolerance.rounding:
            claim = f"the search says {found.log_prob:.4f}, {gap:.1e} from rescoring"
            return Finding("", f"line {number}, {shown(line)}: {claim} of {shown(found.text)}")
        largest = max(largest, gap)
    return Finding(f"{subject.count}, at most {largest:.0e} apart")


def _single(subject: Subject, beam: int) -> Finding:
    single = subject.translate(beam, batch=1, model=SingleSteps(subject.bundle.model))
    ties, broken = subject.compare(subject.alone(beam), single, "many positions at once and single steps")
    return Finding(f"{subject.count}{_ties(ties)}", broken)


def _alike(subject: Subject, reference: Subject, beam: int) -> Finding:
    ours, theirs = subject.alone(beam), reference.alone(beam)
    ties, broken = subject.compare(theirs, ours, f"{reference.name} and {subject.name}")
    gaps = [abs(a.log_prob - b.log_prob) for a, b in zip(ours, theirs, strict=True) if a.tokens == b.tokens]
    if not broken and max(gaps, default=0) > subject.tolerance.rounding:
        broken = f"log-probabilities are up to {max(gaps):.1e} apart"
    return Finding(f"{subject.count}, log-probabilities at most {max(gaps, default=0):.0e} apart{_ties(ties)}", broken)


def _greedy(subject: Subject) -> Finding:
    greedy, beam = subject.search_both()
    ties, broken = subject.compare(greedy, beam, "greedy search and a beam of 1")
    return Finding(f"{subject.count}{_ties(ties)}", broken)


def _close(subject: Subject, reference: Subject) -> Finding:
    """Compare both models' log-probabilities of the reference's translations, of a shortlist's subwords alone."""
    beam, bos_id = subject.beams[-1], subject.bundle.target_subwords.bos_id
    wanted = reference.alone(beam)
    differences = [np.zeros(1)]
    for line, hypothesis in zip(subject.lines, wanted, strict=True):
        if source := source_ids(subject.bundle, line):
            target = target_ids(subject.bundle, hypothesis)
            among = subject.scored(source, target) if not reference.shortlist else ()
            here = token_log_probs(subject.bundle.model, source, target, bos_id=bos_id)
            there = token_log_probs(reference.bundle.model, source, target, bos_id=bos_id, among=among)
            differences.append(here - there)
    rms = float(np.sqrt(np.mean(np.concatenate(differences) ** 2)))
    equal = sum(one.tokens == other.tokens for one, other in zip(subject.alone(beam), wanted, strict=True))
    distance = f"log-probabilities of a token differ by {rms:.3f} (root mean square)"
    alike = f"{equal} of {subject.count} are translated alike (beam {beam})"
    return Finding(f"{distance}; {alike}", "" if rms <= _FAR else f"{distance}, which is more than {_FAR}")


def _coverage(subject: Subject, shortlist: Shortlist, reference: Subject) -> Finding:
    """Report how much of the reference's translations the shortlist has; nothing is promised of that."""
    sources = [source_ids(subject.bundle, line) for line in subject.lines]
    targets = [hypothesis.tokens for hypothesis in reference.alone(subject.beams[-1])]
    listed = [shortlist.ids(np.array([source], dtype=np.int64), np.array([len(source)]))[0] for source in sources]
    covered = [np.isin(target, ids) for target, ids in zip(targets, listed, strict=True)]
    size = f"{np.mean([len(ids) for ids in listed]):.0f} of {shortlist.target_vocabulary:,} subwords a line on average"
    share = np.concatenate(covered).mean()
    return Finding(f"{size}; among them are {share:.1%} of those that {reference.name} takes")


def _faithful(subject: Subject, command: Command, options: Sequence[str]) -> Finding:
    """Mix awkward lines with sentences, whose translations must be those of this process, in their places."""
    raw, some = _awkward(subject.lines), subject.lines[:20]
    mixed = [line for pair in zip(raw, (text.encode() for text in some), strict=False) for line in pair]
    mixed += raw[len(some) :]
    texts = [line.decode("utf-8", errors="replace") for line in mixed]
    # Long lines are cut soon: reading them is what is in question.
    options = [*options, "--max-source-tokens", str(_MOST_SUBWORDS)]
    search = dataclasses.replace(subject.bundle.search, max_source_tokens=_MOST_SUBWORDS)
    out = command(options, b"".join(line + b"\n" for line in mixed)).decode("utf-8").split("\n")
    if len(out) != len(mixed) + 1 or out[-1]:
        return Finding("", f"{len(mixed)} lines of input had {len(out) - 1} of output")
    expected = Translator(subject.bundle, search=search).translate(texts)
    for number, (text, line, translation) in enumerate(zip(texts, out[:-1], expected, strict=True), 1):
        if (is_blank(text) or text in some) and line != translation.text:
            both = f"{shown(line)} from nmt-translate, {shown(translation.text)} from Python"
            return Finding("", f"line {number}, {shown(text)}: {both}")
    return Finding(f"{len(mixed)}, {len(raw)} of them empty, blank, long or no text")


def _awkward(lines: Sequence[str]) -> list[bytes]:
    """Make lines that are hard to keep apart, of words that the model knows."""
    text = next((line for line in lines if not is_blank(line)), "a").encode()
    long = b" ".join([text.split()[0]] * _MANY_WORDS)
    joined = [text + between + text for between in (b"\0", b"\r", "\u2028".encode())]
    return [b"", b" ", b"\t ", *joined, "\u3000".encode(), long, text + b"\xff\xfe", "\x85".encode(), b"\x0b\x0c", b""]


def _workers(subject: Subject, command: Command, options: Sequence[str]) -> Finding:
    lines = subject.lines[:SAMPLES]
    text = b"".join(line.encode() + b"\n" for line in lines)
    one, two = (
        [json.loads(row) for row in command([*options, "--format", "jsonl", "--workers", count], text).splitlines()]
        for count in ("1", "2")
    )
    if not len(lines) == len(one) == len(two):
        return Finding("", f"{len(lines)} lines of input had {len(one)} of output by one, {len(two)} by two")
    tie = subject.tolerance.rounding / 10  # all that a command tells is in single precision
    for line, here, there in zip(lines, one, two, strict=True):
        if here["text"] != there["text"] and abs(here["log_prob"] - there["log_prob"]) > tie:
            both = f"{shown(here['text'])} by one, {shown(there['text'])} by two"
            return Finding("", f"line {here['line']}, {shown(line)}: {both}")
    return Finding(f"{len(lines)} lines")


def _ties(count: int) -> str:
    return f"; {count} tie{'s' * (count > 1)}" if count else ""
