"""What graphs stream, by its shape, without LangGraph: see vendors/test_langgraph.py for that."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from chunks import read
from recorded.langchain import RUN, RUN_TOLD, WHERE, chunk, tool
from sse_bridge.adapters import Auto, LangGraph
from sse_bridge.adapters.langgraph import looks_like_langgraph
from sse_bridge.parts import Data, ToolResult, Value
from told import Answer, as_plain, assert_answers

SYSTEM = chunk("be brief", "s", type="system")
SAID = chunk("Hello", "1", type="ai", tool_calls=[{"name": "weather", "args": {}, "id": "call_1"}])
FORMS: dict[str, Callable[[Any], Any]] = {
    "alone": lambda pair: pair,
    "several modes": lambda pair: ("messages", pair),
    "subgraphs": lambda pair: (("agent:1",), pair),
    "subgraphs and several modes": lambda pair: (("agent:1",), "messages", pair),
    "parts": lambda pair: {"type": "messages", "ns": (), "data": pair},
}


@pytest.mark.parametrize("adapter", ["auto", "langgraph", LangGraph()])
@pytest.mark.parametrize("form", FORMS)
def test_messages_in_any_form_are_one_answer(form, adapter):
    chunks = [FORMS[form]((message, WHERE)) for message in RUN]
    assert_answers(lambda: iter(chunks), RUN_TOLD, adapter=adapter)
    said, summary = as_plain(lambda: iter(chunks), adapter=adapter)
    assert len(said) == len(chunks)
    assert summary.finish_reason == "stop"


def test_states_repeat_the_messages_and_say_nothing():
    state = {"messages": [chunk("Hello", type="ai"), tool("30 degrees")]}
    chunks = [
        ("values", {"messages": [chunk("hi", type="human")]}),
        *(("messages", (message, WHERE)) for message in RUN),
        ("updates", {"agent": state}),
        ("values", state),
        ("tasks", {"id": "1", "name": "agent", "input": state, "triggers": ()}),
        ("checkpoints", {"values": state}),
        ("debug", {"type": "task", "payload": state}),
        ("tools", {"event": "tool-finished", "output": tool("30 degrees")}),
        ("tools", {"event": "tool-started", "tool_name": "weather"}),
    ]
    assert_answers(lambda: iter(chunks), RUN_TOLD)


def test_what_a_node_writes_of_its_own_is_data():
    chunks = [
        ("custom", {"step": 1}),
        ((), "custom", "working"),
        {"type": "custom", "ns": (), "data": [2]},
        ("custom", Data("progress", 3, "p")),
    ]
    assert read(Auto(), *chunks) == [
        Data("custom", b'{"step":1}'),
        Data("custom", b'"working"'),
        Data("custom", b"[2]"),
        Data("progress", b"3", "p"),
    ]


def test_an_interrupt_is_told_once_in_whichever_modes_it_comes():
    interrupt = {"value": {"ask": "Go on?"}, "id": "i"}
    chunks = [
        ("messages", (chunk("Hi"), WHERE)),
        ("updates", {"__interrupt__": (interrupt,)}),
        ("values", {"__interrupt__": [interrupt]}),
        {"type": "values", "ns": (), "data": {}, "interrupts": (interrupt,)},
    ]
    assert read(Auto(), *chunks) == ["Hi", Data("interrupt", b'{"ask":"Go on?"}', "i")]


def test_what_a_tool_gave_is_told_once_in_whichever_modes_it_comes():
    finished = {"event": "tool-finished", "output": tool("30 degrees")}
    chunks = [((), "tools", finished), ((), "messages", (tool("30 degrees"), WHERE))]
    assert read(Auto(), *chunks) == [ToolResult("call_1", b'"30 degrees"')]


def test_a_graph_that_only_tells_its_states_has_not_failed_under_plain():
    states = [("updates", {"agent": {"count": 1}}), {"agent": {"count": 2}}]
    said, summary = as_plain(lambda: iter(states), adapter="langgraph")
    assert said == [["updates", {"agent": {"count": 1}}], {"agent": {"count": 2}}]
    assert summary.error is None


UPDATES: list[Any] = [
    ("updates", {"router": None, "model": {"messages": [SAID]}}),
    ("updates", {"tools": [{"messages": [tool("30 degrees")]}, {"count": 1}]}),
    ("updates", {"model": {"messages": chunk("It is hot.", "2", type="ai")}}),
    ("updates", {"trim": {"messages": [SAID, chunk("hi", type="human")]}}),
]
UPDATES_TOLD = Answer(
    "HelloIt is hot.",
    calls=(("call_1", "weather", "{}"),),
    results=(("call_1", "30 degrees"),),
)


@pytest.mark.parametrize("adapter", ["auto", "langgraph"])
def test_what_nodes_add_to_the_messages_is_told_where_it_comes_in_no_other_mode(adapter):
    assert_answers(lambda: iter(UPDATES), UPDATES_TOLD, adapter=adapter)
    parts = [{"type": "updates", "ns": (), "data": update} for _, update in UPDATES]
    assert_answers(lambda: iter(parts), UPDATES_TOLD, adapter=adapter)
    inner = [(("graph:1",), update) for _, update in UPDATES]
    assert_answers(lambda: iter(inner), UPDATES_TOLD, adapter=adapter)


def test_updates_alone_are_an_answer():
    assert_answers(lambda: (update for _, update in UPDATES), UPDATES_TOLD, adapter="langgraph")


def test_an_update_without_ids_is_told_by_the_outermost_graph_alone():
    mine = {"model": {"messages": [chunk("Hello", None, type="ai")]}}
    chunks = [(("graph:1",), "updates", mine), ((), "updates", mine)]
    assert read(Auto(), *chunks) == ["Hello"]


def test_a_message_that_was_told_by_itself_is_not_told_again_with_its_update():
    chunks = [chunk("Hel", "1"), chunk("lo", "1"), UPDATES[0]]
    assert read(Auto(), *chunks) == ["Hel", "lo"]


def test_under_plain_states_are_sent_without_the_systems_prompt():
    before, after = {"messages": [SYSTEM, SAID]}, {"messages": [SAID]}
    emptied = {"type": "system", "content": "", "id": SYSTEM["id"]}

    def chunks(state: Any, message: Any) -> list[Any]:
        return [
            ["values", state],
            ["tasks", {"id": "1", "input": state}],
            ["debug", {"type": "checkpoint", "payload": {"values": {"inner": state}}}],
            ["updates", {"agent": state}],
            ["messages", [message, WHERE]],
            {"type": "values", "ns": [], "data": state},
        ]

    given = [tuple(one) if isinstance(one, list) else one for one in chunks(before, SYSTEM)]
    kept = copy.deepcopy(given)
    said, _ = as_plain(lambda: iter([*given, ("custom", SYSTEM)]), adapter="langgraph")
    assert said == [*chunks(after, emptied), ["custom", SYSTEM]]
    assert given == kept


@pytest.mark.parametrize(
    "mine",
    [("debug", {"own": 1}), ("tasks", ["own"]), ("updates", "own"), ("values", 3)],
)
def test_pairs_of_an_apps_among_messages_of_langchains_are_its_own(mine):
    written = json.dumps(mine, separators=(",", ":")).encode()
    assert read(Auto(), chunk("Hi"), mine) == ["Hi", Value(written)]
    assert as_plain(lambda: iter([chunk("Hi"), mine]))[0][1] == list(mine)


def test_a_state_without_messages_is_a_graphs_once_a_graph_has_spoken():
    state = ("values", {"count": 1})
    assert read(Auto(), state) == [Value(b'["values",{"count":1}]')]
    assert read(Auto(), ("messages", (chunk("Hi"), WHERE)), state) == ["Hi"]


@pytest.mark.parametrize(
    "odd",
    [
        ("messages", None),
        ("messages", ()),
        ((), "messages", (5, 6)),
        ((), "updates", None),
        ((), "tools", 5),
        {"type": "messages", "ns": [], "data": 5},
        {"type": "values", "ns": (), "data": {}, "interrupts": 5},
        ((), "updates", {"__interrupt__": [5]}),
    ],
)
def test_odd_fields_are_left_alone(odd):
    assert "Hi" in read(LangGraph(), odd, (chunk("Hi"), WHERE))


@pytest.mark.parametrize(
    "mine",
    [
        ("messages", "x"),
        ("updates", {"a": 1}),
        ("values", [1, 2]),
        ("id", "x"),
        ("a", "b", "c"),
        (["x", "y"], "values", {"own": 3}),
        ((), {"a": {"messages": ["x"]}}),
        (1, 2),
        ({"type": "ai"}, {}),
        ({"error": "x"}, 400),
        {"type": "messages", "data": []},
        {"type": "later", "ns": (), "data": []},
        {"type": "values", "ns": "x", "data": []},
    ],
)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(mine):
    assert not looks_like_langgraph(mine)


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match="takes what LangGraph streams, got an object"):
        read(LangGraph(), object())


def test_a_message_that_the_user_has_taken_out_of_a_graphs_chunk_goes_on_with_it():
    chunks = [("messages", (chunk("Hel"), WHERE)), chunk("lo")]
    assert_answers(lambda: iter(chunks), Answer("Hello"))
