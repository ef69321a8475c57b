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

# Each room may import itself and these. What a room must never know is said in its own docstring too.
ALLOWED: dict[str, set[str]] = {
    "nmt.version": set(),
    "nmt.errors": set(),
    "nmt.files": {"nmt.errors"},
    "nmt.machine": {"nmt.errors"},
    "nmt.config": {"nmt.errors"},
    "nmt.text": {"nmt.errors", "nmt.files"},
    "nmt.corpus": {"nmt.errors", "nmt.config", "nmt.text"},
    "nmt.model": {"nmt.errors"},
    "nmt.search": {"nmt.errors"},
    "nmt.runtime": {"nmt.errors", "nmt.files", "nmt.text", "nmt.search"},
}
ALLOWED["nmt.bundle"] = {*ALLOWED} - {"nmt.corpus"}
ALLOWED["nmt.export"] = {"nmt.version", "nmt.errors", "nmt.config", "nmt.files", "nmt.text", "nmt.corpus", "nmt.bundle"}
ALLOWED["nmt.translation"] = {"nmt.errors", "nmt.config", "nmt.text", "nmt.corpus", "nmt.search"}
ALLOWED["nmt.evaluation"] = {"nmt.errors", "nmt.config", "nmt.text", "nmt.corpus", "nmt.search", "nmt.bundle"}
ALLOWED["nmt.evaluation"] |= {"nmt.translation"}
ALLOWED["nmt.tasks"] = {"nmt.errors", "nmt.config", "nmt.text", "nmt.corpus", "nmt.model", "nmt.bundle"}
ALLOWED["nmt.tasks"] |= {"nmt.translation", "nmt.evaluation"}
ALLOWED["nmt.runs"] = {"nmt.errors", "nmt.config", "nmt.files", "nmt.bundle"}
ALLOWED["nmt.training"] = {*ALLOWED} - {"nmt.export", "nmt.runtime"}
ALLOWED["nmt.recipes"] = {*ALLOWED}  # in the list of nobody but the commands
ALLOWED["nmt.lab"] = {*ALLOWED} - {"nmt.recipes"}  # nor this
ALLOWED["nmt.documents"] = {"nmt.errors"}  # nor this
# The front door, which nobody inside the house goes through.
ALLOWED["nmt"] = {*ALLOWED} - {"nmt.recipes", "nmt.lab"}
ALLOWED["nmt.cli"] = {*ALLOWED, "nmt.conf"} - {"nmt"}
ALLOWED["nmt.__main__"] = {"nmt.cli"}  # python -m nmt is the command nmt

# The only importers of these packages: a module, or a room and all in it.
ONLY = {
    "sentencepiece": {"nmt.text.subwords", "nmt.text.subword_training"},
    "sacrebleu": {"nmt.evaluation.metrics"},
    "langcodes": {"nmt.evaluation.metrics"},
    "lxml": {"nmt.documents.xliff"},
    "polib": {"nmt.documents.gettext"},
    "pysubs2": {"nmt.documents.subtitles"},
    "sentencex": {"nmt.text.sentences"},
    "nervaluate": {"nmt.evaluation.labelling"},
    "hydra": {"nmt.cli.hydra"},
    "omegaconf": {"nmt.cli.hydra"},
    "safetensors": {"nmt.bundle.weights", "nmt.export.variant"},
    "onnx": {"nmt.export"},
    "onnxruntime": {"nmt.runtime.sessions"},
    "yaml": {"nmt.runs.results", "nmt.cli.hydra"},
    "pickle": {"nmt.training.state"},
    "argparse": {"nmt.cli"},
    "filelock": {"nmt.corpus.store", "nmt.runs.directory", "nmt.recipes.translated_text"},
    "tqdm": {"nmt.runs", "nmt.recipes.translated_text", "nmt.cli"},
}
# These rooms load without PyTorch.
WITHOUT_TORCH = ("nmt.errors", "nmt.files", "nmt.config", "nmt.text", "nmt.search", "nmt.runtime", "nmt.translation")
WITHOUT_TORCH += (
    "nmt.evaluation",
    "nmt.documents",
    "nmt.tasks",
    "nmt.runs",
    "nmt.cli",
    "nmt.bundle.description",
    "nmt.bundle.loading",
)


class Import(NamedTuple):
    importer: str
    imported: str
    typing_only: bool
    at_load: bool


def module_name(file):
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}
# Tests and tools by their path; they import what they like, but are to be read as well.
BESIDE = [file for folder in ("tests", "tools") for file in sorted((PACKAGE.parent / folder).rglob("*.py"))]
READABLE = FILES | {file.relative_to(PACKAGE.parent).as_posix(): file for file in BESIDE}


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


def within(module, room):
    """Whether a module is a room, or in it."""
    return module == room or module.startswith(f"{room}.")


def room(module):
    """The entry of ALLOWED that a module belongs to; the longest, and itself where it has none."""
    rooms = [name for name in ALLOWED if within(module, name) and (name != "nmt" or module == "nmt")]
    return max(rooms, key=len, default=module)


def test_the_walk_sees_what_is_there():
    assert Import("nmt.bundle.networks", "nmt.model.seq2seq", False, True) in IMPORTS
    assert Import("nmt.model.seq2seq", "nmt.config.model", True, True) in IMPORTS
    assert Import("nmt.cli.hydra.compose", "hydra", False, False) in IMPORTS
    assert len(FILES) > 40


@pytest.mark.parametrize("name", FILES)
def test_a_module_imports_only_what_its_room_may(name):
    here = room(name)
    assert here in ALLOWED, f"{name} has no place in the table of imports"
    for one in IMPORTS:
        if one.importer != name or one.imported.split(".")[0] != "nmt":
            continue
        if one.imported == "nmt.config.model" and one.typing_only and here == "nmt.model":  # what builders are given
            continue
        other = room(one.imported)
        assert other == here or other in ALLOWED[here], f"{name} imports {one.imported}"


