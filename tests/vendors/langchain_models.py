"""Chat models of LangChain's that say what was recorded, or what a service on loopback does; and a graph of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from recorded.langchain import ANSWER, SECOND
from vendors.conftest import vendor

vendor("langchain_core")
langgraph = vendor("langgraph.graph")
openai = vendor("openai")

from langchain_core.language_models.chat_models import (  # noqa: E402
    BaseChatModel,
    generate_from_stream,
)
from langchain_core.messages import AIMessageChunk, HumanMessage  # noqa: E402
from langchain_core.outputs import ChatGenerationChunk  # noqa: E402
from langchain_core.tools import tool  # noqa: E402
from langgraph.config import get_stream_writer  # noqa: E402
from langgraph.prebuilt import ToolNode, tools_condition  # noqa: E402

ASK: dict[str, Any] = {"messages": [HumanMessage("hi")]}


def made_of(chunk: dict[str, Any]) -> ChatGenerationChunk:
    """A chunk as a model gives it: LangChain adds the id of the run, and which one is the last."""
    fields = {name: value for name, value in chunk.items() if name not in ("id", "chunk_position")}
    return ChatGenerationChunk(message=AIMessageChunk(**fields))


class Recorded(BaseChatModel):
    """Gives one recorded message after the other."""

    messages: Any

    @property
    def _llm_type(self) -> str:
        return "recorded"

    def _generate(self, *_: Any, **more: Any) -> Any:
        return generate_from_stream(self._stream())

    def _stream(self, *_: Any, run_manager: Any = None, **more: Any) -> Iterator[Any]:
        for chunk in self._chunks():
            if run_manager:
                run_manager.on_llm_new_token(str(chunk.message.content), chunk=chunk)
            yield chunk

    async def _astream(self, *_: Any, run_manager: Any = None, **more: Any) -> AsyncIterator[Any]:
        for chunk in self._chunks():
            if run_manager:
                await run_manager.on_llm_new_token(str(chunk.message.content), chunk=chunk)
            yield chunk

    def _chunks(self) -> Iterator[Any]:
        yield from map(made_of, self.messages.pop(0))


class Service(Recorded):
    """Asks a service that speaks OpenAI's protocol, as the packages of LangChain's partners do."""

    url: str
    messages: tuple[Any, ...] = ()

    def _chunks(self) -> Iterator[Any]:
        with (
            openai.OpenAI(api_key="x", base_url=self.url, max_retries=0) as client,
            client.chat.completions.create(model="m", messages=[], stream=True) as stream,
        ):
            for chunk in stream:
                yield made_of({"content": chunk.choices[0].delta.content or ""})


@tool
def weather(city: str) -> str:
    """The weather."""
    return f"30 degrees in {city}"


def graph(model: Any = None) -> Any:
    """A model that calls a tool, and is called once more with what that gave."""
    model = model or Recorded(messages=[ANSWER, SECOND])

    def speak(state: Any) -> Any:
        get_stream_writer()({"step": "asking"})
        return {"messages": [model.invoke(state["messages"])]}

    made = langgraph.StateGraph(langgraph.MessagesState)
    made.add_node("model", speak)
    made.add_node("tools", ToolNode([weather]))
    made.add_edge(langgraph.START, "model")
    made.add_conditional_edges("model", tools_condition)
    made.add_edge("tools", "model")
    return made.compile()
