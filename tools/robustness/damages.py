"""What can happen to the files of a bundle. Each is drawn first and done later, so that it can be left out."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np

from robustness.cases import BUNDLE, OTHER, Part
from robustness.values import edited, json_value

_SPARSE_BYTES = 8 << 30


def draw_damages(draw: Random, files: Sequence[str]) -> tuple[Part, ...]:
    """Draw damages of a bundle of these files, which lies in BUNDLE: of a file or two, or of it as a whole."""
    if draw.random() < 0.06:
        return (_part(_whole, "", draw.random()),)
    names = draw.sample(files, draw.choice((1, 1, 1, 1, 2)))
    return tuple(_draw_damage(draw, name) for name in names)


def _draw_damage(draw: Random, name: str) -> Part:
    fitting: list[tuple[int, Callable[[Path, str, Random], str]]] = [(5, _bytes), (1, _special), (1, _exchange)]
    if name.endswith(".json"):
        fitting = [(1, _bytes), (1, _special), (8, _json)]
    if name.endswith(".safetensors"):
        fitting += [(5, _safetensors)]
    if name.endswith((".zip", ".npz")):
        fitting += [(5, _archive)]
    weights, ways = zip(*fitting, strict=True)
    (way,) = draw.choices(ways, weights)
    return _part(way, name, draw.random())


def _part(way: Callable[[Path, str, Random], str], name: str, seed: float) -> Part:
    def change(work: Path) -> None:
        way(work, name, Random(seed))

    return Part(f"{way.__name__.strip('_')} of {name or 'the bundle'}", change=change)


def _say(work: Path, name: str, what: str) -> str:
    """Note what was done, for people to read."""
    with open(work.parent / "damages", "a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{name}: {what}\n")
    return what


def _bytes(work: Path, name: str, draw: Random) -> str:
    """Change bytes, whatever they mean."""
    path = work / BUNDLE / name
    content = bytearray(path.read_bytes())
    # The first bytes and the last say what a file is.
    spot = draw.choice((draw.randrange(len(content)), draw.randrange(min(len(content), 200)), len(content) - 1))
    way = draw.randrange(9)
    if way <= 2:
        bit = draw.randrange(8)
        content[spot] ^= 1 << bit
        what = f"bit {bit} of byte {spot} flipped"
    elif way == 3:
        value = draw.choice((0, 255, 127, 128, draw.randrange(256)))
        content[spot] = value
        what = f"byte {spot} set to {value}"
    elif way == 4:
        length = draw.choice((4, 100, 4096))
        content[spot : spot + length] = draw.randbytes(len(content[spot : spot + length]))
        what = f"{length} bytes from {spot} are random"
    elif way == 5:
        del content[spot:]
        what = f"cut after {spot} bytes"
    elif way == 6:
        content[spot:spot] = content[max(spot - 50, 0) : spot + 50]
        what = f"the bytes around {spot} twice"
    elif way == 7:
        content = bytearray(
            draw.choice((b"", b"\x00" * len(content), b"x", content + content, content + b"\x00" * 1000))
        )
        what = f"other {len(content)} bytes"
    else:
        del content[spot : spot + draw.choice((1, 8, 1000))]
        what = f"bytes from {spot} are missing"
    path.write_bytes(content)
    return _say(work, name, what)


def _json(work: Path, name: str, draw: Random) -> str:
    path = work / BUNDLE / name
    content, what = edited(path.read_bytes(), draw)
    path.write_bytes(content)
    return _say(work, name, what)


def make_special(path: Path, kind: str) -> None:
    """Put something that is no regular file (or a huge one) in a place."""
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "null":
        path.symlink_to("/dev/null")
    elif kind == "dangling":
        path.symlink_to("nothing")
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "socket":
        here = os.getcwd()
        os.chdir(path.parent)  # the name of a socket must be short
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(path.name)
        finally:
            os.chdir(here)
    elif kind == "sparse":
        with open(path, "wb") as file:
            file.truncate(_SPARSE_BYTES)
    elif kind == "unreadable":
        path.write_bytes(b"x")
        path.chmod(0)


def _special(work: Path, name: str, draw: Random) -> str:
    """Put something else in the place of a file."""
    path = work / BUNDLE / name
    kinds = ["missing", "directory", "fifo", "zero", "null", "dangling", "loop", "socket", "sparse"]
    kind = draw.choice(kinds + ["unreadable"] * (os.geteuid() != 0))
    path.unlink()
    if kind != "missing":
        make_special(path, kind)
    return _say(work, name, f"replaced by: {kind}" if kind != "missing" else "missing")


def _exchange(work: Path, name: str, draw: Random) -> str:
    """Take the file of another bundle, or another file of this one."""
    path = work / BUNDLE / name
    source = draw.choice((work / OTHER, work / BUNDLE))
    regular = (file for file in source.rglob("*") if file.is_file() and not file.is_symlink())
    files = sorted(file for file in regular if file.stat().st_size < _SPARSE_BYTES)
    same = source / name
    other = same if source == work / OTHER and same.is_file() else draw.choice(files)
    content = other.read_bytes()
    path.write_bytes(content)
    return _say(work, name, f"replaced by {other.relative_to(work)}")


def _whole(work: Path, name: str, draw: Random) -> str:
    """Do something to the bundle as a whole."""
    path = work / BUNDLE
    way = draw.randrange(7)
    if way == 0:
        shutil.rmtree(path)
        path.write_bytes(b"x")
        return _say(work, "bundle", "a file in its place")
    if way == 1:
        shutil.rmtree(path)
        path.mkdir()
        return _say(work, "bundle", "an empty directory")
    if way == 2:
        kind = draw.choice(("fifo", "loop", "dangling", "zero", "socket"))
        shutil.rmtree(path)
        make_special(path, kind)
        return _say(work, "bundle", f"replaced by: {kind}")
    kind = draw.choice(("fifo", "loop", "dangling", "zero", "socket", "directory", "sparse"))
    place = path / draw.choice(("further", "int8/further", "fp32/further"))
    place.parent.mkdir(exist_ok=True)
    make_special(place, kind)
    return _say(work, "bundle", f"{place.relative_to(path)} beside the others: {kind}")


def _safetensors(work: Path, name: str, draw: Random) -> str:
    """Change the header of weights, or their values."""
    path = work / BUNDLE / name
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, values = content[8 : 8 + length], bytearray(content[8 + length :])
    way = draw.randrange(8)
    if way == 0:
        other = draw.choice((0, 1, length - 1, length + 1, len(content), 1 << 40, (1 << 63), (1 << 64) - 1))
        content, what = other.to_bytes(8, "little") + content[8:], f"its header says that it has {other} bytes"
    elif way == 1:
        first = draw.randrange(0, max(len(values) // 4 - 8, 1)) * 4
        number = draw.choice((float("nan"), float("inf"), float("-inf"), 3e38, -3e38, 1e-45, 0.0))
        count = draw.choice((1, 8, 200, len(values) // 4))
        filled = struct.pack("<f", number) * count
        values[first : first + len(filled)] = filled[: len(values) - first]
        content, what = content[: 8 + length] + bytes(values), f"{count} values from byte {first} are {number}"
    else:
        tree = json.loads(header)
        if way <= 4:
            tensor = draw.choice([each for each in tree if each != "__metadata__"])
            key = draw.choice(("dtype", "shape", "data_offsets"))
            tree[tensor][key] = value = draw.choice(
                {
                    "dtype": ("F16", "BF16", "F64", "I64", "U8", "BOOL", "F8_E4M3", "X", 1, None, "C64"),
                    "shape": ([], [0], [-1], [1 << 40], [1 << 63], [2, 2], "x", None, [1.5], [[1]], [1] * 100),
                    "data_offsets": ([0, 0], [8, 0], [0, 1 << 62], [-4, 4], [0], None, "x", [0.5, 4]),
                }[key]
            )
            made, what = json.dumps(tree).encode(), f"{tensor} has {key} {value}"
        elif way == 5:
            tensor = draw.choice([each for each in tree if each != "__metadata__"])
            tree[draw.choice(("x", "", "é", "encoder\u2028"))] = tree.pop(tensor)
            made, what = json.dumps(tree).encode(), f"{tensor} has another name"
        elif way == 6:
            tree["__metadata__"] = json_value(draw)
            made, what = json.dumps(tree).encode("utf-8", "surrogatepass"), "other metadata"
        else:
            made, what = edited(header, draw)
        content = len(made).to_bytes(8, "little") + made + bytes(values)
    path.write_bytes(content)
    return _say(work, name, what)


def _archive(work: Path, name: str, draw: Random) -> str:
    """Change an entry of an archive whose checksums are right all the same."""
    path = work / BUNDLE / name
    with zipfile.ZipFile(path) as archive:
        entries = {each: archive.read(each) for each in archive.namelist()}
    chosen = draw.choice(sorted(entries))
    way = draw.randrange(6)
    if name.endswith(".npz") and way <= 3:
        entries[chosen], what = _other_array(entries[chosen], draw)
    elif way <= 1:
        content = bytearray(entries[chosen])
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        entries[chosen], what = bytes(content), "one bit of it flipped"
    elif way == 2:
        entries[chosen], what = entries[chosen][: draw.randrange(len(entries[chosen]))], "cut"
    elif way == 3:
        entries[draw.choice(("../../x", "/x", "x" * 300, "é"))], what = b"x", "one entry more"
    elif way == 4:
        del entries[chosen]
        what = "missing"
    else:
        entries[chosen], what = draw.choice((b"", entries[chosen] * 2, b"\xff" * len(entries[chosen]))), "other bytes"
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in entries.items():
            archive.writestr(each, content)
    return _say(work, name, f"its entry {chosen}: {what}")


def _other_array(content: bytes, draw: Random) -> tuple[bytes, str]:
    """Write another array into the place of one."""
    array = np.load(io.BytesIO(content))
    way = draw.choice(
        ("negative", "huge", "float", "nan", "empty", "flat", "shorter", "object", "text", "scalar", "deep")
    )
    if way == "object":
        made = np.array([{"x": 1}], dtype=object)
    elif way == "text":
        made = np.array(["x"] * max(array.size, 1))
    elif way in ("negative", "huge"):
        made = array.astype(np.int64).copy()
        made.reshape(-1)[: draw.choice((1, 1 << 30))] = -1 if way == "negative" else 1 << 40
    elif way in ("float", "nan"):
        made = np.asarray(array.astype(np.float64) + (np.nan if way == "nan" else 0.5))
    else:
        flat = array.reshape(-1)
        others = {"empty": flat[:0], "shorter": flat[: array.size // 2], "deep": array[None, None]}
        made = others.get(way, flat if way == "flat" or not flat.size else flat[0])
    buffer = io.BytesIO()
    np.save(buffer, made)
    return buffer.getvalue(), f"an array made {way}"
