"""Exceptions that do harm to whoever looks at them: each kind, by what it tries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


class Fatal(BaseException):
    """No handler of exceptions takes it."""


READ = (
    *("status_code", "status", "code", "http_code", "type", "retryable", "response", "body"),
    *("headers", "hdrs", "request", "request_info", "message"),
)


def raising(error: BaseException) -> property:
    def get(_self: Any) -> Any:
        raise error

    return property(get)


def made(kind: type[BaseException] = RuntimeError, *given: Any, **fields: Any) -> BaseException:
    """An exception of a class of its own, with these in its namespace."""
    return type(kind)("Hostile", (kind,), fields)(*(given or ("a secret of the service",)))


def with_all(value: Any) -> BaseException:
    return made(**dict.fromkeys(READ, value))


def with_headers(headers: Any, status: Any = 429) -> BaseException:
    """As an HTTP client's, of which a Retry-After is read."""
    response = type("Response", (), {"headers": headers, "status_code": status})()
    return made(response=response, status_code=status)


def say(answer: Any) -> Callable[..., Any]:
    return lambda *_given: answer


def fail(error: BaseException) -> Callable[..., Any]:
    def raise_it(*_given: Any) -> Any:
        raise error

    return raise_it


def endless() -> Iterator[Any]:
    """More than anybody can want; who does not stop here would take all memory there is."""
    yield from [RuntimeError("one of many")] * 100_000
    raise AssertionError("it was walked without a bound")


class Endless:
    """Headers of which there is no end, in whatever way they are walked."""

    def get(self, name: str, default: Any = None) -> Any:
        return endless()

    def __iter__(self) -> Iterator[Any]:
        return endless()

    def __getitem__(self, name: Any) -> Any:
        return name

    items = keys = values = __iter__


class Words(str):
    """A text that is another one to whoever asks it."""

    __slots__ = ()

    def __str__(self) -> str:
        return "x\r\nSet-Cookie: stolen=1"

    def __len__(self) -> int:
        return 3

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("rate_limited")

    def lower(self) -> Any:
        raise RuntimeError("not lower")

    def isascii(self) -> bool:
        return True

    def isdigit(self) -> bool:
        return True


class Number(int):
    """A number that is another one to whoever asks it."""

    def __le__(self, other: Any) -> bool:
        return True

    __ge__ = __le__

    def __int__(self) -> Any:
        raise RuntimeError("no number")

    __str__ = __repr__ = __index__ = __int__


def cycle() -> BaseException:
    one, two = RuntimeError("one"), RuntimeError("two")
    one.__cause__, two.__cause__ = two, one
    one.__context__, two.__context__ = one.__cause__, two.__cause__
    return one


def nested(depth: int = 10_000) -> BaseException:
    group: Exception = RuntimeError("inner")
    for _ in range(depth):
        group = ExceptionGroup("a group", [group])
    return group


def chain(depth: int = 10_000) -> BaseException:
    error: BaseException = RuntimeError("first")
    for _ in range(depth):
        later = RuntimeError("later")
        later.__cause__, error = error, later
    return error


HEADER_VALUES: dict[str, Any] = {
    "not a number": float("nan"),
    "infinite": float("inf"),
    "negative": -1,
    "of 5000 digits": 10**5000,
    "of 5000 digits as text": "9" * 5000,
    "of other digits": "१२",
    "two lines": "1\r\nSet-Cookie: stolen=1",
    "a line end behind it": "1\n",
    "a date of a far year": "Mon, 01 Jan 99999999999 00:00:00",
    "a date of other letters": "Mon, 01 Jän 2030 00:00:00 GMT",
    "bytes": b"5",
    "true": True,
    "a hostile text": Words("5"),
    "a hostile number": Number(5),
    "an object": object(),
}

