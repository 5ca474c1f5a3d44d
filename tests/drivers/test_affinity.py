"""Errors that come of walking a source on another thread carry a note that names the mend."""

from __future__ import annotations

import sqlite3

import pytest
from flask import request

from sse_bridge.drivers.affinity import explain


def raised(call) -> BaseException:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def wrapped() -> None:
    try:
        request.args  # noqa: B018
    except RuntimeError as error:
        raise ValueError("the app's own words") from error


REAL = {
    "flask's request": lambda: request.args,
    "a cause of another error": wrapped,
}


@pytest.mark.parametrize("kind", REAL)
def test_a_real_error_is_explained_once(kind: str):
    error = raised(REAL[kind])
    explain(error)
    explain(error)
    [note] = error.__notes__
    assert "whole=True" in note


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.ProgrammingError(
            "SQLite objects created in a thread can only be used in that same thread. The object was "
            "created in thread id 1 and this is thread id 2."
        ),
        RuntimeError("Request context not initialized."),  # Bottle's
        AttributeError("'ThreadedDict' object has no attribute 'env'"),
        AttributeError("'_thread._local' object has no attribute 'request'"),
    ],
)
def test_so_are_the_words_of_databases_and_thread_locals(error: Exception):
    explain(error)
    assert error.__notes__


@pytest.mark.parametrize(
    "error",
    [None, ValueError("no"), sqlite3.OperationalError("no such table: x"), AttributeError("'X'")],
)
def test_others_are_left_alone(error: Exception | None):
    explain(error)
    assert not hasattr(error, "__notes__")


def test_a_chain_of_causes_that_leads_back_into_itself_has_an_end():
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    explain(first)
    assert not hasattr(first, "__notes__")


@pytest.mark.parametrize("name", ["__cause__", "__notes__", "__str__", "add_note"])
def test_an_error_whose_attributes_raise_is_left_alone(name: str):
    def hostile(*_: object) -> str:
        raise RuntimeError("hostile")

    kind = type(
        "Hostile", (Exception,), {name: hostile if name == "__str__" else property(hostile)}
    )
    explain(kind("outside of request context"))
