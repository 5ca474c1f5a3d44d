"""The table of docs/vendors.md: what has arrived under `delta` from the real packages in this folder's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from told import ARRIVED

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "vendors.md"
COLUMNS = {
    "text": "text",
    "reasoning": "reasoning",
    "calls": "tool calls",
    "results": "tool results",
    "sources": "sources",
    "files": "files",
    "finish": "finish",
    "usage": "tokens",
    "code": "failures",
}
VENDORS = {
    "test_anthropic.py": "Anthropic",
    "test_bedrock.py": "Amazon Bedrock",
    "test_cohere.py": "Cohere",
    "test_google.py": "Google (Gemini)",
    "test_huggingface.py": "Hugging Face",
    "test_langchain.py": "LangChain",
    "test_langgraph.py": "LangGraph",
    "test_litellm.py": "LiteLLM",
    "test_llamaindex.py": "LlamaIndex",
    "test_mistral.py": "Mistral",
    "test_ollama.py": "Ollama",
    "test_openai.py": "OpenAI (chat, helper streams, Responses)",
    "test_openai_agents.py": "OpenAI Agents SDK",
    "test_pydantic_ai.py": "pydantic-ai",
}


def row(name: str, cells: list[str]) -> str:
    return f"| {' | '.join([name, *cells])} |"


def table() -> list[str]:
    return [
        row("vendor", list(COLUMNS.values())),
        row("---", ["---"] * len(COLUMNS)),
        *(
            row(name, ["yes" if field in ARRIVED[file] else "" for field in COLUMNS]).replace(
                "|  ", "| "
            )
            for file, name in VENDORS.items()
        ),
    ]


def test_each_file_of_tests_has_its_row():
    others = {Path(__file__).name, "test_local_model.py"}
    assert {path.name for path in HERE.glob("test_*.py")} - others == set(VENDORS)


def test_the_page_tells_what_has_arrived():
    """Runs behind all others of this folder, by its name."""
    if not set(VENDORS) <= set(ARRIVED):
        pytest.skip("only some of the vendors' tests have run")
    told = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    start = told.index(table()[0])
    assert told[start : start + len(VENDORS) + 2] == table(), "\n".join(table())
