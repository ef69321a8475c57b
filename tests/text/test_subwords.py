"""Subword models: round trips, reserved ids, damaged files, and what no subword spells."""

import pickle

import pytest
import sentencepiece

from nmt.errors import ConfigError, SubwordError
from nmt.text.subword_training import train_subwords
from nmt.text.subwords import MARKS, SubwordModel

from .conftest import KINDS, TEXT, WORDS, train

CHINESE = ["（你好），１２３。", "“引号”、《书名》……", "你好吗？我很好！", "１２３４５，６７８９。"]


def test_round_trip(model):
    for text in [*TEXT, "", "a", "banana"]:
        assert model.decode(model.encode(text)) == text


@pytest.mark.parametrize("kind", KINDS)
def test_identity_keeps_every_character(kind):
    text = [
        *CHINESE,
        "one\u2028two",
        "non\u00a0breaking",
        "tab\there",
        "e\u0301 decomposed",
        "ﬁ ligature",
        "A B",
        "ｆｕｌｌ",
    ]
    model = train(text, kind=kind, vocabulary_size=400)
    for line in text:
        assert model.decode(model.encode(line)) == line


def test_runs_of_spaces_are_one_and_the_ends_are_stripped(model):
    assert model.encode("  anna   and  ") == model.encode("anna and")


def test_special_ids_are_where_the_house_has_them(model):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.to_bytes())
    pieces = [processor.id_to_piece(i) for i in range(20)]
    assert pieces == ["<pad>", "<unk>", "<s>", "</s>", *(f"<tag{i}>" for i in range(16))]
    assert (model.pad_id, model.unk_id, model.bos_id, model.eos_id) == (0, 1, 2, 3)
    assert model.control_ids == range(4, 20)
    assert model.vocabulary_size == processor.vocab_size()


@pytest.mark.parametrize("kind", KINDS)
def test_marks_are_symbols_of_their_own_that_nothing_else_contains(kind):
    marked = [f"{line} {MARKS[i % 3]}{line[:3]}" for i, line in enumerate(TEXT)]
    model = train(marked, kind=kind, marks=3)
    assert model.marks == "".join(MARKS[:3])
    assert model.mark_ids == range(20, 23)
    assert [model.pieces[i] for i in model.mark_ids] == [*MARKS[:3]]
    assert not any(mark in piece for piece in model.pieces[23:] for mark in MARKS)
    text = f"{MARKS[1]} anna{MARKS[0]}, and {MARKS[2]}banana"
    for ids in [model.encode(text), *model.sample_batch([text] * 5, alpha=0.3, seed=2)]:
        assert [i for i in ids if i in model.mark_ids] == [21, 20, 22]
        assert model.decode(ids) == text.replace(",", "")  # which no text had
    assert model.characters == {" ", *"".join(WORDS)}
    assert pickle.loads(pickle.dumps(model)).mark_ids == model.mark_ids


def test_a_vocabulary_of_before_has_no_marks(model):
    assert (model.marks, model.mark_ids) == ("", range(20, 20))
    assert model.encode(MARKS[0])[-1] == model.unk_id


@pytest.mark.parametrize("kind", KINDS)
def test_target_languages_have_control_symbols_that_no_text_makes(kind):
    model = train([*TEXT, "<to:gn> anna"], kind=kind, marks=2, languages=("gn", "es_MX"))
    assert (model.languages, model.language_ids, model.mark_ids) == (("gn", "es_MX"), range(20, 22), range(22, 24))
    assert [model.pieces[i] for i in model.language_ids] == ["<to:gn>", "<to:es_MX>"]
    assert (model.language_prefix("gn"), model.language_prefix("es_MX")) == ((20,), (21,))
    text = "<to:gn> anna<to:es_MX>"
    for ids in [model.encode(text), *model.sample_batch([text] * 5, alpha=0.3, seed=2)]:
        assert not {20, 21} & {*ids}
    assert model.decode([20, *model.encode("anna banana")]) == "anna banana"
    assert (model.kind, model.characters) == (train(kind=kind).kind, {" ", *"".join(WORDS), *"<>:gto"})
    again = pickle.loads(pickle.dumps(model))
    assert (again.languages, again.marks) == (model.languages, model.marks)
    with pytest.raises(ConfigError, match=r"^'fr' is no target language of the model: take one of gn, es_MX$"):
        model.language_prefix("fr")
    with pytest.raises(ConfigError, match=r"^no target language is named: take one of gn, es_MX$"):
        model.language_prefix("")


def test_a_vocabulary_of_one_target_language_has_no_symbol_for_it(model):
    assert (model.languages, model.language_prefix("gn"), model.language_prefix("")) == ((), (), ())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["<tag0> anna", "<s> anna </s>", "<pad><unk>", "anna<tag15>"])
def test_text_never_spells_a_reserved_id(kind, text):
    spelled = [*TEXT, "<tag0> <tag15> <s> </s> <pad> <unk>"] * 3
    for model in (train(kind=kind), train(spelled, kind=kind, vocabulary_size=80)):
        rows = [model.encode(text), *model.sample_batch([text] * 5, alpha=0.1, seed=1)]
        assert not {*range(20)} - {model.unk_id} & {i for row in rows for i in row}
    assert model.decode(model.encode(text)) == text


