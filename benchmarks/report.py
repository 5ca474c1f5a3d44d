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

`make bench` generates this page. Every contender does the same work in the same run; compare the ratios, not the
absolute times. `raw` is the lower limit: a bare ASGI callable that sends one frame, built in advance, for each
event. `raw_src` iterates the same source as all the others and encodes each chunk in the cheapest way that one
would write by hand. `starlette` is a `StreamingResponse`, and `quart` a response made from a generator, both with
hand-written frames. `fastapi`, `litestar` and `sse_starlette` are the responses that these packages have for
Server-Sent Events. All others run with their defaults. Hand-written JSON uses `json.dumps`, or orjson in rows that
say so.

Rows about uvicorn name its event loop and its HTTP parser in parentheses: uvloop and httptools, which
`uvicorn[standard]` installs, or asyncio's own loop and h11, which plain `uvicorn` uses (rows whose names end in
`h11`).

A ratio is the median of the ratios within each repetition, with its quartiles. The baseline runs at the start and
at the end of each repetition; if the two differ by more than a quarter, the repetition is discarded ("refused").
For the details, see `benchmarks/measure.py`.
"""


SHORTFALLS = """\
## What is missed, and why

- **A whole short stream, and the time to the first event.** A stream that can be stopped needs a task for its
  source, and some turns of the loop before the source starts, so that it never starts for a client that has already
  disconnected: two turns on a server that we recognise, and a listening task and five turns elsewhere, as in the
  rows in process. That alone is the contender `floor` in the row `short`. The rest is creating a stream's objects,
  and ending the stream.
- **OpenAI's chunks, in process and on a thread.** Each is checked for what it contains besides text, and written
  with the fields that were set. Over a socket the same work is within its target, or close to it.
- **One chunk at a time, compared to Starlette's own response.** That has no heartbeat (keep-alive), no summary and
  no separate task for the source. Compared to `raw`, the target is met.
- **Under WSGI.** A source has a thread of its own, which costs more than a short stream, and passes its chunks
  to the server's thread, which costs a thread switch.
- **Dicts with orjson.** orjson writes some values differently from `json`. Each value is checked before
  orjson's bytes are used, which costs more than orjson itself.
- **A single chunk of a sync source under ASGI.** A thread can wake an asyncio loop only through a socket.
- **Other Python versions.** On 3.14 (tried by hand, not on this page) a text chunk costs a fifth less than on 3.11
  and a short stream a quarter less; `raw` gains more, so the ratios rise a little, and the same targets are met. A
  free-threaded build was not available to try; on one, interrupting blocked threads is off.
- **Idle streams.** The excess over the target is a stream's two tasks, and what the stream itself keeps.
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
