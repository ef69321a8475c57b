import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import sacrebleu
import torch

import corpora
from nmt.bundle.weights import Bundle
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.config.train import TrainConfig
from nmt.corpus.reader import ParallelText
from nmt.model.loss import sequence_loss
from nmt.model.seq2seq import build_model
from nmt.tasks.translation import TRANSLATION, perplexity
from nmt.text.subword_training import train_subwords
from nmt.training.parallel import Processes
from nmt.training.validation import validate
from nmt.translation.translator import Translator


@pytest.fixture(scope="module")
def text():
    """Source and target lines of the demo corpus."""
    folder = Path(corpora.__file__).parent / "demo"
    return tuple((folder / f"train.{side}").read_text(encoding="utf-8").split("\n")[:280] for side in ("en", "de"))


def validated(bundle, sources, references, *, batch_size=64):
    config = TrainConfig()
    config.trainer.valid_batch_size = batch_size
    text = ParallelText(sources, references)
    return validate(TRANSLATION, bundle, text, config=config, processes=Processes())


@pytest.fixture(scope="module")
def bundle(text):
    subwords = train_subwords([*text[0], *text[1]], kind="unigram", vocabulary_size=160)
    config = ModelConfig(embedding_size=16, encoder_hidden_size=16, decoder_hidden_size=32, dropout=0.5)
    torch.manual_seed(1)
    model = build_model(config, source_vocabulary=160, target_vocabulary=160).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 3
    return Bundle(
        model=model,
        config=config,
        source_subwords=subwords,
        target_subwords=subwords,
        source_language="en",
        target_language="de",
    )


@torch.inference_mode()
def negative_log_likelihoods(bundle, source, target):
    """-log p of every position of one reference, by stepping."""
    subwords = bundle.source_subwords
    rows = [[*subwords.encode(line)[:512], subwords.eos_id] for line in (source, target)]
    state = bundle.model.start(torch.tensor([rows[0]]), torch.tensor([len(rows[0])]))
    found, previous = [], subwords.bos_id
    for token in rows[1]:
        step = bundle.model.step(torch.tensor([[previous]]), state)
        log_probs = step.logits[0, 0].double().log_softmax(-1)
        found.append(-float(log_probs[token]))
        state, previous = step.state, token
    return found


def test_perplexity_is_that_of_all_positions_together(bundle, text):
    sources, references = text[0][:9], text[1][:9]
    every = [x for pair in zip(sources, references, strict=True) for x in negative_log_likelihoods(bundle, *pair)]
    expected = math.exp(sum(every) / len(every))
    for batch_size in (1, 4, 64):
        found = perplexity(
            *TRANSLATION.reference_loss(bundle, ParallelText(sources, references), batch_size=batch_size)
        )
        assert found == pytest.approx(expected, rel=1e-5)


def test_blank_and_endless_references_are_scored_too(bundle):
    sources, references = ["", "A dog."], ["Ein Hund.", "Hund " * 600]
    every = [x for pair in zip(sources, references, strict=True) for x in negative_log_likelihoods(bundle, *pair)]
    assert len(every) > 513
    found = perplexity(*TRANSLATION.reference_loss(bundle, ParallelText(sources, references), batch_size=2))
    assert found == pytest.approx(math.exp(sum(every) / len(every)), rel=1e-4)


@pytest.mark.parametrize("batch_size", [1, 4, 16])
def test_long_pairs_make_smaller_batches(bundle, text, monkeypatch, batch_size):
    sources = [*text[0][:30], "A dog. " * 100, *("A man. " * n for n in (20, 60)), "Short.", ""]
    references = [*text[1][:30], "Ein Hund.", *("Ein Mann. " * n for n in (20, 60)), "Rot. " * 300, "Ein Hund. " * 50]
    shapes = []

    def watching(model, source, source_lengths, *, target, **others):
        shapes.append((len(source), max(source.size(1), target.size(1))))
        return sequence_loss(model, source, source_lengths, target=target, **others)

    alone = [negative_log_likelihoods(bundle, *pair) for pair in zip(sources, references, strict=True)]
    monkeypatch.setattr("nmt.model.loss.sequence_loss", watching)
    found, tokens = TRANSLATION.reference_loss(bundle, ParallelText(sources, references), batch_size=batch_size)
    assert found == pytest.approx(sum(map(sum, alone)), rel=1e-4)
    assert tokens == sum(map(len, alone))
    assert sum(rows for rows, _ in shapes) == len(sources)
    lengths = [length for _, length in shapes]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 400 > 40 > lengths[-1]
    for rows, length in shapes[:-1]:
        assert rows == max(1, min(batch_size, batch_size * 128 // length))


def test_perplexity_by_hand():
    assert perplexity(4 * math.log(3), 4) == pytest.approx(3)
    assert perplexity(1e9, 1) == math.exp(700)
    assert math.isnan(perplexity(0.0, 0))


def test_bleu_is_that_of_the_text_against_the_raw_reference(bundle, text):
    sources = [*text[0][:20], ""]
    references = [f"{line}  \u201equoted\u201c" for line in text[1][:20]] + [""]
    translations = [item.text for item in Translator(bundle, search=SearchConfig(beam_size=1)).translate(sources)]
    references[0] = translations[0]  # so that there is something to count
    found = validated(bundle, sources, references, batch_size=4)
    assert found.outputs == translations
    expected = sacrebleu.BLEU(force=True).corpus_score(translations, [references])
    assert expected.score > 0
    assert found.scores["bleu"].value == expected.score
    assert found.scores["chrf"].value == sacrebleu.CHRF().corpus_score(translations, [references]).score
    assert "tok:13a" in found.scores["bleu"].signature
    assert found.perplexity == perplexity(
        *TRANSLATION.reference_loss(bundle, ParallelText(sources, references), batch_size=4)
    )


@pytest.mark.parametrize("language", ["zh", "cmn", "zho_Hans", "target"])
def test_the_tokenizer_follows_the_target_language_or_else_the_text(bundle, text, language):
    chinese = replace(bundle, target_language=language)
    found = validated(chinese, text[0][:2], ["一只狗。", "两只猫。"])
    assert "tok:zh" in found.scores["bleu"].signature


def test_all_references_decide_whichever_process_looks(bundle, text):
    # The second process's share alone would be taken for Chinese.
    references = ["Ein Hund. " * 9, "一只狗。"]
    processes = SimpleNamespace(
        share=lambda items: items[1::2], join_shares=lambda share: [*share, *share], gather=lambda sums: [sums] * 2
    )
    both = ParallelText(text[0][:2], references)
    found = validate(TRANSLATION, bundle, both, config=TrainConfig(), processes=processes)
    assert "tok:13a" in found.scores["bleu"].signature


def test_an_example_shows_what_became_of_a_line():
    text = ParallelText(["One.", "Two."], ["Eins.", "Zwei."])
    assert TRANSLATION.example(text, ["Ein.", "Zwo."], 1) == "source Two. | translation Zwo. | reference Zwei."
