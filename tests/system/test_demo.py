import json
import random
import re
import shutil

import pytest
import torch

from nmt.bundle.weights import load_bundle
from nmt.config.search import SearchConfig
from nmt.search.decode import decode as search
from nmt.search.options import SearchOptions
from nmt.search.rules import Forbidden, MinimumLength, OwnMarks
from nmt.search.stepper import Stepper
from nmt.translation.protection import Protector
from nmt.translation.translator import Translator


def padded(subwords, lines):
    """Source ids (B, S) with EOS, and lengths (B,)."""
    rows = [[*subwords.encode(line), subwords.eos_id] for line in lines]
    lengths = torch.tensor([len(row) for row in rows])
    source = torch.full((len(rows), int(lengths.max())), subwords.pad_id)
    for i, row in enumerate(rows):
        source[i, : len(row)] = torch.tensor(row)
    return source, lengths


@torch.inference_mode()
def rescored(bundle, line, hypothesis):
    """Log-probability of a hypothesis, teacher forced, by the fused second implementation."""
    subwords = bundle.target_subwords
    source, lengths = padded(bundle.source_subwords, [line])
    target = torch.tensor([[*hypothesis.tokens, *([subwords.eos_id] if hypothesis.finished else [])]])
    previous = torch.cat((torch.tensor([[subwords.bos_id]]), target[:, :-1]), 1)
    log_probs = bundle.model.project(bundle.model(source, lengths, previous)).log_softmax(-1)
    return float(log_probs.gather(2, target.unsqueeze(2)).sum())


@pytest.fixture(scope="session")
def precise(demo_bundle):
    """The same model in float64, to tell ties from differences."""
    bundle = load_bundle(demo_bundle)
    bundle.model.double()
    return bundle


def decode(bundle, lines, *, beam_size, **options):
    """Search in one batch of its own, as the translator does but for the batches."""
    subwords = bundle.target_subwords
    source, lengths = padded(bundle.source_subwords, lines)
    rules = (
        Forbidden([subwords.pad_id, subwords.unk_id, subwords.bos_id, *subwords.control_ids]),
        MinimumLength(1, eos_id=subwords.eos_id),
        OwnMarks(subwords.mark_ids),
    )
    options = SearchOptions(bos_id=subwords.bos_id, eos_id=subwords.eos_id, beam_size=beam_size, rules=rules, **options)
    limits = [2 * (int(length) - 1) + 10 for length in lengths]
    return search(Stepper(bundle.model, source.numpy(), lengths.numpy(), max_lengths=limits, options=options))


def test_the_demo_is_learnt(nmt_evaluate, demo_bundle, bundle, demo):
    paths = "--source", demo / "test.en", "--reference", demo / "test.de"
    # In fp32, as training did, whatever variants somebody exported meanwhile.
    finished = nmt_evaluate(demo_bundle, *paths, "--format", "json", "--precision", "fp32")
    assert finished.code == 0
    bleu = json.loads(finished.out)["scores"][0]
    assert bleu["name"] == "BLEU"
    assert re.fullmatch(r"nrefs:1\|case:mixed\|eff:no\|tok:13a\|smooth:exp\|version:[\d.]+", bleu["signature"])
    assert bleu["value"] >= 95
    # Training scored the same text when it ended.
    assert bundle.metadata["test"].startswith(f"BLEU {bleu['value']:.2f} ({bleu['signature']}); chrF2 ")


def test_three_lines_in_three_lines_out(nmt_translate, demo_bundle):
    finished = nmt_translate(demo_bundle, text="A dog runs.\n\n   \n")
    assert (finished.code, finished.out, finished.err) == (0, "Ein Hund läuft.\n\n\n", "")


def test_a_smaller_model_learns_from_a_larger_one(demo_bundle, nmt_translate, nmt_train, tiny, tmp_path):
    """The commands that the README gives for distillation."""
    text = (tmp_path / "train.en").read_text(encoding="utf-8")
    again = nmt_translate(demo_bundle, text=text)
    assert again.code == 0, again.err
    (tmp_path / "again.en").write_text(text, encoding="utf-8", newline="\n")
    (tmp_path / "again.de").write_text(again.out, encoding="utf-8", newline="\n")
    finished = nmt_train(*tiny, "corpus.extra=[again]", "trainer.max_updates=3")
    assert finished.code == 0, finished.err
    assert re.search(r"training text corpus\.extra=again\b.*: 240 pairs kept", finished.err)
    few = "".join(text.splitlines(keepends=True)[:20])  # what was hardly trained translates as long as it may
    assert len(nmt_translate(tmp_path / "run" / "best", text=few).out.splitlines()) == 20


