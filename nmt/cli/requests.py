"""What is asked for each line of a filter: in a second file (``--prefixes``), or in it (``--input-format jsonl``).

What is wrong with a line is told once all before it are translated.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nmt.cli.lines import Text, decode, raw_lines
from nmt.cli.windows import Window
from nmt.config.choices import TaskName
from nmt.errors import ConfigError
from nmt.translation.request import Request
from nmt.translation.tags import tag_number

if TYPE_CHECKING:
    from nmt.bundle.description import Description

INPUT_FORMATS = ("text", "jsonl")

_EXAMPLE = '{"text": "A dog runs.", "id": 1}'
_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "prefix": (str,),
    "terms": (dict,),
    "tag": (int, str),
    "to": (str,),
    "id": (int, str),
}
"""The keys of a line of JSON; docs/schemas/translate-input.json says the same."""
_IN_WORDS: dict[tuple[type, ...], str] = {
    (str,): "a text",
    (int, str): "a text or a whole number",
    (dict,): 'an object from words to their targets, as {"dog": "Hund", "cat": ["Katze", "Kater"]}',
}
_OF_TRANSLATIONS = ("prefix", "tag", "terms", "to")


class Asking(Protocol):
    """Makes requests of lines, one after the other."""

    def request(self, line: Text, number: int) -> Request:
        """Make a request of a line; what is to be warned of is added to it. ConfigError: it is not what it should be.

        Args:
            line: as it was read.
            number: counted from 1.
        """

    def finish(self, count: int) -> None:
        """Check, after so many lines, that nothing is left; ConfigError: something is."""


@contextmanager
def asking_of(arguments: argparse.Namespace) -> Iterator[Asking | None]:
    """Choose what makes the requests; None: a line is a text. Nothing heavy is loaded unless lines are objects.

    Raises:
        NmtError: the model cannot be read.
        OSError: the file of prefixes cannot be opened.
    """
    if arguments.prefixes is not None:
        with open(arguments.prefixes, "rb", buffering=0) as file:
            yield Prefixes(arguments.prefixes, file.read)
    elif arguments.input_format == "text":
        yield None
    else:
        from nmt.bundle.description import read_description, read_whole

        description = read_whole(Path(arguments.model), read_description)
        yield Objects(arguments.model, description, to=arguments.to)


def asked(windows: Iterable[Window], asking: Asking) -> Iterator[Window]:
    """Add to each window what is asked for its lines; before an error comes the window of all lines before it."""
    count = 0
    for window in windows:
        requests: list[Request] = []
        wrong: ConfigError | None = None
        for line in window.lines:
            try:
                requests.append(asking.request(line, count + 1))
            except ConfigError as error:
                wrong = error
                break
            count += 1
        if requests:
            yield Window(window.first_line, window.lines[: len(requests)], asked=requests)
        if wrong is not None:
            raise wrong
    asking.finish(count)


class Prefixes:
    """A file with what each translation begins with, line by line; its lines are read as they are needed."""

    def __init__(self, name: str, read: Callable[[int], bytes | None]) -> None:
        """Read the file of this name with `read`."""
        self._name, self._lines = name, raw_lines(read)

    def request(self, line: Text, number: int) -> Request:
        """See `Asking`."""
        raw = next(self._lines, None)
        if raw is None:
            raise ConfigError(
                f"--prefixes {self._name} has {number - 1} lines, and the input has more: give one for each line, an "
                "empty one where nothing is asked"
            )
        prefix = decode(raw, number)
        line.warnings.extend(f"{self._name}: {warning}" for warning in prefix.warnings)
        return Request(line.text, prefix=prefix.text)

    def finish(self, count: int) -> None:
        """See `Asking`."""
        if next(self._lines, None) is not None:
            raise ConfigError(
                f"--prefixes {self._name} has more lines than the input, which has {count}: they do not belong together"
            )


class Objects:
    """Lines of JSON, each an object with what is asked."""

    def __init__(self, model: str, description: Description, *, to: str | None = None) -> None:
        """Make requests for a model that is described so, into the language `to` where a line names none."""
        self._model, self._task, self._description = model, description.task, description
        self._to = description.search.to if to is None else to

    def request(self, line: Text, number: int) -> Request:
        """See `Asking`."""
        try:
            values = _parsed(line.text)
        except ConfigError as error:
            # A line that was cut, or that is no UTF-8, is no JSON for that reason.
            raise ConfigError(line.warnings[0] if line.warnings else f"line {number}: {error}") from None
        try:
            self._check(values)
            well_formed: dict[str, Any] = {key: _well_formed(value) for key, value in values.items()}
            return Request(**well_formed)
        except ConfigError as error:
            raise ConfigError(f"line {number}: {error}") from None

    def finish(self, count: int) -> None:
        """See `Asking`."""

    def _check(self, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if key not in _TYPES:
                raise ConfigError(f"the key {key!r} is unknown: take {', '.join(_TYPES)}")
            if self._task is not TaskName.translation and key in _OF_TRANSLATIONS:
                raise ConfigError(f"{key!r} is for translations, and {self._model} {self._task.does}: leave it out")
            if isinstance(value, bool) or not isinstance(value, _TYPES[key]):
                raise ConfigError(f"{key!r} is {json.dumps(value)}: it must be {_IN_WORDS[_TYPES[key]]}")
        for forms in values.get("terms", {}).values():
            if not all(isinstance(each, str) for each in (forms if isinstance(forms, list) else [forms])):
                raise ConfigError(f"a target in 'terms' is {json.dumps(forms)}: it must be a text, or a list of texts")
        if "text" not in values:
            raise ConfigError(f"'text' is missing: write {_EXAMPLE}")
        if "tag" in values:
            tag_number(values["tag"], self._description.tags)
        if self._task is TaskName.translation:
            self._check_language(values.get("to", self._to))

    def _check_language(self, language: str) -> None:
        """Refuse a line whose target language is missing, or not one of the model's: ConfigError."""
        from nmt.translation.languages import target_of

        try:
            target_of(self._description, language)
        except ConfigError as error:
            message = str(error).replace("the model", self._model, 1)
            raise ConfigError(message.replace("(to, or --to)", "with 'to', or --to")) from None


def _parsed(text: str) -> dict[str, Any]:
    """Read an object; ConfigError where it is none."""
    try:
        values = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise ConfigError(f"it is no JSON ({error.msg} at column {error.colno}): write {_EXAMPLE}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"it cannot be read ({error}): write {_EXAMPLE}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"it is no JSON object: write {_EXAMPLE}")
    return values


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key stands in it twice")
    return values


def _well_formed(value: Any) -> Any:
    r"""Replace half characters, which JSON can write ("\ud800") but no text can hold; an object becomes its pairs."""
    if isinstance(value, dict):
        return tuple((_well_formed(key), _well_formed(each)) for key, each in value.items())
    if isinstance(value, list):
        return tuple(map(_well_formed, value))
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value
