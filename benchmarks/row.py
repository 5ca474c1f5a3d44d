"""What a row and a target are; `rows` and `server_rows` hold the tables of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from .measure import Field

# The names of those who may take part, and whoever of them could be made ready.
Open = Callable[[tuple[str, ...]], AbstractContextManager[Field]]


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: who is the baseline, what a sample is divided by, if a quick run has it."""

    name: str
    title: str
    open: Open
    unit: str = "an event"
    per: int = 1
    baseline: str = "raw"
    relation: Literal["ratio", "added"] = "ratio"
    quick: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """The most that a contender may cost: a ratio to another, or added microseconds."""

    row: str
    contender: str
    against: str
    most: float
