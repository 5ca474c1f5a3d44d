"""Fixtures for a conftest to import: a running double whose answers the test queues."""

from collections.abc import Iterator

import pytest

from .dashscope_api import DashScopeDouble
from .openai_api import OpenAIDouble

__all__ = ["dashscope_double", "openai_double"]


@pytest.fixture
def openai_double() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as double:
        yield double


@pytest.fixture
def dashscope_double() -> Iterator[DashScopeDouble]:
    with DashScopeDouble() as double:
        yield double
