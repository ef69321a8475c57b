"""Diversification's texts: what is held out from all three trainings, and columns of one file."""

from .conftest import read, write


def parts_of(run):
    """The pairs of the training and of the validation text."""
    return [
        list(zip(*(read(run / "text" / f"{name}.{side}") for side in ("en", "de")), strict=True))
        for name in ("train", "valid")
    ]


def test_what_is_held_out_is_held_out_from_all_three(configs, text):
    assert configs("corpus.train=train", "corpus.valid_pairs=20", taken=0.1)[0] == 0
    train, valid = parts_of(text / "run")
    pairs = list(zip(read(text / "train.en"), read(text / "train.de"), strict=True))
    assert 0 < len(valid) <= 20
    sources, targets = ({pair[side] for pair in valid} for side in (0, 1))
    assert train == [pair for pair in pairs if pair[0] not in sources and pair[1] not in targets]


def test_what_is_validation_text_on_either_side_is_not_trained_on(configs, text):
    for side, more in (("en", ["a source ", "other"]), ("de", ["anders", "ein Ziel"])):
        write(text / f"train.{side}", [*read(text / f"train.{side}"), *more])
    write(text / "valid.en", [*read(text / "valid.en"), "a source", "x"])
    write(text / "valid.de", [*read(text / "valid.de"), "y", "ein Ziel"])
    before = read(text / "train.en")
    assert configs("corpus.train=train", "corpus.valid=valid", taken=0.1)[0] == 0
    train, valid = parts_of(text / "run")
    assert [source for source, _ in train] == [line for line in before[:-2] if line not in read(text / "valid.en")]
    assert valid[-2:] == [("a source", "y"), ("x", "ein Ziel")]


def test_further_texts_lack_what_is_held_out_too(configs, text):
    pairs = list(zip(read(text / "train.en"), read(text / "train.de"), strict=True))
    for name, chosen in (("more", pairs[::2]), ("yet", pairs[1::2])):
        write(text / f"{name}.en", [source for source, _ in chosen])
        write(text / f"{name}.de", [target for _, target in chosen])
    write(text / "yet.tsv", ["a\tb", *(f"{source}\t{target}" for source, target in pairs)])
    words = ("corpus.train=train", "corpus.valid_pairs=20", "corpus.extra=[more,yet.tsv]")
    assert configs(*words, taken=0.1)[0] == 0
    train, valid = parts_of(text / "run")
    assert valid
    further = [
        list(zip(*(read(text / "run" / "text" / f"extra{number}.{side}") for side in ("en", "de")), strict=True))
        for number in (1, 2)
    ]
    assert further == [[pair for pair in pairs[::2] if pair in train], [("a", "b"), *train]]


def test_columns_of_one_file_become_two(configs, text):
    pairs = [
        f"{source}\t{target}" for source, target in zip(read(text / "train.en"), read(text / "train.de"), strict=True)
    ]
    write(text / "both.tsv", pairs)
    code, found = configs("corpus.train=both.tsv", "corpus.valid=valid", taken=0.1)
    assert code == 0
    assert found["backward"][0][0].corpus.train == "run/text/train"
    for side in ("en", "de"):
        assert (text / "run" / "text" / f"train.{side}").read_bytes() == (text / f"train.{side}").read_bytes()


def test_other_text_is_not_mixed_with_what_was_made(configs, text, capfd):
    words = ("corpus.train=train", "corpus.valid=valid")
    assert configs(*words, taken=0.1)[0] == 0
    before = (text / "run" / "text" / "train.en").read_bytes()
    write(text / "train.en", ["one more", *read(text / "train.en")[1:]])
    assert configs(*words)[0] == 2
    assert capfd.readouterr().err.splitlines()[-1] == (
        "nmt augment diversify: error: run/text/train.en was made of another text than corpus.train is now; choose "
        "another run_dir, or remove run"
    )
    assert (text / "run" / "text" / "train.en").read_bytes() == before
