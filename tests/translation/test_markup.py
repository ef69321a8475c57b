"""The layer of markup: tags come back once each, nested as they were, in their block, around their own text."""

import re
from collections import Counter

import numpy as np
import pytest

from nmt.config.choices import AttentionKind
from nmt.errors import ConfigError
from nmt.text.spans import Place
from nmt.translation.layers import layers_of
from nmt.translation.links import Linker, Links, units_of
from nmt.translation.markup import Markup
from nmt.translation.request import Request
from nmt.translation.translator import Translator

from .word_tables import TAG, Table


class ByTable:
    """Links words that are each other's translations."""

    def __init__(self, table):
        self.table = table

    def link(self, pairs, languages):
        found = []
        for source, target in pairs:
            units = units_of(source), units_of(target)
            texts = [[text[start:end] for start, end in own] for text, own in zip((source, target), units, strict=True)]
            weights = [[float(self.table.get(one, one) == other) for one in texts[0]] for other in texts[1]]
            found.append(Links(*units, np.array(weights).reshape(len(texts[1]), len(texts[0]))))
        return found


@pytest.fixture
def marked_up(make_bundle):
    """A function that translates a line by a table of words, in the other order where `turn` says so."""

    def translate(line, table, *, kind="tags", turn=False, split=False):
        layer = Markup(make_bundle(), make_bundle().search, kind, split_sentences=split)
        layer._linker = ByTable(table)
        (found,) = layer.translate([Request(line, id=5)], Table(table, turn=turn))
        assert found.id == 5
        return found.text

    return translate


WORDS = {"one": "eins", "two": "zwei", "three": "drei", "four": "vier", "unable": "unfähig", "does": ""}


@pytest.mark.parametrize(
    ("line", "straight", "turned"),
    [
        ("one two", "eins zwei", "zwei eins"),
        ('one <g id="1">two</g>', 'eins <g id="1">zwei</g>', '<g id="1">zwei</g> eins'),
        ("<a><b>one</b> two</a> three", "<a><b>eins</b> zwei</a> drei", "drei <a>zwei <b>eins</b></a>"),
        ("<a>one,</a><b>two</b>", "<a>one,</a><b>two</b>", None),
        ("one <x/> two three", "eins <x/> zwei drei", "drei zwei <x/> eins"),
        ("<x/>one two<y/>", "<x/>eins zwei<y/>", "<x/>zwei eins<y/>"),
        ("one<x/> two <y/>three", "eins<x/> zwei <y/>drei", None),
        ("<a>one</b> two", "<a>eins</b> zwei", "<a>zwei</b> eins"),
        ("un<b>a</b>ble one", "<b>unfähig</b> eins", "eins <b>unfähig</b>"),
        ("  <b> one </b>  two ", "  <b>eins</b> zwei ", "  zwei <b>eins</b> "),
        ('one<x ctype="lb"/>two', 'eins<x ctype="lb"/>zwei', None),
        ("one <b></b> two", "eins <b></b> zwei", None),
        ("one <a>does</a> two", "eins <a>zwei</a>", "zwei <a>eins</a>"),
        (
            "<bpt id='1'>{\\b</bpt>one<ept id='1'>}</ept> two",
            "<bpt id='1'>{\\b</bpt>eins<ept id='1'>}</ept> zwei",
            None,
        ),
        ('<sc id="1"/>one<ec startRef="1"/> two', '<sc id="1"/>eins<ec startRef="1"/> zwei', None),
        ('one <ph id="1">two &lt;</ph> three', 'eins <ph id="1">two &lt;</ph> drei', None),
        ('one <mrk translate="no">two</mrk> three', 'eins <mrk translate="no">two</mrk> drei', None),
        ("<p>one</p> <p>two</p>", "<p>eins</p> <p>zwei</p>", "<p>zwei</p> <p>eins</p>"),
        ("one <!-- two --> three", "eins <!-- two --> drei", None),
    ],
)
def test_tags_go_where_their_words_went(marked_up, line, straight, turned):
    assert marked_up(line, WORDS) == straight
    if turned is not None:
        assert marked_up(line, WORDS, turn=True) == turned


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("<p>one <b>two</b></p><p>three</p>", "<p><b>zwei</b> eins</p><p>drei</p>"),
        ("<P Class='x'>one<br>two</P>", "<P Class='x'>zwei<br>eins</P>"),
        ("one <br> two", "zwei <br> eins"),
        ("<li>one <code>two</code> three", "<li>drei <code>two</code> eins"),
        ("<pre>one two</pre>one two", "<pre>one two</pre>zwei eins"),
        ("<script>if (one<two) '</b>'</script><p>one two</p>", "<script>if (one<two) '</b>'</script><p>zwei eins</p>"),
        ("<b>one <p>two three</p> four</b>", "<b>eins <p>drei zwei</p> vier</b>"),
        ('<p translate="no">one two</p> one two', '<p translate="no">one two</p> zwei eins'),
        ('one <i translate="no">two <i>one</i></i> three', 'drei <i translate="no">two <i>one</i></i> eins'),
        ("one <img alt='two three'> two", "zwei <img alt='two three'> eins"),
        ("<!DOCTYPE html><title>one two</title>", "<!DOCTYPE html><title>zwei eins</title>"),
        ("one &amp; <b>two</b>", "<b>zwei</b> &amp; eins"),
        ("one & two < three", "drei < zwei & eins"),
        ("<code>one two", "<code>zwei eins"),
        ("<b></b><p> </p>", "<b></b><p> </p>"),
        ("<td>&nbsp;</td><td>•</td>", "<td>&nbsp;</td><td>•</td>"),
        ("<b>\u2028\u200b</b>", "<b>\u2028\u200b</b>"),
        ("", ""),
    ],
)
def test_blocks_of_html_are_translated_by_themselves(marked_up, line, expected):
    assert marked_up(line, WORDS, kind="html", turn=True) == expected


