"""The words of the configuration."""

import pytest

from nmt.config import choices
from nmt.config.choices import Word

KINDS = [kind for kind in vars(choices).values() if isinstance(kind, type) and issubclass(kind, Word) and kind != Word]


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_their_names(kind):
    """OmegaConf reads enumerations by name, bundles by value, and messages print them: all must be one."""
    assert all(member.name == member.value == str(member) == f"{member}" for member in kind)
