"""From comparisons to the page that users read."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .measure import Comparison, Field, Spread
from .row import Row, Target
from .rows import TARGETS

PACKAGES = "starlette sse-starlette fastapi flask uvicorn httptools anyio openai pydantic orjson"

INTRODUCTION = """\
# Benchmarks

`make bench` wrote this page: every contender does the same work in the same run, and what counts is
the ratio between them. `raw` is the limit, a bare ASGI callable that sends one frame, built
beforehand, for each event. `raw_src` iterates the same source as everyone and encodes each chunk in
the cheapest way one would write by hand. `starlette` is a `StreamingResponse` with hand-written
frames. All others run with their defaults. A ratio is the median of the ratios within each
repetition, with its quartiles; the baseline runs at both ends of each repetition, and a repetition
in which the two differ by more than a quarter is refused. `benchmarks/measure.py` says the rest.
"""


@dataclass(slots=True)
class Result:
    """A row that was measured."""

    row: Row
    field: Field
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target beside what was found; without a figure it counts as missed."""

    target: Target
    found: float | None

    @property
    def met(self) -> bool:
        return self.found is not None and self.found <= self.target.most


def verdicts(results: list[Result]) -> list[Verdict]:
    """Return one for each target whose row was measured."""
    rows = {result.row.name: result for result in results}
    return [judge(rows[target.row], target) for target in TARGETS if target.row in rows]


def judge(result: Result, target: Target) -> Verdict:
    present = {target.contender, target.against} <= result.field.samplers.keys()
    if not (present and result.comparison.trusted):
        return Verdict(target, None)
    if result.row.relation == "added":
        return Verdict(
            target, result.comparison.added(target.contender, target.against).middle * 1e6
        )
    return Verdict(target, result.comparison.ratio(target.contender, target.against).middle)


def page(results: list[Result]) -> str:
    lines = [INTRODUCTION, "## Where it was measured", "", *machine(), "", "## Targets", ""]
    lines += [*targets(results), "", "## Rows", ""]
    for result in results:
        lines += [*table(result), ""]
    return "\n".join(lines)


def machine() -> Iterator[str]:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    yield f"{cpu()}, {os.cpu_count()} cores, {platform.system()}, {python}."
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
    yield "| row | contender | against | at most | found | |"
    yield "| --- | --- | --- | ---: | ---: | --- |"
    for verdict in verdicts(results):
        target = verdict.target
        found = "none" if verdict.found is None else f"{verdict.found:.2f}"
        cells = [target.row, target.contender, target.against, f"{target.most:g}", found]
        yield f"| {' | '.join(cells)} | {'met' if verdict.met else 'missed'} |"


def table(result: Result) -> Iterator[str]:
    """Yield the lines of one row's table, and every reason to doubt it."""
    row, comparison = result.row, result.comparison
    yield f"### {row.title} (`{row.name}`)\n"
    if not comparison.trusted:
        yield "**Refused: the machine did not hold still; do not quote these figures.**\n"
    if comparison.kept:
        how = "ratio to" if row.relation == "ratio" else "µs over"
        yield f"| contender | µs {row.unit} | {how} `{row.baseline}` | quartiles |"
        yield "| --- | ---: | ---: | --- |"
        for name in result.field.samplers:
            yield line(row, comparison, name)
    yield f"\n{len(comparison.kept)} repetitions counted, {comparison.refused} refused."
    for name, reason in result.field.absent.items():
        yield f"\n**{name} did not take part:** `{reason.replace('`', '')}`"


def line(row: Row, comparison: Comparison, name: str) -> str:
    cost = comparison.seconds(name) / row.per * 1e6
    if row.relation == "ratio":
        found = comparison.ratio(name, row.baseline)
    else:
        found = in_microseconds(comparison.added(name, row.baseline))
    quartiles = f"{found.low:.2f} to {found.high:.2f}"
    return f"| {name} | {cost:.2f} | {found.middle:.2f} | {quartiles} |"


def in_microseconds(spread: Spread) -> Spread:
    return Spread(spread.low * 1e6, spread.middle * 1e6, spread.high * 1e6)