ERRORS: dict[str, Callable[[], BaseException]] = {
    "attributes that raise": lambda: with_all(raising(LookupError("x"))),
    "attributes that end a process": lambda: with_all(raising(SystemExit(3))),
    "attributes that are fatal": lambda: with_all(raising(Fatal("x"))),
    "attributes that recurse": lambda: with_all(property(lambda self: self.status_code)),
    "attributes that are lists": lambda: with_all([429]),
    "attributes that are dicts": lambda: with_all({"code": {"code": {}}, "type": [], "error": 5}),
    "attributes that are not numbers": lambda: with_all(float("nan")),
    "attributes that are endless": lambda: with_all(Endless()),
    "attributes that are bytes": lambda: with_all(b"429"),
    "attributes that are errors": lambda: with_all(RuntimeError("inner")),
    "attributes of 5000 digits": lambda: with_all(10**5000),
    "attributes that are hostile texts": lambda: with_all(Words("429")),
    "attributes that are hostile numbers": lambda: with_all(Number(429)),
    "attributes that are themselves": lambda: with_all(property(lambda self: self)),
    "a status, and a request that raises": lambda: made(
        status_code=429, request=raising(LookupError("x")), response=raising(LookupError("x"))
    ),
    "every attribute raises": lambda: made(__getattribute__=fail(LookupError("x"))),
    "every attribute ends a process": lambda: made(__getattribute__=fail(SystemExit(3))),
    "a text that raises": lambda: made(__str__=fail(LookupError("x"))),
    "a text that ends a process": lambda: made(
        __str__=fail(SystemExit(3)), __repr__=fail(SystemExit(3))
    ),
    "a text that is none": lambda: made(__str__=say(5), __repr__=say(None)),
    "a text that recurses": lambda: made(
        __str__=lambda self: str(self), __repr__=lambda self: repr(self)
    ),
    "a cause that raises": lambda: made(__cause__=raising(LookupError("x"))),
    "a cause that ends a process": lambda: made(__cause__=raising(SystemExit(3))),
    "a cause that is none": lambda: made(__cause__=5, __context__="x"),
    "notes that raise": lambda: made(
        __notes__=raising(SystemExit(3)), add_note=fail(SystemExit(3))
    ),
    "a class that raises": lambda: made(__class__=raising(LookupError("x"))),
    "a class that lies": lambda: made(__class__=property(say(BaseExceptionGroup))),
    "a module that is none": lambda: made(__module__=5, status_code=429),
    "a truth that raises": lambda: made(
        __bool__=fail(LookupError("x")), __len__=fail(LookupError("x"))
    ),
    "an equality that raises": lambda: made(
        __eq__=fail(LookupError("x")), __hash__=fail(LookupError("x"))
    ),
    "a circle of causes": cycle,
    "a long chain of causes": chain,
    "a group in a group in a group": nested,
    "a group that is endless": lambda: made(
        ExceptionGroup, "m", [RuntimeError("x")], exceptions=property(lambda _self: endless())
    ),
    "a group of many": lambda: ExceptionGroup("m", [RuntimeError("x")] * 100_000),
    "a name of several lines": lambda: type("X\n\ndata: stolen\n\n", (Exception,), {})(
        "data: stolen"
    ),
    "a message of several lines": lambda: RuntimeError("x\r\n\r\ndata: stolen\r\n\r\n"),
    "a message of lone surrogates": lambda: RuntimeError("\ud83d"),
    "a message of a megabyte": lambda: RuntimeError("x" * 1_000_000),
    "an error of the connection that has no text": lambda: made(
        ConnectionResetError, 104, __str__=fail(LookupError("x"))
    ),
    "headers that are endless": lambda: with_headers(Endless()),
    "headers that raise": lambda: with_headers(raising(SystemExit(3))),
    "headers whose `get` raises": lambda: with_headers(type("H", (), {"get": fail(Fatal("x"))})()),
    **{
        f"a Retry-After: {name}": lambda value=value: with_headers({"retry-after": value})
        for name, value in HEADER_VALUES.items()
    },
}
