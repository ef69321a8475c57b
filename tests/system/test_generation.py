"""A language model from a text to its lines, with the real commands."""

import json

import pytest

TEXT = ["A dog runs.", "The small pigs sleep in the barn.", "On Monday we drive to Berlin."]


@pytest.fixture
def run(new_command, tmp_path):
    """A function that runs a command; its standard output."""
    command = new_command("nmt", cwd=tmp_path, encoding="utf-8")
    command.environment |= {"NMT_CACHE": str(tmp_path / "cache")}

    def run(*words, text=""):
        finished = command(*words, text=text)
        assert finished.code == 0, finished.err
        return finished.out

    return run


def test_a_small_text_is_learnt_by_heart_and_recited(run, tmp_path):
    (tmp_path / "mine.txt").write_text("".join(f"{line}\n" for line in TEXT * 20), encoding="utf-8")
    settings = ["subwords=char", "subwords.vocabulary_size=60", "model=language_model", "model.embedding_size=16"]
    settings += ["model.decoder_layers=1", "model.decoder_hidden_size=48", "model.dropout=0", "optimizer.lr=0.02"]
    settings += ["optimizer.warmup_updates=5", "trainer.max_updates=80", "trainer.validate_every=80"]
    settings += ["trainer.batch_tokens=1200", "trainer.ema_decay=0.5", "trainer.label_smoothing=0"]
    settings += ["trainer.threads=1", "trainer.precision=fp32"]
    texts = ["corpus.train=mine.txt", "corpus.valid=mine.txt"]
    run("train", "task=generation", "name=mine", *texts, *settings)
    bundle = "runs/mine/best"
    found = run("predict", bundle, "--beam-size", 1, text="A d\n\nThe small \nOn")
    assert found == f"{TEXT[0]}\n\n{TEXT[1]}\n{TEXT[2]}\n"
    scores = json.loads(run("evaluate", bundle, "--reference", "mine.txt", "--format", "json"))
    # Which of the three lines comes is all there is to say: log2 3 bits for the 27 characters of a line.
    assert scores["scores"][0]["value"] < 0.2
