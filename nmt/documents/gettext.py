"""Catalogues of gettext (.po), by the library polib."""

import re

import polib

from nmt.documents.document import Document, TranslatesTexts, translated

_MESSAGE = re.compile(r'^[ \t]*(?:#~[ \t]*)?msgid[ \t]*"', re.MULTILINE)
_HEADER = re.compile(r'^msgid[ \t]*""[ \t]*\r?\nmsgstr', re.MULTILINE)


def translated_catalogue(document: Document, translate: TranslatesTexts) -> bytes:
    """Translate what has no translation, or a fuzzy one, or all; comments, flags and contexts stay.

    Each plural form is translated: the first one from the singular, the others from the plural.

    Raises:
        ConfigError: the file is broken.
    """
    try:
        catalogue = polib.pofile(str(document.path))
        content = document.content.decode(catalogue.encoding)
    except (OSError, ValueError, LookupError) as error:
        raise document.broken(_reason(error)) from None
    # What polib cannot read, it may leave out without a word.
    messages = len(_MESSAGE.findall(content)) - len(_HEADER.findall(content))
    if messages != len(catalogue) or (content.strip() and not messages and not catalogue.metadata):
        raise document.broken(f"{len(catalogue)} of {messages} messages can be read")
    forms = re.search(r"nplurals\s*=\s*(\d)", catalogue.metadata.get("Plural-Forms", ""))
    entries = [entry for entry in catalogue if not entry.obsolete and entry.msgid]
    entries = [entry for entry in entries if document.translates_all or entry.fuzzy or not _is_translated(entry)]
    texts = list(dict.fromkeys(text for entry in entries for text in (entry.msgid, entry.msgid_plural) if text))
    translations = dict(zip(texts, translated(texts, translate), strict=True))
    for entry in entries:
        if not entry.msgid_plural:
            entry.msgstr = translations[entry.msgid]
            continue
        numbers = range(int(forms[1])) if forms else (sorted(entry.msgstr_plural) or range(2))
        entry.msgstr_plural = {i: translations[entry.msgid_plural if i else entry.msgid] for i in numbers}
    # polib writes a header, an empty one where there is none.
    written = str(catalogue) if _HEADER.search(content) or catalogue.metadata else str(catalogue).split("\n\n", 1)[-1]
    return written.encode(catalogue.encoding) if entries else document.content


def _is_translated(entry: polib.POEntry) -> bool:
    forms = entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]
    return bool(forms) and all(forms)


def _reason(error: Exception) -> str:
    """Say what is wrong without the path, which polib may name too."""
    line = re.search(r"\(line (\d+)\)(?:: (.*))?", str(error))
    return f"line {line[1]}: {line[2] or 'syntax'}" if line else str(error) or type(error).__name__