def test_no_modules_import_each_other_in_a_circle():
    below = {name: {one.imported for one in IMPORTS if one.importer == name and not one.typing_only} for name in FILES}
    done: set[str] = set()

    def visit(name, path):
        assert name not in path, " imports ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in sorted(below[name] & FILES.keys()):
                visit(other, [*path, name])
            done.add(name)

    for name in FILES:
        visit(name, [])


def test_every_module_stands_below_what_it_imports_in_the_architecture():
    text = (PACKAGE.parent / "ARCHITECTURE.md").read_text(encoding="utf-8").split("```")[1]
    listed = [line.split()[0] for line in text.splitlines() if re.match(r"  [a-z0-9_/]+(\.py|/) ", line)]
    places = {f"nmt.{name.removesuffix('.py').rstrip('/').replace('/', '.')}": i for i, name in enumerate(listed)}

    def line_of(module):
        names = (module.rsplit(".", cut)[0] for cut in range(module.count(".")))
        return next((places[name] for name in names if name in places), None)

    unlisted = [name for name in FILES if line_of(name) is None and FILES[name].name != "__init__.py"]
    assert unlisted == []
    for one in IMPORTS:
        above, below = line_of(one.imported), line_of(one.importer)
        if not one.typing_only and above is not None and below is not None:
            assert above <= below, f"{one.importer} imports {one.imported}, which stands below it"


def test_importing_the_front_door_imports_nothing_but_the_version():
    code = "import sys, nmt; print(*sorted(name for name in sys.modules if name.partition('.')[0] in "
    code += "('nmt', 'torch', 'numpy', 'sentencepiece', 'hydra')))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert (finished.stdout, finished.stderr) == ("nmt nmt.version\n", "")


@pytest.mark.parametrize("package", ONLY)
def test_a_package_has_these_importers_only(package):
    importers = {one.importer for one in IMPORTS if one.imported.split(".")[0] == package}
    assert importers
    assert [name for name in importers if not any(within(name, allowed) for allowed in ONLY[package])] == []


def test_nobody_but_the_commands_imports_the_commands():
    importers = {one.importer.split(".")[1] for one in IMPORTS if one.imported.startswith("nmt.cli")}
    assert importers == {"cli", "__main__"}


def test_search_takes_torch_only_through_arrays_and_never_at_load():
    using = [one for one in IMPORTS if one.importer.startswith("nmt.search") and one.imported.startswith("torch")]
    assert {one.importer for one in using} == {"nmt.search.arrays"}
    assert all(one.typing_only or not one.at_load for one in using)


def test_the_configuration_is_standard_library_only():
    names = {one.imported.split(".")[0] for one in IMPORTS if room(one.importer) in ("nmt.config", "nmt.errors")}
    assert names <= {"nmt", *sys.stdlib_module_names}


def loaded_by(names, packages):
    """Which of some packages are loaded once these modules are."""
    code = f"import sys, {', '.join(names)}; print(*[name for name in {packages.split()!r} if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert finished.stderr == ""
    return finished.stdout.split()


def test_these_rooms_load_without_torch_and_what_reads_models():
    names = [name for name in FILES if any(within(name, room) for room in WITHOUT_TORCH)]
    assert len(names) > 40
    assert loaded_by(names, "torch safetensors onnx hydra omegaconf") == []


def test_the_commands_load_nothing_heavy():
    names = [name for name in FILES if within(name, "nmt.cli")]
    names += [name for name in FILES if room(name) in ("nmt.config", "nmt.search", "nmt.runs")]
    heavy = "torch sentencepiece sacrebleu langcodes nervaluate hydra omegaconf onnx onnxruntime safetensors"
    assert loaded_by(names, heavy) == []


def test_what_translates_an_exported_bundle_needs_three_packages():
    """NumPy, sentencepiece and onnxruntime: requirements-translate.txt lists them, nothing else may be imported."""
    others = ["torch", "safetensors", "onnx", "sacrebleu", "langcodes", "nervaluate", "hydra", "omegaconf"]
    others += ["yaml", "filelock", "platformdirs", "tqdm"]
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in others)
    names = "nmt.cli.translate, nmt.bundle.loading, nmt.translation.translator, nmt.runtime.model"
    names += ", nmt.cli.predict, nmt.translation.labeller, nmt.runtime.tagger"
    names += ", nmt.translation.classifier, nmt.runtime.classifier"
    names += ", nmt.cli.score, nmt.translation.scorer, nmt.translation.similarity, nmt.bundle.ensemble"
    code = f"import sys; {blocked}import {names}"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert (finished.returncode, finished.stderr) == (0, "")
    lines = (PACKAGE.parent / "requirements-translate.txt").read_text(encoding="utf-8").splitlines()
    names = [line.partition(">=")[0] for line in lines if not line.startswith("#")]
    assert names == ["numpy", "sentencepiece", "onnxruntime"]


@pytest.mark.parametrize("name", READABLE)
def test_a_file_stays_readable_in_one_sitting(name):
    assert len(READABLE[name].read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("name", FILES)
def test_a_function_fits_on_a_screen_and_takes_its_options_as_values(name):
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            body = node.end_lineno - node.body[0].lineno + 1
            docstring = ast.get_docstring(node, clean=False)
            body -= docstring.count("\n") + 1 if docstring else 0
            assert body <= 75, f"{name}.{node.name} has {body} lines"  # blank ones and comments counted
            assert len(node.args.args) + len(node.args.kwonlyargs) <= 9, f"{name}.{node.name}"
