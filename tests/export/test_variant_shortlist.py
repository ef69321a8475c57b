"""A shortlist that is exported with a variant: it comes and goes with it, and says what is wrong with it."""

import numpy as np
import pytest

from nmt.bundle.description import read_description
from nmt.bundle.loading import load
from nmt.corpus.reader import resolve
from nmt.errors import CorpusError
from nmt.export.variant import export, learn_shortlist
from nmt.text.shortlist import Shortlist

from .conftest import LINES, contents, refusal, texts


@pytest.fixture
def text(tmp_path):
    """A little parallel text in the languages of the bundle."""
    lines = [*LINES, "a red river", "the small house stands near"] * 3
    for language in ("en", "zh"):
        (tmp_path / f"train.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return resolve(str(tmp_path / "train"), source="en", target="zh", key="--train")


def test_a_shortlist_comes_with_the_variant_and_goes_with_it(best, text):
    export(best, "int8")
    plain = contents(best)
    export(best, "int8", shortlist=lambda said: learn_shortlist(said, [text, text], size=5))
    assert set(contents(best)) - set(plain) == {"int8/shortlist.npz"}
    assert read_description(best).variants["int8"]["shortlist"] == "int8/shortlist.npz"
    loaded = load(best)
    source = np.array([[*loaded.source_subwords.encode(LINES[0]), 3]])
    shortlist = loaded.model.start(source, np.array([source.shape[1]])).shortlist
    assert 0 < shortlist.shape[1] < loaded.target_subwords.vocabulary_size
    assert len(texts(loaded)) == len(LINES)
    export(best, "int8")
    assert contents(best) == plain


def test_a_shortlist_of_other_subwords_is_told(best, text, drop_manifest):
    export(best, "int8", shortlist=lambda said: learn_shortlist(said, [text], size=5))
    drop_manifest(best)
    file = best / "int8" / "shortlist.npz"
    nothing = np.zeros(0, dtype=np.int64)
    file.write_bytes(Shortlist(np.zeros(8, dtype=np.int64), nothing, nothing, 9).to_bytes())
    assert refusal(best) == (
        f"{file} is of another bundle's subwords; make it again with: nmt-export {best} --precision int8 --shortlist N"
    )


@pytest.mark.parametrize("has_manifest", [True, False])
def test_a_missing_or_damaged_shortlist_is_told(best, text, drop_manifest, has_manifest):
    export(best, "int8", shortlist=lambda said: learn_shortlist(said, [text], size=5))
    if not has_manifest:
        drop_manifest(best)
    file = best / "int8" / "shortlist.npz"
    whole = file.read_bytes()
    file.write_bytes(whole[:50])
    message = refusal(best)
    assert message.startswith(f"{file} is missing or damaged (")
    assert message.endswith(f"; make it again with: nmt-export {best} --precision int8 --shortlist N")
    file.unlink()
    assert load(best).precision == "fp32"


def test_a_shortlist_needs_text(best, tmp_path):
    for language in ("en", "zh"):
        (tmp_path / f"empty.{language}").write_text("\n", encoding="utf-8")
    empty = resolve(str(tmp_path / "empty"), source="en", target="zh", key="--train")
    before = contents(best)
    with pytest.raises(CorpusError, match=r"^--train=.*empty: no pair is left to train on"):
        export(best, "int8", shortlist=lambda said: learn_shortlist(said, [empty], size=5))
    assert contents(best) == before
