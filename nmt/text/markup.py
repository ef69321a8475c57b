"""Inline markup: a line taken apart into its text and its tags.

HTML's block elements cut a line into segments. In a segment, elements surround text, and all else that is no text is a
point: an empty tag, a comment, or a tag without its partner.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nmt.text.subwords import MARKS

KINDS = ("html", "tags")


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


_VOID = _names("area base br col embed hr img input link meta param source track wbr")
_BLOCKS = _names(
    "address article aside base blockquote body caption center col colgroup dd details dialog dir div dl dt fieldset "
    "figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe legend li link "
    "main menu meta nav noscript ol optgroup option p pre script search section select style summary table tbody td "
    "template textarea tfoot th thead title tr ul"
)
_RAW = _names("script style textarea")
"""Elements whose content is text up to their end tag, whatever it looks like."""
_KEPT = _RAW | _names("code math pre samp svg")
"""Elements of HTML that come back as they are."""
_CODES = {"bpt": "open", "ept": "close", "ph": "point", "it": "point", "ut": "point"}
"""Elements of XLIFF and TMX whose content is a code of the original's format."""
_TOKEN = re.compile(
    r"""<!--(?:.*?-->|.*\Z) | <!\[CDATA\[(?:.*?\]\]>|.*\Z) | <\?(?:.*?\?>|.*\Z) | <![A-Za-z][^<>]*>
      | <(?P<end>/?)(?P<name>[A-Za-z_][\w:.-]*+)
        (?P<rest>(?:"(?:[^"<]*+"|[^"]{0,1000}+")|'(?:[^'<]*+'|[^']{0,1000}+')|[^"'<>])*+)>""",
    re.VERBOSE | re.DOTALL,
)
_SPACES = dict.fromkeys(map(ord, "\t\n\f\r"), " ")
_NOT_TRANSLATED = re.compile(r"""\stranslate\s*=\s*["']?no\b""", re.IGNORECASE)
_BREAK = re.compile(r"""<br\b|<[^<>]*\sctype\s*=\s*["']lb["']""", re.IGNORECASE)
_ID = re.compile(r"""\s(?:rid|startRef|id|i)\s*=\s*["']([^"']*)""")


class Token(NamedTuple):
    """A part of a line."""

    raw: str
    role: str
    """text, open, close, point, kept (an element that the text has a mark for) or block"""
    key: tuple[str, str] = ("", "")
    """what its partner has too"""
    is_break: bool = False
    """whether it parts words"""


@dataclass(eq=False)
class Element:
    """Tags around text, or a point in it."""

    start: int
    """character of the segment's text that it begins before"""
    end: int
    opening: str
    closing: str = ""
    children: list["Element"] = field(default_factory=list)
    """elements and points inside, in order"""
    is_single: bool = False
    """whether it is a tag without its partner, which must stay behind those before it"""
    is_break: bool = False
    """whether it stands for white space"""
    space: tuple[bool, bool] = (False, False)
    """whether white space stands before it, and behind it"""

    def rendered(self) -> str:
        """Write its tags, and those inside, without text."""
        parts: list[str] = []
        stack: list[str | Iterator[Element]] = [self.closing, iter(self.children), self.opening]
        while stack:
            top = stack.pop()
            if isinstance(top, str):
                parts.append(top)
            elif (child := next(top, None)) is not None:
                stack += [top, child.closing, iter(child.children), child.opening]
        return "".join(parts)


@dataclass
class Segment:
    """What is translated together."""

    raw: str
    text: str
    """without tags, and with a mark in the place of each element that is kept as it is"""
    lead: str
    """white space before the first word or tag"""
    trail: str
    root: Element
    """around everything, without tags"""
    kept: dict[str, str]
    """what stands for each mark"""


def take_apart(line: str, kind: str) -> list[str | Segment]:
    """Cut a line into segments and what stands between them; joined, with each segment's `raw`, they are the line.

    Args:
        line: any text; what is not well-formed is taken as it is.
        kind: `html`, or `tags` for XML with elements of any name, all of them inline.
    """
    pieces: list[str | Segment] = []
    waiting: list[Token] = []

    def end_segment() -> None:
        if any(token.role == "text" and token.raw.strip() for token in waiting):
            pieces.append(_segment(waiting))
        else:
            pieces.extend(token.raw for token in waiting)
        waiting.clear()

    for token in _tokens(line, is_html=kind == "html"):
        if token.role == "block":
            end_segment()
            pieces.append(token.raw)
        else:
            waiting.append(token)
    end_segment()
    return pieces