def test_decode_drops_reserved_ids(model):
    ids = model.encode("anna and banana")
    middle = [model.bos_id, 4, *ids, model.eos_id, model.unk_id, 19, model.pad_id]
    assert model.decode(middle) == "anna and banana"
    assert model.decode([]) == ""
    assert "  " not in model.decode(model.encode("anna ☃ banana ☃"))


def test_load_names_the_file_at_fault(tmp_path):
    path = tmp_path / "subwords.model"
    with pytest.raises(SubwordError, match=rf"{path}: cannot read the subword model \(No such file or directory\)"):
        SubwordModel.load(path)
    data = train().to_bytes()
    for damaged in (b"", b"not a model", b"\0" * 1000, data[: len(data) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(SubwordError, match=rf"{path}: not a subword model, or damaged; copy it again"):
            SubwordModel.load(path)


def test_a_foreign_sentencepiece_model_is_refused(tmp_path):
    prefix = tmp_path / "foreign"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT), model_prefix=str(prefix), vocab_size=23, minloglevel=3
    )
    with pytest.raises(SubwordError, match=r"foreign.model: a SentencePiece model that nmt did not train"):
        SubwordModel.load(prefix.with_suffix(".model"))


def test_a_saved_model_is_the_same_model(model, tmp_path):
    path = tmp_path / "subwords.model"
    path.write_bytes(model.to_bytes())
    for copy in (SubwordModel.load(path), pickle.loads(pickle.dumps(model))):
        assert copy.digest == model.digest
        assert copy.encode_batch(TEXT) == model.encode_batch(TEXT)


def test_nfc_is_remembered_by_the_model_itself():
    decomposed, composed = "cafe\u0301 anna", "café anna"
    model = train([decomposed, *TEXT], normalization="nfc")
    copy = SubwordModel(model.to_bytes())
    assert copy.normalization == "nfc"
    assert copy.encode(decomposed) == copy.encode(composed)
    assert copy.decode(copy.encode(decomposed)) == composed
    assert model.digest != train([composed, *TEXT]).digest
    sentencepiece.SentencePieceProcessor(model_proto=model.to_bytes())  # still a SentencePiece file


def test_batches_equal_single_sentences(model):
    texts = [*TEXT, "", "☃"] * 20  # enough for several threads
    assert model.encode_batch(texts) == [model.encode(text) for text in texts]
    assert model.encode_batch([]) == model.sample_batch([], alpha=0.1, seed=1) == []


def test_a_piece_that_is_no_utf8_is_told(tmp_path):
    """SentencePiece loads such a model, and fails where the piece is wanted."""
    data = bytearray(train().to_bytes())
    data[data.index("\u2581".encode()) + 1] = 0x29
    path = tmp_path / "subwords.model"
    path.write_bytes(data)
    with pytest.raises(SubwordError) as caught:
        SubwordModel.load(path)
    assert str(caught.value) == f"{path}: not a subword model, or damaged; copy it again or train a new one"


def test_any_byte_may_be_damaged():
    data, runs = train().to_bytes(), set()
    for place in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[place] ^= 0x80
        try:
            runs.add(type(SubwordModel(bytes(damaged)).encode("anna banana")))
        except SubwordError as error:
            runs.add(str(error))
    damaged = "subword model: not a subword model, or damaged; copy it again or train a new one"
    assert {list, damaged} <= runs
    assert all("its special ids differ" in each for each in runs - {list, damaged})


@pytest.mark.parametrize("kind", KINDS)
def test_characters_that_no_subword_spells_are_named(kind):
    lines = ["A small dog runs.", "caf\u00e9 cats"] * 20
    model = train_subwords(lines, kind=kind, vocabulary_size=60)
    for text, unknown in {
        "A 😀 dog.": "😀",
        "漢a字 😀😀漢 dog Q": "漢字😀😀漢Q",
        "dog\u0301": "\u0301",
        "A\0dog\t runs\u00a0\u200b\u2028.\ufeff": "",  # nobody misses them
        "a small dog": "",
        "": "",
    }.items():
        assert model.unknown_characters(text) == unknown
    composing = train_subwords(lines, kind=kind, vocabulary_size=60, normalization="nfc")
    assert composing.unknown_characters("cafe\u0301 u\u0308") == "ü"
    spelling = train_subwords(lines, kind="unigram", vocabulary_size=330, byte_fallback=True)
    assert spelling.unknown_characters("漢 😀") == ""


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_words_are_what_spaces_part(kind):
    model = train(kind=kind)
    for text in (*TEXT, "  a   banana ", "", " "):
        ids = model.encode(text)
        words = model.words_of(ids)
        expected = text.split()
        assert len(words) == len(ids)
        assert set(words) == set(range(len(expected)))
        for word, each in enumerate(expected):
            assert model.decode([i for i, own in zip(ids, words, strict=True) if own == word]) == each
    words = model.words_of(model.encode("an x and"))  # what no subword spells is a word all the same
    assert (words[0], words[-1]) == (0, 2)


def test_a_lone_space_belongs_to_the_word_that_it_begins():
    model = train(kind="char")
    space = model.pieces.index("\u2581")
    letter = model.encode("a")[-1]
    assert model.words_of([letter, space, letter, letter, space]) == [0, 1, 1, 1, 1]
    assert model.words_of([space, space]) == [0, 0]
