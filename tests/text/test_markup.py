"""Lines taken apart into text and tags: put together, they are the line again, whatever it holds."""

import random

from nmt.text.markup import KINDS, Segment, take_apart

ATOMS = ["one", " ", "<b>", "</b>", "<p>", "</p>", "<br/>", "<code>", "</code>", "<script>", "</script>", "<!--", "-->"]
ATOMS += ['<a href="<">', "<a 'x", "&amp;", "&", "<", ">", "<?x", "?>", "<![CDATA[", "]]>", "<bpt id='1'>", "</bpt>"]
ATOMS += ["<ept id='1'/>", '<i translate="no">', "</i>", "<!DOCTYPE x>", "\U0010f73f", "好", "\n"]


def raw(piece):
    return piece.raw if isinstance(piece, Segment) else piece


def test_pieces_are_the_line():
    draw = random.Random(1)
    for number in range(600):
        line = "".join(draw.choices(ATOMS, k=draw.randint(0, 25)))
        pieces = take_apart(line, KINDS[number % 2])
        assert "".join(map(raw, pieces)) == line
        assert all(piece.text.strip() for piece in pieces if isinstance(piece, Segment))


def segment(line, kind="tags"):
    (found,) = take_apart(line, kind)
    return found


def shape(elements):
    return [(each.opening, each.closing, each.start, each.end, shape(each.children)) for each in elements]


def test_a_segment_has_its_text_and_its_elements():
    found = segment(' one <g id="1">t<x/>wo</g>  <b>&amp; ')
    assert (found.text, found.lead, found.trail) == (" one two  &amp; ", " ", " ")
    inner = [("<x/>", "", 6, 6, [])]
    assert shape(found.root.children) == [('<g id="1">', "</g>", 5, 8, inner), ("<b>", "", 10, 10, [])]
    assert [each.is_single for each in found.root.children] == [False, True]
    assert found.root.children[0].space == (True, True)


def test_partners_that_cross_stay_single():
    found = segment("<a>x<b>y</a>z</b>")
    assert shape(found.root.children) == [("<a>", "</a>", 0, 2, [("<b>", "", 1, 1, [])]), ("</b>", "", 3, 3, [])]
    assert found.root.children[0].rendered() == "<a><b></a>"


def test_names_of_html_have_no_case_and_those_of_xml_do():
    assert shape(segment("<B>x</b>", "html").root.children) == [("<B>", "</b>", 0, 1, [])]
    assert [each.is_single for each in segment("<B>x</b>").root.children] == [True, True]


def test_what_is_kept_has_a_mark_that_the_line_has_not():
    found = segment("a <code>x</code> \U0010f73f <svg><svg/></svg>", "html")
    assert found.text == "a \U0010f73e \U0010f73f \U0010f73d"
    assert found.kept == {"\U0010f73e": "<code>x</code>", "\U0010f73d": "<svg><svg/></svg>"}


def test_hostile_lines_are_taken_apart_in_time():
    for atom in ('<a "', "<", "<code>", "<!--", "<b>x", "</b>x", "<b>x</b>", "<script>", "<?", "<a 'x"):
        for kind in KINDS:
            assert "".join(map(raw, take_apart(atom * 5_000, kind))) == atom * 5_000
