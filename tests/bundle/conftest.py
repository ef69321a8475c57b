"""What several tests of bundles share: what stands beside a bundle, and which of several was loaded."""

import pytest

from nmt.bundle.weights import load_bundle


def siblings(path):
    return sorted(other.name for other in path.parent.iterdir() if other != path)


@pytest.fixture
def loaded_updates(assert_same_bundle):
    """A function that loads a bundle, which must be one of these, whole, and says which."""

    def load(path, bundles):
        loaded = load_bundle(path)
        updates = loaded.metadata["updates"]
        assert_same_bundle(loaded, bundles[updates])
        return updates

    return load