def test_the_model_card_names_languages_and_scores(demo_bundle, bundle):
    card = (demo_bundle / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# en → de\n")
    for key in ("validation", "test"):
        assert re.search(rf"^- {key}: BLEU \d+\.\d\d \(nrefs:1\|.*\|version:[\d.]+\)", card, re.MULTILINE)
    assert f"- pairs: {bundle.metadata['pairs']}\n" in card
    assert "nmt-translate" in card


def test_a_bundle_can_be_moved_anywhere(demo_bundle, nmt_translate, tmp_path):
    elsewhere = tmp_path / "an other pläce" / "model"
    shutil.copytree(demo_bundle, elsewhere)
    for path in elsewhere.iterdir():
        path.chmod(0o444)
    elsewhere.chmod(0o555)
    try:
        assert nmt_translate(elsewhere, text="A dog runs.\n").out == "Ein Hund läuft.\n"
    finally:
        elsewhere.chmod(0o755)


def test_beam_one_is_greedy(bundle, test_lines):
    plain = SearchConfig(beam_size=1, protect=False, check_numbers=False)
    greedy = Translator(bundle, search=plain).translate(test_lines)
    found = decode(bundle, test_lines, beam_size=1)
    assert len({item.text for item in greedy}) > 140
    for translation, (hypothesis,) in zip(greedy, found, strict=True):
        best = translation.hypotheses[0]
        assert (best.tokens, best.finished) == (hypothesis.tokens, hypothesis.finished)
        assert best.log_prob == pytest.approx(hypothesis.log_prob, abs=1e-5)
        assert best.score == pytest.approx(hypothesis.score, abs=1e-5)


@pytest.mark.parametrize("beam_size", [1, 5])
def test_a_log_prob_is_that_of_teacher_forced_rescoring(bundle, test_lines, beam_size):
    search = SearchConfig(beam_size=beam_size, check_numbers=False)
    translations = Translator(bundle, search=search, n_best=beam_size).translate(test_lines[::3])
    protector, checked = Protector(bundle.source_subwords, bundle.target_subwords), 0
    for line, translation in zip(map(protector.protect, test_lines[::3]), translations, strict=True):
        assert len({tuple(hypothesis.tokens) for hypothesis in translation.hypotheses}) == beam_size
        for hypothesis in translation.hypotheses:
            assert hypothesis.log_prob == pytest.approx(rescored(bundle, line.given, hypothesis), abs=1e-4)
            checked += 1
    assert checked == 52 * beam_size


@pytest.mark.parametrize("beam_size", [1, 5])
def test_a_translation_is_a_function_of_its_line_alone(bundle, precise, test_lines, beam_size):
    def translate(batch_size, lines):
        translator = Translator(bundle, search=SearchConfig(beam_size=beam_size, batch_size=batch_size))
        return [item.hypotheses[0] for item in translator.translate(lines)]

    expected = translate(1, test_lines)
    count = len(test_lines)
    orders = {"reversed": list(range(count))[::-1], "shuffled": random.Random(4).sample(range(count), count)}
    runs = {f"batches of {size}": translate(size, test_lines) for size in (7, 64)}
    for name, order in orders.items():
        # In windows, so that the order does change who is batched with whom.
        lines = [test_lines[i] for i in order]
        parts = [translate(16, lines[start : start + 50]) for start in range(0, count, 50)]
        found = [hypothesis for part in parts for hypothesis in part]
        runs[name] = [found[order.index(i)] for i in range(count)]
    for name, results in runs.items():
        for line, here, there in zip(test_lines, expected, results, strict=True):
            if here.text != there.text:
                tied = [rescored(precise, line, hypothesis) for hypothesis in (here, there)]
                assert tied[0] == pytest.approx(tied[1], abs=1e-5), (name, line, here.text, there.text)
            assert here.log_prob == pytest.approx(there.log_prob, abs=1e-4), (name, line)


def test_attention_weights_sum_to_one(bundle, test_lines):
    lines = test_lines[:40]
    for line, hypotheses in zip(lines, decode(bundle, lines, beam_size=4, n_best=4, with_weights=True), strict=True):
        for hypothesis in hypotheses:
            length = len(bundle.source_subwords.encode(line)) + 1
            assert hypothesis.weights.shape == (len(hypothesis.tokens), length)
            assert (hypothesis.weights >= 0).all()
            assert hypothesis.weights.sum(1) == pytest.approx(1, abs=1e-5)
