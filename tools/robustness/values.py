"""Extreme values: of numbers, texts, lists and JSON."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from robustness.cases import words_of

NUMBERS = (
    *words_of(
        """
        0 -1 1 2 3 7 31 32 1000 65536 1000000 2147483647 2147483648 4294967296 9223372036854775807
        9223372036854775808 -9223372036854775809 18446744073709551616 1e308 -1e308 1e-308 5e-324 1e400 1e-400
        nan inf -inf -0.0 0.5 1e3 1.0 0x10 1_000 1,2 1.2.3 +1 1e --1 0.9999999999999999 1.0000000000000002 16 15
        1024 2000 10001
        """
    ),
    *("\u0663", "\u00b2", "- 1", "1 2", "9" * 400, "0." + "0" * 400, "9" * 5000),
)
MODERATE = words_of("0 1 2 3 5 10 16 33 100 0.5 0.1 0.9 1e-3 0.99 1.5 20 64")
"""Numbers that many keys take."""
PATHS = (
    *words_of(
        """
        train.en train test . .. ../x ./ / /dev/null /dev/null/x /proc/x /proc/self/mem train.en/x missing
        missing/x ~ ~/x ~nobody-of-this-name/x odd/fifo odd/zero odd/loop odd/dangling odd/empty odd/directory
        odd/text.zip odd/binary odd/socket odd/sparse model/best model model/best/subwords.model
        model/best/model.safetensors model/best/config.json pkg:// pkg://x pkg://nmt.corpora/demo/missing
        pkg://nmt.cli/x file:///x http://localhost:1/x - -x a:b
        """
    ),
    *("missing\n/x", "caf\udce9", "\udcff\udcfe/x", "x" * 300, "x/" * 3000, "C:\\x", "caf\u00e9"),
    *("\U0001f642",),
)
# Where training writes: the roots of the machine are no place for that.
SAFE_PATHS = tuple(path for path in PATHS if path not in ("/", "/dev/null"))
TEXTS = (
    *words_of(
        """
        '' x ' it's a"b'c ${name} ${seed} ${oc.env:HOME} ${oc.env:MISSING_VARIABLE} ${ ${} ${missing} ${a:b} $ {
        } {} {{a}} {a:1} {a:{b:{c:[{}]}}} [ ] [] [a [a,b] ( a,b a=b #x ~ null true no 1.10 nan a:b
        !!python/object:os.system << *a &a %s %(x)s {0} en de EN e/n ../en a.b . shuffle(1,2) range(1,5)
        choice(1,2) int(1) glob(*) sort(2,1) ??? @ `id` $(id) ; |
        """
    ),
    *("", '""', "x" * 300, "x" * 100_000, "a\nb", "a\rb", "caf\udce9", "\udc80", '"', "\\", "x\\", "\\'"),
    *(" ", "  x  ", "\t", "\u00e9", "\U0001f642", "\u2028", "\u202e", "\x1b[31m", "k: v", "\ufeff"),
    *("e\u0301" * 50, "x" * 255, "\x7f", "\x01"),
)
LISTS = (
    *words_of(
        """
        [] [[]] [1 1] [a,b] [,] [1,] [[1],[2]] [null] [1,null] [nan] [inf,1] [-1] [1e308,1e308] [0,0] [1,1]
        [1,1,1] a 1 {} [{}] [true,false] [1;2] [16] [-2] [''] ['a,b'] ["x]"] [train] [train,train] [missing]
        [.5,.5] [1],[2] [1e400] [9223372036854775808] [odd/fifo] null
        """
    ),
    *("", "[''," * 2, "[\udce9]", "[" * 100, "[" + "1," * 3000 + "1]", "[" * 50 + "]" * 50),
)
TRUTHS = (*words_of("true false yes no on TRUE 1 0 2 null '' [true] tru 1.0 nan"), "")


def of_type(default: Any, element: type | None) -> tuple[str, ...]:
    """Return the values for a key of the configuration, by its default and the type of a list's elements."""
    if element:
        return LISTS
    if isinstance(default, bool):
        return TRUTHS
    if isinstance(default, (int, float)):
        return NUMBERS
    return TEXTS


def json_value(draw: Random) -> Any:
    """Draw a value for an entry of a JSON file."""
    return draw.choice(
        (
            *(None, True, False, 0, -1, 1, 2, 1 << 31, 1 << 63, 1 << 70, -(1 << 63), 0.5, -0.5, 1e308, 1e-308),
            *(
                float("nan"),
                float("inf"),
                float("-inf"),
                10**400,
                "",
                "x",
                "x" * 100_000,
                "lstm",
                "\ud800",
                "\x00",
                "a\nb",
            ),
            *("../../../../etc/passwd", "/etc/passwd", "/dev/zero", ".", "..", "/", "model.safetensors", "config.json"),
            *("int8", "int8/step.onnx", "fp32/constants.zip", "1", "true", "caf\u00e9\u2028", "en", [], {}),
            *([[]], [1, 2], {"x": 1}, ["a"], {"": ""}, {"weights": "x"}, nested(50), nested(900)),
        )
    )


def nested(depth: int) -> list[Any]:
    """Make a list in a list, so deep."""
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


def edited(content: bytes, draw: Random) -> tuple[bytes, str]:
    """Change a JSON file in one place: its new content, and what was done."""
    tree = json.loads(content)
    way = draw.randrange(10)
    if way == 0:
        return _spoiled(content, draw)
    holder, key = draw.choice(list(_entries(tree)))
    place = f"{key!r}"
    if way == 1:
        del holder[key]
        return _written(tree), f"without its entry {place}"
    if way == 2 and isinstance(holder, dict):
        holder[str(key) + "x"] = holder.pop(key)
        return _written(tree), f"its entry {place} under another name"
    if way == 3 and isinstance(holder, dict):
        holder["unheard"] = json_value(draw)
        return _written(tree), "with an entry that nobody knows"
    holder[key] = value = json_value(draw)
    shown = ascii(value)
    return _written(tree), f"its entry {place} is {shown if len(shown) < 60 else shown[:57] + '...'}"


def _written(tree: Any) -> bytes:
    return json.dumps(tree).encode("utf-8", "surrogatepass")


def _entries(tree: Any) -> Any:
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(pairs):
        yield tree, key
        if isinstance(value, (dict, list)):
            yield from _entries(value)


def _spoiled(content: bytes, draw: Random) -> tuple[bytes, str]:
    """Write JSON that is another thing as a whole."""
    half = len(content) // 2
    return draw.choice(
        (
            (b"[" * 100_000, "100,000 open brackets"),
            (b'{"format":' * 50_000, "50,000 open braces"),
            (b"null", "null"),
            (b"[]", "an empty list"),
            (b"{}", "an empty object"),
            (b'"x"', "a text"),
            (b"1", "a number"),
            (b'{"format": ' + b"9" * 5000 + b"}", "a number of 5,000 digits"),
            (content[:half] + b"\xff" + content[half:], "with a byte that is not UTF-8"),
            (b"\xef\xbb\xbf" + content, "with a byte order mark"),
            (content.decode().encode("utf-16"), "in UTF-16"),
            (content + b"x", "with a letter after its end"),
            (content[:half] + b"\x00" + content[half:], "with a NUL"),
            (content.replace(b'"format"', b'"format": 2, "format"'), "with one key twice"),
            (b"", "empty"),
        )
    )
