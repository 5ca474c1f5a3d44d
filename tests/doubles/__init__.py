"""Model servers on loopback that answer, stall, break off and fail exactly as a test asks.

with OpenAIDouble(Reply(["Hel", "lo"], at={2: Stall()})) as double:
    chunks = double.openai_client().chat.completions.create(..., stream=True)
    ...
    hangup = double.wait_for_request().wait_hangup()
"""

from .answers import (
    BEFORE_HEADERS,
    SECRET,
    Cut,
    Fault,
    HttpError,
    Raw,
    Reply,
    Reset,
    Stall,
    ToolCall,
)
from .dashscope_api import DashScopeDouble
from .link import Hangup, Request
from .openai_api import NULL_CHOICES, OpenAIDouble

__all__ = [
    "BEFORE_HEADERS",
    "NULL_CHOICES",
    "SECRET",
    "Cut",
    "DashScopeDouble",
    "Fault",
    "Hangup",
    "HttpError",
    "OpenAIDouble",
    "Raw",
    "Reply",
    "Request",
    "Reset",
    "Stall",
    "ToolCall",
]
