"""Who may import whom (ARCHITECTURE.md), what loads without torch, and how long a file may be."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import nmt

PACKAGE = Path(nmt.__file__).parent

# Each area may import itself and these; an entry covers what lies below it, unless that has an entry of its own.
CONFIG = {"nmt.choices", "nmt.schema", "nmt.config"}
ALLOWED = {
    "nmt": set(),
    "nmt.errors": set(),
    "nmt.choices": set(),
    "nmt.schema": {"nmt.errors"},
    "nmt.config_training": {"nmt.choices", "nmt.schema"},
    "nmt.config": {"nmt.errors", "nmt.choices", "nmt.schema", "nmt.config_training"},
    "nmt.segmentation": set(),
    "nmt.devices": {"nmt.errors"},
    "nmt.subwords": {"nmt.errors", "nmt.files", "nmt.segmentation"},
    "nmt.data": {"nmt.errors", *CONFIG, "nmt.subwords"},
    "nmt.model": {"nmt.errors"},
    "nmt.search": {"nmt.errors"},
    "nmt.files": {"nmt.errors"},
    "nmt.bundle": {"nmt", "nmt.errors", *CONFIG, "nmt.files", "nmt.subwords"},
    "nmt.checkpoint": {"nmt", "nmt.errors", "nmt.config", "nmt.files", "nmt.bundle", "nmt.subwords", "nmt.model"},
    "nmt.alignment": {"nmt.errors"},
    "nmt.shortlist": {"nmt.errors", "nmt.files", "nmt.subwords", "nmt.alignment"},
    "nmt.runtime": {
        "nmt",
        "nmt.errors",
        *CONFIG,
        "nmt.files",
        "nmt.bundle",
        "nmt.data",
        "nmt.search",
        "nmt.shortlist",
    },
    "nmt.loading": {
        "nmt.errors",
        *CONFIG,
        "nmt.config_training",
        "nmt.subwords",
        "nmt.search",
        "nmt.devices",
        "nmt.bundle",
        "nmt.checkpoint",
        "nmt.shortlist",
        "nmt.runtime",
    },
    "nmt.workers": {"nmt.errors"},
    "nmt.evaluation.metrics": {"nmt.errors"},
    "nmt.translator": {
        "nmt.errors",
        *CONFIG,
        "nmt.subwords",
        "nmt.data",
        "nmt.search",
    },
}
ALLOWED["nmt.evaluation"] = ALLOWED["nmt.translator"] | {"nmt.evaluation.metrics", "nmt.translator"}
ALLOWED["nmt.training"] = {"nmt", *ALLOWED}
ALLOWED["nmt.cli"] = {"nmt", "nmt.conf", *ALLOWED}

CONFIGURATION = ("nmt.errors", "nmt.choices", "nmt.schema", "nmt.config", "nmt.config_training")

# The only importers of these packages.
ONLY = {
    "sentencepiece": {"nmt.subwords"},
    "sacrebleu": {"nmt.evaluation.metrics"},
    "langcodes": {"nmt.evaluation.metrics"},
    "hydra": {"nmt.cli.train", "nmt.cli.explain", "nmt.cli.chosen"},
    "omegaconf": {"nmt.cli.train", "nmt.cli.explain", "nmt.cli.chosen"},
    "safetensors": {"nmt.checkpoint", "nmt.runtime.export"},
    "onnx": {"nmt.runtime.graph", "nmt.runtime.int8", "nmt.runtime.encoder", "nmt.runtime.ahead"},
    "onnxruntime": {"nmt.runtime.sessions"},
    "yaml": {"nmt.training.outcome", "nmt.cli.train_help", "nmt.cli.explain"},
    "pickle": {"nmt.training.state"},
    "argparse": {"nmt.cli.common", "nmt.cli.options", "nmt.cli.translate", "nmt.cli.evaluate", "nmt.cli.export"},
}


class Import(NamedTuple):
    importer: str
    imported: str
    typing_only: bool
    at_load: bool


def module_name(file):
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def imports_of(name):
    """Every import of a module, wherever in it."""
    found = []

    def walk(node, typing_only, at_load):
        if isinstance(node, ast.Import):
            found.extend(Import(name, alias.name, typing_only, at_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                found.append(Import(name, inside if inside in FILES else str(node.module), typing_only, at_load))
        guard = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        inner = at_load and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            walk(child, typing_only or guard, inner)

    walk(ast.parse(FILES[name].read_text(encoding="utf-8")), False, True)
    return found


IMPORTS = [one for name in FILES for one in imports_of(name)]


def area(module):
    """The entry of ALLOWED that a module belongs to: the longest that it lies in."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in ALLOWED and (name != "nmt" or module == "nmt")), module)


