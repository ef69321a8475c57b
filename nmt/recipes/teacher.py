"""A trained model, or several as one ensemble, whose translations others learn from."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nmt.bundle.description import read_description, read_whole
from nmt.bundle.ensemble import load_all
from nmt.config.search import SearchConfig
from nmt.translation.languages import settled
from nmt.translation.translator import Translator

if TYPE_CHECKING:
    from nmt.bundle.description import Description

_MODEL_FILES = (".safetensors", ".model", ".onnx", ".npz")


@dataclass(frozen=True)
class Teacher:
    """A bundle that makes text for others to learn from, and how it is to translate."""

    path: Path
    other_paths: tuple[Path, ...] = ()
    """bundles that translate together with it, as one ensemble; languages and search are those of `path`"""
    search: Callable[[SearchConfig], SearchConfig] | None = None
    """changes how the bundle says to search; None: nothing"""
    precision: str | None = None
    device: str = "auto"
    threads: int = 0

    def describe(self) -> Description:
        """Read the bundle's settings without its weights, and the languages that are asked for.

        Raises:
            BundleError: there is no bundle, or it is damaged.
            ConfigError: a language is missing, or the model does not have it.
        """
        description = read_whole(self.path, read_description)
        return settled(description, self.search(description.search) if self.search else description.search)

    def load(self) -> LoadedTeacher:
        """Load it; raises BundleError and ConfigError as `nmt.bundle.ensemble.load_all`."""
        paths = (self.path, *self.other_paths)
        bundle = load_all(paths, precision=self.precision, device=self.device, threads=self.threads)
        search = self.search(bundle.search) if self.search else bundle.search
        return LoadedTeacher(Translator(settled(bundle, search), search=search), bundle.precision, paths)


class LoadedTeacher(NamedTuple):
    """A teacher that is ready to translate."""

    translator: Translator
    precision: str
    paths: tuple[Path, ...]

    def fingerprint(self) -> dict[str, Any]:
        """Describe what translations depend on besides the text: the models in their order, and the search."""
        digests = [_digest(path) for path in self.paths]
        search = {key: str(value) for key, value in dataclasses.asdict(self.translator.search).items()}
        del search["batch_size"]
        # Files that a command of before began have no languages, no samples to choose from, and one model.
        before = {"to": "", "source_language": "", "mbr_samples": "0"}
        search = {key: value for key, value in search.items() if value != before.get(key)}
        model = digests[0] if len(digests) == 1 else digests
        return {"model": model, "precision": self.precision, "search": search}


def _digest(path: Path) -> str:
    """Give the SHA-256 of a bundle's models."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.suffix in _MODEL_FILES:
            digest.update(file.read_bytes())
    return digest.hexdigest()
