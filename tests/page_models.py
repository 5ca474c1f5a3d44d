"""The models that the pages of the documentation call: doubles of OpenAI's and DashScope's services.

1. The SDKs are led to the doubles, also where a page names DashScope's own address.
2. The key `sk-wrong` is refused, in the words of the service.
3. A model that is told `enable_thinking` thinks first.
4. On a page in Chinese the model speaks Chinese.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dashscope
import openai
import pytest

from doubles import DashScopeDouble, HttpError, OpenAIDouble, Reply, Request

COMPATIBLE = "https://dashscope.aliyuncs.com/compatible-mode/v1"
CHINESE = Reply(("你好", "世界"))
THOUGHTS = ("用户在", "打招呼")


class _Service:
    """What the services of both protocols do with a key and with a wish to think."""

    refused: HttpError

    def _choose(self, request: Request) -> Any:
        if request.headers.get("authorization") == "Bearer sk-wrong":
            return self.refused
        answer = super()._choose(request)  # type: ignore[misc]  # the double's, beside this class
        told = request.json()
        if isinstance(answer, Reply) and {**told, **told.get("parameters", {})}.get(
            "enable_thinking"
        ):
            return replace(answer, reasoning=THOUGHTS)
        return answer


class Compatible(_Service, OpenAIDouble):
    refused = HttpError(401, "Incorrect API key provided.", "invalid_api_key")


class Native(_Service, DashScopeDouble):
    refused = HttpError(401, "Invalid API-key provided.", "InvalidApiKey")


@contextmanager
def serving(page: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """The services as a page finds them, by the variables that their SDKs read and by their address."""
    answer = CHINESE if "zh" in page.parts else Reply()
    with Compatible(answer) as compatible, Native(answer) as native:
        patch.setenv("OPENAI_BASE_URL", compatible.base_url)
        patch.setenv("OPENAI_API_KEY", "sk-double")
        patch.setenv("DASHSCOPE_API_KEY", "sk-double")
        patch.setattr(dashscope, "base_http_api_url", native.base_address)
        patch.setattr(dashscope, "api_key", "sk-double")
        for kind in (openai.OpenAI, openai.AsyncOpenAI):
            patch.setattr(kind, "__init__", _led(kind.__init__, compatible.base_url))
        yield


def _led(make: Any, address: str) -> Any:
    def led(self: Any, *, base_url: str | None = None, **options: Any) -> None:
        assert base_url in (None, COMPATIBLE), base_url
        make(self, base_url=base_url and address, **options)

    return led
