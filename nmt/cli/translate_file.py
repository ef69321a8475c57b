"""nmt translate-file: a document of a known format, translated; all but its text stays."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.cli.common import EXIT_CODES, Parser, report, run
from nmt.cli.options import (
    Asked,
    add_machine_options,
    add_search_options,
    load_translator,
    search_config,
    warn_of_direction,
)
from nmt.config.choices import TaskName
from nmt.documents.document import Document
from nmt.documents.formats import FORMATS, format_of
from nmt.errors import ConfigError
from nmt.files import read_regular, saving, write_atomically

if TYPE_CHECKING:
    from nmt.translation.request import Translation

NAME = "nmt translate-file"

_DESCRIPTION = """\
Translate a document. Its structure stays, and only its text is translated, sentence by sentence."""

_EXAMPLES = f"""\
examples:
  nmt translate-file runs/demo/best page.html                          writes page.de.html, into German
  nmt translate-file runs/demo/best page.html --output seite.html
  nmt translate-file runs/demo/best de.po --output de.po --overwrite   what has no translation yet, or a fuzzy one

formats:
  .txt              each line
  .html, .htm       each block; tags come back where their words went
  .po               each message that has no translation, or a fuzzy one; its plural forms too
  .xliff, .xlf      each source without a target, of XLIFF 1.2 and 2; inline tags come back in the target
  .srt              each subtitle; times and numbers of lines stay

{EXIT_CODES}"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(lambda: translate_file(_parse(argv)), NAME)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    usage = f"{NAME} MODEL FILE [--output FILE] [options]"
    parser = Parser(NAME, usage=usage, description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.add_argument("model", metavar="MODEL", help="a bundle: a directory that nmt-train saved, as runs/demo/best")
    parser.add_argument("file", metavar="FILE", type=Path, help=f"a document: {', '.join(FORMATS)}")
    group = parser.add_argument_group("document")
    group.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="where the translated document goes (default: beside FILE, with the target language before its suffix)",
    )
    group.add_argument("--overwrite", action="store_true", help="replace the output where there is a file already")
    group.add_argument("--all", action="store_true", help="of .po and XLIFF: translate what has a translation, too")
    group.add_argument(
        "--split-sentences",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="translate each sentence by itself (the default)",
    )
    group.add_argument("--quiet", action="store_true", help="no warnings on standard error")
    add_search_options(parser)
    add_machine_options(parser)
    arguments = parser.parse_args(argv)
    search_config(arguments)
    format_of(arguments.file)
    if arguments.output is not None:
        _require_free(arguments.output, arguments)
    return arguments


def translate_file(arguments: argparse.Namespace) -> None:
    """Translate the document, and write it whole or not at all.

    Raises:
        NmtError: an option, the model or the document is not what it should be.
        OSError: the document cannot be read.
    """
    document = Document(arguments.file, read_regular(arguments.file), arguments.all)
    warn_of_direction(NAME, arguments, arguments.model)
    loaded = load_translator(arguments, arguments.model, Asked(split_sentences=arguments.split_sentences))
    if loaded.bundle.task is not TaskName.translation:
        raise ConfigError(f"{arguments.model} does not translate, it is of task={loaded.bundle.task}")
    output = arguments.output
    if output is None:
        output = arguments.file.with_suffix(f".{loaded.bundle.target_language or 'translated'}{arguments.file.suffix}")
        _require_free(output, arguments)
    content = format_of(arguments.file)(document, _Translate(loaded, arguments))
    with saving(output, elsewhere="name another --output"):
        write_atomically(output, lambda partial: partial.write_bytes(content))


def _require_free(output: Path, arguments: argparse.Namespace) -> None:
    """Refuse to write over a file: ConfigError."""
    if output.exists() and not arguments.overwrite:
        raise ConfigError(f"{output} exists: name another --output, or say --overwrite")


class _Translate:
    """Translates the texts of a document, and tells its warnings."""

    def __init__(self, loaded: Any, arguments: argparse.Namespace) -> None:
        from nmt.translation.layers import layers_of
        from nmt.translation.translator import Translator

        def make(markup: str | None) -> Callable[[Sequence[str]], list[Translation]]:
            if markup is None:
                translate: Callable[[Sequence[str]], list[Translation]] = loaded.translator.translate
                return translate
            search = loaded.translator.search
            options = {"split_sentences": arguments.split_sentences, "markup": markup}
            layers = layers_of(loaded.bundle, search, n_best=1, **options)
            return Translator(loaded.bundle, search=search).add_layers(layers).translate

        self._make, self._arguments = make, arguments

    def __call__(self, texts: Sequence[str], *, markup: str | None = None) -> list[str]:
        """See `nmt.documents.document.TranslatesTexts`."""
        translations = self._make(markup)(texts)
        for text, each in zip(texts, translations, strict=True):
            for warning in () if self._arguments.quiet else each.warnings:
                report(NAME, f"warning: {' '.join(text.split())[:40]!r}: {warning}")
        return [each.text for each in translations]
