"""A user's command line made ready for Hydra: words sorted and checked, values of text quoted."""

from __future__ import annotations

import collections
import difflib
import os
import re
from enum import Enum

from nmt.cli.hydra.keys import GROUPS, choices, known_keys, list_keys
from nmt.config.train import REMOVED
from nmt.errors import ConfigError

_SWITCHES = ("--resolve", "--multirun", "-m", "--hydra-help", "--shell-completion", "-sc")
_PARTS = ("job", "hydra", "all")
# Options with a value, and the values that Hydra takes; none: any.
_VALUED: dict[str, tuple[str, ...]] = {"--cfg": _PARTS, "-c": _PARTS, "--package": (), "-p": ()}
_PATHS = ("--config-path", "-cp")
_VALUED |= dict.fromkeys((*_PATHS, "--config-name", "-cn", "--config-dir", "-cd"), ())
_INFORM = ("--info", "-i")
_TOPICS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
_OURS = ("--help", "-h", "--version")
# What each asks for instead of a training, under the name that a mistake is told with; one of them at a time.
_TASKS = {"--multirun": "-m", "-m": "-m", "--cfg": "--cfg", "-c": "--cfg", "--info": "--info", "-i": "--info"}
_TASKS |= {"--hydra-help": "--hydra-help", "--shell-completion": "-sc", "-sc": "-sc"}
_COMPLETION = re.compile(r"(install|uninstall|query)=(bash|zsh|fish)")
# What stands for the value of another key; after an odd number of backslashes it is text.
REFERENCE = re.compile(r"(?<!\\)(?:\\\\)*\$\{")
# What Hydra takes for a number, a truth value or nothing: name=1.10 would become 1.1.
_NO_TEXT = re.compile(r"[+-]?(\d[\d_]*)?\.?\d*(e[+-]?\d+)?|[+-]?(inf|nan)|true|false|null", re.IGNORECASE)
# An element of a list up to the next comma; a comma inside quotes belongs to it.
_ELEMENT = re.compile(r"""\s*((?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?=\s*(?:,|$))|[^,]*)""")


def split_words(words: list[str]) -> tuple[list[str], list[str]]:
    """Part a command line into options and settings, which Hydra takes in this order only.

    Raises:
        ConfigError: an option that neither nmt-train nor Hydra knows, or without its value; a word that is no setting;
            ``+KEY=VALUE``, which Hydra adds to the configuration without asking whether anybody reads it, with an
            unknown key.
    """
    options: list[str] = []
    settings: list[str] = []
    rest = collections.deque(words)
    while rest:
        word = rest.popleft()
        flag, equals, value = word.partition("=")
        if not word.startswith("-"):
            settings.append(word)
        elif flag in _VALUED:
            value = value if equals else rest.popleft() if rest else ""
            _check_value(flag, value, _VALUED[flag])
            options += [flag, _from_here(value) if flag in _PATHS else value]
        elif flag in _INFORM:
            topic = value if equals else rest.popleft() if rest and rest[0] in _TOPICS else "all"
            _check_value(flag, topic, _TOPICS)
            options.append(f"{flag}={topic}")
        elif word in _SWITCHES:
            options.append(word)
        elif flag in (*_SWITCHES, *_OURS):
            raise ConfigError(f"{flag} takes no value; write {flag} alone")
        else:
            raise _unknown_option(flag, value if equals else rest.popleft() if rest else "")
    for number in range(len(settings)):
        _check_setting(settings, number)
    _check_options(options, settings)
    return options, [] if "--hydra-help" in options else settings


def _check_value(flag: str, value: str, allowed: tuple[str, ...]) -> None:
    if not value or value.startswith("-") or value not in (allowed or (value,)):
        wanted = "one of " + ", ".join(allowed) if allowed else "a value"
        raise ConfigError(f"{flag} needs {wanted} after it; see nmt-train --help")