def _tokens(line: str, *, is_html: bool) -> Iterator[Token]:
    place, unclosed = 0, set[str]()
    while match := _TOKEN.search(line, place):
        if match.start() > place:
            yield Token(line[place : match.start()], "text")
        raw, name = match[0], match["name"] or ""
        key = name.lower() if is_html else name
        is_kept = not match["end"] and not raw.endswith("/>") and key not in unclosed
        is_kept &= (is_html and key in _KEPT) or _NOT_TRANSLATED.search(match["rest"] or "") is not None
        is_kept |= not is_html and key in _CODES and not match["end"] and not raw.endswith("/>")
        end = _end_of(line, match.end(), name, is_html=is_html) if is_kept and key not in _VOID else -1
        if end >= 0:
            raw = line[match.start() : end]
        elif is_kept:
            unclosed.add(key)
        yield _token(raw, name, key, is_html=is_html, is_whole=end >= 0, is_end=bool(match["end"]))
        place = match.start() + len(raw)
    if place < len(line):
        yield Token(line[place:], "text")


def _token(raw: str, name: str, key: str, *, is_html: bool, is_whole: bool, is_end: bool) -> Token:
    if is_html and (key in _BLOCKS or (raw.startswith("<!") and raw[2:3].isalpha())):
        return Token(raw, "block")
    if not is_html and key in (*_CODES, "sc", "ec"):
        role = {"sc": "open", "ec": "close"}.get(key) or (_CODES[key] if is_whole or raw.endswith("/>") else "point")
        id_match = _ID.search(raw)
        return Token(raw, role, ("code", id_match[1] if id_match else ""))
    if is_whole:
        return Token(raw, "kept")
    if not name or raw.endswith("/>") or (is_html and key in _VOID):
        return Token(raw, "point", is_break=_BREAK.match(raw) is not None)
    return Token(raw, "close" if is_end else "open", ("tag", key))


def _end_of(line: str, place: int, name: str, *, is_html: bool) -> int:
    """Find where an element ends whose content begins at a place; -1: nowhere."""
    tag = re.compile(rf"<(/?){re.escape(name)}(?=[\s/>])[^<>]*>", re.IGNORECASE if is_html else 0)
    depth = 1
    for match in tag.finditer(line, place):
        if match[0].endswith("/>") or (not match[1] and is_html and name.lower() in _RAW):
            continue
        depth += -1 if match[1] else 1
        if not depth:
            return match.end()
    return -1


def _partners(tokens: Sequence[Token]) -> dict[int, int]:
    """Find the closing tag of each opening one, both by number; what is nested wrongly has none."""
    partners: dict[int, int] = {}
    opened: list[int] = []
    names: Counter[tuple[str, str]] = Counter()
    for number, token in enumerate(tokens):
        if token.role == "open":
            opened.append(number)
            names[token.key] += 1
        while token.role == "close" and names[token.key]:
            last = opened.pop()
            names[tokens[last].key] -= 1
            if tokens[last].key == token.key:
                partners[last] = number
                break
    return partners


def _segment(tokens: Sequence[Token]) -> Segment:
    """Take the text out of a segment that has some."""
    raw = "".join(token.raw for token in tokens)
    marks = iter([mark for mark in reversed(MARKS) if mark not in raw])
    partners, kept = _partners(tokens), dict[str, str]()
    closing = set(partners.values())
    root = Element(0, 0, "")
    stack, parts, length = [root], [""], 0
    space = _spaces(tokens)
    for number, token in enumerate(tokens):
        mark = next(marks, "") if token.role == "kept" else ""
        if token.role == "text" or mark:
            kept |= {mark: token.raw} if mark else {}
            parts.append(mark or token.raw)
        elif number in closing:
            stack.pop().end = length
            continue
        else:
            element = Element(length, length, token.raw, space=space[number], is_break=token.is_break)
            stack[-1].children.append(element)
            if number in partners:
                element.closing = tokens[partners[number]].raw
                element.space = element.space[0], space[partners[number]][1]
                stack.append(element)
            else:
                element.is_single = token.role in ("open", "close")
            parts.append(" " if token.is_break and not any(element.space) else "")
        length += len(parts[-1])
    text = "".join(parts).translate(_SPACES)
    root.end = length
    first, last = (tokens[end].raw if tokens[end].role == "text" else "" for end in (0, -1))
    lead, trail = first[: len(first) - len(first.lstrip())], last[len(last.rstrip()) :]
    return Segment(raw, text, lead, trail, root, kept)


def _spaces(tokens: Sequence[Token]) -> list[tuple[bool, bool]]:
    """Tell of each token whether white space touches it, before and behind."""
    before = [False, *(token.role == "text" and token.raw[-1].isspace() for token in tokens[:-1])]
    behind = [*(token.role == "text" and token.raw[0].isspace() for token in tokens[1:]), False]
    return list(zip(before, behind, strict=True))
