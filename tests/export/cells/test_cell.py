from importlib.util import find_spec

import pytest

from nmt.config.choices import Cell
from nmt.errors import ConfigError
from nmt.export.cells.cell import exported_cell
from nmt.model.cells.cell import cell_named


@pytest.mark.parametrize("word", [word for word in Cell if find_spec(f"nmt.export.cells.{word}")])
def test_an_exported_cell_has_the_states_that_its_equations_have(word):
    cell = exported_cell(word.value, of="decoder")
    assert len(cell.parts) == cell_named(word.value).parts
    assert cell.operator is None or cell.operator.states == len(cell.parts)


def test_a_cell_without_a_layout_translates_with_pytorch():
    with pytest.raises(ConfigError) as caught:
        exported_cell("novel", of="decoder")
    assert str(caught.value) == ("a model whose decoder is novel cannot be exported; PyTorch runs it as it is")
