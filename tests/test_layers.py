"""Who may import whom, and the other laws of the source tree."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import sse_bridge

SOURCE = Path(sse_bridge.__file__).parent
TESTS = Path(__file__).parent
MODULES = sorted(
    path.relative_to(SOURCE).with_suffix("").as_posix() for path in SOURCE.rglob("*.py")
)

# The layers, from the bottom up: what of this package a module may import. A `*` is the whole folder.
# A module of a folder may import the folder's `base`, and its siblings where the folder names itself.
MAY_IMPORT = {
    "private": set(),
    "shapes": set(),
    "fast": set(),
    "payload": {"fast", "private"},
    "codes": set(),
    "failures": {"codes", "shapes"},
    "objects": {"codes", "failures", "payload", "private", "shapes"},
    "wire": {"failures", "objects", "shapes"},
    "framing": {"wire"},
    "parts": set(),
    "surrogates": {"parts"},
    "showing": set(),
    "summary": {"parts", "surrogates"},
    "times": set(),
    "stream": {"failures", "framing", "parts", "summary", "surrogates", "times"},
    "adapters/*": {
        "wire",
        "payload",
        "private",
        "failures",
        "objects",
        "parts",
        "shapes",
        "surrogates",
        "adapters/*",
    },
    "dialects/*": {"wire", "framing", "payload", "parts", "dialects/*"},
    "custom": {"adapters/*", "dialects/*", "objects", "parts", "shapes"},
    "unknown": {"adapters/*", "dialects/*"},
    "options": {
        "arguments",
        "custom",
        "keys",
        "media",
        "objects",
        "showing",
        "stream",
        "summary",
        "surrogates",
        "times",
        "unknown",
        "values",
        "adapters/*",
        "dialects/*",
        "parts",
    },
    "values": set(),
    "forks": set(),
    "keys": set(),
    "registry": {"forks", "keys"},
    "notice": {"private", "registry"},
    "stopping": {"forks", "registry", "notice"},
    "loops/*": {"forks", "private", "loops/*"},
    "interrupt": {"forks", "private", "loops/gevent"},
    "pursuit": {"forks", "interrupt"},
    "watches": {"loops/base"},
    "hangup": {"forks", "private", "loops/gevent", "watches", "hangup_a2wsgi", "notice"},
    "hangup_a2wsgi": {"private"},
    "drivers/*": {
        "failures",
        "forks",
        "keys",
        "showing",
        "stream",
        "summary",
        "registry",
        "interrupt",
        "pursuit",
        "watches",
        "loops/*",
        "options",
        "adapters/base",
        "parts",
        "shapes",
        "drivers/*",
    },
    "media": set(),
    "arguments": {"media"},
    "answers/*": {"failures", "options", "parts", "registry", "showing", "answers/*"},
    "middleware/*": {
        "adapters/base",
        "arguments",
        "failures",
        "flask_context",
        "hangup",
        "interrupt",
        "media",
        "notice",
        "options",
        "private",
        "registry",
        "summary",
        "watches",
        "answers/*",
        "loops/*",
        "drivers/*",
        "middleware/*",
    },
    "wsgi": {
        "answers/*",
        "arguments",
        "failures",
        "hangup",
        "options",
        "registry",
        "showing",
        "loops/*",
        "drivers/*",
        "middleware/wsgi",
    },
    "asgi": {
        "answers/*",
        "arguments",
        "options",
        "registry",
        "loops/*",
        "drivers/*",
        "middleware/asgi",
    },
    "flask_session": set(),
    "flask_context": {"flask_session", "private"},
    "flask_errors": {"answers/early", "options", "registry"},
    "flask_order": set(),
    "flask_views": {
        "flask_context",
        "flask_errors",
        "interrupt",
        "keys",
        "media",
        "options",
        "registry",
        "shapes",
        "watches",
        "wire",
        "drivers/*",
    },
    "flask": {
        "answers/*",
        "arguments",
        "flask_errors",
        "flask_order",
        "flask_views",
        "hangup",
        "middleware/takeover",
        "wsgi",
        "options",
        "private",
        "registry",
        "unknown",
        "watches",
        "loops/*",
        "drivers/*",
    },
    "starlette_order": set(),
    "starlette": {
        "answers/*",
        "arguments",
        "asgi",
        "failures",
        "media",
        "options",
        "registry",
        "starlette_order",
        "unknown",
        "loops/*",
        "drivers/*",
    },
    "fastapi": {"starlette"},
    "testing/*": {"wire", "summary", "registry", "stopping", "loops/*", "drivers/*", "testing/*"},
    "static/*": set(),
    "__init__": {
        "wire",
        "failures",
        "parts",
        "summary",
        "stopping",
        "adapters/*",
        "dialects/*",
    },
}

# Whose framework, and beyond the standard library nothing else.
FOREIGN = {
    "fast": {"orjson"},
    "flask": {"hangup", "flask", "werkzeug"},
    "flask_context": {"flask"},
    "flask_views": {"flask", "werkzeug"},
    "flask_errors": {"flask", "werkzeug"},
    "flask_order": {"flask"},
    "flask_session": {"flask"},
    "starlette": {"starlette"},
    "starlette_order": {"starlette"},
    "testing/clients": {"anyio"},
    "testing/over_asgi": {"anyio"},
    "testing/fixture": {"pytest"},
    "drivers/anyio": {"anyio"},
    "middleware/apps": {"anyio"},
    "middleware/inbox": {"anyio"},
    "loops/changes": {"anyio"},
    "loops/current": {"trio"},
    "loops/trio": {"trio"},
}

# No clock, no I/O, no thread.
PURE = [
    *(
        "private",
        "payload",
        "failures",
        "objects",
        "wire",
        "framing",
        "parts",
        "surrogates",
        "summary",
        "times",
        "stream",
    ),
    *("media", "showing", "unknown"),
    *("adapters/*", "dialects/*"),
]
IMPURE = {
    "time",
    "io",
    "os",
    "socket",
    "select",
    "selectors",
    "subprocess",
    "threading",
    "queue",
    "asyncio",
    "concurrent",
    "multiprocessing",
    "signal",
    "contextvars",
    "sched",
}
SDKS = {"openai", "dashscope", "anthropic", "google", "ollama", "langchain_core", "pydantic"}

FUNCTION_LINES, FILE_LINES = 40, 400


def tree(module):
    return ast.parse((SOURCE / f"{module}.py").read_text("utf-8"))


def imports(module):
    """The modules that this one imports, wherever in it; our own as paths from the package."""
    here = module.split("/")
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                yield node.module
                continue
            base = [".", *here[: len(here) - node.level], *filter(None, [node.module])]
            named = "/".join(base[1:]).replace(".", "/")
            for alias in node.names:
                inner = f"{named}/{alias.name}".lstrip("/")
                yield "./" + (inner if inner in MODULES or is_folder(inner) else named)


def is_folder(name):
    return (SOURCE / name / "__init__.py").is_file()


def ours(module):
    return {name[2:] for name in imports(module) if name.startswith("./")}


def foreign(module):
    roots = {name.split(".")[0] for name in imports(module) if not name.startswith("./")}
    return roots - sys.stdlib_module_names


def entry(module, table):
    folder = module.rpartition("/")[0]
    return table.get(module, table.get(f"{folder}/*"))


def allowed(name, patterns):
    folder = name if is_folder(name) else name.rpartition("/")[0]
    return name in patterns or f"{folder}/*" in patterns


# -- layers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_the_layers_below_it_only(module):
    patterns = entry(module, MAY_IMPORT)
    assert patterns is not None, f"{module} has no place in the table"
    assert {name for name in ours(module) if not allowed(name, patterns)} == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_knows_no_other_package_than_its_framework(module):
    assert foreign(module) <= FOREIGN.get(module, set())
    assert not foreign(module) & SDKS


@pytest.mark.parametrize(
    "module", [module for module in MODULES if entry(module, dict.fromkeys(PURE, True))]
)
def test_the_core_has_no_clock_no_io_and_no_thread(module):
    roots = {name.split(".")[0] for name in imports(module)}
    assert roots & IMPURE == set()
    calls = [node for node in ast.walk(tree(module)) if isinstance(node, ast.Call)]
    assert not [call for call in calls if getattr(call.func, "id", "") in ("open", "print")]


@pytest.mark.parametrize("folder", ["adapters", "dialects"])
def test_a_vendor_or_protocol_reads_nothing_from_another_folder(folder):
    others = {"adapters", "dialects"} - {folder}
    for module in MODULES:
        if module.startswith(f"{folder}/"):
            assert not {name for name in ours(module) if name.split("/")[0] in others}


LOADED = """
import sys, threading
before = set(sys.modules)
import sse_bridge
loaded = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(loaded - set(sys.stdlib_module_names)))
print(sorted(loaded & {"asyncio", "socket", "ssl", "http", "concurrent"}))
print(threading.active_count())
"""


def test_importing_the_package_loads_no_framework_no_loop_and_starts_no_thread():
    ran = subprocess.run(
        [sys.executable, "-S", "-c", LOADED],
        env={"PYTHONPATH": str(SOURCE.parent)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    packages, standard, threads = ran.stdout.splitlines()
    assert packages == "['sse_bridge']"
    assert standard == "[]"
    assert threads == "1"


# -- the tree -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "module",
    [module for module in MODULES if not module.endswith("__init__")],
)
def test_every_module_has_its_test_file(module):
    folder, _, name = module.rpartition("/")
    assert (TESTS / folder / f"test_{name}.py").is_file()


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_announces_is_there_and_in_order(module):
    name = ".".join(["sse_bridge", *module.split("/")]).removesuffix(".__init__")
    loaded = importlib.import_module(name)
    announced = getattr(loaded, "__all__", [])
    assert announced == sorted(set(announced))
    assert [name for name in announced if not hasattr(loaded, name)] == []


def test_dir_of_the_package_shows_what_it_is_for_and_no_module_beside():
    shown = {name for name in dir(sse_bridge) if not name.startswith("__")}
    assert shown == set(sse_bridge.__all__)
    assert {"__all__", "__doc__", "__file__", "__version__"} <= set(dir(sse_bridge))
    assert all(hasattr(sse_bridge, name) for name in dir(sse_bridge))


@pytest.mark.parametrize("module", ["__init__", "adapters/__init__", "dialects/__init__"])
def test_what_a_package_imports_for_its_users_is_announced(module):
    name = ".".join(["sse_bridge", *module.split("/")]).removesuffix(".__init__")
    announced = importlib.import_module(name).__all__
    taken = [
        alias.asname or alias.name
        for node in tree(module).body
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    ]
    assert set(taken) - set(announced) == set()


@pytest.mark.parametrize("module", MODULES)
def test_files_and_functions_are_small(module):
    lines = (SOURCE / f"{module}.py").read_text("utf-8").splitlines()
    assert len(lines) <= FILE_LINES
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree(module)):
        if isinstance(node, functions):
            assert body_lines(node) <= FUNCTION_LINES, node.name


def body_lines(function):
    """Its lines, less its own docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = first.end_lineno - first.lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - docstring


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_is(module):
    assert ast.get_docstring(tree(module))
