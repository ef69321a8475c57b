"""Scripts that write no spaces between words, as ranges of a regular expression's set of characters."""

import re

KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d"
CHINESE = (
    "\u2e80-\u2fdf\u3005-\u3007\u3105-\u312f\u31a0-\u31bf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# In the order of the blocks: Thai and Lao, Tibetan, Burmese, Khmer, Tai Le and New Tai Lue, Tai Tham, Balinese, Yi,
# Javanese, Burmese, Tai Viet.
OTHERS = (
    "\u0e01-\u0ede\u0f40-\u0fbc\u1000-\u109f\u1780-\u17d3\u1950-\u19df\u1a20-\u1aad\u1b05-\u1b4c\ua000-\ua48c"
    "\ua984-\ua9c0\ua9e0-\ua9fe\uaa60-\uaadf"
)
UNSPACED = CHINESE + KANA + OTHERS
"""All of them."""


def is_unspaced(character: str) -> bool:
    """Tell whether it is of a script that writes no spaces between words."""
    return re.match(f"[{UNSPACED}]", character) is not None
