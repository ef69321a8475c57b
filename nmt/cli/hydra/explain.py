"""Errors of Hydra and OmegaConf in one line of ours, which names the key, what is allowed and the file at fault."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from nmt.cli.hydra.keys import GROUPS, known_keys, list_keys
from nmt.cli.hydra.overrides import REFERENCE, printable, unknown_key
from nmt.errors import ConfigError

_CONFIG_DIR, _CONFIG_NAME = ("--config-dir", "-cd"), ("--config-name", "-cn")
_HEADER = re.compile(r"\s*#+\s*@package\s+_global_\s*")
_KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_LISTS: dict[type, tuple[str, str]] = {
    str: ("texts", "[data/one,data/two]"),
    float: ("numbers", "[1,0.5]"),
    int: ("whole numbers", "[-1,0]"),
}

_REFERENCES = (
    "${KEY} stands for the value of another key, ${oc.env:NAME} for an environment variable, and \\${ for a plain ${"
)


def explain(error: Exception, *, options: Sequence[str] = ()) -> ConfigError | None:
    """Turn an error of Hydra or OmegaConf into one line; None for others.

    Args:
        error: what was raised.
        options: those of the command line, as `split_words` gives them: they name the directories of settings files.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    if broken := _broken_file(chain, options) or _endless_number(chain):
        return broken
    if not any(isinstance(link, (HydraException, OmegaConfBaseException)) for link in chain):
        return None
    text = "\n".join(str(link) for link in chain)
    file = _settings_file(text, options)
    if file and (missing := _header_missing(file)):
        return missing
    explained: ConfigError | None = (
        _wrong_place(text, options)
        or _unresolved(chain, text)
        or _unknown_key(text)
        or _unknown_choice(text, options)
        or _wrong_value(chain, text)
        or _unreadable(error, options)
        or _anything_else(error)
    )
    return ConfigError(f"{file}: {explained}") if file else explained


def _settings_file(text: str, options: Sequence[str]) -> Path | None:
    """Find the file of the user's own that Hydra was reading."""
    match = re.search(r"In '([^']+)'", text)
    files = [directory / f"{match[1]}.yaml" for directory in _directories(options)] if match else []
    return next((file for file in files if file.is_file()), None)


def _directories(options: Sequence[str]) -> list[Path]:
    return [Path(value) for flag, value in itertools.pairwise(options) if flag in _CONFIG_DIR]


def _broken_file(chain: list[BaseException], options: Sequence[str]) -> ConfigError | None:
    """Explain a settings file that cannot be read at all: no YAML, not UTF-8, or not laid out as Hydra has it."""
    import yaml

    for link in chain:
        if isinstance(link, yaml.MarkedYAMLError) and link.problem_mark is not None:
            mark = link.problem_mark
            where = f"{mark.name}: line {mark.line + 1}, column {mark.column + 1}"
            return ConfigError(f"{where}: {printable(link.problem or 'this')}; a settings file is written in YAML")
        if isinstance(link, yaml.reader.ReaderError):
            return ConfigError(f"{link.name}: it has a character that YAML does not allow ({link.reason}); take it out")
        if isinstance(link, UnicodeDecodeError):
            files = [file for folder in _directories(options) for file in folder.rglob("*.yaml") if not _is_utf_8(file)]
            return ConfigError(f"{files[0]} is not UTF-8; save it as UTF-8") if files else None
        if isinstance(link, ValueError) and (found := re.search(r"Invalid defaults list in '(.*?)'", str(link))):
            return ConfigError(f"{found[1]}.yaml: defaults must be a list, as in defaults: [override /model: tiny]")
        if isinstance(link, ValueError) and "Config group override must be" in str(link):
            return ConfigError(f"null is no choice of a group ({', '.join(GROUPS)}); name one, as in model=small")
        if isinstance(link, RecursionError):
            return ConfigError("a settings file has a value inside itself (&name and *name); write it out")
    return None


def _endless_number(chain: list[BaseException]) -> ConfigError | None:
    """Explain a number of more digits than Python reads, or than a float holds."""
    if any(isinstance(link, OverflowError) or "integer string conversion" in str(link) for link in chain):
        return ConfigError("a setting has a number of more digits than any key takes; write a smaller one")
    return None


