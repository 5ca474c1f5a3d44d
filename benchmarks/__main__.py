"""`python -m benchmarks`: measure every row and write docs/benchmarks.md.

`--quick` takes few samples and writes nothing, `--only ROW` measures one row; both print the page.
With CHECK=1 in the environment it exits non-zero where a target is missed.
"""

import argparse
import math
import os
import sys
import time
from pathlib import Path

from . import contenders
from .measure import FEWEST, STEADY, compare
from .report import page, verdicts
from .row import Row
from .rows import ROWS
from .tables import Result

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def main() -> int:
    options = arguments()
    rows = [row for row in ROWS if wanted(row, options)]
    names = contenders.QUICK if options.quick else contenders.ALL
    results = [measured(row, names, FEWEST if options.quick else row.repetitions) for row in rows]
    text = page(results)
    print(text)
    if not (options.quick or options.only):
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
    return missed(results) if os.environ.get("CHECK") == "1" else 0


def wanted(row: Row, options: argparse.Namespace) -> bool:
    if options.only:
        return row.name in options.only
    return row.quick or not options.quick


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few samples; the page is not written")
    names = [row.name for row in ROWS]
    parser.add_argument(
        "--only", action="append", choices=names, metavar="ROW", help=", ".join(names)
    )
    return parser.parse_args()


def measured(row: Row, names: tuple[str, ...], repetitions: int) -> Result:
    start = time.monotonic()
    # A wait of nearly nothing, which is what a delay is compared to, drifts without meaning.
    drift = STEADY if row.relation == "ratio" else math.inf
    with row.open(names) as field:
        result = Result(row, field, compare(field, row.baseline, repetitions, drift))
    print(f"{row.name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    for name, reason in field.absent.items():
        print(f"  {name} did not take part: {reason}", file=sys.stderr)
    if not result.comparison.trusted:
        print("  REFUSED: the machine's speed varied too much", file=sys.stderr)
    return result


def missed(results: list[Result]) -> int:
    short = [verdict for verdict in verdicts(results) if not verdict.met]
    for verdict in short:
        print(f"missed: {verdict.target}, found {verdict.found}", file=sys.stderr)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
