"""Shortlists: what is in them, that a sentence's own depends on nothing else, and their file."""

import random

import numpy as np
import pytest

from nmt.errors import BundleError
from nmt.text.shortlist import Shortlist, pooled
from nmt.text.subword_training import train_subwords

ENGLISH, GERMAN = (
    line.split()
    for line in (
        "a small red house stands near the old river and many green trees grow behind it in spring",
        "ein kleines rotes haus steht beim dem alten fluss und viele grüne bäume wachsen dahinter es im frühling",
    )
)


@pytest.fixture(scope="module")
def parallel():
    """Subword models of both sides, and rows of ids of 500 sentences word by word, some with a name in them."""
    draw = random.Random(1)
    lines = []
    for n in range(500):
        picks = [draw.randrange(len(ENGLISH)) for _ in range(draw.randint(3, 8))]
        name = ["Zorbas"] if n % 50 == 0 else []
        lines.append([" ".join([words[i] for i in picks] + name) for words in (ENGLISH, GERMAN)])
    source_lines, target_lines = zip(*lines, strict=True)
    source = train_subwords(source_lines, kind="bpe", vocabulary_size=110)
    target = train_subwords(target_lines, kind="bpe", vocabulary_size=400, byte_fallback=True)
    return source, target, source.encode_batch(source_lines), target.encode_batch(target_lines)


@pytest.fixture(scope="module")
def shortlist(parallel):
    source, target, sources, targets = parallel
    return Shortlist.train(sources, targets, source_subwords=source, target_subwords=target, size=4)


def listed(shortlist, ids):
    """One sentence's candidates."""
    return shortlist.ids(np.array([ids], dtype=np.int64), np.array([len(ids)]))[0].tolist()


def test_what_all_sentences_may_use_is_listed_once():
    candidates = np.array([[0, 3, 5, -1], [0, 2, 5, 9], [3, -1, -1, -1]])
    pool, columns = pooled(candidates, 10)
    assert pool.tolist() == [0, 2, 3, 5, 9, -1]
    assert columns.tolist() == [[0, 2, 3, 5], [0, 1, 3, 4], [2, 5, 5, 5]]
    np.testing.assert_array_equal(pool[columns], candidates)


def test_where_nothing_is_filled_up_nothing_stands_for_it():
    pool, columns = pooled(np.array([[1, 9]]), 10)
    assert pool.tolist() == [1, 9]
    assert columns.tolist() == [[0, 1]]


def test_a_sentence_has_its_translation(parallel, shortlist):
    source, target, sources, targets = parallel
    for word, translation in zip(ENGLISH, GERMAN, strict=True):
        assert set(target.encode(translation)) <= set(listed(shortlist, source.encode(word)))
    lists = [listed(shortlist, row) for row in sources]
    covered = [np.isin(row, own).mean() for row, own in zip(targets, lists, strict=True)]
    assert np.mean(covered) > 0.99
    assert 280 < np.mean([len(own) for own in lists]) < 320  # 276 special ones and bytes


def test_what_is_in_every_list(parallel, shortlist):
    source, target, _, targets = parallel
    common = {*range(20), *target.byte_ids}
    assert len(common) == 276
    counts = np.bincount(np.concatenate(targets), minlength=target.vocabulary_size)
    common |= set(np.argsort(-counts, kind="stable")[:4].tolist())
    assert set(listed(shortlist, [])) == common
    for word in ENGLISH:
        assert common <= set(listed(shortlist, [*source.encode(word), source.eos_id]))


def test_subwords_spelt_alike_may_be_copied(parallel, shortlist):
    source, target, _, _ = parallel
    alike = [(i, target.pieces.index(piece)) for i, piece in enumerate(source.pieces) if piece in target.pieces]
    assert len(alike) > 30
    for one, other in alike:
        assert other in listed(shortlist, [one])


def test_a_list_depends_on_its_own_sentence_alone(parallel, shortlist):
    _, _, sources, _ = parallel
    rows = [row[:length] for row, length in zip(sources, [1, 5, 2, 9, 0], strict=False)]
    padded = np.full((len(rows), 12), 7)
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = ids
    together = shortlist.ids(padded, np.array([len(row) for row in rows]))
    assert together.dtype == np.int64
    for own, ids in zip(together, rows, strict=True):
        alone = listed(shortlist, ids)
        assert alone == sorted(set(alone))
        assert own[: len(alone)].tolist() == alone
        assert (own[len(alone) :] == -1).all()
    assert (together >= 0).all(1).any()


