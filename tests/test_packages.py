"""What is published: an sdist in which README's commands work, and a README without dead links on an index."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tarfile
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

import components
import pages

ROOT = pages.ROOT
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that an sdist unpacks to."""
    if importlib.util.find_spec("hatchling") is None:
        components.missing("hatchling is not installed")
    from hatchling.builders.sdist import SdistBuilder

    folder = tmp_path_factory.mktemp("sdist")
    (archive,) = SdistBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    return unpacked


def hook() -> Any:
    if importlib.util.find_spec("hatchling") is None:
        components.missing("hatchling is not installed")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("target", ["demo", "test"])
def test_readmes_commands_find_their_targets_in_an_sdist(sdist: Path, target: str):
    make = components.program("make")
    done = subprocess.run(
        [make, "-n", target, f"PYTHON={sys.executable}"],
        cwd=sdist,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for script in re.findall(r"python (\w[\w/]*\.py)", done.stdout):
        assert (sdist / script).is_file()


@pytest.mark.parametrize("folder", ["examples", "src", "tests", "benchmarks", "docs"])
def test_an_sdist_has_every_file_of_what_the_commands_run(sdist: Path, folder: str):
    made = {"__pycache__", "_build", ".hypothesis"}
    for path in (ROOT / folder).rglob("*"):
        if path.is_file() and not made & set(path.parts) and path.suffix != ".pyc":
            assert (sdist / path.relative_to(ROOT)).is_file(), path


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.name)
def test_an_sdist_has_every_file_that_a_page_links_to(sdist: Path, page: Path):
    for target in LINK.findall(pages.prose(page)):
        assert (sdist / page.parent.relative_to(ROOT) / target).exists()


def test_the_readme_of_an_sdist_has_no_link_that_an_index_cannot_follow(sdist: Path):
    told = Parser().parsestr((sdist / "PKG-INFO").read_text(encoding="utf-8"))
    assert told["Description-Content-Type"] == "text/markdown"
    text = told.get_payload()
    assert "turns any generator of LLM chunks" in text
    assert re.findall(r"^(.*\]\((?!#|https?:).*)$", without_code(text), re.MULTILINE) == []


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


PAGE = """[Why](docs/why.md), ![chat](docs/chat.png), [there](docs/a.md#here), [up](#top), [web](https://a.example/)
```python
call[int](x)
```
"""


def test_links_to_files_lead_to_the_repository():
    assert hook().for_index(PAGE, "https://git.example/us") == PAGE.replace(
        "(docs/", "(https://git.example/us/blob/HEAD/docs/"
    ).replace("blob/HEAD/docs/chat.png", "raw/HEAD/docs/chat.png")


def test_links_to_files_are_words_where_the_repository_has_no_address():
    first, *code = hook().for_index(PAGE, None).splitlines()
    assert first == (
        "Why (`docs/why.md`), chat, there (`docs/a.md`), [up](#top), [web](https://a.example/)"
    )
    assert code == PAGE.splitlines()[1:]
