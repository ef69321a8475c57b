import dataclasses
import random

import pytest
import torch

from nmt.errors import ConfigError, RunError
from nmt.training import state as state_module
from nmt.training.state import Position, SavedState, Sums, load_state, save_state


@pytest.fixture
def state():
    torch.manual_seed(1)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return SavedState(
        config={"seed": 3, "trainer": {"max_minutes": 1.5, "overwrite": False}, "name": "ünïcode"},
        corpus_digest="abc",
        source_subwords=b"\x00\xffsource",
        target_subwords=b"target",
        precision="bf16",
        threads=2,
        position=Position(update=7, epoch=1, batch=3, seconds=12.5, best_score=31.4, finished="why"),
        sums=Sums(smoothed=1.25, negative_log_likelihood=1.0, target_tokens=9, began=3.5),
        model=model.state_dict(),
        optimizer=optimizer.state_dict(),
        average=[p.detach() * 2 for p in model.parameters()],
    )


def test_a_state_comes_back_as_it_was(state, tmp_path, same):
    save_state(state, tmp_path / "state.pt")
    loaded = load_state(tmp_path / "state.pt")
    for item in dataclasses.fields(SavedState):
        assert same(getattr(loaded, item.name), getattr(state, item.name)), item.name
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_the_best_score_has_its_earlier_name_in_the_file(state, tmp_path):
    save_state(state, tmp_path / "state.pt")
    position = torch.load(tmp_path / "state.pt", weights_only=True)["position"]
    assert (position["best_bleu"], "best_score" in position) == (31.4, False)


def test_a_state_that_knew_fewer_counters_still_loads(state, tmp_path):
    path = tmp_path / "state.pt"
    save_state(state, path)
    values = torch.load(path, weights_only=True)
    del values["sums"], values["position"]["last_validation"]
    torch.save(values, path)
    loaded = load_state(path)
    assert (loaded.position, loaded.sums) == (state.position, Sums())


def test_a_failed_save_leaves_the_earlier_state(state, tmp_path, monkeypatch):
    path = tmp_path / "state.pt"
    save_state(state, path)
    before = path.read_bytes()

    def full(path, write):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state_module, "write_atomically", full)
    state.position.update = 8
    with pytest.raises(RunError) as error:
        save_state(state, path)
    assert str(error.value) == (
        f"cannot save {path}: No space left on device; what was saved before is intact; "
        "free some space and run the same command again"
    )
    assert error.value.exit_code == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize("values", [{}, [1, 2], {"format": 1}, {"format": 1, "position": {"updates": 1}}, "text"])
def test_what_is_not_a_state_is_refused_in_one_line(tmp_path, values):
    path = tmp_path / "state.pt"
    torch.save(values, path)
    with pytest.raises(ConfigError) as error:
        load_state(path)
    message = str(error.value)
    assert message.startswith(f"{path} cannot be read (")
    assert "so the run cannot be resumed; add trainer.overwrite=true to start anew" in message
    assert "\n" not in message


def test_a_directory_in_the_place_of_a_state(tmp_path):
    (tmp_path / "state.pt").mkdir()
    with pytest.raises(ConfigError, match=r"state\.pt cannot be read \(.*so the run cannot be resumed"):
        load_state(tmp_path / "state.pt")


def test_damage_anywhere_is_told_in_one_line_or_harmless(state, tmp_path):
    path = tmp_path / "state.pt"
    save_state(state, path)
    whole, draw, told = path.read_bytes(), random.Random(1), []
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[draw.randrange(len(whole))] = draw.randrange(256)
        path.write_bytes(damaged)
        try:
            load_state(path)
        except ConfigError as error:
            told.append(str(error))
    assert len(told) > 15
    assert not any("\n" in message for message in told)
