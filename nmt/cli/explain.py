"""Errors of Hydra and OmegaConf in one line of ours, which names the key, what is allowed and the file at fault."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from nmt.cli.overrides import GROUPS, known_keys, list_keys, unknown_key
from nmt.errors import ConfigError

_CONFIG_DIR = ("--config-dir", "-cd")
_HEADER = re.compile(r"\s*#+\s*@package\s+_global_\s*")
_KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_LISTS: dict[type, tuple[str, str]] = {
    str: ("texts", "[data/one,data/two]"),
    float: ("numbers", "[1,0.5]"),
    int: ("whole numbers", "[-1,0]"),
}


def explain(error: Exception, *, options: Sequence[str] = ()) -> ConfigError | None:
    """Turn an error of Hydra or OmegaConf into one line; None for others.

    Args:
        error: what was raised.
        options: those of the command line, as `nmt.cli.overrides.split_words` gives them: they name the directories
            of settings files.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    if not any(isinstance(link, (HydraException, OmegaConfBaseException)) for link in chain):
        return None
    text = "\n".join(str(link) for link in chain)
    file = _settings_file(text, options)
    if file and (missing := _header_missing(file)):
        return missing
    explained = _unknown_key(text) or _unknown_choice(text, options) or _wrong_value(chain, text) or _unreadable(error)
    explained = explained or _anything_else(error)
    return ConfigError(f"{file}: {explained}") if file else explained


def _settings_file(text: str, options: Sequence[str]) -> Path | None:
    """Find the file of the user's own that Hydra was reading."""
    match = re.search(r"In '([^']+)'", text)
    files = [directory / f"{match[1]}.yaml" for directory in _directories(options)] if match else []
    return next((file for file in files if file.is_file()), None)


def _directories(options: Sequence[str]) -> list[Path]:
    return [Path(value) for flag, value in itertools.pairwise(options) if flag in _CONFIG_DIR]


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
    match = re.search(r"Could not find '(\w+)/([^']+)'", text)
    if not match:
        return None
    from nmt.cli.train_help import choices

    group, choice = match.groups()
    own = {file.stem for directory in _directories(options) for file in (directory / group).glob("*.yaml")}
    available = sorted(own.union(choices(group) if group in GROUPS else []))
    near = difflib.get_close_matches(choice, available, n=1)
    hint = f"did you mean {group}={near[0]}? " if near else ""
    return ConfigError(f"there is no {group}={choice}; {hint}available are {', '.join(available)}")


def _wrong_value(chain: list[BaseException], text: str) -> ConfigError | None:
    full = re.search(r"full_key: ([^\s\[]+)", text)
    key = full[1] if full else ""
    if key not in known_keys():
        return None
    default = known_keys()[key]
    value = re.search(r"[Vv]alue '(.*?)'", text, re.DOTALL)
    if key in list_keys():
        return _no_list(key, f": {value[1]} is not possible, it" if value else "")
    given = f"={value[1]}" if value else ""
    if isinstance(default, Enum):
        words = ", ".join(type(default).__members__)
        return ConfigError(f"{key}{given} is not possible: it must be one of {words}")
    if "not a valid" in text or "could not be converted" in text or "incompatible" in text.lower():
        return ConfigError(f"{key}{given} is not possible: it must be {_KINDS[type(default)]}")
    return ConfigError(f"{key}: {str(chain[-1]).splitlines()[0]}")


def _unreadable(error: Exception) -> ConfigError | None:
    """Explain several values where one is expected, and a list that Hydra's grammar does not know, as ``[1;2]``."""
    if several := re.search(r"Ambiguous value for argument '(.*)'", str(error)):
        return ConfigError(f"{several[1]} has several values; to train with each of them add -m")
    key = str(getattr(error, "override", "")).partition("=")[0].lstrip("+")
    return _no_list(key) if key in list_keys() else None


def _no_list(key: str, wrong: str = "") -> ConfigError:
    kind, example = _LISTS[list_keys()[key]]
    return ConfigError(f"{key}{wrong} must be a list of {kind}, as in {key}={example}")


def _anything_else(error: Exception) -> ConfigError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ConfigError(f"{' '.join(lines[:2])}; see nmt-train --help")
