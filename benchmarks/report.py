"""From comparisons to the page that users read."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .row import Target
from .rows import TARGETS
from .tables import Result, related, table
from .uvicorns import LOOP_AND_PARSER, label

PACKAGES = """starlette sse-starlette fastapi litestar quart flask uvicorn uvloop httptools h11 gunicorn granian
hypercorn anyio trio openai httpx-sse pydantic orjson"""

INTRODUCTION = """\
# Benchmarks

`make bench` wrote this page: every contender does the same work in the same run, and what counts is
the ratio between them. `raw` is the limit, a bare ASGI callable that sends one frame, built
beforehand, for each event. `raw_src` iterates the same source as everyone and encodes each chunk in
the cheapest way one would write by hand. `starlette` is a `StreamingResponse`, and `quart` a response
made of a generator, both with hand-written frames; `fastapi`, `litestar` and `sse_starlette` are the
responses for server-sent events that these bring. All others run with their defaults. Hand-written JSON
is `json.dumps`, and orjson's in rows that say so.

Rows over uvicorn say in brackets which event loop it runs on, and which HTTP parser: uvloop and httptools, as
`uvicorn[standard]` installs it, or asyncio's own loop and h11, as it is by itself (rows whose names end in `h11`).

A ratio is the median of the ratios within each repetition, with its quartiles; the baseline runs at
both ends of each repetition, and a repetition in which the two differ by more than a quarter is refused.
`benchmarks/measure.py` says the rest.
"""


SHORTFALLS = """\
## What is missed, and why

- **A whole short stream, and the time to the first event.** A stream that can be stopped needs a task for its
  source, and turns of the loop before the source begins, so that it never begins for a client that has left:
  two on a server that we know, and a task to listen and five turns elsewhere, as in the rows in process. That
  alone is the contender `floor` in the row `short`. The rest is the making of a stream's objects, and its
  ending.
- **OpenAI's chunks, in process and on a thread.** Each is looked at for what it tells besides its words, and
  written with the fields that were set. Over a socket the same is within its target, or near it.
- **One chunk at a time, beside Starlette's own response.** It has no keep-alive, no summary and no task of the
  source's own. Beside `raw` the target is met.
- **Under WSGI.** A source has a thread of its own, which costs more than a short stream, and hands its chunks
  to the server's thread, which costs a switch.
- **Dicts with orjson.** orjson writes some values otherwise than `json` does. Each value is looked at before
  orjson's bytes are taken, which costs more than orjson itself.
- **A lone chunk of a sync source under ASGI.** A thread can wake an asyncio loop only through a socket.
- **Other Pythons.** On 3.14 (tried by hand, not on this page) a text chunk costs a fifth less than on 3.11 and a
  short stream a quarter less; the limits gain more, so the ratios rise a little and the same targets are met. No
  free-threaded build could be had to try; on one, interrupting blocked threads is off.
- **Idle streams.** What is over the target is the two tasks of a stream, and what the stream itself keeps.
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target beside what was found; without a figure it counts as missed."""

    target: Target
    found: float | None

    @property
    def met(self) -> bool:
        return self.found is not None and self.target.met_by(self.found)


def verdicts(results: list[Result]) -> list[Verdict]:
    """Return one for each target whose row was measured."""
    rows = {result.row.name: result for result in results}
    return [judge(rows[target.row], target) for target in TARGETS if target.row in rows]


def judge(result: Result, target: Target) -> Verdict:
    involved = {target.contender, target.against} - {""}
    present = involved <= result.field.samplers.keys()
    if not (present and result.comparison.trusted):
        return Verdict(target, None)
    return Verdict(target, related(result, target.contender, target.against).middle)


def page(results: list[Result]) -> str:
    lines = [INTRODUCTION, "## Where it was measured", "", *machine(), "", "## Targets", ""]
    lines += [*targets(results), "", SHORTFALLS, "## Rows", ""]
    for result in results:
        lines += [*table(result), ""]
    return "\n".join(lines)


def machine() -> Iterator[str]:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    yield f"{cpu()}, {os.cpu_count()} cores, {platform.system()}, {python}."
    for server, (loop, parser) in LOOP_AND_PARSER.items():
        loop = "asyncio's loop" if loop == "asyncio" else f"{loop} {installed(loop)}"
        yield f"{label(server)}: uvicorn {installed('uvicorn')}, {loop}, {parser} {installed(parser)}."
    yield "Packages: " + ", ".join(f"{name} {installed(name)}" for name in PACKAGES.split()) + "."


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def targets(results: list[Result]) -> Iterator[str]:
    units = {result.row.name: unit(result) for result in results}
    yield "| row | contender | against | to reach | found | |"
    yield "| --- | --- | --- | --- | ---: | --- |"
    for verdict in verdicts(results):
        target, ending = verdict.target, units[verdict.target.row]
        found = "none" if verdict.found is None else f"{verdict.found:.2f}{ending}"
        cells = [target.row, target.contender, target.against, f"{target.words()}{ending}", found]
        yield f"| {' | '.join(cells)} | {'met' if verdict.met else 'missed'} |"


def unit(result: Result) -> str:
    return "" if result.row.relation == "ratio" else f" {result.row.scale.name}"
