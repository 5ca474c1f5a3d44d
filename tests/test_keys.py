"""Whose stream it is: what may make the keys, and what a key is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from werkzeug.local import LocalProxy

from sse_bridge.keys import checked_key, key_maker


async def later(request: Any) -> str:
    return "ann"


class Later:
    async def __call__(self, request: Any) -> str:
        return "ann"


def test_a_callable_is_taken_as_it_is_and_none_is_none():
    assert key_maker(len, 1) is len
    assert key_maker(None, 1) is key_maker(None, None) is None


@pytest.mark.parametrize("maker", ["user", 1, {}])
def test_what_cannot_be_called_is_refused(maker: Any):
    with pytest.raises(TypeError, match="max_streams_per must be callable or None, got"):
        key_maker(maker, 1)


@pytest.mark.parametrize("maker", [later, Later(), functools.partial(later)])
def test_what_is_async_is_refused_where_it_is_written(maker: Callable[..., Any]):
    with pytest.raises(TypeError, match="max_streams_per must not be async, got"):
        key_maker(maker, 1)


def test_without_a_number_for_each_key_there_is_nothing_to_be_counted():
    with pytest.raises(TypeError, match="max_streams_per needs max_streams"):
        key_maker(len, None)


class Id(str):
    """A name of the app's own."""

    __slots__ = ()


@pytest.mark.parametrize("key", ["ann", "", 7, 0, Id("ann"), None])
def test_a_str_an_int_and_none_are_keys(key: Any):
    assert checked_key(key) is key


@pytest.mark.parametrize(
    "key", [True, 1.0, b"ann", object(), ("ann",), ["ann"], UUID(int=1), LocalProxy(lambda: "ann")]
)
def test_what_may_change_or_be_another_for_the_same_user_is_no_key(key: Any):
    with pytest.raises(TypeError, match="a str, an int or None, got a") as raised:
        checked_key(key)
    assert "ann" not in str(raised.value)


def test_a_coroutine_is_no_key_and_is_closed():
    with pytest.raises(TypeError, match="got a coroutine"):
        checked_key(later(None))
