"""The pages of the documentation as the tests read them.

Rules of the pages:

1. The `python` and `pycon` blocks of a page run from top to bottom, in one namespace.
2. A `console` block with `$ curl ...` asks the `app` that was defined last, through its framework's test
   client. The lines below the command are what must come back; `...` stands for anything. Of the headers
   that `-i` shows, only those on the page are looked at. White space at the end of a line is not shown.
3. A `javascript` block is a module on a page of that `app`, run by Node: see static_docs.py. All that it
   prints is in the `text` block after it.
4. A block that has a file's name in its first line, as a comment, is that file. Those of a user's tests pytest
   runs together: see testing/test_docs_page.py. Apps, clients and configurations are run by servers/test_recipes.py
   and servers/test_proxies.py, as they are written.
5. A `tsx` block is a component beside the React example's hook: browser/test_react.py compiles it.
6. An `html` block is a whole page of that `app`, and of those after it. Chromium opens it: see
   browser/test_docs_pages.py.
7. A block that cannot be run says so in its first line: `# Not run by the tests: ` (or `// Not ...`) and the
   reason.
"""

import argparse
import doctest
import inspect
import itertools
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dashscope
from anyio.from_thread import BlockingPortal
from flask import Flask
from starlette.testclient import TestClient
from werkzeug.test import Client

from static_docs import printed

