"""A row that was measured, and the table of it on the page."""

from collections.abc import Iterator
from dataclasses import dataclass

from .measure import Comparison, Field, Spread
from .row import KIB, Row, Scale


@dataclass(slots=True)
class Result:
    """A row that was measured."""

    row: Row
    field: Field
    comparison: Comparison


def table(result: Result) -> Iterator[str]:
    """Yield the lines of one row's table, and every reason to doubt it."""
    row, comparison = result.row, result.comparison
    yield f"### {row.title} (`{row.name}`)\n"
    if row.note:
        yield f"{row.note}\n"
    if not comparison.trusted:
        yield "**Refused: the machine's speed varied too much; do not quote these figures.**\n"
    if comparison.kept:
        yield from columns(result) if row.columns else lines(result)
    yield f"\n{len(comparison.kept)} repetitions counted, {comparison.refused} refused."
    for name, reason in result.field.absent.items():
        yield f"\n**{name} did not take part:** `{reason.replace('`', '')}`"


def lines(result: Result) -> Iterator[str]:
    """Yield a line for each contender, with its cost and how it relates to the baseline."""
    row, names = result.row, result.field.samplers
    unit = f"{row.scale.name} {row.unit}"
    if row.relation == "value":
        yield f"| contender | {unit} | quartiles |"
        yield "| --- | ---: | --- |"
        for name in names:
            value = scaled(result.comparison.value(name), row)
            yield f"| {name} | {value.middle:.2f} | {quartiles(value)} |"
        return
    how = "ratio to" if row.relation == "ratio" else f"{row.scale.name} over"
    yield f"| contender | {unit} | {how} `{row.baseline}` | quartiles |"
    yield "| --- | ---: | ---: | --- |"
    for name in names:
        cost, related = scaled(result.comparison.value(name), row), relation(result, name)
        yield f"| {name} | {cost.middle:.2f} | {related.middle:.2f} | {quartiles(related)} |"


def relation(result: Result, name: str) -> Spread:
    return related(result, name, result.row.baseline)


def related(result: Result, name: str, against: str) -> Spread:
    """Return what counts of a contender in this row: a ratio, what it adds, or its value."""
    if result.row.relation == "ratio":
        return result.comparison.ratio(name, against)
    if result.row.relation == "added":
        return scaled(result.comparison.added(name, against), result.row)
    return scaled(result.comparison.value(name), result.row)


def scaled(spread: Spread, row: Row) -> Spread:
    factor = row.scale.factor / row.per
    return Spread(spread.low * factor, spread.middle * factor, spread.high * factor)


def quartiles(spread: Spread) -> str:
    return f"{spread.low:.2f} to {spread.high:.2f}"


def columns(result: Result) -> Iterator[str]:
    """Yield a line for each contender with a cell for each size: its cost, and its memory if known."""
    cells = [name.split(" @ ") for name in result.field.samplers]
    sizes = list(dict.fromkeys(size for _, size in cells))
    yield f"| {result.row.columns} | {' | '.join(sizes)} |"
    yield f"| --- |{' ---: |' * len(sizes)}"
    for name in dict.fromkeys(name for name, _ in cells):
        found = [cell(result, f"{name} @ {size}") for size in sizes]
        yield f"| {name} | {' | '.join(found)} |"


def cell(result: Result, name: str) -> str:
    if name not in result.field.samplers:
        return ""
    cost = scaled(result.comparison.value(name), result.row).middle
    text = f"{cost:.2f} {result.row.scale.name}"
    memory = result.field.memory.get(name)
    return text if memory is None else f"{text}, {in_scale(memory, KIB)}"


def in_scale(value: float, scale: Scale) -> str:
    return f"{value * scale.factor:.1f} {scale.name}"
