"""The embedded classified corpus through the real commands: learnt, used, scored, exported."""

import json


def test_the_demo_learns_to_tell_praise_from_blame(nmt_train, make_command, tmp_path):
    trained = nmt_train(
        *("experiment=demo_classification", "trainer.max_updates=120", "trainer.validate_every=40"),
        *("trainer.threads=1", "trainer.precision=fp32", "corpus.cache_dir=cache"),
    )
    assert trained.code == 0, trained.err
    bundle = tmp_path / "runs" / "demo_classification" / "best"
    exported = make_command("export")(bundle, "--precision", "fp32", "--quiet")
    assert exported.code == 0, exported.err
    predicted = make_command("predict")(bundle, text="This film is not good.\n\n这部电影一点也不好。\n")
    assert (predicted.code, predicted.out) == (0, "negative\n\nnegative\n")
    (tmp_path / "t.tsv").write_text("What a lovely soup!\tpositive\nIs this the soup?\tneutral\n", encoding="utf-8")
    scored = make_command("evaluate")(bundle, "--reference", tmp_path / "t.tsv", "--format", "json")
    assert scored.code == 0, scored.err
    assert [score["value"] for score in json.loads(scored.out)["scores"]] == [100, 100]
    # What training said of the test text, of which no line was seen.
    config = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    assert float(config["metadata"]["test"].split()[2]) > 90
