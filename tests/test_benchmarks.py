"""Every contender of the benchmarks sends the same events; nothing here looks at a clock."""

import asyncio
from contextlib import contextmanager
from functools import partial
from typing import get_args

import pytest
import trio
from benchmarks import (
    apart,
    contenders,
    first,
    growth,
    imports,
    inprocess,
    latency,
    middleware,
    on_trio,
    over_flask,
    uvicorns,
    wire,
    wsgi,
)
from benchmarks.contenders import raw_src
from benchmarks.measure import Comparison, Field, compare
from benchmarks.report import page, verdicts
from benchmarks.row import KIB, Row, Target, grid
from benchmarks.rows import ROWS, TARGETS
from benchmarks.tables import Result, table
from benchmarks.work import Kind, Mode, Work

EVENTS = 150


@pytest.mark.parametrize("mode", get_args(Mode))
@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("name", contenders.ALL)
def test_every_contender_sends_the_same_events(name: str, kind: Kind, mode: Mode) -> None:
    work = Work(kind, mode, EVENTS)
    asyncio.run(inprocess.check(contenders.load(name)(work), work))


@pytest.mark.parametrize("name", contenders.OURS)
def test_our_contenders_send_the_same_events_on_trio(name: str) -> None:
    work = Work("str", "async", EVENTS)
    trio.run(on_trio.check, contenders.load(name)(work), work)


@pytest.mark.parametrize("name", wsgi.BODIES)
def test_every_wsgi_body_has_the_same_events(name: str) -> None:
    work = Work("str", "sync", EVENTS)
    inprocess.refuse_other_events(work, wsgi.read(wsgi.BODIES[name](work)))


def test_a_body_with_a_missing_event_is_refused() -> None:
    with pytest.raises(ValueError, match="1 events instead of 2"):
        inprocess.refuse_other_events(Work("str", "sync", 2), b"data:  token0\n\n")


@pytest.mark.parametrize("name", middleware.WSGI_WRAPS)
def test_every_wrapped_wsgi_app_gives_the_bare_ones_answer(name: str) -> None:
    app = middleware.WSGI_WRAPS[name](middleware.wsgi_app)
    assert middleware.wsgi_answer(app) == middleware.wsgi_answer(middleware.wsgi_app)


@pytest.mark.parametrize("name", middleware.ASGI_WRAPS)
def test_every_wrapped_asgi_app_gives_the_bare_ones_answer(name: str) -> None:
    app = middleware.ASGI_WRAPS[name](middleware.asgi_app)
    bare, wrapped = (
        asyncio.run(middleware.asgi_answer(each)) for each in (middleware.asgi_app, app)
    )
    assert wrapped == bare


def test_a_wrapped_app_with_another_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="an answer of"):
        middleware.refuse_another(["200 OK", [], b"{}"], ["200 OK", [], b"[]"])


@pytest.mark.parametrize("cut", [wire.in_events, wire.in_blocks])
@pytest.mark.parametrize("name", wire.DECODERS)
def test_every_decoder_reads_the_same_events(name: str, cut: wire.Cut) -> None:
    wanted = wire.texts()
    assert wire.DECODERS[name](cut(wire.encode_raw(wanted))) == wanted


@pytest.mark.parametrize("name", wire.ENCODERS)
def test_every_encoder_writes_the_same_frames(name: str) -> None:
    datas = wire.texts()
    assert [wire.with_lf(frame) for frame in wire.ENCODERS[name](datas)] == wire.encode_raw(datas)


@pytest.mark.parametrize("name", over_flask.MAKERS)
def test_every_flask_app_streams_the_same_events_in_process(name: str) -> None:
    work = Work("str", "sync", EVENTS)
    app = wsgi.answers(over_flask.app(name, work))
    inprocess.refuse_other_events(work, wsgi.read(app(work)))


@pytest.mark.parametrize("name", ["raw", "raw_src", "starlette", *contenders.OURS])
def test_openai_chunks_cost_everyone_the_same_bytes(name: str) -> None:
    work = Work("openai", "async", 3)
    exchange = inprocess.Exchange(keep=True)
    asyncio.run(inprocess.serve(contenders.load(name)(work), exchange))
    assert exchange.kept is not None
    sent = b"".join(exchange.kept).removesuffix(b"data: [DONE]\n\n")
    assert sent == b"".join(map(raw_src.openai_frame, work.chunks()))


