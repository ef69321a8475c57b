"""Cases of hostile texts: what the commands translate, train on and score."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

from robustness.cases import BUNDLE, Case, Part, generator
from robustness.models import Model, training_words

KIND = "texts"
_BLOCKS = (
    *((0x20, 0x7F), (0x80, 0x250), (0x300, 0x370), (0x370, 0x600), (0x600, 0x700), (0x900, 0xE00), (0x1100, 0x1200)),
    *((0x2000, 0x2070), (0x2190, 0x2600), (0x3000, 0x3400), (0x4E00, 0x9FFF), (0xAC00, 0xD7A4), (0xE000, 0xE100)),
    *(
        (0xFB00, 0xFE10),
        (0xFE00, 0x10000),
        (0x10000, 0x10FFFF),
        (0x1F300, 0x1FAFF),
        (0xE0000, 0xE0080),
        (0x1D400, 0x1D800),
    ),
)
_SENTENCES = (b"A dog runs.", b"The small pigs want to fall asleep.", b"On Saturday Anna invites his farmer.")
_SPECIAL = (
    *(b"<s>", b"</s>", b"<pad>", b"<unk>", b"<0x0A>", b"<0xFF><0xFE>", b"\xe2\x96\x81", b"\xe2\x96\x81 \xe2\x96\x81x"),
    *(
        b"a ||| b ||| 0.1",
        b"a\tb\tc",
        b'{"text": "x"}',
        b"&amp; &lt;b&gt;",
        b"%s %d {0} ${x}",
        b"\\n \\u0000 \\",
        b"'\"`",
    ),
    *(
        b"<tag0> A dog",
        b"<0> A",
        b"-",
        b"--help",
        b"",
        b" ",
        b"   A   dog  .  ",
        b"\xc2\xa0",
        b"\xe3\x80\x80A",
        b"\xc2\xad",
    ),
    *(
        b"\xe2\x80\xa8",
        b"a\xe2\x80\xa8b\xe2\x80\xa9c\xc2\x85d\x0be\x0cf\x1cg",
        b"\x00",
        b"A\x00dog",
        b"\x00" * 1000,
        b"\x1b[31m",
    ),
    *(
        b"\xed\xa0\x80",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xff\xfe",
        b"\xc0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
        b"a\xffb",
        b"\x80",
    ),
    *(
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbfA dog runs.",
        b"A \xef\xbb\xbf dog",
        b"\xef\xbf\xbd",
        b"\xef\xbf\xbf",
        b"\xf4\x8f\xbf\xbf",
    ),
    *(
        b"\r",
        b"A dog runs.\r",
        b"\rA\rdog",
        b"\r\r",
        b"A\r\r",
        b"\xe2\x80\xae.snur god A",
        b"\xe2\x81\xa6\xe2\x81\xa9" * 50,
    ),
    *("\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466".encode() * 40, "\U0001f1e9\U0001f1ea".encode() * 99),
    *(
        "e\u0301".encode() * 500,
        "\u0301\u0308".encode() * 800,
        "Z\u0351\u036b\u0343".encode() * 99,
        "\ufdfa".encode() * 300,
    ),
    *("\u1100\u1161\u11a8".encode() * 50, "İıſßﬁ".encode(), b"." * 5000, b"A" * 5000, b"1" * 5000, b"( " * 3000, b"x"),
)


def random_line(draw: Random) -> bytes:
    """Draw a line, which has no line feed; its other bytes may be anything."""
    way = draw.randrange(12)
    if way <= 3:
        return draw.choice(_SPECIAL)
    if way == 4:
        return draw.choice(_SENTENCES)
    if way == 5:
        return draw.choice(_SENTENCES) + b" " + draw.choice(_SPECIAL) + b" " + draw.choice(_SENTENCES)
    if way == 6:
        return draw.randbytes(draw.choice((1, 10, 300, 3000))).replace(b"\n", b"")
    if way == 7:
        return draw.choice(
            (
                b"dog " * 10_000,
                b"ab" * 50_000,
                "\u4e2d".encode() * 20_000,
                b"\xff" * 100_000,
                b" " * 200_000,
                b"a. " * 40_000,
            )
        )
    blocks = draw.choices(_BLOCKS, k=draw.choice((1, 1, 3)))
    characters = [chr(draw.randrange(*draw.choice(blocks))) for _ in range(draw.choice((1, 5, 40, 400)))]
    return "".join(characters).encode("utf-8", "surrogatepass").replace(b"\n", b"")


def random_text(draw: Random) -> tuple[bytes, str]:
    """Draw a text and say what it is."""
    way = draw.randrange(24)
    plain = b"".join(line + b"\n" for line in _SENTENCES) * 4
    whole: dict[int, tuple[bytes, str]] = {
        0: (b"", "nothing"),
        1: (b"\n" * draw.choice((1, 5, 3000)), "blank lines"),
        2: (gzip.compress(plain, mtime=0), "a gzip file"),
        3: (plain.decode().encode(draw.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32"))), "UTF-16 or UTF-32"),
        4: (draw.randbytes(5000), "random bytes"),
        5: (b"A dog.\n" * draw.choice((700, 2000)), "many lines"),
        6: (b"dog " * draw.choice((300_000, 800_000)), "one line of more than a mebibyte"),
        7: (b"\x00" * draw.choice((1, 70_000, 2_000_000)), "only NUL"),
    }
    if way in whole:
        return whole[way]
    lines = [random_line(draw) for _ in range(draw.choice((1, 2, 5, 12)))]
    return b"\n".join(lines) + draw.choice((b"\n", b"\n", b"\n\n", b"", b"\r\n", b"\r")), "odd lines"


def make(seed: int, number: int, models: Sequence[Model]) -> Case:
    """Make a case."""
    draw = generator(seed, KIND, number)
    model = draw.choice(models)
    way = draw.random()
    if way < 0.6:
        return _translated(draw, number, model)
    if way < 0.85:
        return _trained(draw, number, model)
    return _scored(draw, number, model)


def _translated(draw: Random, number: int, model: Model) -> Case:
    text, what = random_text(draw)
    options: tuple[str, ...] = draw.choice(
        (
            *((), (), ("--beam-size", "1"), ("--batch-size", "1"), ("--format", "jsonl"), ("--scores",), ("--quiet",)),
            *(
                ("--beam-size", "2", "--max-source-tokens", "20"),
                ("--no-repeat-ngram", "2"),
                ("--max-length-ratio", "0.1"),
            ),
            *(("--precision", "fp32"), ("--format", "moses", "--n-best", "2"), ("--source-tag", "0")),
        )
    )
    if draw.random() < 0.03:
        options += ("--workers", "2")
    has_int8 = any(name.startswith("int8/") for name in model.files)
    comparable = has_int8 and not {"--precision", "--format"} & {*options}
    count = text.count(b"\n")
    alone = tuple(sorted(draw.sample(range(count), min(2, count)))) if comparable and draw.random() < 0.6 else ()
    return Case(
        kind=KIND,
        number=number,
        command="nmt-translate",
        words=(BUNDLE, *options),
        parts=(Part(what),),
        text=text,
        model=model.name,
        alone=alone,
    )


def _file(draw: Random, name: str, content: bytes, what: str) -> Part:
    def change(work: Path) -> None:
        (work / name).write_bytes(content)

    return Part(f"{name}: {what}", change=change)


def _trained(draw: Random, number: int, model: Model) -> Case:
    """Train on a text that is not one."""
    side = draw.choice(("train.en", "train.de", "test.en", "test.de"))
    text, what = random_text(draw)
    words: tuple[str, ...] = training_words()
    parts: list[Part]
    way = draw.randrange(8)
    if way == 0:
        parts = [_file(draw, side, text, what), _file(draw, "train.de", *random_text(draw))]
    elif way == 1:
        lines = b"".join(random_line(draw) + b"\n" for _ in range(draw.choice((20, 300))))
        parts = [_file(draw, f"train.{each}", lines, "the same odd lines on both sides") for each in ("en", "de")]
    elif way == 2:
        pairs = [_SENTENCES[i % 3] + draw.choice((b"\t", b"\t", b"", b"\t\t")) + random_line(draw) for i in range(60)]
        parts = [_file(draw, "text.tsv", b"\n".join(pairs), "pairs in a table")]
        words += ("corpus.train=text.tsv",)
    elif way == 3:
        packed = gzip.compress(b"A dog runs.\n" * 300, mtime=0)
        packed = draw.choice((packed[: len(packed) // 2], packed + b"x" * 50, packed + packed, b"\x1f\x8b", text, b""))
        parts = [_file(draw, "packed.en.gz", packed, "gzip, whole or not"), _file(draw, "packed.de", text, what)]
        words += ("corpus.train=packed",)
    elif way == 4:
        count = draw.choice((1, 2, 3, 10))
        lines = b"".join(draw.choice(_SENTENCES) + b"\n" for _ in range(count))
        parts = [_file(draw, f"train.{each}", lines, f"{count} lines") for each in ("en", "de")]
    elif way == 5:
        mixed = [draw.choice(_SENTENCES) if draw.random() < 0.9 else random_line(draw) for _ in range(300)]
        parts = [_file(draw, "train.en", b"\n".join(mixed), "some odd lines")]
    elif way == 6:
        packed_zip = io.BytesIO()
        with zipfile.ZipFile(packed_zip, "w") as archive:
            archive.writestr("x", "A dog runs.\n" * 300)
        parts = [_file(draw, side, packed_zip.getvalue(), "a zip file")]
    else:
        parts = [_file(draw, side, text, what)]
    words += draw.choice(
        (
            (),
            (),
            ("subwords.kind=char",),
            ("subwords.kind=bpe", "subwords.byte_fallback=true", "subwords.vocabulary_size=400"),
        )
    )
    words += draw.choice(((), ("corpus.valid=",), ("corpus.test=test",), ("trainer.max_unknown_rate=1",)))
    return Case(kind=KIND, number=number, command="nmt-train", words=words, parts=tuple(parts), model=model.name)


def _scored(draw: Random, number: int, model: Model) -> Case:
    """Score a text that is not one."""
    lines = [random_line(draw) for _ in range(10)]
    files = {name: b"".join(line + b"\n" for line in draw.sample(lines, 10)) for name in ("odd.en", "odd.de")}
    parts = [_file(draw, name, content, "odd lines") for name, content in files.items()]
    if draw.random() < 0.5:
        text, what = random_text(draw)
        parts[0] = _file(draw, "odd.en", text, what)
        if draw.random() < 0.6:
            parts[1] = _file(draw, "odd.de", text, what)
    words: tuple[str, ...] = draw.choice(
        ((BUNDLE, "--source", "odd.en"), ("--hypotheses", "odd.en"), ("--hypotheses", "odd.en", "--lowercase"))
    )
    tokenizers = ("13a", "intl", "zh", "char", "none", "ja-mecab")
    words += draw.choice(((), ("--tokenize", draw.choice(tokenizers)), ("--format", "json")))
    if words[0] == BUNDLE and draw.random() < 0.3:
        words += ("--output", "kept.de")
    command = "nmt-evaluate"
    words += ("--reference", "odd.de")
    return Case(kind=KIND, number=number, command=command, words=words, parts=tuple(parts), model=model.name)