def _from_here(path: str) -> str:
    """Make a path of the current directory, as a user means it; Hydra would look for it among our modules."""
    return path if re.match(r"\w+://", path) else os.path.abspath(os.path.expanduser(path))


def _check_options(options: list[str], settings: list[str]) -> None:
    """Raise ConfigError for options that exclude each other or lack the one that they belong to."""
    flags = {word.partition("=")[0]: value for word, value in zip(options, [*options[1:], ""], strict=False)}
    tasks = list(dict.fromkeys(_TASKS[flag] for flag in flags if flag in _TASKS))
    if len(tasks) > 1:
        raise ConfigError(f"{tasks[0]} and {tasks[1]} exclude each other: take one of them")
    prints = "--cfg" in tasks
    if "--resolve" in flags and not prints:
        raise ConfigError("--resolve needs --cfg job: it prints the configuration with the values of all ${...}")
    for flag in ("--package", "-p"):
        if flag not in flags:
            continue
        if not prints:
            raise ConfigError(f"{flag} needs --cfg job: it prints a part of the configuration")
        if "job" in (flags.get("--cfg"), flags.get("-c")) and flags[flag] not in GROUPS[:-1]:
            raise ConfigError(
                f"{flag} {flags[flag]} is no part of the configuration: take one of {', '.join(GROUPS[:-1])}"
            )
    if "-sc" in tasks and not any(map(_COMPLETION.fullmatch, settings)):
        raise ConfigError(
            "-sc needs what to do after it: -sc install=bash, or zsh or fish; uninstall=bash takes it back"
        )


def _unknown_option(flag: str, value: str) -> ConfigError:
    """Propose the setting that an option looks like, or an option with a similar spelling."""
    name = flag.lstrip("-").replace("-", "_")
    keys = [name] if name in known_keys() or name in GROUPS else _keys_ending_in(name)
    if keys:
        example = "VALUE" if not value or value.startswith("-") or "=" in value else value
        meant = " or ".join(f"{key}={example}" for key in keys)
        return ConfigError(f"unknown option {flag}; settings are written without dashes: {meant}")
    near = difflib.get_close_matches(flag, [*_VALUED, *_INFORM, *_SWITCHES, *_OURS], n=1)
    hint = f"did you mean {near[0]}?" if near else "settings are written KEY=VALUE; see nmt-train --help"
    return ConfigError(f"unknown option {flag}; {hint}")


def _keys_ending_in(name: str) -> list[str]:
    return [key for key in known_keys() if key.rpartition(".")[2] == name]


def _check_setting(settings: list[str], number: int) -> None:
    """Raise ConfigError if one of the words is not KEY=VALUE, nor ``~KEY``, which takes a key away."""
    word = settings[number]
    key, equals, _ = word.partition("=")
    if key.startswith("+") and key.strip("+"):
        _check_added(key.lstrip("+"))
    shown, meant = _without_spaces(settings[number:])
    if meant != shown:
        raise ConfigError(f"there is a space in '{shown}'; write {meant}")
    if (equals and key.lstrip("+")) or (word.startswith("~") and key != "~"):
        return
    if word in known_keys():
        raise ConfigError(f"{word} has no value; write {word}=VALUE")
    if word in GROUPS:
        raise ConfigError(f"{word} has no value; write {word}=CHOICE, where the choices are {', '.join(choices(word))}")
    before = settings[number - 1] if number else ""
    default = known_keys().get(before.partition("=")[0])
    hint = "settings are written KEY=VALUE; see nmt-train --help"
    if groups := [group for group in reversed(GROUPS) if word in choices(group)]:
        hint = f"did you mean {' or '.join(f'{group}={word}' for group in groups)}?"
    elif isinstance(default, (str, list)) and not isinstance(default, Enum):
        hint = f"if it belongs to the value before it, put quotes around both: '{before} {word}'"
    raise ConfigError(f"{word or repr(word)} is no setting; {hint}")