def test_uvicorn_runs_on_the_loop_and_the_parser_that_its_rows_name() -> None:
    found = {}
    for name in uvicorns.LOOP_AND_PARSER:
        config = uvicorns.config(name, contenders.load("raw")(Work("str", "async", 1)))
        config.load()
        loop = config.get_loop_factory()()
        found[uvicorns.label(name)] = type(loop).__module__, config.http_protocol_class.__module__
        loop.close()
    protocols = "uvicorn.protocols.http"
    assert found == {
        "uvicorn, uvloop + httptools": ("uvloop", f"{protocols}.httptools_impl"),
        "uvicorn, asyncio + h11": ("asyncio.unix_events", f"{protocols}.h11_impl"),
    }


def test_what_is_the_better_the_more_there_is_of_it_has_a_least() -> None:
    rate, cost = Target("", "", "", 0.6, least=True), Target("", "", "", 0.6)
    assert [rate.met_by(0.7), rate.met_by(0.5), cost.met_by(0.7), cost.met_by(0.5)] == [
        True,
        False,
        False,
        True,
    ]
    assert (rate.words(), cost.words()) == ("at least 0.6", "at most 0.6")


QUICK_TO_OPEN = {
    "in process": partial(inprocess.field, Work("str", "async", 10)),
    "trio": partial(on_trio.field, Work("str", "async", 10)),
    "wsgi": partial(wsgi.field, Work("str", "sync", 10)),
    "Flask in process": partial(wsgi.apps, Work("str", "sync", 10)),
    "first event": partial(first.alone, "async"),
    "fairness": partial(first.crowded, "sync"),
    "wrapping a WSGI app": middleware.wsgi_field,
    "wrapping an ASGI app": middleware.asgi_field,
    "delay": partial(latency.asgi_field, "async"),
    "decoding": partial(wire.decoding, wire.in_blocks),
    "encoding": wire.encoding,
}


@pytest.mark.parametrize("kind", QUICK_TO_OPEN)
def test_a_field_has_a_sample_of_each_of_our_contenders(kind: str) -> None:
    with QUICK_TO_OPEN[kind](contenders.OURS) as field:
        samples = {name: sampler() for name, sampler in field.samplers.items()}
    assert field.absent == {}
    assert any("sse_bridge" in name for name in samples)
    assert all(value >= 0 for value in samples.values())


def test_a_process_of_its_own_can_do_without_a_package() -> None:
    with apart.field(contender_of_json, ("orjson",), ("encoder",)) as field:
        assert field.absent["encoder"] == "ImportError: no orjson here"
    with apart.field(contender_of_json, (), ("encoder",)) as field:
        assert field.samplers["encoder"]() == 1


@contextmanager
def contender_of_json(names):  # type: ignore[no-untyped-def]
    from benchmarks.work import orjson_dumps

    def make():  # type: ignore[no-untyped-def]
        if orjson_dumps is None:
            raise ImportError("no orjson here")
        return lambda: 1.0

    field = Field()
    for name in names:
        field.enter(name, make)
    yield field


def test_the_rows_of_the_standard_librarys_json_run_without_orjson() -> None:
    work = partial(inprocess.field, Work("dict", "async", 10))
    with apart.field(work, ("orjson",), contenders.OURS) as field:
        assert set(field.samplers) == set(contenders.OURS)
        assert all(sampler() >= 0 for sampler in field.samplers.values())


def test_growth_notes_memory_beside_what_it_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "OPEN_STREAMS", (1, 20))
    monkeypatch.setattr(growth, "LENGTHS", (10, 100))
    monkeypatch.setattr(growth, "EVENTS", 40)
    for open_field in (growth.open_streams, growth.lengths):
        with open_field(()) as field:
            assert all(sampler() >= 0 for sampler in field.samplers.values())
        assert field.absent == {}
        assert field.memory.keys() == field.samplers.keys()


def test_importing_what_is_not_there_leaves_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MODULES", ("sse_bridge", "nobody_at_all"))
    with imports.field(()) as field:
        assert list(field.samplers) == ["python", "sse_bridge"]
    assert "nobody_at_all" in field.absent["nobody_at_all"]


