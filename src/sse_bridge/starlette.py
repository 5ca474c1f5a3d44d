"""Event streams for Starlette and FastAPI: a response to return from any handler."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from typing import Any, Unpack

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .asgi import answer, is_finished, raw, respond
from .drivers.anyio import current_home
from .drivers.sources import check_source, discard
from .early import early_answer
from .options import Words, options_of
from .registry import Unavailable

__all__ = ["EventSourceResponse"]


class EventSourceResponse(Response):
    """A response that streams `source` to the client, and stops it when the client leaves.

    Arguments: `source`, any iterable, async iterable, awaitable of one, or callable that gives one;
    `status_code` (default 200), `headers`, which win over ours, and `background`, as in Starlette; `options`,
    see the option table.
    What the source raises within `hold` is raised before the response has started, for the app's own
    exception handlers; a failure of the model's service for which there is none as ``HTTPException``, with the
    status that fits; ``HTTPException(503)`` at `max_streams`.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        source: Any,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        background: BackgroundTask | None = None,
        **options: Unpack[Words],
    ) -> None:
        check_source(source)
        self._source = source
        self._options = options_of(options)
        # Taken here: what a handler that runs in Starlette's thread pool set would be gone in __call__.
        self._context = contextvars.copy_context()
        self.status_code = status_code
        self.background = background
        if headers is None:  # nearly always: far cheaper than to fill them in one by one
            self.raw_headers = raw(self._options.headers())
            return
        self.init_headers(headers)
        for name, value in self._options.headers():
            self.headers.setdefault(name, value)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_finished(scope):
            discard(self._source, current_home)
            await answer(send, 204, [])
        else:
            await self._stream(scope, receive, send)
        if self.background is not None:
            await self.background()

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        source, headers = self._source, self.raw_headers
        try:
            await respond(
                source,
                self._options,
                scope,
                receive,
                send,
                self.status_code,
                headers,
                self._context,
            )
        except Unavailable as full:
            if not full.source_ran:
                discard(source, current_home)
            raise HTTPException(503, headers={"Retry-After": str(full.retry_after)}) from full
        except Exception as error:
            early = None if _is_handled(error, scope) else early_answer(error, self._options)
            if early is None:
                raise
            raise HTTPException(
                early.status_code, early.message, headers=dict(early.headers)
            ) from error


def _is_handled(error: Exception, scope: Scope) -> bool:
    """Whether the app has a handler for this kind of error, and not just for any."""
    handlers, _ = scope.get("starlette.exception_handlers") or ({}, {})
    kinds = type(error).__mro__
    return any(kind in handlers for kind in kinds if kind is not Exception)
