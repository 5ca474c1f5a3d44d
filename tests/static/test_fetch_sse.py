"""The browser's client: its own tests under Node, its size, its types, and the way into a wheel."""

import gzip
import importlib.util
import json
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

import components
from sse_bridge import dialects
from sse_bridge.parts import End, Failure, Finish, Part, Start
from sse_bridge.static import FETCH_SSE, FETCH_SSE_TYPES

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = sorted(path.name for path in HERE.glob("*.test.mjs"))
LIMIT = 5300  # bytes, minified and compressed
SHIPPED = {"fetch-sse.js", "fetch-sse.d.ts", "package.json"}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=HERE, capture_output=True, timeout=50, encoding="utf-8", check=False
    )


def said_by_node(script: str) -> str:
    """What a module of this text prints; it must not do more than that."""
    done = run(components.program("node"), "--input-type=module", "--eval", script)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", FILES)
def test_its_own_tests_pass(name: str) -> None:
    if name == "native.test.mjs":
        components.node_package("abort-controller")
    done = run(components.program("node"), "--test", "--test-reporter=spec", name)
    if done.returncode != 0:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
    assert re.search(r"^. pass [1-9]", done.stdout, re.MULTILINE)


def test_the_frames_of_its_tests_are_those_that_we_write() -> None:
    told = json.loads(
        said_by_node(f"""
            import {{ FRAMES }} from {json.dumps((HERE / "frames.mjs").as_uri())};
            console.log(JSON.stringify(FRAMES));
        """)
    )
    for name in ("plain", "delta", "openai"):
        assert told[name] == written_by_us(name)


def written_by_us(name: str) -> dict[str, str]:
    def say(*parts: Part) -> str:
        return b"".join(map(voice, parts)).decode()

    voice = dialects.by_name(name).voice()
    start = say(Start("chatcmpl-1", 1_700_000_000))
    text = start + say("Hel", "lo 你")
    finished = say(*[Finish("stop")] * (name != "plain"), End())
    voice = dialects.by_name(name).voice()
    failed = say(Failure("The model failed.", "upstream_error", True))
    return {"text": text, "finished": finished, "failed": failed}


def test_it_is_small() -> None:
    done = run(components.program("esbuild"), "--minify", "--format=esm", str(FETCH_SSE))
    assert done.returncode == 0, done.stderr
    assert len(gzip.compress(done.stdout.encode(), 9)) <= LIMIT


@pytest.mark.parametrize("oldest", ["chrome91", "edge91", "firefox90", "safari15", "node20"])
def test_the_oldest_browsers_that_the_docs_name_can_parse_it(oldest: str) -> None:
    def written_for(target: str) -> str:
        options = ("--format=esm", f"--target={target}", str(FETCH_SSE))
        done = run(components.program("esbuild"), *options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert written_for(oldest) == written_for("esnext")


def test_it_is_imported_without_a_warning_and_has_what_its_types_declare() -> None:
    script = f"import * as client from {json.dumps(FETCH_SSE.as_uri())}; console.log(...Object.keys(client));"
    declared = re.findall(
        r"^export (?:class|function|const) (\w+)", FETCH_SSE_TYPES.read_text(), re.MULTILINE
    )
    assert sorted(said_by_node(script).split()) == sorted(declared)


def test_its_types_allow_right_use_and_refuse_wrong() -> None:
    modules = ["--module", "esnext", "--moduleResolution", "bundler"]
    platform = ["--target", "es2022", "--lib", "es2022,dom,dom.iterable,dom.asynciterable"]
    tsc = components.program("tsc")
    done = run(tsc, "--noEmit", "--strict", *modules, *platform, "usage.ts")
    assert done.returncode == 0, done.stdout


def test_a_wheel_and_an_sdist_carry_it(tmp_path: Path) -> None:
    if importlib.util.find_spec("hatchling") is None:
        components.missing("hatchling is not installed")
    from hatchling.builders.sdist import SdistBuilder
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    (sdist,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.namelist()
    assert {f"sse_bridge/static/{name}" for name in SHIPPED} <= set(packed)
    with tarfile.open(sdist) as tar:
        packed = [name.partition("/")[2] for name in tar.getnames()]
    assert {f"src/sse_bridge/static/{name}" for name in SHIPPED} <= set(packed)
