"""LangChain's messages as they are in JSON, and what graphs make of them."""

from __future__ import annotations

from typing import Any

from told import Answer

WHERE = {"langgraph_step": 1, "langgraph_node": "agent"}


def chunk(content: Any = "", id_: str | None = "lc_run--1", **fields: Any) -> dict[str, Any]:
    return {
        "content": content,
        "additional_kwargs": {},
        "response_metadata": {},
        "type": "AIMessageChunk",
        "name": None,
        "id": id_,
        "tool_calls": [],
        "invalid_tool_calls": [],
        "usage_metadata": None,
        "tool_call_chunks": [],
        "chunk_position": None,
        **fields,
    }


def fragment(args: str, id_: str | None = None, name: str | None = None, index: Any = 0) -> Any:
    return {"name": name, "args": args, "id": id_, "index": index, "type": "tool_call_chunk"}


def tokens(given: int, made: int, **details: Any) -> dict[str, Any]:
    return {"input_tokens": given, "output_tokens": made, "total_tokens": given + made, **details}


def tool(content: Any, id_: str = "call_1", **fields: Any) -> dict[str, Any]:
    about = {"additional_kwargs": {}, "response_metadata": {}, "type": "tool", "status": "success"}
    return {"content": content, **about, "tool_call_id": id_, **fields}


ANSWER = [
    chunk(additional_kwargs={"reasoning_content": "Let me "}),
    chunk(additional_kwargs={"reasoning_content": "see."}),
    chunk("Hel"),
    chunk("lo"),
    chunk(tool_call_chunks=[fragment("", "call_1", "weather")]),
    chunk(tool_call_chunks=[fragment('{"city": ')]),
    chunk(tool_call_chunks=[fragment('"Rome"}')]),
    chunk(usage_metadata=tokens(7, 0)),
    chunk(response_metadata={"finish_reason": "tool_calls"}, usage_metadata=tokens(0, 9)),
    chunk(chunk_position="last"),
]
TOLD = Answer(
    text="Hello",
    reasoning="Let me see.",
    calls=(("call_1", "weather", '{"city": "Rome"}'),),
    finish="tool_calls",
    usage=(7, 9, 16),
)
SECOND = [
    chunk("It is ", "lc_run--2"),
    chunk("hot.", "lc_run--2"),
    chunk(
        id_="lc_run--2", response_metadata={"stop_reason": "end_turn"}, usage_metadata=tokens(7, 9)
    ),
]
RUN = [*ANSWER, tool("30 degrees"), *SECOND]
RUN_TOLD = TOLD._replace(
    text="HelloIt is hot.", finish="stop", usage=(14, 18, 32), results=(("call_1", "30 degrees"),)
)


def event(kind: str, run_id: str = "1", **data: Any) -> dict[str, Any]:
    about = {"name": "M", "tags": [], "metadata": {}, "parent_ids": []}
    return {"event": kind, "run_id": run_id, **about, "data": data}
