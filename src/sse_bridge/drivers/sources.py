"""What the user handed over: what it is, how it is opened, how it is closed."""

from __future__ import annotations

import contextvars
import inspect
import logging
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from functools import partial
from types import (
    AsyncGeneratorType,
    CodeType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MethodType,
)
from typing import Any, cast

from ..loops.base import Home
from ..shapes import noted
from ..showing import report

_log = logging.getLogger("sse_bridge")

Chunks = Iterable[Any] | AsyncIterable[Any]
Given = Chunks | Awaitable[Chunks]
Source = Given | Callable[[], Given]

_GENERATORS = (GeneratorType, AsyncGeneratorType)

_WANTED = "source must be an iterable, an async iterable, an awaitable of one, or a callable that gives one"


def check_source(source: Any) -> None:
    """Raise `TypeError` for what cannot be a source, or is a whole answer already."""
    if type(source) in _GENERATORS:  # by far the most frequent, and never a whole answer
        return
    if _is_answer(source):
        raise TypeError(
            f"source must yield chunks, but this {type(source).__name__} is a whole answer already: "
            f"did you forget stream=True? Got {noted(source)}"
        )
    if not (_is_iterable(source) or inspect.isawaitable(source) or callable(source)):
        raise TypeError(f"{_WANTED}, got {noted(source)}{_where(source)}")


def _where(source: Any) -> str:
    """Where an object of an SDK's has the chunks that it is not itself."""
    for method, words in (("__enter__", "with"), ("__aenter__", "async with")):
        if hasattr(type(source), method):
            return f"; it is to be entered first: `{words} ... as chunks`, and the chunks are the source"
    names = ("response_gen", "async_response_gen")  # LlamaIndex's
    known = {*dir(type(source)), *getattr(source, "__dict__", ())}
    found = next((name for name in names if name in known), None)
    return f"; its chunks are in its {found}: give that" if found else ""


def check_opened(source: Any) -> None:
    """The same for what a callable or an awaitable returned."""
    if type(source) in _GENERATORS:
        return
    check_source(source)
    if not _is_iterable(source):
        raise TypeError(f"{_WANTED}; the callable or awaitable returned {noted(source)}")


def _is_answer(source: Any) -> bool:
    return isinstance(source, (str, bytes, bytearray, memoryview, Mapping)) or is_sdk_answer(source)


def is_sdk_answer(thing: Any) -> bool:
    """Whether this is the whole answer that an SDK gives without ``stream=True``."""
    if isinstance(thing, Mapping):
        return "status_code" in thing and "output" in thing  # DashScope's
    return hasattr(type(thing), "model_fields") or hasattr(type(thing), "__fields__")  # pydantic's


def takes_no_arguments(function: Any) -> bool:
    """Whether it can be called without arguments, as a source is."""
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True


def _is_iterable(source: Any) -> bool:
    # Looked up on the type, as iter() does: a class like `list` can be called, but not iterated.
    return has_method(type(source), "__iter__") or has_method(type(source), "__aiter__")


def has_method(kind: type, name: str) -> bool:
    """Whether instances of this type have it, and not just the type: an enum is iterable, its members are not."""
    return hasattr(kind, name) and any(name in vars(base) for base in kind.__mro__)


def is_async(source: Any) -> bool:
    """Whether a loop must open or iterate it; a callable of unknown kind is called on a thread first."""
    if hasattr(type(source), "__aiter__") or inspect.isawaitable(source):
        return True
    return inspect.iscoroutinefunction(source) or inspect.isasyncgenfunction(source)


def _runs_later(function: Any) -> bool:
    """Whether calling it runs none of its code: so it can be called anywhere."""
    return (
        inspect.isasyncgenfunction(function)
        or inspect.iscoroutinefunction(function)
        or inspect.isgeneratorfunction(function)
    )


def call(source: Any) -> Any:
    """The source itself, from a callable that returns it."""
    if callable(source) and not _is_iterable(source) and not inspect.isawaitable(source):
        return source()
    return source


class UnheardReturnError(TypeError):
    """A generator returned a value, which is lost: a retry would change nothing."""

    retryable = False


def walk(source: Iterable[Any], heeded: Callable[[], bool] = lambda: True) -> Iterator[Any]:
    """An iterator over its chunks; for a generator that returns a value it raises `UnheardReturnError`.

    Arguments: `source`, a sync one; `heeded`, called after the last chunk: whether that is to be raised.
    """
    return _valueless(source, heeded) if type(source) is GeneratorType else iter(source)


def _valueless(
    source: Generator[Any, Any, Any], heeded: Callable[[], bool]
) -> Generator[Any, Any, None]:
    # A `for` loop drops the value; `yield from` passes on each chunk, a close and an interruption in C.
    value = yield from source
    if value is not None and heeded():
        raise UnheardReturnError(
            f"a generator's chunks are what it yields, and what it returns is lost, but this one returned "
            f"{noted(value)}: to answer with another status, call abort(...) or raise an exception before the "
            "first yield; a bare return ends the stream"
        )


