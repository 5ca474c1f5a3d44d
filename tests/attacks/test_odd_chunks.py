"""Attacks by chunks that are anything but chunks: they are said, or the stream fails, once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest

import whatwg
from misused import (
    DONE,
    DRIVERS,
    Hostile,
    Run,
    boom,
    failure,
    in_asyncio,
    in_threads,
    streamed,
    wait_until_all_is_over,
)
from sse_bridge import Ending, UpstreamError
from sse_bridge.adapters import DashScope
from sse_bridge.options import Options

DIALECTS = ["plain", "delta", "openai"]


@pytest.fixture(autouse=True)
def _all_is_over() -> Iterator[None]:
    yield
    wait_until_all_is_over()


class Everything:
    """It has every attribute, and each is itself."""

    def __getattr__(self, _: str) -> Any:
        return self

    def __call__(self, *_: object, **__: object) -> Any:
        return self

    def __getitem__(self, _: object) -> Any:
        return self

    def __len__(self) -> int:
        return 2**31

    def __bool__(self) -> bool:
        return True


class Liar:
    """It says that it is something else."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return self._kind


class Endless(Mapping[Any, Any]):
    """A mapping without an end: it is refused when it has had enough of it."""

    def __init__(self) -> None:
        self.asked = 0

    def __getitem__(self, key: Any) -> Any:
        return key

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[Any]:
        while self.asked < 100_000:
            self.asked += 1
            yield self.asked
        raise MemoryError


class Exits:
    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)  # no AttributeError


class Dict(dict[Any, Any]):
    get = items = keys = values = __getitem__ = __contains__ = __iter__ = boom  # type: ignore[assignment]


@dataclass
class Self:
    me: Any = None


def cycle() -> Any:
    value: dict[str, Any] = {"a": 1}
    value["self"] = value
    return value


def cycle_of_lists() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def cycle_of_dataclasses() -> Any:
    value = Self()
    value.me = value
    return value


def deep() -> Any:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    return value


class Model:
    model_fields: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, dumped: Any) -> None:
        self._dumped = dumped

    def model_dump_json(self, **_: object) -> Any:
        return self._dumped() if callable(self._dumped) else self._dumped


ODD_CHUNKS: dict[str, Callable[[], Any]] = {
    "all methods raise": Hostile,
    "every attribute": Everything,
    "a mock": MagicMock,
    "a small mock": Mock,
    "an async mock": AsyncMock,
    "a dict of mocks": lambda: {"choices": MagicMock(), "output": MagicMock()},
    "a mock with a status": lambda: MagicMock(status_code=500, code="x", message="y"),
    "says it is a str": lambda: Liar(str),
    "says it is a dict": lambda: Liar(dict),
    "says it is nothing": lambda: Liar(type(None)),
    "a mapping without an end": Endless,
    "attributes raise oddly": Exits,
    "a dict whose methods raise": lambda: Dict(a=1),
    "a dict in itself": cycle,
    "a list in itself": cycle_of_lists,
    "a dataclass in itself": cycle_of_dataclasses,
    "a list in a list in a list": deep,
    "bogus dataclass": lambda: type("Bogus", (), {"__dataclass_fields__": 3})(),
    "a class": lambda: Hostile,
    "a function": lambda: boom,
    "a module": lambda: threading,
    "a lock": threading.Lock,
    "an exception": lambda: ValueError("a secret"),
    "a model of nothing": lambda: Model(None),
    "a model of bytes": lambda: Model(b"{}"),
    "a model of a forged frame": lambda: Model('{"a":\n\n"event: done"}'),
    "a model that raises": lambda: Model(boom),
    "keys that are no keys": lambda: {(1, 2): 3, None: 4, 1.5: float("inf")},
    "a large number": lambda: {"n": 10**5000},
    "a range": lambda: range(10**9),
    "an ellipsis": lambda: ...,
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("make", ODD_CHUNKS.values(), ids=ODD_CHUNKS)
def test_an_odd_chunk_is_said_or_is_a_failure_and_nothing_of_it_breaks_out(make: Any, dialect: str):
    for before in (["a"], []):
        body, summary = streamed(in_threads, iter([*before, make()]), dialect=dialect)
        assert summary.ending in (Ending.FAILED, Ending.FINISHED)
        assert b"a secret" not in body or summary.ending is Ending.FINISHED
        ends = [e for e in whatwg.events(body) if e.type in ("done", "error") or e.data == "[DONE]"]
        assert len(ends) == (1 if body else 0)
        assert not body or whatwg.events(body)[-1] == ends[0]


ADAPTERS = ["auto", "plain", "openai", "frames", DashScope(incremental_output=True)]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=str)
@pytest.mark.parametrize("make", ODD_CHUNKS.values(), ids=ODD_CHUNKS)
def test_no_adapter_is_brought_down_by_an_odd_chunk(make: Any, adapter: Any):
    _, summary = streamed(in_threads, iter([make()]), adapter=adapter, collect=True, hold=0)
    assert summary.ending in (Ending.FAILED, Ending.FINISHED)


class Exit(MagicMock):
    """A field of it ends the process, would it have its way."""

    @property
    def choices(self) -> Any:
        raise SystemExit("a secret")

    output = event = data = choices


@DRIVERS
def test_a_chunk_whose_field_would_exit_ends_its_stream_only(run: Run):
    body, summary = streamed(run, iter(["a", Exit()]))
    assert failure(body) == "upstream_error"
    assert isinstance(summary.error, SystemExit)


MEGABYTES = 50 * 1024 * 1024


@pytest.mark.parametrize("run", [in_threads, in_asyncio])
def test_a_chunk_of_fifty_megabytes_arrives_whole(run: Run):
    body, summary = streamed(run, iter(["x" * MEGABYTES, "end"]))
    assert len(body) == summary.bytes > MEGABYTES
    assert body.startswith(b"data: xxx")
    assert body[-300:].endswith(b"x\n\ndata: end\n\nevent: done\nid: [DONE]\ndata: [DONE]\n\n")


@pytest.mark.parametrize("run, empty", [(in_threads, ""), (in_threads, None), (in_asyncio, None)])
def test_a_million_chunks_that_say_nothing_end_as_a_stream_that_said_nothing(run: Run, empty: Any):
    body, summary = streamed(run, (empty for _ in range(1_000_000)))
    assert whatwg.events(body) == [DONE]
    assert summary.chunks == 1_000_000


def test_any_number_of_chunks_that_say_nothing_are_no_models_answer():
    with pytest.raises(UpstreamError, match="without any text"):
        in_threads((b"" for _ in range(100_000)), Options(dialect="openai"))


def test_a_chunk_that_is_changed_after_it_was_given_was_read_before():
    def source() -> Iterator[Any]:
        chunk: dict[str, Any] = {"n": 0}
        for number in range(100):
            chunk["n"] = number
            yield chunk
        chunk["n"] = chunk

    body, _ = streamed(in_threads, source())
    assert [e.data for e in whatwg.events(body)][:-1] == [f'{{"n":{n}}}' for n in range(100)]
