"""Documents: their text is translated, all else stays; what is broken or hostile is one error."""

import contextlib
import itertools
import random
import re
import sys
from pathlib import Path

import polib
import pysubs2
import pytest
from lxml import etree

from nmt.documents.document import Document
from nmt.documents.formats import FORMATS, format_of
from nmt.errors import ConfigError


def shout(texts, *, markup=None):
    """Translate to capitals, but for tags, entities and placeholders."""
    kept = re.compile(r"(<[^<>]*>|&\w+;|%\w|\{[^{}]*\})")
    return [
        "".join(each if kept.match(each) else each.upper() for each in kept.split(" ".join(text.split())))
        for text in texts
    ]


def shout_tagged(texts, *, markup=None):
    return shout(texts) if markup else [text.upper() for text in texts]


def same(texts, *, markup=None):
    return list(texts)


def translated(name, content, translate=shout, *, tmp_path, **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return format_of(path)(Document(path, path.read_bytes(), **options), translate)


PO = r"""# A comment.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=3; plural=n;\n"

#. extracted
#: a.c:1
#, c-format
msgctxt "menu"
msgid "a dog %s"
msgstr ""

#, fuzzy
msgid "old"
msgstr "alt"

msgid "done"
msgstr "fertig"

msgid "one <b>cat</b>\n"
msgid_plural "%d <b>cats</b>\n"
msgstr[0] ""
msgstr[1] ""
msgstr[2] ""

#~ msgid "gone"
#~ msgstr "weg"
"""
XLIFF = """<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment -->
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
 <file original="a" source-language="en" target-language="de" datatype="html"><body>
  <trans-unit id="1">
   <source>a <g id="1">dog</g> &amp; <x id="2"/>cat</source>
   <note>keep</note>
  </trans-unit>
  <trans-unit id="2"><source>done</source><target>fertig</target></trans-unit>
  <trans-unit id="3" translate="no"><source>code</source></trans-unit>
  <trans-unit id="4"><source>new</source><target state="new"/><alt-trans><source>x</source></alt-trans></trans-unit>
 </body></file>
</xliff>
"""
XLIFF_2 = """<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en" trgLang="de"><file id="f">
<unit id="1"><segment><source>a <pc id="1">dog</pc></source></segment></unit>
<unit id="2" translate="no"><segment><source>no</source></segment></unit></file></xliff>
"""
SRT = """1
00:00:01,000 --> 00:00:02,500
- <i>Hi</i> {\\an8} you.
- Yes.

2
00:00:03,000 --> 00:00:04,000
one two three
four
"""
BOMB = """<!DOCTYPE lolz [<!ENTITY a "lol">{}]>
<xliff version="1.2"><file><body><trans-unit id="1"><source>&z;</source></trans-unit></body></file></xliff>"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "\ufeffone  two \r\n\r\n three\n"),
        ("a.html", "\ufeff<p>one</p>"),
        ("a.html", "<!DOCTYPE html>\n<p class='x'>one <b>two</b>\n three &amp; &nbsp;</P>\r\n<script>a<b</script>\n"),
        ("a.po", PO.replace('"a dog %s"\nmsgstr ""', '"a dog %s"\nmsgstr "x"').replace("fuzzy", "range: 0..1")),
        ("a.xlf", XLIFF),
        ("a.xliff", XLIFF_2),
        ("a.srt", SRT),
        ("a.srt", "\ufeff" + SRT.replace("\n", "\r\n")),
    ],
)
def test_a_document_that_is_translated_to_itself_is_the_same(tmp_path, name, content):
    found = translated(name, content, same, tmp_path=tmp_path).decode()
    if name.endswith(".po"):
        filled = content.replace('msgstr[0] ""\nmsgstr[1] ""\nmsgstr[2] ""', "")
        assert [entry.msgid for entry in polib.pofile(found)] == [entry.msgid for entry in polib.pofile(content)]
        assert all(line in found for line in filled.splitlines() if not line.startswith("msg"))
    elif name.startswith("a.x"):
        tree, before = (etree.fromstring(text.encode()) for text in (found, content))
        for source in tree.iter("{*}source"):
            target = source.getparent().find("{*}target")
            if target is not None and target.text != "fertig":
                assert "".join(target.itertext()) == "".join(source.itertext())
                assert len(target) == len(source)
        for root in (tree, before):
            for target in list(root.iter("{*}target")):
                target.getparent().remove(target)
        canonical = [re.sub(r">\s+<", "><", etree.tostring(root, method="c14n").decode()) for root in (tree, before)]
        assert canonical[0] == canonical[1]
    else:
        assert found == content


def test_text_and_html(tmp_path):
    assert translated("a.txt", " one\r\n\ntwo", tmp_path=tmp_path) == b" ONE\r\n\nTWO"
    assert translated("a.txt", "\ufeffone", tmp_path=tmp_path) == "\ufeffONE".encode()
    assert translated("a.HTM", "<p>one</p>", tmp_path=tmp_path) == b"<p>ONE</p>"
    with pytest.raises(ConfigError, match=r"a\.txt is not UTF-8 \(byte 0xff at position 1\): convert it"):
        translated("a.txt", b"a\xff", tmp_path=tmp_path)


def test_catalogues_are_filled(tmp_path):
    found = polib.pofile(translated("a.po", PO, tmp_path=tmp_path).decode())
    entries = {entry.msgid: entry for entry in found}
    assert entries["a dog %s"].msgstr == "A DOG %s"
    assert (entries["a dog %s"].comment, entries["a dog %s"].msgctxt) == ("extracted", "menu")
    assert (entries["old"].msgstr, entries["old"].fuzzy) == ("OLD", True)
    assert entries["done"].msgstr == "fertig"
    plural = entries["one <b>cat</b>\n"].msgstr_plural
    assert plural == {0: "ONE <b>CAT</b>\n", 1: "%d <b>CATS</b>\n", 2: "%d <b>CATS</b>\n"}
    assert entries["gone"].msgstr == "weg"
    again = polib.pofile(translated("a.po", PO, tmp_path=tmp_path, translates_all=True).decode())
    assert {entry.msgid: entry.msgstr for entry in again}["done"] == "DONE"


def test_targets_are_filled(tmp_path):
    found = translated("a.xlf", XLIFF, tmp_path=tmp_path).decode()
    assert found.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<!-- a comment -->\n<xliff')
    assert (
        '<source>a <g id="1">dog</g> &amp; <x id="2"/>cat</source>\n'
        '   <target>A <g id="1">DOG</g> &amp; <x id="2"/>CAT</target>\n   <note>' in found
    )
    assert "<target>fertig</target>" in found
    assert '<target state="new">NEW</target><alt-trans><source>x</source></alt-trans>' in found
    assert "<source>code</source></trans-unit>" in found
    again = translated("a.xlf", XLIFF, tmp_path=tmp_path, translates_all=True).decode()
    assert "<target>DONE</target>" in again
    found = translated("a.xliff", XLIFF_2, tmp_path=tmp_path).decode()
    assert found == XLIFF_2.replace(
        "</source></segment>", '</source><target>A <pc id="1">DOG</pc></target></segment>', 1
    )


def test_an_entity_that_a_translation_makes_up_is_text(tmp_path):
    def make_up(texts, *, markup=None):
        return ["x &nbsp; &amp; y" for _ in texts]

    assert b"<target>x &amp;nbsp; &amp; y</target>" in translated("a.xlf", XLIFF, make_up, tmp_path=tmp_path)


def test_subtitles_keep_times_and_lines(tmp_path):
    found = translated("a.srt", SRT, tmp_path=tmp_path).decode()
    assert found == SRT.replace("Hi", "HI").replace("you. ", "YOU.").replace("you.", "YOU.").replace(
        "Yes", "YES"
    ).replace("one two three\nfour", "ONE TWO\nTHREE FOUR")
    before, behind = (pysubs2.SSAFile.from_string(text, format_="srt") for text in (SRT, found))
    assert [(each.start, each.end) for each in before] == [(each.start, each.end) for each in behind]
    one = translated("a.srt", SRT, lambda texts, markup: ["word"] * len(texts), tmp_path=tmp_path).decode()
    assert one.endswith("04,000\nword\n")


def test_what_is_broken_is_one_error(tmp_path):
    for name, content, reason in (
        ("a.po", 'msgid "a"\nfoo\n', r"a\.po is no whole po file \(line 2: syntax\): repair it"),
        ("a.po", 'msgid "a"\nmsgstr ""\n\nmsgid "b\nmsgstr ""\n', r"\(1 of 2 messages can be read\): repair it"),
        ("a.po", "no catalogue", r"a\.po is no whole po file"),
        (
            "a.po",
            b'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "\xff"\nmsgstr ""\n',
            "whole po",
        ),
        ("a.xlf", XLIFF[:300], r"a\.xlf is no whole xlf file \(.*line \d+.*\): repair it"),
        ("a.xlf", "<html/>", r"it begins with html, not xliff"),
        ("a.xlf", "", r"a\.xlf is no whole xlf file"),
        ("a.srt", "no times\n", r"a\.srt is no whole srt file \(it has no times\): repair it"),
        (
            "a.srt",
            SRT + "\n9\n00:00:0x,000 --> 00:01:04,000\nEnd\n",
            r"srt file \(line \d+ has one time and needs two\)",
        ),
        ("a.srt", b"\xff", r"a\.srt is not UTF-8"),
    ):
        with pytest.raises(ConfigError, match=reason):
            translated(name, content, tmp_path=tmp_path)
    with pytest.raises(ConfigError, match=r"a\.doc is of no format that is known: \.txt, .*; rename it, or convert it"):
        format_of(Path("a.doc"))


def test_entities_are_neither_expanded_nor_fetched(tmp_path):
    (tmp_path / "secret").write_text("SECRET")
    names = "abcdefghijklmnopqrstuvwxyz"
    laughs = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in itertools.pairwise(names))
    external = f'<!ENTITY z SYSTEM "file://{tmp_path}/secret">'
    for content in (laughs, external):
        with pytest.raises(ConfigError, match=r"a\.xlf (declares entities, which are not|is no whole xlf file)"):
            translated("a.xlf", BOMB.format(content), tmp_path=tmp_path)


@pytest.mark.parametrize(("name", "library"), [("a.po", "polib"), ("a.xlf", "lxml"), ("a.srt", "pysubs2")])
def test_a_library_is_imported_when_it_is_asked_for(tmp_path, monkeypatch, name, library):
    for module in ("gettext", "xliff", "subtitles"):
        monkeypatch.delitem(sys.modules, f"nmt.documents.{module}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModuleNotFoundError):
        translated(name, "", tmp_path=tmp_path)
    assert FORMATS[".txt"](Document(tmp_path / "a.txt", b"a"), same) == b"a"


def test_a_damaged_file_is_translated_or_refused(tmp_path):
    draw = random.Random(1)
    for name, content in (("a.po", PO), ("a.xlf", XLIFF), ("a.xliff", XLIFF_2), ("a.srt", SRT)) * 40:
        damaged = bytearray(content.encode())
        for _ in range(draw.randint(1, 3)):
            place = draw.randrange(len(damaged))
            damaged[place : place + draw.randint(0, 9)] = draw.choices(range(128), k=draw.randint(0, 3))
        with contextlib.suppress(ConfigError):
            translated(name, bytes(damaged), tmp_path=tmp_path, translates_all=True)