def discard(source: Any, home: Callable[[], Home]) -> None:
    """Close a source that will not be run; an open async one is closed in the loop of `home`."""
    if inspect.isasyncgen(source):
        _step(source.aclose())  # it never ran: one step closes it, with or without a loop
    elif hasattr(type(source), "__aiter__"):
        context, loop = contextvars.copy_context(), home()
        loop.soon(lambda: loop.spawn(lambda: close_async(None, source), context))
    else:
        close_sync(None, source)


def _step(closing: Any) -> None:
    try:
        closing.send(None)
    except StopIteration:
        pass


def close_sync(iterator: Any, source: Any) -> None:
    """Close the iterator, and the object that it came from: an SDK's stream is not closed with its iterator."""
    for thing in _distinct(iterator, source):
        close = _way_to_close(thing, ("close", "cancel"))
        if close is not None:
            try:
                close()
            except BaseException as error:  # CancelledError too: on_end is still to come
                report_cleanup(error)


async def close_async(iterator: Any, source: Any) -> None:
    """The same for an async source; the SDKs call it `aclose` or `close`."""
    for thing in _distinct(iterator, source):
        if type(thing) is AsyncGeneratorType and thing.ag_frame is None:
            continue  # it ran to its end
        close = _way_to_close(thing, ("aclose", "close", "cancel"))
        if close is not None:
            try:
                outcome = close()
                if inspect.isawaitable(outcome):
                    await outcome
            except BaseException as error:  # CancelledError too: on_end is still to come
                report_cleanup(error)


def _way_to_close(thing: Any, names: tuple[str, ...]) -> Callable[[], Any] | None:
    """The method that closes it: the SDKs have several names for it."""
    for name in names:
        close = getattr(thing, name, None)
        if callable(close):
            return cast(Callable[[], Any], close)
    return None


def _distinct(iterator: Any, source: Any) -> list[Any]:
    return [source] if iterator is None or iterator is source else [iterator, source]


def name_of(source: Any) -> str:
    """The source's qualified name."""
    called = _called(source)
    named = called if _code_of(called) or issubclass(type(called), type) else type(called)
    return str(getattr(named, "__qualname__", type(named).__qualname__))


def written_as(source: Any) -> str:
    """The same with its place, for the log: ``count (app.py:12)``; the place is left out where it is unknown."""
    code = _code_of(_called(source))
    return name_of(source) + (f" ({code.co_filename}:{code.co_firstlineno})" if code else "")


def _called(source: Any) -> Any:
    while issubclass(type(source), partial):
        source = source.func
    return source


def _code_of(source: Any) -> CodeType | None:
    """The code of a function, a generator or a coroutine; None for any other object, which is left alone."""
    field = _CODE.get(type(source))
    # What a method is bound from need not be a function.
    return None if field is None else cast("CodeType | None", getattr(source, field, None))


_CODE = {
    FunctionType: "__code__",
    MethodType: "__code__",
    GeneratorType: "gi_code",
    AsyncGeneratorType: "ag_code",
    CoroutineType: "cr_code",
}


def report_cleanup(error: BaseException) -> None:
    """Log what a source's cleanup raised, which goes nowhere else."""
    if type(error) is RuntimeError and "ignored GeneratorExit" in str(error):
        _log.warning("a source yielded while it was being closed; what it yielded is dropped")
    else:
        report(error, "a source's cleanup raised")


class First:
    """Tells the first caller from all others, also if several threads call at once."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = [True]

    def take(self) -> bool:
        """True for the first, False for all others."""
        try:
            self._left.pop()  # atomic
        except IndexError:
            return False
        return True


class OneRequest:
    """A source for each request, from a callable; or the single source that was given to `owner`, once."""

    def __init__(self, source: Any, owner: str) -> None:
        self._source = source
        self._factory = callable(source) and not _is_iterable(source)
        self._runs_later = self._factory and _runs_later(source)
        self._owner = owner
        self._unclaimed = First()

    def take(self, *request: Any) -> Any:
        """The source for a request, which a callable is called with; `RuntimeError` for a single one's second."""
        if self._factory:
            return self._source(*request) if self._runs_later else partial(self._source, *request)
        if not self._unclaimed.take():
            raise RuntimeError(
                f"this {self._owner} was given a source, which serves one request; "
                "give it a callable to serve many"
            )
        return self._source

    def discard(self, home: Callable[[], Home]) -> None:
        """Close the source, as nothing is to be run for this request."""
        if not self._factory and self._unclaimed.take():
            discard(self._source, home)
