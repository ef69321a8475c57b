"""XLIFF 1.2 and 2: by the library lxml, which fetches nothing and expands no entities here."""

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from nmt.documents.document import Document, TranslatesTexts
from nmt.errors import ConfigError

_UNTRANSLATED = ("new", "needs-translation", "initial")
"""States of a target that is none yet."""
_FOREIGN_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)")
_PROLOGUE = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^<>\[]*>)*+", re.DOTALL)
"""What stands before the root, but for declarations inside."""
_OPENING = re.compile(r"""<(?:"[^"]*"|'[^']*'|[^"'<>])*>""")


def translated_xliff(document: Document, translate: TranslatesTexts) -> bytes:
    """Translate each source that has no target yet, or all; the inline tags of a source come back in its target.

    Raises:
        ConfigError: the file is broken, is no XLIFF, or declares entities.
    """
    tree = _parsed(document)
    pairs = list(_pairs(tree.getroot(), document))
    sources = [_inner(source) for source, _ in pairs]
    for (source, target), text in zip(pairs, translate(sources, markup="tags"), strict=True):
        _fill(source, target, _FOREIGN_ENTITY.sub("&amp;", text))
    if not pairs:
        return document.content
    return _written(tree, document.content)


def _written(tree: Any, before: bytes) -> bytes:
    """Write a document; what stands before and behind its root stays to the byte."""
    encoding, root = tree.docinfo.encoding or "UTF-8", tree.getroot()
    prologue = _PROLOGUE.match(before)
    if prologue is None or root.getnext() is not None or encoding.upper().startswith(("UTF-16", "UTF-32")):
        whole: bytes = etree.tostring(tree, encoding=encoding, xml_declaration=True)
        return whole
    body: bytes = etree.tostring(root, encoding=encoding, xml_declaration=False, with_tail=False)
    return prologue[0] + body + before[len(before.rstrip()) :]


def _parser() -> Any:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        load_dtd=False,
        dtd_validation=False,
        strip_cdata=False,
    )


def _parsed(document: Document) -> Any:
    try:
        tree = etree.fromstring(document.content, _parser()).getroottree()
    except (etree.XMLSyntaxError, ValueError) as error:
        raise document.broken(error) from None
    if tree.docinfo.internalDTD is not None and list(tree.docinfo.internalDTD.iterentities()):
        raise ConfigError(
            f"{document.path} declares entities, which are not expanded for safety: write out what they say"
        )
    return tree


def _pairs(root: Any, document: Document) -> Iterator[tuple[Any, Any]]:
    """Find sources to translate, each with its target or None."""
    if etree.QName(root).localname != "xliff":
        raise document.broken(f"it begins with {etree.QName(root).localname}, not xliff")
    for source in root.iter("{*}source"):
        parent = source.getparent()
        if etree.QName(parent).localname not in ("trans-unit", "segment") or _is_kept(source):
            continue
        target = parent.find("{*}target")
        state = parent.get("state") if target is None else target.get("state", parent.get("state"))
        has_target = target is not None and ("".join(target.itertext()).strip() or len(target))
        if "".join(source.itertext()).strip() and (
            document.translates_all or not has_target or (state in _UNTRANSLATED)
        ):
            yield source, target


def _is_kept(source: Any) -> bool:
    """Tell whether an element around a source says translate="no"; the innermost that says anything counts."""
    translate_values = [each.get("translate") for each in source.iterancestors() if each.get("translate")]
    return translate_values[:1] == ["no"]


def _inner(element: Any) -> str:
    """Write what is in an element, as XML."""
    whole: str = etree.tostring(element, encoding="unicode", with_tail=False)
    opening = _OPENING.match(whole)
    return whole[opening.end() : whole.rindex("</")] if opening else ""


def _fill(source: Any, target: Any, inner: str) -> None:
    """Put a translation into a target, which is made behind its source where there is none."""
    if target is None:
        target = etree.Element(etree.QName(etree.QName(source).namespace, "target"), nsmap=source.nsmap)
        before = source.getnext() if _follows(source, "seg-source") else source
        target.tail = before.tail
        source.getparent().insert(source.getparent().index(before) + 1, target)
    opening = etree.tostring(etree.Element("x", nsmap=source.nsmap), encoding="unicode").removesuffix("/>")
    parsed = etree.fromstring(f"{opening}>{inner}</x>", _parser())
    for child in list(target):
        target.remove(child)
    target.text = parsed.text
    target.extend(list(parsed))
    etree.cleanup_namespaces(target)


def _follows(source: Any, name: str) -> bool:
    following = source.getnext()
    return following is not None and isinstance(following.tag, str) and etree.QName(following).localname == name
