"""What a row and a target are; `rows` and `server_rows` hold the tables of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from .measure import Field

# The names of those who may take part, and whoever of them could be made ready.
Open = Callable[[tuple[str, ...]], AbstractContextManager[Field]]
Relation = Literal["ratio", "added", "value"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How a sample is written: the name of its unit, and how many of them make one sample of 1."""

    name: str
    factor: float


# A sample is in seconds, in bytes, in streams a second, or a plain share.
MICROSECONDS = Scale("µs", 1e6)
MILLISECONDS = Scale("ms", 1e3)
KIB = Scale("KiB", 1 / 1024)
PERCENT = Scale("%", 100)
STREAMS = Scale("streams", 1)


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: who is the baseline, what a sample is divided by, how it is related and shown.

    `relation`: what counts is the ratio to the baseline, what is added to it, or the value itself. Only a
    ratio has a baseline that must hold still. `columns`: the names of its samplers are pairs, as
    `grid` makes them, and the table is one of contenders by columns, named in `columns`.
    """

    name: str
    title: str
    open: Open
    unit: str = "an event"
    per: int = 1
    baseline: str = "raw"
    relation: Relation = "ratio"
    quick: bool = True
    repetitions: int = 7
    scale: Scale = MICROSECONDS
    columns: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """The most that a contender may cost: a ratio to another, or what is added or found, scaled.

    `least`: of what is the better the more there is of it, the least.
    """

    row: str
    contender: str
    against: str
    limit: float
    least: bool = False

    def met_by(self, found: float) -> bool:
        return found >= self.limit if self.least else found <= self.limit

    def words(self) -> str:
        return f"{'at least' if self.least else 'at most'} {self.limit:g}"


def grid(contender: str, column: int) -> str:
    """Return the sampler's name for one cell of a table of contenders by columns."""
    return f"{contender} @ {column:,}"