def test_the_walk_sees_what_is_there():
    assert Import("nmt.checkpoint", "nmt.model.seq2seq", False, True) in IMPORTS
    assert Import("nmt.model.seq2seq", "nmt.config", True, True) in IMPORTS
    assert Import("nmt.cli.train", "hydra", False, False) in IMPORTS
    assert len(FILES) > 40


@pytest.mark.parametrize("name", FILES)
def test_a_module_imports_only_what_its_area_may(name):
    here = area(name)
    assert here in ALLOWED, f"{name} has no place in the table of imports"
    for one in IMPORTS:
        if one.importer != name or one.imported.split(".")[0] != "nmt":
            continue
        if one == Import("nmt.model.seq2seq", "nmt.config", True, True):  # build_model's parameter
            continue
        other = area(one.imported)
        assert other == here or other in ALLOWED[here], f"{name} imports {one.imported}"


def test_every_module_stands_below_what_it_imports_in_the_architecture():
    text = (PACKAGE.parent / "ARCHITECTURE.md").read_text(encoding="utf-8").split("```")[1]
    listed = [line.split()[0] for line in text.splitlines() if re.match(r"  [a-z0-9_/]+(\.py|/) ", line)]
    places = {f"nmt.{name.removesuffix('.py').rstrip('/').replace('/', '.')}": i for i, name in enumerate(listed)}

    def place(module):
        names = (module.rsplit(".", cut)[0] for cut in range(module.count(".")))
        return next((places[name] for name in names if name in places), None)

    unlisted = [name for name in FILES if place(name) is None and FILES[name].name != "__init__.py"]
    assert unlisted == ["nmt.config_training"]  # which stands beside nmt.config
    for one in IMPORTS:
        above, below = place(one.imported), place(one.importer)
        if not one.typing_only and above is not None and below is not None:
            assert above <= below, f"{one.importer} imports {one.imported}, which stands below it"


@pytest.mark.parametrize("package", ONLY)
def test_a_package_has_these_importers_only(package):
    importers = {one.importer for one in IMPORTS if one.imported.split(".")[0] == package}
    assert importers
    assert importers <= ONLY[package]


def test_nobody_but_the_commands_imports_the_commands():
    assert {one.importer.split(".")[1] for one in IMPORTS if one.imported.startswith("nmt.cli")} == {"cli"}


def test_search_takes_torch_only_through_arrays_and_never_at_load():
    using = [one for one in IMPORTS if one.importer.startswith("nmt.search") and one.imported.startswith("torch")]
    assert {one.importer for one in using} == {"nmt.search.arrays"}
    assert all(one.typing_only or not one.at_load for one in using)


def test_the_configuration_is_standard_library_only():
    names = {one.imported.split(".")[0] for one in IMPORTS if one.importer in CONFIGURATION}
    assert names <= {"nmt", *sys.stdlib_module_names}


@pytest.mark.parametrize(
    "names",
    [
        "nmt.errors, nmt.config, nmt.schema",
        "nmt.search.beam, nmt.search.greedy, nmt.search.rules, nmt.search.scores",
        "nmt.cli.train, nmt.cli.translate, nmt.cli.evaluate, nmt.cli.export, nmt.cli.train_help",
        "nmt.training.outcome, nmt.training.summary",
    ],
)
def test_these_load_without_torch(names):
    heavy = "torch sentencepiece sacrebleu langcodes hydra omegaconf onnx onnxruntime safetensors"
    code = f"import sys, {names}; print([name for name in '{heavy}'.split() if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert finished.stderr == ""
    assert finished.stdout == "[]\n"


def test_what_translates_an_exported_bundle_needs_three_packages():
    """NumPy, sentencepiece and onnxruntime: requirements-translate.txt lists them, nothing else may be imported."""
    others = ["torch", "safetensors", "onnx", "sacrebleu", "langcodes", "hydra", "omegaconf"]
    others += ["yaml", "filelock", "platformdirs", "tqdm"]
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in others)
    code = f"import sys; {blocked}import nmt.cli.translate, nmt.loading, nmt.translator, nmt.runtime.model"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert (finished.returncode, finished.stderr) == (0, "")
    lines = (PACKAGE.parent / "requirements-translate.txt").read_text(encoding="utf-8").splitlines()
    names = [line.partition(">=")[0] for line in lines if not line.startswith("#")]
    assert names == ["numpy", "sentencepiece", "onnxruntime"]


@pytest.mark.parametrize("name", FILES)
def test_a_file_stays_readable_in_one_sitting(name):
    assert len(FILES[name].read_text(encoding="utf-8").splitlines()) <= 330