def _without_spaces(words: list[str]) -> tuple[str, str]:
    """Return the first setting as it was typed and as it was meant, where spaces around its equals sign parted it."""
    used, rest = words[:1], words[1:]
    if "=" not in used[0] and rest and rest[0].startswith("="):
        used.append(rest.pop(0))
    if used[-1].endswith("=") and used != ["="] and rest and "=" not in rest[0]:
        used.append(rest.pop(0))
    key, equals, value = "".join(used).partition("=")
    return " ".join(used), key.strip() + equals + (value.strip() if key != key.strip() else value)


def _check_added(key: str) -> None:
    if key not in known_keys() and key.split(".")[0] not in ("hydra", "experiment") and key not in GROUPS:
        raise unknown_key(key)


def unknown_key(key: str) -> ConfigError:
    """Say that there is no such key, and which one was meant or what became of it."""
    if key in REMOVED:
        return ConfigError(f"{key} is gone: {REMOVED[key].advice}")
    key = printable(key)
    near = difflib.get_close_matches(key, [*known_keys(), *GROUPS], n=1, cutoff=0.5)
    near = near or _keys_ending_in(key.rpartition(".")[2])[:1]
    hint = f"did you mean {near[0]}?" if near else "nmt-train --help lists the keys"
    return ConfigError(f"unknown key {key}; {hint}")


def printable(text: str, *, most: int = 100) -> str:
    """Show a text that may hold anything in one line: control characters as escapes, cut where it is long."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])
    return f"{shown}…" if len(text) > most else shown


def quote_overrides(words: list[str], *, multirun: bool) -> list[str]:
    r"""Quote the values of keys that hold text, which Hydra's lexer would otherwise stumble over.

    ``corpus.train=données/mes phrases=1`` has a letter, a space and an equals sign that Hydra's grammar does not allow
    in a bare value. The same goes for the elements of a list of texts, the texts of a sweep and the names of choices.
    Values that are quoted already, or refer to another key (``${name}``) in plain letters, stay as they are.
    """
    text_keys = {key for key, value in known_keys().items() if isinstance(value, str) and not isinstance(value, Enum)}
    lists_of_text = {key for key, element in list_keys().items() if element is str}

    def quote(word: str) -> str:
        key, equals, value = word.partition("=")
        is_plain = value.isascii() and value.isprintable()
        if not equals or (REFERENCE.search(value) and (is_plain or re.search(r"\$\{[^}]*,", value))):
            return word
        if key in lists_of_text and value.startswith("["):
            # Several lists are a sweep, or a mistake that Hydra explains.
            lists = re.split(r"(?<=\]),(?=\[)", value)
            return f"{key}={','.join(map(_quote_elements, lists))}"
        if multirun and "," in value and key in (*text_keys, *GROUPS):
            # Functions make the values of a sweep too, as choice(a,b).
            return word if is_plain else f"{key}={_quote_elements(f'[{value}]')[1:-1]}"
        if key in text_keys | lists_of_text or (key in GROUPS and not is_plain):
            return f"{key}={quote_text(value)}"
        return word

    return [quote(word) for word in words]


def quote_text(value: str) -> str:
    """Quote a text for Hydra, unless it is a plain word or quoted already."""
    if re.fullmatch(r"[\w./:+-]*", value, re.ASCII) and not _NO_TEXT.fullmatch(value):
        return value
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value
    # In Hydra's quoted strings a backslash is special only before a quote or at the end.
    escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), value)
    return f"'{escaped}'"


def _quote_elements(value: str) -> str:
    """Quote the elements of ``[a,b]``; anything else, and a list with an empty element, is left for Hydra to refuse."""
    inside = value[1:-1]
    if not inside.strip() or not value.endswith("]"):
        return value
    elements, start = [], 0
    while start <= len(inside):
        match = _ELEMENT.match(inside, start)
        assert match is not None  # it matches nothing, too
        elements.append(match[1].strip())
        start = inside.find(",", match.end())
        start = len(inside) + 1 if start < 0 else start + 1
    return f"[{','.join(quote_text(element) if element else '' for element in elements)}]"
