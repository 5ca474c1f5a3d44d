"""What the README and the pages under docs/ say is so: their code runs, their tables are complete."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

import page_models
import pages
from pages import ROOT
from sse_bridge.options import Options, Words
from sse_bridge.registry import streams
from test_layers import MAY_IMPORT

README, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
OPTIONS = ROOT / "docs" / "options.md"

NOT_RUN = 18  # how many blocks say that they cannot be run
LANGUAGES = {"python", "pycon", "console", "text", "json", "javascript", "html", "tsx"}
LANGUAGES |= {"apache", "docker", "nginx"}  # run by servers/test_recipes.py and test_proxies.py
DIRECTIVES = {"{toctree}", "{eval-rst}"}
SERVES_THE_CLIENT = """
from flask import Flask, send_file
from sse_bridge.static import FETCH_SSE

app = Flask(__name__)
app.add_url_rule("/fetch-sse.js", "fetch_sse", lambda: send_file(FETCH_SSE))
"""


@pytest.fixture
def _models(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with page_models.serving(request.getfixturevalue("page"), monkeypatch):
        yield


@pytest.fixture
def run() -> Iterator[pages.Run]:
    with start_blocking_portal() as portal:
        run = pages.Run(portal)
        yield run
        run.close()


def title(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.usefixtures("_models")
@pytest.mark.parametrize("page", pages.pages(), ids=title)
def test_the_blocks_of_a_page_run_and_give_what_it_shows(page: Path, run: pages.Run):
    if page.stem == "moving":
        pytest.importorskip("fastapi.sse", reason="this FastAPI is too old to have events")
    open_before = streams.open
    for block in pages.blocks(page):
        if block.is_run and not block.is_script:
            run.block(block)
    assert streams.open == open_before


# Apart from the test above, which asks for no Node.
@pytest.mark.usefixtures("_models")
@pytest.mark.parametrize("page", pages.with_scripts(), ids=title)
def test_the_scripts_of_a_page_run_and_print_what_it_shows(page: Path, run: pages.Run):
    open_before = streams.open
    for block in pages.blocks(page):
        if block.is_run and (block.is_python or block.is_script):
            run.block(block)
    assert streams.open == open_before


def test_a_script_that_prints_what_its_page_does_not_show_is_found(run: pages.Run):
    run.block(pages.Block(README, 1, "python", SERVES_THE_CLIENT))
    run.block(pages.Block(README, 1, "javascript", "console.log(1 + 1)", shown="2"))
    with pytest.raises(AssertionError, match="there comes\n2"):
        run.block(pages.Block(README, 1, "javascript", "console.log(1 + 1)"))


def test_a_block_that_is_not_run_says_why_and_is_counted():
    left_out = [b for page in pages.pages() for b in pages.blocks(page) if not b.is_run]
    for block in left_out:
        reason = block.text.partition("\n")[0].partition(": ")[2]
        assert reason.strip(), block.place
    assert len(left_out) == NOT_RUN, [block.place for block in left_out]


@pytest.mark.parametrize("page", pages.pages(), ids=title)
def test_every_block_is_of_a_language_that_the_tests_know(page: Path):
    for block in pages.blocks(page):
        directive = block.language.partition(" ")[0]
        assert block.language in LANGUAGES or directive in DIRECTIVES, block.place
        assert block.is_python or ">>> " not in block.text, block.place
    assert "```" not in pages.prose(page)
    assert "~~~" not in pages.prose(page)


@pytest.mark.parametrize("page", pages.pages(), ids=title)
def test_every_make_command_is_a_target_of_the_makefile(page: Path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    asked = set(re.findall(r"(?:`|^\$ )make ([a-z-]+)", text, re.MULTILINE))
    assert asked <= targets


def test_the_readme_has_both_commands():
    for page in (README, CHINESE):
        commands = "".join(b.text for b in pages.blocks(page) if b.language == "console")
        assert "$ make demo" in commands
        assert "$ make test" in commands


@pytest.mark.parametrize(
    ("page", "heading"),
    [(README, "## Options"), (CHINESE, "## 选项"), (OPTIONS, "# Options")],
    ids=["README", "README.zh-CN", "options"],
)
def test_the_option_table_lists_exactly_the_keywords_and_their_defaults(page: Path, heading: str):
    told = pages.options(page, heading)
    assert list(told) == list(Words.__annotations__)
    parameters = inspect.signature(Options).parameters
    assert {name: ast.literal_eval(default) for name, default in told.items()} == {
        name: parameters[name].default for name in Words.__annotations__
    }


def test_the_chinese_readme_has_the_same_headings_and_the_same_code():
    assert pages.headings(CHINESE) == pages.headings(README)
    ours = [(block.language, block.text) for block in pages.blocks(README)]
    theirs = [(block.language, block.text) for block in pages.blocks(CHINESE)]
    assert theirs == ours


@pytest.mark.parametrize("page", pages.pages(), ids=title)
def test_every_link_to_a_file_finds_it(page: Path):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", pages.prose(page)):
        assert (page.parent / target).exists(), f"{title(page)}: {target}"


@pytest.mark.parametrize("index", sorted((ROOT / "docs").rglob("index.md")), ids=title)
def test_every_page_is_in_the_index_of_its_folder_and_every_folder_in_the_one_above(index: Path):
    named = {page.stem for page in index.parent.glob("*.md")} - {"index"}
    named |= {f"{below.parent.name}/index" for below in index.parent.glob("*/index.md")}
    listed = index.read_text(encoding="utf-8").splitlines()
    assert named <= set(listed)


def test_the_architecture_page_has_every_layer():
    table = (
        (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("| module ")[2]
    )
    rows = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([^`]*)`", row)}
    assert told == {layer.removesuffix("*") for layer in MAY_IMPORT} - {"__init__"}
