"""What a smolagents agent's run gives: dataclasses of the same names and fields, less those that nobody reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from told import Answer


@dataclass
class TokenUsage:
    input_tokens: int
    output_tokens: int
    total_tokens: int = field(init=False)

    def __post_init__(self) -> None:
        self.total_tokens = self.input_tokens + self.output_tokens


@dataclass
class Function:
    arguments: Any
    name: str | None = None
    description: str | None = None


@dataclass
class ChatMessageToolCallStreamDelta:
    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: Function | None = None


@dataclass
class ChatMessageStreamDelta:
    content: str | None = None
    tool_calls: list[ChatMessageToolCallStreamDelta] | None = None
    token_usage: TokenUsage | None = None


@dataclass
class ChatMessage:
    role: str
    content: Any = None


@dataclass
class ToolCall:
    name: str
    arguments: Any
    id: str


@dataclass
class ToolOutput:
    id: str
    output: Any
    is_final_answer: bool
    observation: str
    tool_call: ToolCall


@dataclass
class ActionOutput:
    output: Any
    is_final_answer: bool


@dataclass
class ActionStep:
    step_number: int
    model_input_messages: list[ChatMessage] | None = None
    tool_calls: list[ToolCall] | None = None
    error: Exception | None = None
    model_output_message: ChatMessage | None = None
    model_output: Any = None
    observations: str | None = None
    action_output: Any = None
    token_usage: TokenUsage | None = None
    is_final_answer: bool = False


@dataclass
class PlanningStep:
    model_input_messages: list[ChatMessage]
    model_output_message: ChatMessage
    plan: str
    token_usage: TokenUsage | None = None


@dataclass
class FinalAnswerStep:
    output: Any


# As the package's own are told apart from an app's of the same names.
for _everyday in (ToolCall, ActionOutput, FinalAnswerStep):
    _everyday.__module__ = "smolagents.memory"

Delta = ChatMessageStreamDelta
PROMPT = [ChatMessage("system", "be brief")]


def fragment(arguments: str, **about: Any) -> Delta:
    name = about.pop("name", None)
    return Delta(
        tool_calls=[ChatMessageToolCallStreamDelta(0, function=Function(arguments, name), **about)]
    )


def called(id_: str, name: str, arguments: Any, output: Any, *, last: bool = False) -> list[Any]:
    call = ToolCall(name, arguments, id_)
    return [call, ToolOutput(id_, output, last, str(output), call), ActionOutput(output, last)]


def step(number: int, given: int, made: int, **more: Any) -> ActionStep:
    return ActionStep(number, PROMPT, token_usage=TokenUsage(given, made), **more)


ANSWER = [
    Delta("Let me "),
    Delta("see."),
    fragment('{"city": ', id="c1", name="weather", type="function"),
    fragment('"Rome"}'),
    Delta("", token_usage=TokenUsage(3, 4)),
    *called("c1", "weather", {"city": "Rome"}, "blue"),
    step(1, 3, 4, model_output="Let me see.", observations="blue"),
    *called("c2", "final_answer", {"answer": "It is blue."}, "It is blue.", last=True),
    step(2, 4, 5, observations="It is blue.", is_final_answer=True),
    FinalAnswerStep("It is blue."),
]
TOLD = Answer(
    text="Let me see.\n\nIt is blue.",
    calls=(
        ("c1", "weather", '{"city": "Rome"}'),
        ("c2", "final_answer", '{"answer":"It is blue."}'),
    ),
    finish="stop",
    usage=(7, 9, 16),
    results=(("c1", "blue"), ("c2", "It is blue.")),
)
