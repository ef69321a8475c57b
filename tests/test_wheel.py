"""The wheel holds what nmt-train needs, and trains from any directory without the checkout."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import nmt

ROOT = Path(__file__).parents[1]
# A comma or a bracket ends what pip is told, in a sentence.
OTHER_PROJECT = re.compile(r"pip3? install(?:\s+[\w.~=<>!\[\]'\"{}/-]+)*?\s+['\"]?nmt(?![\w-]|'s)")
COMMANDS = ("nmt", "nmt-train", "nmt-translate", "nmt-evaluate", "nmt-export")
TINY = [
    "experiment=demo",
    "corpus.valid=valid",
    "corpus.test=",
    "subwords.vocabulary_size=200",
    "model.embedding_size=16",
    "model.encoder_hidden_size=16",
    "model.decoder_hidden_size=32",
    "model.lexicon_size=0",
    "trainer.max_updates=2",
    "trainer.validate_every=2",
    "trainer.threads=1",
    "trainer.device=cpu",
    "trainer.precision=fp32",
]


def run(*words, **options):
    finished = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, encoding="utf-8", timeout=300, **options
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy, so that no build/ of an earlier day gets in, nor anything into the checkout."""
    source = tmp_path_factory.mktemp("checkout")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    # Corpora that were fetched lie beside the demo corpus and are large.
    fetched = {file.name for file in (ROOT / "corpora").iterdir() if file.is_dir() and file.name != "demo"}
    for name in ("nmt", "conf", "corpora", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", *(fetched if name == "corpora" else ()))
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", source / "dist", cwd=source)
    (built,) = (source / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with the wheel's packages and commands, without its dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    run("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder, wheel)
    return folder


@pytest.fixture
def elsewhere(installed, tmp_path, monkeypatch):
    """An empty directory to work in, where the wheel's nmt is found before any other."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folder = tmp_path / "mes projets=1"
    folder.mkdir()
    return folder


def test_it_holds_the_package_its_configuration_and_the_demo_corpus(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder, pattern in [("nmt", "*.py"), ("conf", "*.yaml"), ("corpora/demo", "*")]:
        inside = "" if folder == "nmt" else "nmt/"
        files = [file for file in (ROOT / folder).rglob(pattern) if file.is_file() and "__pycache__" not in file.parts]
        missing = {
            inside + file.relative_to(ROOT).as_posix() for file in files if not file.name.startswith(".")
        } - names
        assert files
        assert missing == set()
    assert {"nmt/py.typed", "nmt/conf/__init__.py", "nmt/corpora/__init__.py"} <= names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"nmt"}
    assert not any("test_" in name or "conftest" in name for name in names)


def test_it_names_its_commands_and_licence(wheel):
    with zipfile.ZipFile(wheel) as archive:
        texts = {Path(name).name: name for name in archive.namelist() if ".dist-info/" in name}
        commands = archive.read(texts["entry_points.txt"]).decode("utf-8")
    for command in COMMANDS:
        module = {"nmt": "main", "nmt-train": "hydra.train"}.get(command, command.removeprefix("nmt-"))
        assert f"{command} = nmt.cli.{module}:main" in commands
    assert "LICENSE" in texts


def test_its_name_is_not_that_of_another_project_on_the_package_index(wheel):
    assert wheel.name.startswith(f"nmt_lstm-{nmt.__version__}-")
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (archive.read(name).decode("utf-8") for name in archive.namelist() if name.endswith("/METADATA"))
    assert "\nName: nmt-lstm\n" in metadata


@pytest.mark.parametrize(
    ("text", "leads_astray"),
    [
        ("pip install nmt", True),
        ("pip3 install --upgrade 'nmt[export]'", True),
        ("pip install\n    torch nmt==1.0", True),
        ("pip install torch, or run nmt-export", False),
        ("in nmt's own directory, pip install .", False),
        ("pip install nmt-lstm", False),
    ],
)
def test_what_would_install_the_other_project_is_recognised(text, leads_astray):
    assert bool(OTHER_PROJECT.search(text)) is leads_astray


def test_no_text_says_to_install_the_other_project():
    files = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in ("nmt", "conf", "docs", "tests", "tools"):
        files += [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md", ".yaml", ".txt")]
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in files if path != Path(__file__)}
    assert {ROOT / "README.md", ROOT / "requirements-translate.txt", ROOT / "nmt" / "cli" / "common.py"} <= set(texts)
    assert [path for path, text in texts.items() if OTHER_PROJECT.search(text)] == []


def test_it_trains_and_translates_from_any_directory(installed, elsewhere):
    where = run("-c", "import nmt, nmt.conf, nmt.corpora; print(nmt.__file__, nmt.conf.__file__)", cwd=elsewhere).stdout
    assert where.split() == [str(installed / "nmt" / "__init__.py"), str(installed / "nmt" / "conf" / "__init__.py")]
    for side in ("en", "de"):
        lines = (ROOT / "corpora" / "demo" / f"valid.{side}").read_text(encoding="utf-8").splitlines()[:4]
        (elsewhere / f"valid.{side}").write_text("\n".join(lines) + "\n", encoding="utf-8")

    finished = run("-m", "nmt.cli.train", *TINY, cwd=elsewhere)
    assert finished.stdout == ""
    run_dir = elsewhere / "runs" / "demo"
    assert {file.name for file in run_dir.iterdir()} >= {"best", "last", "state.pt", "config.yaml", "train.log"}
    assert {file.name for file in elsewhere.iterdir()} == {"runs", "valid.en", "valid.de"}

    translated = run("-m", "nmt.cli.translate", run_dir / "best", cwd=elsewhere, input="A dog runs.\n\n")
    assert translated.stdout.count("\n") == 2


def test_its_commands_start(installed, elsewhere):
    suffix = ".exe" if os.name == "nt" else ""
    for command in COMMANDS:
        script = installed / "bin" / f"{command}{suffix}"
        words = [script] if suffix else [sys.executable, script]
        finished = subprocess.run([*words, "--version"], capture_output=True, text=True, cwd=elsewhere, timeout=60)
        assert (finished.returncode, finished.stderr) == (0, "")
        assert finished.stdout.startswith(f"{command} ")


def test_the_recipes_of_public_corpora_are_in_it(installed, elsewhere):
    listed = run("-m", "nmt", "corpus", "fetch", "--list", cwd=elsewhere).stdout
    assert [line.partition(":")[0] for line in listed.splitlines()] == ["3am", "multi30k"]


def test_nothing_in_it_sends_its_user_to_a_file_that_is_not_there(wheel):
    """The scripts of tools/ are the maintainers' alone."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("nmt/")]
        texts = {name: archive.read(name).decode("utf-8", errors="replace") for name in names}
    assert len(texts) > 100
    assert [name for name, text in texts.items() if re.search(r"\btools/\w+\.py", text)] == []
