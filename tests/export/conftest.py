"""What several tests of exported variants share: a bundle, its files and translations, and how it is refused."""

import pytest

from nmt.bundle.loading import load
from nmt.bundle.weights import save_bundle
from nmt.errors import BundleError, ConfigError
from nmt.translation.translator import Translator

LINES = ["a small red house", "the old river", "near", "house near the river stands old"]


def contents(path):
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def texts(bundle):
    return [translation.text for translation in Translator(bundle).translate(LINES)]


@pytest.fixture
def best(make_bundle, tmp_path):
    path = tmp_path / "best"
    save_bundle(make_bundle(encoder_layers=2), path)
    return path


def refusal(path, **options):
    with pytest.raises((BundleError, ConfigError)) as caught:
        load(path, **options)
    assert caught.value.exit_code == 2
    return str(caught.value)