def test_a_contender_that_is_not_installed_is_left_out_with_its_reason() -> None:
    field = Field()
    field.enter("nobody", lambda: contenders.load("nobody"))  # type: ignore[arg-type,return-value]
    assert field.samplers == {}
    assert "nobody" in field.absent["nobody"]


def test_ratios_are_paired_within_a_repetition() -> None:
    comparison = Comparison("raw", [{"raw": 1, "peer": 2}, {"raw": 10, "peer": 20}])
    assert comparison.ratio("peer", "raw").middle == 2


def test_a_machine_that_does_not_hold_still_is_told_apart() -> None:
    ends = iter([1.0, 2.0] * 100)
    comparison = compare(Field({"raw": lambda: next(ends)}), "raw", 3)
    assert comparison.kept == []
    assert not comparison.trusted


def test_the_first_repetition_does_not_count() -> None:
    costs = iter([9.0, 9.0] + [1.0] * 6)
    comparison = compare(Field({"raw": lambda: next(costs)}), "raw", 3)
    assert comparison.kept == [{"raw": 1.0}] * 3


def test_a_target_without_a_figure_is_missed() -> None:
    result = Result(row("async-str"), Field(absent={"raw": "why"}), Comparison("raw"))
    assert [verdict.met for verdict in verdicts([result])] == [False, False]
    assert "**raw did not take part:** `why`" in page([result])


def test_every_target_is_of_a_row_that_is_measured() -> None:
    assert {target.row for target in TARGETS} <= {row.name for row in ROWS}


def test_every_row_has_a_name_of_its_own() -> None:
    names = [row.name for row in ROWS]
    assert sorted(set(names)) == sorted(names)


def test_a_value_is_held_to_its_target_in_the_rows_own_unit() -> None:
    field = Field(dict.fromkeys(("raw_src", *contenders.OURS), lambda: 0.0))
    kept = [{"raw_src": 1.0, "sse_bridge_asgi": 0.02, "sse_bridge_starlette": 0.2}] * 3
    result = Result(row("fair-async"), field, Comparison("raw_src", kept))
    assert [verdict.met for verdict in verdicts([result])] == [True, False]
    assert "| at most 100 ms | 20.00 ms | met |" in page([result])
    assert "| sse_bridge_asgi | 20.00 | 20.00 to 20.00 |" in list(table(result))


def test_memory_can_be_what_a_row_is_about() -> None:
    kept = [{"raw": 1024.0, "peer": 3072.0}] * 3
    field = Field(dict.fromkeys(("raw", "peer"), lambda: 0.0))
    idle = Row("idle", "Idle", wire.encoding, "a stream", relation="added", scale=KIB)
    lines = list(table(Result(idle, field, Comparison("raw", kept))))
    assert "| contender | KiB a stream | KiB over `raw` | quartiles |" in lines
    assert "| peer | 3.00 | 2.00 | 2.00 to 2.00 |" in lines


def test_growth_is_a_table_of_contenders_by_size() -> None:
    sizes = [grid("raw_src", 1), grid("raw_src", 1000)]
    field = Field(dict.fromkeys(sizes, lambda: 0.0), memory={sizes[1]: 2048})
    kept = [dict.fromkeys(sizes, 2e-6)] * 3
    result = Result(row("growth-events"), field, Comparison(sizes[0], kept))
    assert "| events | 1 | 1,000 |" in list(table(result))
    assert "| raw_src | 2.00 µs | 2.00 µs, 2.0 KiB |" in list(table(result))


def test_the_page_has_every_row_and_every_target() -> None:
    results = [measured_by_nobody(row) for row in ROWS]
    text = page(results)
    assert all(f"(`{row.name}`)" in text for row in ROWS)
    assert len(verdicts(results)) == len(TARGETS)


def measured_by_nobody(row: Row) -> Result:
    field = Field(dict.fromkeys((row.baseline, *contenders.OURS), lambda: 0.0))
    if row.columns:
        field = Field(dict.fromkeys((row.baseline, grid("peer", 10)), lambda: 0.0))
    return Result(row, field, Comparison(row.baseline, [dict.fromkeys(field.samplers, 1.0)] * 3))


def row(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)
