"""How contenders are compared. Each of these rules once gave a wrong number by its absence.

1. Contenders are interleaved: a repetition takes one sample of each, in an order that changes.
2. Ratios are paired within a repetition, and the median of them counts: noise hits both sides.
3. The baseline is sampled at both ends of a repetition; where the two differ by more than a
   quarter the repetition is refused, and with too many refused the row is.
4. The first repetition is dropped: it pays for imports, caches and first pages.
5. Events are compared before anything is timed, and counted in every stream that is.
"""

import gc
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import quantiles

Sampler = Callable[[], float]

STEADY = 1.25
FEWEST = 3


@dataclass(slots=True)
class Field:
    """Who is ready to be sampled, why the others are not, and bytes that were noted beside."""

    samplers: dict[str, Sampler] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)

    def enter(self, name: str, make: Callable[[], Sampler]) -> None:
        """Admit a contender, or note what keeps it out: a missing package, a missing event."""
        try:
            self.samplers[name] = make()
        except Exception as error:
            self.absent[name] = f"{type(error).__name__}: {error}"[:300]


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the quartiles around it."""

    low: float
    middle: float
    high: float


@dataclass(slots=True)
class Comparison:
    """The repetitions that count, each with one value (most are seconds) for each contender."""

    baseline: str
    kept: list[dict[str, float]] = field(default_factory=list)
    refused: int = 0

    @property
    def trusted(self) -> bool:
        return len(self.kept) >= FEWEST and self.refused <= len(self.kept)

    def value(self, name: str) -> Spread:
        return spread([values[name] for values in self.kept])

    def ratio(self, name: str, to: str) -> Spread:
        return spread([values[name] / values[to] for values in self.kept])

    def added(self, name: str, to: str) -> Spread:
        """Return the difference, for what is a wait rather than work."""
        return spread([values[name] - values[to] for values in self.kept])


@contextmanager
def frozen() -> Iterator[None]:
    """Keep what every contender brought along out of each other's garbage collections."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def spread(values: list[float]) -> Spread:
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return Spread(low, middle, high)


def compare(field: Field, baseline: str, repetitions: int, drift: float = STEADY) -> Comparison:
    """Sample until so many repetitions count, or as many again were refused."""
    result = Comparison(baseline)
    if baseline not in field.samplers:
        return result
    repetition(field, baseline)
    while len(result.kept) < repetitions and result.refused <= repetitions:
        values, drifted = repetition(field, baseline)
        if drifted <= drift:
            result.kept.append(values)
        else:
            result.refused += 1
    return result


def repetition(field: Field, baseline: str) -> tuple[dict[str, float], float]:
    """Return one value for each contender, and by how much the baseline's two ends differ."""
    names = [name for name in field.samplers if name != baseline]
    random.shuffle(names)
    before = field.samplers[baseline]()
    values = {name: field.samplers[name]() for name in names}
    after = field.samplers[baseline]()
    values[baseline] = (before + after) / 2
    return values, max(before, after) / min(before, after)