def _is_utf_8(file: Path) -> bool:
    try:
        file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _wrong_place(text: str, options: Sequence[str]) -> ConfigError | None:
    """Explain an option that names a directory or configuration that is missing, or that is not ours."""
    if match := re.search(r"Additional config directory '(.*)' not found", text):
        return ConfigError(f"--config-dir: there is no directory {match[1]}; check the path")
    if match := re.search(
        r"Primary config directory not found.\s*Check that the config directory '(.*?)' exists", text
    ):
        return ConfigError(f"--config-path: there is no directory {match[1]}; check the path")
    names = [value for flag, value in itertools.pairwise(options) if flag in _CONFIG_NAME]
    if match := re.search(r"Cannot find primary config '(.*?)'", text):
        if names:
            return ConfigError(f"--config-name {names[-1]}: there is no such configuration; nmt-train's own is train")
        return ConfigError(
            f"--config-path names a directory without {match[1]}.yaml; for settings files of your own, beside "
            "nmt-train's, use --config-dir"
        )
    # A file of a group lacks all that the command line may set.
    if names and (match := re.search(r"Could not override '([^']+)'|Key '([^']+)' (?:is )?not in", text)):
        key = match[1] or match[2]
        if key in GROUPS or key in known_keys():
            return ConfigError(
                f"--config-name {names[-1]} names a configuration without {key}; nmt-train's own is train"
            )
    return None


def _unresolved(chain: list[BaseException], text: str) -> ConfigError | None:
    """Explain a ``${...}`` that has no value."""
    from omegaconf.errors import GrammarParseError, InterpolationResolutionError, UnsupportedInterpolationType

    if match := re.search(r"Error resolving interpolation '(.*?)'", text, re.DOTALL):
        return ConfigError(f"{printable(match[1])} cannot be a choice, which is made before keys have values; name one")
    kinds = (GrammarParseError, InterpolationResolutionError, UnsupportedInterpolationType)
    link = next((link for link in chain if isinstance(link, kinds)), None)
    if link is None or "While dereferencing" in text:  # a value of the wrong kind
        return None
    key = str(getattr(link, "full_key", None) or "")
    node = getattr(link, "child_node", None)
    value = str(node._value() or "") if node is not None else ""
    if override := re.search(r"Error merging override (.*)", text):  # the node has the value before it
        key, _, value = override[1].partition("=")
        value = value.strip("'")
    return _no_reference(key, value, _why_unresolved(text))


def _why_unresolved(text: str) -> str:
    if match := re.search(r"Interpolation key '(.*?)' not found", text):
        return f"there is no key {match[1]}; {_REFERENCES}"
    if match := re.search(r"Environment variable '(.*?)' not found", text):
        return (
            f"the environment variable {match[1]} is not set; set it, or give a default: ${{oc.env:{match[1]},DEFAULT}}"
        )
    if match := re.search(r"Unsupported interpolation type (\S+)", text):
        return f"there is no {match[1]} to refer to; {_REFERENCES}"
    if "Recursive interpolation" in text or "parent node" in text:
        return "it refers to itself; name another key"
    return f"it refers to nothing; {_REFERENCES}"


def _no_reference(key: str, value: str, reason: str) -> ConfigError:
    setting = f"{key}={printable(value)}" if value else key or "a value that refers to another key"
    return ConfigError(f"{setting} is not possible: {reason}")


def _header_missing(file: Path) -> ConfigError | None:
    """Explain what comes of a place: Hydra puts a file's keys below ``experiment`` unless its header says otherwise."""
    if file.parent.name != "experiment":
        return None
    with open(file, encoding="utf-8", errors="replace") as lines:
        # Hydra looks no further than the first line that does not begin like this.
        head = list(itertools.takewhile(lambda line: re.match(r"\s*(#\s*@|$)", line), lines))
    if any(_HEADER.fullmatch(line) for line in head):
        return None
    return ConfigError(f"{file}: its first line must be '# @package _global_', above everything else")


def _unknown_key(text: str) -> ConfigError | None:
    match = (
        re.search(r"Could not override '([^']+)'", text)
        or re.search(r"Error merging override \+*([\w./]+)=", text)
        or re.search(r"Key '([^']+)' (?:is )?not in", text)
    )
    if not match or not re.search(r"not in (struct|'\w+')|Could not override", text):
        return None
    full = re.search(r"full_key: (\S+)", text)
    key = full[1] if full else match[1]
    if key in known_keys():
        return None
    return unknown_key(key)


