import pytest

from nmt.bundle.weights import save_bundle
from nmt.export.variant import export
from nmt.runtime.model import OnnxModel

LINES = ["a small red house", "", "the old river stands near the small house", "river", "a house near a river"]


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("verify_search")


@pytest.mark.parametrize("leaks", [False, True])
def test_what_depends_on_the_batch_is_counted_of_a_variant(tool, make_bundle, tmp_path, capsys, monkeypatch, leaks):
    path, text = tmp_path / "bundle", tmp_path / "text"
    save_bundle(make_bundle(), path)
    export(path, "int8")
    text.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    if leaks:
        start = OnnxModel.start

        def of_the_longest(self, source, lengths, constraints=None):
            return start(self, source, lengths * 0 + lengths.max(), constraints)

        monkeypatch.setattr(OnnxModel, "start", of_the_longest)
    assert tool.main([str(path), str(text), "--precision", "int8"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 6
    found = "beam 5, batch 64 shuffled against 1: 5 sentences, 0 differ; of the others 0 log-probabilities do"
    assert printed[-1].startswith(found) is not leaks
