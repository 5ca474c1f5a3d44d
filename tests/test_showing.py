"""An error as text, and in the log, whatever it does when it is looked at."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

from doubles import Cut, OpenAIDouble, Reply, Reset
from hostile_errors import ERRORS, fail, made
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options
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


def refused() -> None:
    raise KeyError("row")


def wrapped(*, hides: bool = False) -> Exception:
    """The app's own error for one of its own."""
    try:
        try:
            refused()
        except KeyError as error:
            raise LookupError("no such chat,\n42") from (None if hides else error)
    except LookupError as error:
        return error
    raise AssertionError


def text_of(record: logging.LogRecord) -> str:
    return logging.Formatter("%(message)s").format(record)


def test_what_an_error_came_of_is_named_in_its_line_and_has_no_traceback_of_its_own(
    caplog: pytest.LogCaptureFixture,
):
    error = wrapped()
    report(error, "it failed %d times", 3)
    [record] = caplog.records
    line, *traceback = text_of(record).splitlines()
    assert re.fullmatch(rf"it failed 3 times \(from KeyError\('row'\) at {__file__}:\d+\)", line)
    assert traceback[0] == "Traceback (most recent call last):"
    assert traceback[-2:] == ["LookupError: no such chat,", "42"]
    assert text_of(record).count("Traceback") == 1
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert isinstance(error.__cause__, KeyError)  # for whoever reads the record itself


def test_a_context_is_an_origin_unless_it_is_hidden(caplog: pytest.LogCaptureFixture):
    report(wrapped(hides=True), "hidden")
    error = LookupError("x")
    error.__context__ = KeyError("while that was\nhandled")
    report(error, "shown")
    assert [record.getMessage() for record in caplog.records] == [
        "hidden",
        "shown (from KeyError('while that was\\nhandled'))",
    ]


def test_what_the_errors_of_a_group_came_of_is_named_too(caplog: pytest.LogCaptureFixture):
    report(ExceptionGroup("two", [wrapped(), ValueError("x")]), "it failed")
    [record] = caplog.records
    assert record.getMessage().startswith("it failed (from KeyError('row') at ")
    assert "ValueError: x" in text_of(record)
    assert "direct cause" not in text_of(record)


def test_of_a_long_chain_and_of_long_words_the_line_has_the_beginning(
    caplog: pytest.LogCaptureFixture,
):
    error = first = LookupError("0")
    for number in range(1, 30):
        error.__cause__ = LookupError(f"{number} " + "x" * 1000)
        error = error.__cause__
    report(first, "it failed")
    line = caplog.records[0].getMessage()
    assert line.count("from LookupError") == 5
    assert len(line) < 1200


def test_where_errors_are_not_logged_nothing_is(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.CRITICAL, "sse_bridge")
    report(wrapped(), "it failed")
    assert caplog.records == []


@pytest.mark.parametrize("fault", [Cut(), Reset()], ids=["cut", "reset"])
def test_a_stream_that_an_sdk_loses_is_one_line_and_one_traceback(
    fault: Any, caplog: pytest.LogCaptureFixture
):
    def source() -> Iterator[Any]:
        yield from client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], stream=True
        )

    with OpenAIDouble() as double:
        double.answer = Reply(at={AFTER_TWO_TEXTS: fault})
        client = double.openai_client()
        body = Body(source(), Options(), copy_context())
        said = b"".join(body)
    assert b"upstream_unreachable" in said
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    text = text_of(record)
    assert record.getMessage().startswith("stream failed after ")
    assert "_streaming.py:" in record.getMessage()
    assert record.getMessage().count("from ") >= 2
    assert text.count("Traceback") == 1
    assert "direct cause" not in text
    assert text.splitlines()[0] == record.getMessage()


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


AFTER_TWO_TEXTS = 3  # frames: the role, and the texts


class Raising(list[str]):
    """Notes that cannot be read."""

    def __iter__(self) -> Iterator[str]:
        raise SystemExit(3)