def _unknown_choice(text: str, options: Sequence[str]) -> ConfigError | None:
    match = re.search(r"Could not find '([\w/]+)/([^'/]+)'", text)
    if not match:
        return None
    return _no_choice(match[1], match[2], options)


def _no_choice(group: str, choice: str, options: Sequence[str]) -> ConfigError:
    from nmt.cli.hydra.keys import choices

    files = {file.stem for directory in _directories(options) for file in (directory / group).glob("*.yaml")}
    available = sorted(files.union(choices(group) if group in GROUPS else []))
    near = difflib.get_close_matches(choice, available, n=1)
    hint = f"did you mean {group}={near[0]}? " if near else ""
    listed = f"; {hint}available are {', '.join(available)}" if available else "; see nmt-train --hydra-help"
    return ConfigError(f"there is no {group}={printable(choice)}{listed}")


def _wrong_value(chain: list[BaseException], text: str) -> ConfigError | None:
    if missing := re.search(r"missing mandatory value: (\w+)", text):
        return ConfigError(f"??? stands for a value of {missing[1]} that is missing; write the value")
    full = re.search(r"full_key: ([^\s\[]+)", text)
    key = full[1] if full else ""
    if key not in known_keys():
        return None
    default = known_keys()[key]
    value = re.search(r"[Vv]alue '(.*?)'", text, re.DOTALL)
    reference = re.search(r"While dereferencing interpolation '(.*?)': Value '\{", text)
    value = reference or value  # the value of a group is all its keys
    if key in list_keys():
        return _no_list(key, f": {printable(value[1])} is not possible, it" if value else "")
    if "is not Optional" in text:
        return _not_possible(key, "null")
    known_kind = isinstance(default, Enum) or "not a valid" in text or "could not be converted" in text
    known_kind = known_kind or "Cannot convert" in text
    if known_kind or "incompatible" in text.lower():
        return _not_possible(key, value[1] if value else None)
    return ConfigError(f"{key}: {printable(str(chain[-1]).splitlines()[0])}")


def _not_possible(key: str, value: str | None) -> ConfigError:
    """Say what a key's values are."""
    default = known_keys()[key]
    assigned = "" if value is None else f"={printable(value)}"
    if isinstance(default, Enum):
        return ConfigError(f"{key}{assigned} is not possible: it must be one of {', '.join(type(default).__members__)}")
    # Digits that are none for Hydra, as those of Arabic.
    digits = ", written with the digits 0 to 9" if any(c.isdigit() and not c.isascii() for c in value or "") else ""
    return ConfigError(f"{key}{assigned} is not possible: it must be {_KINDS[type(default)]}{digits}")


def _unreadable(error: Exception, options: Sequence[str]) -> ConfigError | None:
    """Explain several values where one is expected, and what Hydra's grammar does not know, as ``[1;2]``."""
    several = re.search(r"(?:Ambiguous value for argument|Sweep parameters) '(.*)'", str(error))
    if several:
        return ConfigError(f"{printable(several[1])} has several values; to train with each of them add -m")
    word = str(getattr(error, "override", None) or "")
    key, _, value = word.partition("=")
    key = key.lstrip("+~")
    if key in list_keys():
        return _no_list(key)
    if key in GROUPS:
        return _no_choice(key, value, options)
    if REFERENCE.search(value):
        return _no_reference(key, value, _why_unresolved(""))
    if key in known_keys():
        return _not_possible(key, value)
    if not word or key.startswith("hydra"):
        return None
    return unknown_key(key)


def _no_list(key: str, wrong: str = "") -> ConfigError:
    kind, example = _LISTS[list_keys()[key]]
    return ConfigError(f"{key}{wrong} must be a list of {kind}, as in {key}={example}")


def _anything_else(error: Exception) -> ConfigError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "https://hydra.cc" not in line]
    reason = re.sub(r"\b\w+(Exception|Error)\b:? ?", "", " ".join(lines[:2]))
    return ConfigError(f"{printable(reason, most=300)}; see nmt-train --help")
