import numpy as np
import pytest

from nmt.corpus.padding import pad_rows


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_rows_end_with_eos_and_are_padded_to_the_longest(kind):
    ids, lengths = pad_rows([kind([7, 8, 9]), kind([5]), kind([])], pad_id=0, eos_id=3)
    assert ids.tolist() == [[7, 8, 9, 3], [5, 3, 0, 0], [3, 0, 0, 0]]
    assert lengths.tolist() == [4, 2, 1]
    assert (ids.dtype, lengths.dtype) == (np.int64, np.int64)
