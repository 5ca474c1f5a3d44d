"""An error as text, and in the log, whatever it does when it is looked at."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostile_errors import ERRORS, fail, made
from sse_bridge.showing import in_words, report


def test_an_error_is_shown_in_its_own_words():
    assert in_words(LookupError("x")) == "x"
    assert in_words(LookupError("x"), repr) == "LookupError('x')"


def test_one_that_cannot_be_shown_is_told_by_its_type():
    shown = "an error of type 'Hostile', which cannot be shown"
    assert in_words(made(__str__=fail(SystemExit(3)))) == shown
    assert in_words(made(__repr__=fail(LookupError("x"))), repr) == shown


def test_long_words_are_cut():
    assert len(in_words(LookupError("x" * 1_000_000))) == 10_000


def test_a_failure_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture):
    report(LookupError("x"), "it failed %d times", 3)
    [record] = caplog.records
    assert record.getMessage() == "it failed 3 times"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


def test_of_one_that_cannot_be_logged_there_is_a_line_all_the_same(
    caplog: pytest.LogCaptureFixture,
):
    report(made(__getattribute__=fail(SystemExit(3))), "it failed %d times", 3)
    [record] = caplog.records
    assert record.getMessage() == "it failed 3 times: a secret of the service (SystemExit(3))"


@pytest.mark.parametrize("kind", ERRORS)
def test_nothing_raises_out_of_here(kind: str, caplog: pytest.LogCaptureFixture):
    report(ERRORS[kind](), "it failed")
    assert caplog.records[0].getMessage().startswith("it failed")


def test_of_one_that_only_a_handler_would_find_out_there_is_a_line_in_the_file(tmp_path: Path):
    """The log's own handlers say nothing of a record that they cannot format."""
    handler = logging.FileHandler(path := tmp_path / "log")
    logging.getLogger("sse_bridge").addHandler(handler)
    try:
        error = LookupError("x")
        error.__notes__ = Raising()  # type: ignore[assignment]
        report(error, "it failed")
    finally:
        logging.getLogger("sse_bridge").removeHandler(handler)
        handler.close()
    assert "it failed" in path.read_text()


class Raising(list[str]):
    """Notes that cannot be read."""

    def __iter__(self) -> Iterator[str]:
        raise SystemExit(3)
