"""The pages: their options, keys, files and links exist, and a slip in one of them is noticed."""

import re
import shlex

import pytest

from nmt.cli.hydra.compose import compose

from .pages import PAGES, ROOT, check, check_span, read, spans


def test_blocks_say_what_they_are():
    for page in PAGES:
        fences = re.findall(r"^ *```(\w*)$", read(page), re.MULTILINE)
        assert set(fences[::2]) <= {"sh", "python", "yaml", "text"}, page
        assert set(fences[1::2]) <= {""}, page
        assert not re.search(r"\n\n    \S", read(page)), f"{page}: a block without its language"


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_exists(page):
    settings = []
    for span in spans(page):
        try:
            settings += check_span(span)
        except pytest.skip.Exception:
            continue
        except (Exception, AssertionError) as error:
            raise AssertionError(f"{page}: `{span}`: {error}") from error
    compose([word for word in settings if not word.startswith(("corpus.weights", "corpus.tags"))])
    for address in re.findall(r"\]\(([^)]+)\)", read(page)):
        file, _, anchor = address.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        if "://" in address:
            continue
        assert target.exists(), f"{page}: {address}"
        titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        anchors = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]
        assert not anchor or anchor in anchors, f"{page}: {address}"


@pytest.mark.parametrize(
    "wrong",
    [
        "nmt-translate --beam-sze 5",
        "nmt-train experiment=dmeo",
        "trainer.max_minute=5",
        "model.dropuot",
        "model=smal",
        "--n-bets",
        "tools/benchmark.py",
        "nmt corpsu fetch",
        "make demos",
        "pip install '.[exprot]'",
        "trainer.max_updates=many",
    ],
)
def test_a_slip_in_a_page_is_noticed(wrong):
    with pytest.raises((Exception, AssertionError)):
        compose(check_span(wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        "nmt-export runs/mine/best --precision int7",
        "nmt augment diversify experiment=multi30k_en_de --shares 0.2",
        "python tools/verify_search.py --limits 3 runs/demo/best corpora/demo/test.en",
        "torchrun --standalone --nproc-for-node 2 -m nmt.cli.train experiment=multi30k_en_de",
        "torchrun --standalone -m nmt.cli.hydra.trainer experiment=multi30k_en_de",
        "nmt-train experiment=multi30k_en_de trainer.thread=2",
    ],
)
def test_a_slip_in_a_command_that_is_not_run_is_noticed(wrong, capsys):
    with pytest.raises((Exception, SystemExit)):
        check(shlex.split(wrong))
