"""The layer of markup on generated documents: whatever translation and links are, tags are kept and nested."""

import random
import re
from collections import Counter
from html.parser import HTMLParser

import numpy as np

from nmt.text.markup import Segment, take_apart
from nmt.text.spans import without_spans
from nmt.translation.links import Links, units_of
from nmt.translation.markup import Markup
from nmt.translation.request import Request, TextHypothesis, Translation

from .word_tables import TAG, Table

INLINE = ["b", "i", "a", "span"]


def generated(draw):
    """A part of a well-formed document, with blocks in it."""

    def inline(depth):
        parts = []
        for _ in range(draw.randint(0, 4)):
            kind = draw.random()
            if kind < 0.4 or depth > 3:
                parts.append(
                    draw.choice(["one", "two ", " three", " 4,5 ", "red{x}", "don't ", "好的", ". ", "&amp; ", "🎉"])
                )
            elif kind < 0.75:
                name = draw.choice(INLINE)
                parts.append(f'<{name} id="{draw.randint(1, 99)}">{inline(depth + 1)}</{name}>')
            elif kind < 0.85:
                parts.append(draw.choice(["<br/>", "<br>", '<img src="a>b">'.replace(">b", "b"), "<wbr/>"]))
            else:
                parts.append(draw.choice([f"<!-- {draw.randint(1, 9)} -->", "<code>x <b>y</b></code>", "<hr/>"]))
        return "".join(parts)

    def blocks(depth):
        parts = [inline(0)]
        for _ in range(draw.randint(0, 3)):
            name = draw.choice(["p", "div", "li", "h1"])
            parts += [f"<{name}>", blocks(depth + 1) if depth < 2 and draw.random() < 0.4 else inline(0), f"</{name}>"]
            parts.append(inline(0))
        if draw.random() < 0.2:
            return f"<b>{''.join(parts)}</b>"
        return "".join(parts)

    return blocks(0)


class Nesting(HTMLParser):
    """Asserts that all tags of a document close each other."""

    def __init__(self, text):
        super().__init__(convert_charrefs=False)
        self.open = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        if tag not in ("br", "img", "wbr", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


class Anyhow:
    """Translates to words in any order, some of them twice and some lost, and links them at random."""

    def __init__(self, draw):
        self.draw = draw

    def __call__(self, requests):
        return [Translation([TextHypothesis(self.text(each.text), -1.0, -1.0, True, [7])]) for each in requests]

    def text(self, source):
        words = [source[start:end] for start, end in units_of(source)]
        others = [word for word in words if word[0] < "\U0010f700"]
        words += self.draw.choices(["neu", "&", "<", "好", "&lt;", "a<b"], k=self.draw.randint(0, 3))
        words += self.draw.choices(others, k=self.draw.randint(0, 2)) if others else []
        self.draw.shuffle(words)
        return "".join(word + self.draw.choice(["", " ", " "]) for word in words).strip()

    def link(self, pairs, languages):
        numbers = np.random.default_rng(self.draw.randint(0, 10**6))
        return [
            Links(one, other, numbers.random((len(other), len(one))))
            for one, other in ((units_of(source), units_of(target)) for source, target in pairs)
        ]


def check_generated(bundle, seed):
    """Check a generated document: what comes back is well-formed and has each tag once, in its block."""
    draw = random.Random(seed)
    document, anyhow = generated(draw), Anyhow(draw)
    Nesting(document)
    layer = Markup(bundle, bundle.search, "html", split_sentences=seed % 2 == 0)
    layer._linker = anyhow
    told = []

    def inner(requests):
        told.extend(anyhow(requests))
        return told[-len(requests) :] if requests else []

    (found,) = layer.translate([Request(document)], inner)
    Nesting(found.text)
    block = r"(</?(?:p|div|li|h1|hr)\b[^>]*>)"
    before, behind = (re.split(block, text) for text in (document, found.text))
    assert before[1::2] == behind[1::2]
    for one, other in zip(before[::2], behind[::2], strict=True):
        assert Counter(TAG.findall(one)) == Counter(TAG.findall(other))
    text = re.sub(r"<code>.*?</code>", "", found.text)
    text = "".join(TAG.sub("", text).split()).replace("&lt;", "<").replace("&amp;", "&")
    segments = [piece for piece in take_apart(document, "html") if isinstance(piece, Segment)]
    silent = [each.text for each in segments if not any(map(str.isalnum, without_spans(each.text)))]
    words = "".join("".join([*(each.text for each in told), *silent]).split())
    words = re.sub("[\U0010f700-\U0010f73f]", "", words).replace("&lt;", "<").replace("&amp;", "&")
    assert Counter(text) == Counter(words)


def test_whatever_the_links_say_tags_are_kept_and_nested(make_bundle):
    bundle = make_bundle()
    for seed in range(300):
        check_generated(bundle, seed)


def test_identity_is_identity(make_bundle):
    layer = Markup(make_bundle(), make_bundle().search, "html", split_sentences=True)
    for seed in range(100):
        document = generated(random.Random(seed))
        (found,) = layer.translate([Request(document)], Table())
        assert found.text == document
