"""The React example as a test builds it and as a user meets it."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Locator, Page, Route

import components
from example_apps import EXAMPLES, address
from pages import ROOT, blocks
from sse_bridge.static import FETCH_SSE

REACT = EXAMPLES / "react"
PROBE = Path(__file__).with_name("react_probe.tsx")
PACKAGES = ("react", "react-dom", "@types/react", "@types/react-dom")
KINDS = {".html": "text/html", ".js": "text/javascript"}


def project(folder: Path, *packages: str) -> Path:
    """A copy of the example beside which its packages lie as `npm install` would put them."""
    shutil.copytree(REACT, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    shutil.copy(PROBE, folder)
    for place, block in enumerate(shown_in_the_docs()):
        (folder / f"shown-{place}.tsx").write_text(block, encoding="utf-8")
    modules = folder / "node_modules"
    (modules / "@types").mkdir(parents=True)
    for name in packages:
        (modules / name).symlink_to(components.node_package(name))
    (modules / "fetch-sse").symlink_to(FETCH_SSE.parent)
    return folder


def shown_in_the_docs() -> list[str]:
    page = ROOT / "docs" / "browser.md"
    return [block.text for block in blocks(page) if block.language == "tsx"]


def run(folder: Path, program: str, *arguments: str) -> None:
    done = subprocess.run(
        [components.program(program), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def build(folder: Path) -> Path:
    """Bundle the page and the probe; gives the folder of what is served."""
    built = project(folder, "react", "react-dom") / "built"
    entries = ("page.tsx", PROBE.name)
    run(folder, "esbuild", *entries, "--bundle", "--format=esm", f"--outdir={built}")
    html = (folder / "index.html").read_text("utf-8")
    for entry in entries:
        script = built / Path(entry).with_suffix(".js").name
        shown = built / script.with_suffix(".html").name
        shown.write_text(html.replace("./page.tsx", f"./{script.name}"), encoding="utf-8")
    return built


def put(page: Page, built: Path, url: str) -> None:
    """Have the browser find the built page under the app's own origin."""

    def fulfil(route: Route) -> None:
        file = built / Path(route.request.url).name
        route.fulfill(body=file.read_text("utf-8"), content_type=KINDS[file.suffix])

    page.route(f"{url}/react/*", fulfil)


def visit(page: Page, built: Path, url: str, name: str = "page") -> None:
    put(page, built, url)
    page.goto(f"{url}/react/{name}.html")


def ask(page: Page, question: str = "Hello?") -> None:
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask").click()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def text(page: Page) -> Locator:
    return page.locator(".text")


def status(page: Page) -> Locator:
    return page.get_by_role("status")


@contextlib.contextmanager
def served_by_vite(folder: Path, app_url: str) -> Iterator[str]:
    """`npm run dev` for an app; gives the address of the page."""
    project(folder, "react", "react-dom", "vite")
    command = [components.program("vite"), "--port=0", "--clearScreen=false"]
    environment = {**os.environ, "APP": app_url, "NO_COLOR": "1"}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield address(process, "Local:")
        finally:
            process.terminate()
