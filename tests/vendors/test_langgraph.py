"""What graphs stream, by LangGraph itself: every mode and form, sync and async."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest

from chunks import read
from recorded.langchain import RUN_TOLD
from sse_bridge.adapters import LangGraph
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import replay

langgraph = vendor("langgraph.graph")
messages = vendor("langchain_core.messages")

from langgraph.checkpoint.memory import InMemorySaver  # noqa: E402
from langgraph.types import interrupt  # noqa: E402

from vendors.langchain_models import ASK, Service, graph  # noqa: E402

TOLD = RUN_TOLD._replace(results=(("call_1", "30 degrees in Rome"),))
ALL = ["values", "updates", "messages", "custom", "tools", "tasks", "checkpoints", "debug"]
FORMS: dict[str, dict[str, Any]] = {
    "messages": {"stream_mode": "messages"},
    "two modes": {"stream_mode": ["messages", "custom"]},
    "all modes": {"stream_mode": ALL},
    "subgraphs": {"stream_mode": "messages", "subgraphs": True},
    "subgraphs and all modes": {"stream_mode": ALL, "subgraphs": True},
    "parts": {"stream_mode": "messages", "version": "v2"},
    "parts of all modes": {"stream_mode": ALL, "version": "v2", "subgraphs": True},
}
every_form = pytest.mark.parametrize("form", FORMS)
every_way = pytest.mark.parametrize("way", ["stream", "astream"])


@every_form
@every_way
@pytest.mark.parametrize("adapter", ["auto", "langgraph"])
def test_a_run_of_several_calls_is_one_answer(form: str, way: str, adapter: str):
    assert_answers(lambda: getattr(graph(), way)(ASK, **FORMS[form]), TOLD, adapter=adapter)


@every_form
@every_way
def test_under_plain_all_is_json_and_the_summary_knows_the_rest(form: str, way: str):
    said, summary = as_plain(lambda: getattr(graph(), way)(ASK, **FORMS[form]))
    assert len(said) == summary.chunks
    assert summary.error is None
    assert summary.finish_reason == "stop"
    assert summary.usage == {"input_tokens": 14, "output_tokens": 18, "total_tokens": 32}


def test_events_of_a_graph_are_one_answer_and_each_is_json_under_plain():
    def ask() -> Any:
        return graph().astream_events(ASK, version="v2")

    assert_answers(ask, TOLD)
    said, summary = as_plain(ask)
    assert len(said) == summary.chunks
    assert {"on_chain_start", "on_tool_end"} <= {event["event"] for event in said}


def test_a_graph_within_a_graph_speaks_too():
    def ask() -> Any:
        outer = langgraph.StateGraph(langgraph.MessagesState)
        outer.add_node("inner", graph())
        outer.add_edge(langgraph.START, "inner")
        return outer.compile().stream(ASK, stream_mode=ALL, subgraphs=True)

    assert_answers(ask, TOLD)


@every_way
@pytest.mark.parametrize("modes", [["updates", "custom"], ["updates"], "updates"], ids=str)
@pytest.mark.parametrize("subgraphs", [False, True])
def test_updates_tell_the_words_where_the_mode_of_messages_is_not_asked_for(
    way: str, modes: Any, subgraphs: bool
):
    def ask() -> Any:
        outer = langgraph.StateGraph(langgraph.MessagesState)
        outer.add_node("inner", graph())
        outer.add_edge(langgraph.START, "inner")
        asked = {"stream_mode": modes, "subgraphs": subgraphs}
        return getattr(outer.compile(), way)(ASK, **asked)

    told = TOLD._replace(calls=(("call_1", "weather", '{"city":"Rome"}'),))
    assert_answers(ask, told, adapter="langgraph")
    if modes != "updates" or subgraphs:
        assert_answers(ask, told)


def test_a_message_that_a_node_has_made_is_told_once_in_whichever_modes_it_comes():
    def ask(modes: list[str]) -> Any:
        made = langgraph.StateGraph(langgraph.MessagesState)
        made.add_node("say", lambda state: {"messages": [messages.AIMessage("Hello")]})
        made.add_edge(langgraph.START, "say")
        return made.compile().stream(ASK, stream_mode=modes)

    assert_answers(lambda: ask(["messages", "updates"]), Answer("Hello"))
    assert_answers(lambda: ask(["updates", "values"]), Answer("Hello"))


@pytest.mark.parametrize("subgraphs", [False, True])
def test_under_plain_no_mode_sends_the_systems_prompt(subgraphs: bool):
    asked = {"messages": [messages.SystemMessage("be brief"), *ASK["messages"]]}
    said, summary = as_plain(lambda: graph().stream(asked, stream_mode=ALL, subgraphs=subgraphs))
    assert "be brief" not in str(said)
    assert "30 degrees in Rome" in str(said)
    assert len(said) == summary.chunks


class Draft(TypedDict):
    text: str


def test_a_question_to_somebody_is_told_as_data():
    def ask(state: Draft) -> Draft:
        return {"text": interrupt({"question": "Send it?"})}

    made = langgraph.StateGraph(Draft)
    made.add_node("ask", ask)
    made.add_edge(langgraph.START, "ask")
    waiting = made.compile(checkpointer=InMemorySaver())
    settings = {"configurable": {"thread_id": "1"}}
    modes = ["updates", "custom"]
    source = waiting.stream({"text": "x"}, settings, stream_mode=modes)
    [data] = read(LangGraph(), *source)
    assert (data.name, data.value) == ("interrupt", b'{"question":"Send it?"}')


@every_way
@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (401, "credentials_refused")])
def test_a_model_that_is_refused_in_a_node_fails_the_stream_with_its_code(
    way: str, status: int, code: str
):
    with replay(b'{"error":{"message":"m"}}', "application/json", status=status) as url:
        model = Service(url=url)
        answer, _ = in_delta(lambda: getattr(graph(model), way)(ASK, stream_mode="messages"))
    assert answer == Answer(code=code)
