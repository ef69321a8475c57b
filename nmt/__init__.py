"""nmt: train a neural translator on your own parallel text, then translate.

    import nmt

    translator = nmt.load("runs/demo/best")
    for translation in translator.translate(["A dog runs."]):
        print(translation.text)

All is imported when it is first asked for: ``import nmt`` itself loads nothing heavy.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.version import __version__

if TYPE_CHECKING:
    from nmt.config.train import TrainConfig
    from nmt.errors import BundleError, ConfigError, CorpusError, NmtError, RunError
    from nmt.evaluation.report import Report
    from nmt.runs.results import RunResults
    from nmt.translation.request import Request, TextHypothesis, Translation
    from nmt.translation.translator import Translator

_PLACES = {
    "nmt.config.train": ("TrainConfig",),
    "nmt.errors": ("BundleError", "ConfigError", "CorpusError", "NmtError", "RunError"),
    "nmt.evaluation.report": ("Report",),
    "nmt.runs.results": ("RunResults",),
    "nmt.translation.request": ("Request", "TextHypothesis", "Translation"),
    "nmt.translation.translator": ("Translator",),
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}

__all__ = ["__version__", "evaluate", "load", "train"]
__all__ += ["Report", "Request", "RunResults", "TextHypothesis", "TrainConfig", "Translation", "Translator"]
__all__ += ["BundleError", "ConfigError", "CorpusError", "NmtError", "RunError"]


def load(
    path: str | Path,
    *others: str | Path,
    precision: str | None = None,
    device: str = "auto",
    threads: int = 0,
    n_best: int = 1,
    alignments: bool = False,
    glossary: str | Path | None = None,
    deadline: float | None = 0.05,
    layers: Sequence[str] = (),
    **search: Any,
) -> Translator:
    """Load a trained model, ready to translate; threads may share it.

    Args:
        path: a bundle, as ``runs/demo/best``.
        others: bundles of the same subwords, which make one ensemble with it: the mean of their probabilities counts.
        precision: ``int8`` (exported), ``bf16`` or ``fp32``; None: the fastest that was exported and can run here.
        device: ``cpu``, ``cuda``, ``cuda:N``, or ``auto``: the CPU for an exported model, else a GPU if there is one.
        threads: of the CPU; 0: one for an exported model, else PyTorch's choice.
        n_best: how many hypotheses to return for each line.
        alignments: say which source word each word translates.
        glossary: a file of terms, see `nmt.text.glossary.read_glossary`; None: there are none.
        deadline: seconds after which what was submitted is translated; None: it waits for `Translator.flush`.
        layers: what is done to lines: ``sentences`` translates each sentence of a line by itself, so that none is lost,
            and needs sentencex; ``html`` or ``tags`` takes tags out, and puts them back where their words went.
        search: settings of the search, as ``beam_size=1``; those of `nmt.config.search.SearchConfig`. What is not given
            is as the model was saved with. Of a model of several languages, ``to="gn"`` names the target language.

    Raises:
        BundleError: the model is missing or damaged.
        ConfigError: a setting is unknown or impossible, what it needs is not installed, or the bundles are no ensemble.
    """
    from nmt.bundle.ensemble import load_all
    from nmt.config.choices import TaskName
    from nmt.config.schema import changed
    from nmt.config.search import completed
    from nmt.errors import ConfigError
    from nmt.machine import set_kernel_caches
    from nmt.text.glossary import read_glossary
    from nmt.translation.languages import settled
    from nmt.translation.layers import layers_of
    from nmt.translation.translator import Translator

    set_kernel_caches()
    bundle = load_all([path, *others], precision=precision, device=device, threads=threads)
    if bundle.task is TaskName.generation:
        raise ConfigError(f"{path} does not translate, it is of task=generation: use nmt predict")
    settings = changed(bundle.search, completed(search))
    bundle = settled(bundle, settings, by_line=True)
    markup = [each for each in layers if each != "sentences"]
    if isinstance(layers, str) or len(markup) > 1 or not {*markup} <= {"html", "tags"}:
        raise ConfigError(f"layers={layers!r} is not possible: give a list of sentences, and one of html and tags")
    around = layers_of(
        bundle,
        settings,
        n_best=n_best,
        alignments=alignments,
        split_sentences="sentences" in layers,
        markup=markup[0] if markup else None,
    )
    translator = Translator(
        bundle,
        search=settings,
        n_best=n_best,
        alignments=alignments,
        glossary=read_glossary(Path(glossary)).terms if glossary is not None else (),
        deadline=deadline,
    )
    return translator.add_layers(around)


def train(config: TrainConfig, *, keep: Collection[str] = ()) -> RunResults:
    """Train a model, or go on where an earlier run with the same configuration stopped.

    Args:
        config: what `nmt-train` is told by its settings, as a value. ``config.run_dir`` gets ``best/``, the bundle that
            `load` takes. Of a translation, what is as it is by default is settled by the text and by this machine's
            speed, unless ``config.auto`` is False. With ``config.init_from``, it is the parent's, but for the subwords
            where ``config.subwords.inherit`` is false.
        keep: keys that stay although they are as by default, as in ``{"model.dropout"}``.

    Returns:
        what the run came to: its best score with signature, updates, minutes.

    Raises:
        NmtError: the configuration or the corpus is at fault, the run cannot be resumed, or it failed.
        KeyboardInterrupt: stopped by Ctrl-C, after saving.
    """
    from nmt.config.schema import differing
    from nmt.config.train import TrainConfig
    from nmt.machine import set_kernel_caches
    from nmt.runs.results import read_results
    from nmt.training.run import run

    set_kernel_caches()
    config = dataclasses.replace(config, run_dir=config.run_dir.replace("${name}", config.name))
    run(config, chosen=differing(config, TrainConfig()) | _known(keep))
    return read_results(config.directory)


def _known(keys: Collection[str]) -> set[str]:
    """Take keys of a configuration; ConfigError where one is none."""
    from nmt.config.schema import flatten, to_dict
    from nmt.config.train import TrainConfig
    from nmt.errors import ConfigError

    if unknown := sorted({*keys} - flatten(to_dict(TrainConfig())).keys()):
        raise ConfigError(f"keep has {unknown[0]!r}, which is no key: write it as in model.dropout")
    return {*keys}


def evaluate(
    translator: Translator,
    source: Sequence[str],
    reference: Sequence[str],
    *,
    tokenize: str | None = None,
    lowercase: bool = False,
) -> Report:
    """Translate a test set and score it: BLEU, chrF and TER, each with its sacreBLEU signature.

    Args:
        translator: from `load`.
        source: lines of raw text.
        reference: as many lines of detokenised reference translations.
        tokenize: BLEU's tokenizer, such as ``13a`` or ``zh``; None: what suits the target language.
        lowercase: ignore case.

    Returns:
        the scores, without TER where lines are too long for it; ``print(report.table())``.

    Raises:
        ConfigError: there is no such tokenizer, or it is not installed.
        CorpusError: the two sides have different numbers of lines, or none.
    """
    from nmt.evaluation.report import score_translator

    return score_translator(translator, source, reference, tokenize=tokenize, lowercase=lowercase)


def __getattr__(name: str) -> Any:
    """Import what is asked for by its name."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'nmt' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