def test_sentences_of_a_segment_are_translated_by_themselves(marked_up):
    line = "<a>one two. three</a> four! <b>two</b> <x/>one"
    table = WORDS | {"two.": "zwei.", "four!": "vier!"}
    assert marked_up(line, table, split=True) == "<a>eins zwei. drei</a> vier! <b>zwei</b> <x/>eins"


@pytest.mark.parametrize(
    ("line", "translation", "expected"),
    [
        ("<b>one</b>", "a & b <c>", "<b>a &amp; b &lt;c></b>"),
        ("<b>one</b> &amp; &#39;", "&amp; &#39; & &lt", "<b>&amp;</b> &#39; &amp; &amp;lt"),
        ("<b>one</b> & x", "a & b < c", "<b>a</b> & b &lt; c"),
        ("one", "a < b", "a &lt; b"),
        ("<b>x < one</b>", "a <b> < c", "<b>a &lt;b> < c</b>"),
    ],
)
def test_a_translation_makes_no_tags_and_entities_of_its_own(marked_up, line, translation, expected):
    source = TAG.sub("", line)
    found = marked_up(line, dict(zip(source.split(), translation.split(), strict=False)), kind="html")
    if len(source.split()) == len(translation.split()):
        assert found.replace(" ", "") == expected.replace(" ", "")
    assert not re.search(r"&(?![\w#]+;)", found) or "& x" in line


@pytest.mark.parametrize("attention", [AttentionKind.dot, AttentionKind.none])
def test_a_model_translates_lines_with_tags(make_bundle, attention):
    bundle = make_bundle(attention=attention)
    layers = layers_of(bundle, bundle.search, n_best=1, markup="tags", split_sentences=True)
    lines = [
        "<b>a small</b> red <x/>house 🎉",
        "the old {y} river",
        "",
        "<x/>",
        'the <g id="1">old</g> river. A red house',
    ]
    found = Translator(bundle).add_layers(layers).translate(lines)
    for line, each in zip(lines, found, strict=True):
        assert Counter(TAG.findall(each.text)) == Counter(TAG.findall(line))
    alone = Translator(bundle).translate(["a small red house 🎉", "the old {y} river", ""])
    assert [TAG.sub("", each.text).split() for each in found[:3]] == [each.text.split() for each in alone]
    assert found[0].hypotheses[0].log_prob == pytest.approx(alone[0].hypotheses[0].log_prob)
    assert found[3].text == "<x/>"


def test_links_are_of_words_and_spans_and_follow_attention(make_bundle):
    bundle = make_bundle()
    source, target = "the old river 🎉 http://a.b/c", "river 🎉 x http://a.b/c"
    (links,) = Linker(bundle, bundle.search).link([(source, target)])
    assert [source[start:end] for start, end in links.source] == source.split()
    assert [target[start:end] for start, end in links.target] == target.split()
    assert [int(best) for best in links.weights.argmax(axis=1)[[0, 1, 3]]] == [2, 3, 4]  # what is the same
    assert links.weights.shape == (4, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("don't go: 1,000.5!", ["don't", "go", ":", "1,000.5", "!"]),
        ("a&amp;b {x y} %s", ["a", "&amp;", "b", "{", "x", "y", "}", "%s"]),
        ("好的 ok", ["好", "的", "ok"]),
        ("हिन्दी e\u0301a", ["हिन्दी", "e\u0301a"]),
        ("-a- 'b'", ["-", "a", "-", "'", "b", "'"]),
        ("", []),
    ],
)
def test_units(text, expected):
    assert [text[start:end] for start, end in units_of(text)] == expected
    assert units_of("ab")[:1] == [Place(0, 2)]


def test_what_is_refused(make_bundle):
    bundle = make_bundle()
    with pytest.raises(ConfigError, match=r"^n_best=2 is for whole lines, and markup has only the best of each part$"):
        layers_of(bundle, bundle.search, n_best=2, markup="html")
    with pytest.raises(ConfigError, match=r"^markup=xml is not possible: it must be html or tags$"):
        layers_of(bundle, bundle.search, n_best=1, markup="xml")
    with pytest.raises(ConfigError, match=r"^alignments count the words of lines without tags"):
        layers_of(bundle, bundle.search, n_best=1, alignments=True, markup="html")
    layers = layers_of(bundle, bundle.search, n_best=1, markup="html")
    with pytest.raises(ConfigError, match=r"^a prefix is for lines without markup"):
        Translator(bundle).add_layers(layers).translate([Request("a house", prefix="x")])
    with pytest.raises(ConfigError, match="tag"):
        Translator(bundle).add_layers(layers).translate([Request("<b>a</b> house", tag="nothing")])