ROOT = Path(__file__).resolve().parents[1]
NOT_RUN = ("# Not run by the tests: ", "// Not run by the tests: ")
LOOSE = doctest.ELLIPSIS

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=indent)(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
_NAME = re.compile(r"(?:#|//|<!--) ([\w.-]+\.\w+|Dockerfile|Caddyfile)(?:, continued)?(?: -->)?\n")
_HEADING = re.compile(r"^(#+) ", re.MULTILINE)
_ROW = re.compile(r"^\| `(\w+)` \| `([^`]+)` \|", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    page: Path
    line: int  # of its first line of text
    language: str
    text: str
    shown: str = ""  # by the page, as what a script prints

    @property
    def is_python(self) -> bool:
        return self.language in ("python", "pycon")

    @property
    def file(self) -> str:
        """The name of the file that this is, or nothing."""
        named = _NAME.match(self.text)
        return named[1] if named else ""

    @property
    def is_file(self) -> bool:
        return self.is_python and bool(self.file)

    @property
    def is_tests(self) -> bool:
        return re.fullmatch(r"(test_\w+|conftest)\.py", self.file) is not None

    @property
    def is_script(self) -> bool:
        return self.language == "javascript"

    @property
    def is_run(self) -> bool:
        return not self.text.startswith(NOT_RUN)

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    written = (path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
    return [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted(written)]


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = [
        Block(
            page, text.count("\n", 0, fence.start("text")) + 1, fence["info"].strip(), fence["text"]
        )
        for fence in _FENCE.finditer(text)
    ]
    for place, (block, after) in enumerate(itertools.pairwise(found)):
        if block.is_script and after.language == "text":
            found[place] = replace(block, shown=after.text)
    return found


def file(page: Path, name: str) -> list[str]:
    """The texts of the blocks of a page that are the file of this name: all but the first continue it."""
    return [block.text for block in blocks(page) if block.file == name]


def with_scripts() -> list[Path]:
    return [page for page in pages() if any(block.is_script for block in blocks(page))]


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> list[int]:
    """The levels of the headings, in order."""
    return [len(marks) for marks in _HEADING.findall(prose(page))]


def options(page: Path, heading: str) -> dict[str, str]:
    """Name and default, the first columns of the table under a heading."""
    section = f"\n{prose(page)}".partition(f"\n{heading}\n")[2]
    return dict(_ROW.findall(re.split(r"^#", section, maxsplit=1, flags=re.MULTILINE)[0]))


class Run:
    """One page's run: its namespace, and the loop that its ASGI apps and async clients share."""

    def __init__(self, portal: BlockingPortal) -> None:
        self.portal = portal
        self._names: dict[str, Any] = {"__name__": "page"}
        self._clients: dict[int, Any] = {}

    def block(self, block: Block) -> None:
        """Run a block; what it shows is asserted."""
        if block.is_file:
            return
        if block.language == "python":
            # As many lines in front as on the page, so that a traceback points there.
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, str(block.page), "exec"), self._names)
        elif block.language == "pycon":
            _run_doctest(block, self._names)
        elif block.language == "console":
            for command, shown in conversations(block):
                self._ask(block, command, shown)
        elif block.is_script:
            _compare(block, block.shown, printed(self._names["app"], block.text, self.portal))
        self._look_around()

    @property
    def app(self) -> Any:
        """The app that was defined last."""
        return self._names.get("app")

    def close(self) -> None:
        """Close what the page left open, in the loop where it was used."""
        for client in self._clients.values():
            if type(client).__name__.startswith("Async"):
                self.portal.call(client.close)
            else:
                client.close()
        if "AioGeneration" in self._names:
            self.portal.call(dashscope.close_shared_aio_session)

    def _look_around(self) -> None:
        for thing in self._names.values():
            if type(thing).__name__ in ("OpenAI", "AsyncOpenAI"):
                self._clients[id(thing)] = thing
        if isinstance(app := self._names.get("app"), Flask):
            app._got_first_request = False  # a page goes on adding routes to the app that it asked

    def _ask(self, block: Block, command: str, shown: str) -> None:
        asked = _CURL.parse_args(shlex.split(command)[1:])
        status, headers, body = self._call(self._names["app"], asked)
        if asked.head or asked.include:
            head, _, shown = shown.partition("\n\n")
            first, *lines = head.strip().splitlines()
            assert first.split()[1] == str(status), f"{block.place}: {first!r}, but it is {status}"
            for name, _, value in (line.partition(": ") for line in lines):
                assert headers.get(name.lower()) == value, f"{block.place}: {name}: {headers}"
        _compare(block, shown, body)

    def _call(self, app: Any, asked: argparse.Namespace) -> tuple[int, Mapping[str, str], str]:
        """Status, headers (names in lower case) and body of the app's answer."""
        method = asked.method or ("HEAD" if asked.head else "POST" if asked.json else "GET")
        headers = dict(line.split(": ", 1) for line in asked.headers)
        if asked.json:
            headers["Content-Type"] = "application/json"
        path = asked.url.path + (f"?{asked.url.query}" if asked.url.query else "")
        if inspect.iscoroutinefunction(type(app).__call__):
            client = TestClient(app, raise_server_exceptions=False)
            client.portal = self.portal  # one loop for all, as on a server
            answer = client.request(method, path, headers=headers, content=asked.json)
            return answer.status_code, dict(answer.headers), answer.text
        wsgi = app.test_client() if isinstance(app, Flask) else Client(app)
        with wsgi.open(path, method=method, headers=headers, data=asked.json) as reply:
            named = {name.lower(): value for name, value in reply.headers}
            return reply.status_code, named, _read(reply)


def _read(reply: Any) -> str:
    """The body; and what curl says of one that was cut."""
    body = bytearray()
    try:
        for piece in reply.response:
            body += piece
    except ConnectionResetError:
        body += b"curl: (18) transfer closed with outstanding read data remaining\n"
    return body.decode()


def _run_doctest(block: Block, names: dict[str, Any]) -> None:
    test = doctest.DocTestParser().get_doctest(
        block.text, names, block.place, str(block.page), block.line
    )
    test.globs = names  # the parser copies them
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=LOOSE | doctest.NORMALIZE_WHITESPACE)
    outcome = runner.run(test, out=said.append, clear_globs=False)
    assert not outcome.failed, "".join(said)


def conversations(block: Block) -> Iterator[tuple[str, str]]:
    """Each `curl` command of a console block, and the answer that it shows."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.replace("\\\n", " ").partition("\n")
        if command.startswith("curl "):
            assert shown.strip(), f"{block.place}: `{command}` shows no answer"
            yield command, shown


def _compare(block: Block, shown: str, came: str) -> None:
    matches = doctest.OutputChecker().check_output(_trimmed(shown), _trimmed(came), LOOSE)
    assert matches, f"{block.place}: the page shows\n{shown}\nbut there comes\n{came}"


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


_CURL = argparse.ArgumentParser("curl", add_help=False)
_CURL.add_argument("url", type=urlsplit)
_CURL.add_argument("-N", action="store_true")
_CURL.add_argument("-i", dest="include", action="store_true")
_CURL.add_argument("-I", dest="head", action="store_true")
_CURL.add_argument("-X", dest="method")
_CURL.add_argument("-H", dest="headers", action="append", default=[])
_CURL.add_argument("--json")