def test_lists_grow_with_their_size(parallel):
    source, target, sources, targets = parallel
    options = {"source_subwords": source, "target_subwords": target}
    found = [Shortlist.train(sources, targets, size=size, **options) for size in (1, 2, 8)]
    for ids in sources[:20]:
        one, two, eight = (set(listed(each, ids)) for each in found)
        assert one <= two <= eight
        assert len(one) <= 276 + 1 + 2 * len(set(ids))


def test_a_joint_vocabulary_is_copied_whole():
    subwords = train_subwords([" ".join(ENGLISH)] * 3, kind="unigram", vocabulary_size=60)
    shortlist = Shortlist.train([[30]], [[31]], source_subwords=subwords, target_subwords=subwords, size=1)
    for i in range(subwords.vocabulary_size):
        assert set(listed(shortlist, [i])) == {*range(20), i, 31}  # 31 is the only frequent one


def test_a_saved_list_is_the_same_and_so_are_its_bytes(parallel, shortlist, tmp_path):
    _, _, sources, _ = parallel
    (tmp_path / "lists").write_bytes(shortlist.to_bytes())
    loaded = Shortlist.load(tmp_path / "lists")
    assert loaded.to_bytes() == shortlist.to_bytes()
    assert (loaded.source_vocabulary, loaded.target_vocabulary) == (110, shortlist.target_vocabulary)
    for ids in sources[:50]:
        assert listed(loaded, ids) == listed(shortlist, ids)


def test_a_damaged_file_is_one_line(shortlist, tmp_path):
    path = tmp_path / "lists"
    path.write_bytes(shortlist.to_bytes())
    content = path.read_bytes()
    broken = [b"", content[:-30], content[: len(content) // 2], b"x" * 100, content[:400] + b"?" * 20 + content[420:]]
    for damaged in broken:
        path.write_bytes(damaged)
        with pytest.raises(BundleError, match=r"lists is missing or damaged \(.*\); export the bundle again$"):
            Shortlist.load(path)
    with pytest.raises(BundleError, match="nowhere is missing or damaged"):
        Shortlist.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offsets": [0, 2, 1, 3]}, "its lists do not fit together"),
        ({"offsets": [0, 1, 2, 9]}, "its lists do not fit together"),
        ({"targets": [1, 2, 50]}, "its lists do not fit together"),
        ({"common": [[1]]}, "its lists do not fit together"),
        ({"format": 2}, "was written by a newer nmt; install that, or export the bundle again"),
    ],
)
def test_a_file_that_does_not_make_sense_is_refused(tmp_path, changes, message):
    arrays = {"format": 1, "target_vocabulary": 50, "offsets": [0, 1, 2, 3], "targets": [1, 2, 3], "common": [0]}
    with open(tmp_path / "lists", "wb") as file:
        np.savez(file, **(arrays | changes))
    with pytest.raises(BundleError, match=message):
        Shortlist.load(tmp_path / "lists")
    with open(tmp_path / "lists", "wb") as file:
        np.savez(file, **arrays)
    assert listed(Shortlist.load(tmp_path / "lists"), [2]) == [0, 3]


def test_each_target_language_has_lists_of_its_own(shortlist, tmp_path):
    other = Shortlist(np.zeros(shortlist.source_vocabulary + 1, dtype=int), np.array([], dtype=int), np.array([7]), 400)
    languages = range(20, 23)
    joint = Shortlist.join([other, shortlist, other], languages)
    (tmp_path / "lists").write_bytes(joint.to_bytes())
    for each in (joint, Shortlist.load(tmp_path / "lists")):
        assert each.source_vocabulary == shortlist.source_vocabulary
        source = np.array([[21, 30, 40, 3], [20, 30, 40, 3], [22, 50, 3, 0], [21, 31, 3, 0]])
        found = each.ids(source, np.array([4, 4, 3, 3]), needed=[(), (), (9,), ()])
        kept = [[i for i in row if i >= 0] for row in found.tolist()]
        assert kept[0] == listed(shortlist, [21, 30, 40, 3])
        assert kept[1:3] == [[7], [7, 9]]
        assert kept[3] == listed(shortlist, [21, 31, 3])


def test_lists_of_languages_that_do_not_fit_together_are_refused(shortlist, tmp_path):
    (tmp_path / "lists").write_bytes(Shortlist.join([shortlist, shortlist], range(20, 22)).to_bytes())
    with np.load(tmp_path / "lists") as found:
        arrays = {name: found[name] for name in found.files}
    wrong = [{"languages": [20, 0]}, {"languages": [20, 3]}, {"languages": 20}, {"common_offsets": [0, 2, 1]}]
    for changes in wrong:
        with open(tmp_path / "wrong", "wb") as file:
            np.savez(file, **(arrays | changes))
        with pytest.raises(BundleError, match=r"wrong is damaged \(its lists do not fit together\); export the bundle"):
            Shortlist.load(tmp_path / "wrong")
