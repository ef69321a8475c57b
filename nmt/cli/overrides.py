"""What stands between a user's command line and Hydra: quoting of text values, and Hydra's errors in one line."""

from __future__ import annotations

import dataclasses
import difflib
import re
from enum import Enum
from typing import Any

from nmt.config import TrainConfig
from nmt.errors import ConfigError

_SWITCHES = ("--resolve", "--multirun", "-m", "--hydra-help", "--shell-completion", "-sc")
_PARTS = ("job", "hydra", "all")
# Options with a value, and the values that Hydra takes; none: any.
_VALUED: dict[str, tuple[str, ...]] = {"--cfg": _PARTS, "-c": _PARTS, "--package": (), "-p": ()}
_VALUED |= dict.fromkeys(("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"), ())
_INFORM = ("--info", "-i")
# What Hydra takes for a number, a truth value or nothing: name=1.10 would become 1.1.
_NO_TEXT = re.compile(r"[+-]?(\d[\d_]*)?\.?\d*(e[+-]?\d+)?|[+-]?(inf|nan)|true|false|null", re.IGNORECASE)
_GROUPS = ("corpus", "subwords", "model", "optimizer", "trainer", "search", "experiment")


def known_keys() -> dict[str, Any]:
    """Return every leaf of the configuration with its default: ``{"optimizer.lr": 0.001, ...}``."""
    keys: dict[str, Any] = {}

    def walk(config: Any, prefix: str) -> None:
        for item in dataclasses.fields(config):
            value = getattr(config, item.name)
            if dataclasses.is_dataclass(value):
                walk(value, f"{prefix}{item.name}.")
            else:
                keys[prefix + item.name] = value

    walk(TrainConfig(), "")
    return keys


def split_words(words: list[str]) -> tuple[list[str], list[str]]:
    """Part a command line into options and settings, which Hydra takes in this order only.

    Raises:
        ConfigError: an option that neither nmt-train nor Hydra knows, or without its value; ``+KEY=VALUE``, which Hydra
            adds to the configuration without asking whether anybody reads it, with an unknown key.
    """
    options: list[str] = []
    settings: list[str] = []
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        if not word.startswith("-"):
            settings.append(word)
            if word.startswith("+"):
                _check_added(flag.lstrip("+"))
        elif flag in _VALUED:
            value = value if equals else next(rest, "")
            if not value or value not in (_VALUED[flag] or (value,)):
                allowed = "one of " + ", ".join(_VALUED[flag]) if _VALUED[flag] else "a value"
                raise ConfigError(f"{flag} needs {allowed} after it; see nmt-train --help")
            options += [flag, value]
        elif flag in _INFORM:
            options.append(word if equals else f"{flag}=all")
        elif word in _SWITCHES:
            options.append(word)
        else:
            near = difflib.get_close_matches(flag, [*_VALUED, *_INFORM, *_SWITCHES, "--help", "--version"], n=1)
            hint = f"did you mean {near[0]}?" if near else "settings are written KEY=VALUE; see nmt-train --help"
            raise ConfigError(f"unknown option {flag}; {hint}")
    return options, settings


def _check_added(key: str) -> None:
    if key not in known_keys() and key.split(".")[0] not in ("hydra", "experiment") and key not in _GROUPS:
        raise _unknown(key)


def quote_overrides(words: list[str], *, multirun: bool) -> list[str]:
    r"""Quote the values of keys that hold text, which Hydra's lexer would otherwise stumble over.

    ``corpus.train=données/mes phrases=1`` has a letter, a space and an equals sign that Hydra's grammar does not allow
    in a bare value. Values that are quoted already, refer to another key (``${name}``) or list the values of a sweep
    stay as they are.
    """
    text_keys = {key for key, value in known_keys().items() if isinstance(value, str) and not isinstance(value, Enum)}

    def quote(word: str) -> str:
        key, equals, value = word.partition("=")
        plain = re.fullmatch(r"[\w./:+-]*", value, re.ASCII) and not _NO_TEXT.fullmatch(value)
        if not equals or key not in text_keys or plain or "${" in value:
            return word
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            return word
        if multirun and "," in value:
            return word
        # In Hydra's quoted strings a backslash is special only before a quote or at the end.
        escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), value)
        return f"{key}='{escaped}'"

    return [quote(word) for word in words]


def explain(error: Exception) -> ConfigError | None:
    """Turn an error of Hydra or OmegaConf into one line that names the key and what is allowed; None for others."""
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
    return _unknown_key(text) or _unknown_choice(text) or _wrong_value(chain, text) or _anything_else(error)


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
    return _unknown(key)


def _unknown(key: str) -> ConfigError:
    near = difflib.get_close_matches(key, [*known_keys(), *_GROUPS], n=1, cutoff=0.5)
    if not near:
        near = [name for name in known_keys() if name.rpartition(".")[2] == key.rpartition(".")[2]][:1]
    hint = f"did you mean {near[0]}?" if near else "nmt-train --help lists the keys"
    return ConfigError(f"unknown key {key}; {hint}")


def _unknown_choice(text: str) -> ConfigError | None:
    match = re.search(r"Could not find '(\w+)/([^']+)'", text)
    if not match:
        return None
    from nmt.cli.train_help import choices

    group, choice = match.groups()
    available = choices(group) if group in _GROUPS else []
    near = difflib.get_close_matches(choice, available, n=1)
    hint = f"did you mean {group}={near[0]}? " if near else ""
    return ConfigError(f"there is no {group}={choice}; {hint}available are {', '.join(available)}")


def _wrong_value(chain: list[BaseException], text: str) -> ConfigError | None:
    full = re.search(r"full_key: (\S+)", text)
    key = full[1] if full else ""
    if key not in known_keys():
        return None
    default = known_keys()[key]
    value = re.search(r"[Vv]alue '(.*?)'", text, re.DOTALL)
    given = f"={value[1]}" if value else ""
    if isinstance(default, Enum):
        words = ", ".join(type(default).__members__)
        return ConfigError(f"{key}{given} is not possible: it must be one of {words}")
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    if "not a valid" in text or "could not be converted" in text or "incompatible" in text.lower():
        return ConfigError(f"{key}{given} is not possible: it must be {kinds[type(default)]}")
    return ConfigError(f"{key}: {str(chain[-1]).splitlines()[0]}")


def _anything_else(error: Exception) -> ConfigError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ConfigError(f"{' '.join(lines[:2])}; see nmt-train --help")
