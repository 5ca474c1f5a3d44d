"""A vendor's chunks into our parts: one module for each vendor."""

from __future__ import annotations

from typing import Literal

from .anthropic import Anthropic
from .auto import Auto
from .base import Adapter
from .bedrock import Bedrock
from .cohere import Cohere
from .dashscope import DashScope
from .frames import Frames
from .google import Google
from .huggingface import HuggingFace
from .langchain import LangChain
from .langgraph import LangGraph
from .lines import JsonLines
from .llamaindex import LlamaIndex
from .mistral import Mistral
from .ollama import Ollama
from .openai import OpenAI
from .openai_agents import OpenAIAgents
from .plain import Plain
from .pydantic_ai import PydanticAI
from .responses import Responses
from .smolagents import Smolagents

__all__ = [
    "Adapter",
    "AdapterName",
    "Anthropic",
    "Auto",
    "Bedrock",
    "Cohere",
    "DashScope",
    "Frames",
    "Google",
    "HuggingFace",
    "JsonLines",
    "LangChain",
    "LangGraph",
    "LlamaIndex",
    "Mistral",
    "Ollama",
    "OpenAI",
    "OpenAIAgents",
    "Plain",
    "PydanticAI",
    "Responses",
    "Smolagents",
    "by_name",
]

AdapterName = Literal[
    "auto",
    "plain",
    "openai",
    "frames",
    "anthropic",
    "bedrock",
    "cohere",
    "google",
    "huggingface",
    "langchain",
    "langgraph",
    "llamaindex",
    "mistral",
    "ollama",
    "openai-agents",
    "openai-responses",
    "pydantic-ai",
    "smolagents",
]

_VENDORS: tuple[Adapter, ...] = (
    Anthropic(),
    Bedrock(),
    Cohere(),
    Google(),
    HuggingFace(),
    LangChain(),
    LangGraph(),
    LlamaIndex(),
    Mistral(),
    Ollama(),
    OpenAIAgents(),
    Responses(),
    PydanticAI(),
    Smolagents(),
)
_NAMED: dict[str, Adapter] = {
    "auto": Auto(),
    "plain": Plain(),
    "openai": OpenAI(),
    "frames": Frames(),
    **{adapter.name: adapter for adapter in _VENDORS},
}


def by_name(name: str) -> Adapter:
    """The adapter of that name; raises `ValueError` for a name that is unknown or not implemented yet."""
    if name in _NAMED:
        return _NAMED[name]
    known = ", ".join(map(repr, _NAMED))
    if name == "dashscope":
        raise ValueError(
            "adapter 'dashscope' must say which text its chunks carry: "
            "adapters.DashScope(incremental_output=True) or adapters.DashScope(incremental_output=False)"
        )
    raise ValueError(f"adapter must be one of {known} or an Adapter, got {name!r}")
