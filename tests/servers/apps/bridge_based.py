"""The story in Starlette, behind a middleware that wraps `receive`, as BaseHTTPMiddleware does."""

from bridge_starlette import app as inner
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response


async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


app = BaseHTTPMiddleware(inner, dispatch=dispatch)
