"""Graphs and constants that are damaged, missing or another model's are told in one line."""

import zipfile

import pytest

from nmt.errors import BundleError
from nmt.runtime.model import OnnxModel


@pytest.mark.parametrize("content", [b"", b"no graph", None])
@pytest.mark.parametrize("name", ["encoder", "embedding", "step", "constants"])
def test_a_damaged_file_is_told_in_one_line(models, tmp_path, content, name):
    damaged = tmp_path / models.files[name].name
    whole = models.files[name].read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(BundleError) as caught:
        OnnxModel(**models.files | {name: damaged}, vocabulary=50)
    reason = "damaged or cannot be read" if name == "constants" else "damaged, or not for onnxruntime"
    assert str(caught.value).startswith(f"{damaged} is {reason} ")
    assert "\n" not in str(caught.value)


def test_a_single_wrong_byte_among_the_constants_is_told(models, tmp_path):
    content = bytearray(models.files["constants"].read_bytes())
    content[len(content) // 2] ^= 1
    damaged = tmp_path / "constants.zip"
    damaged.write_bytes(content)
    with pytest.raises(BundleError, match=r"constants\.zip is damaged or cannot be read \(.*CRC"):
        OnnxModel(**models.files | {"constants": damaged}, vocabulary=50)


def test_no_wrong_byte_in_the_lists_of_the_constants_is_a_traceback(models, tmp_path):
    """Damage there looks like encryption, other compressions, other versions and other lengths."""
    whole = models.files["constants"].read_bytes()
    directory = whole.index(b"PK\x01\x02")
    refused = 0
    for position in [*range(40), *range(directory, directory + 60), *range(len(whole) - 22, len(whole))]:
        (tmp_path / "constants.zip").write_bytes(
            whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :]
        )
        try:
            OnnxModel(**models.files | {"constants": tmp_path / "constants.zip"}, vocabulary=50)
        except BundleError:
            refused += 1
    assert refused > 40


def test_constants_of_another_model_are_told(models, make_models):
    other = make_models(seed=2)
    with pytest.raises(BundleError, match=r"encoder\.onnx is damaged, or not for onnxruntime"):
        OnnxModel(**models.files | {"constants": other.files["constants"]}, vocabulary=50)


@pytest.mark.parametrize("name", ["encoder", "embedding", "step", "constants"])
def test_a_missing_file_is_told_in_one_line(models, tmp_path, name):
    missing = tmp_path / models.files[name].name
    with pytest.raises(BundleError) as caught:
        OnnxModel(**models.files | {name: missing}, vocabulary=50)
    assert str(caught.value) == f"{missing} is missing or cannot be read (No such file or directory)"


@pytest.mark.parametrize("name", ["greedy", "beam"])
def test_a_graph_that_is_missing_among_the_constants_is_told(models, tmp_path, name):
    with zipfile.ZipFile(models.files["constants"]) as whole, zipfile.ZipFile(tmp_path / "c.zip", "w") as less:
        for each in whole.namelist():
            if each != name:
                less.writestr(each, whole.read(each))
    with pytest.raises(BundleError, match=r"c\.zip was exported by an nmt that lays graphs out in another way"):
        OnnxModel(**models.files | {"constants": tmp_path / "c.zip"}, vocabulary=50)
