"""The browser's side: an ES module that reads our streams, for your app to serve.

In Flask: ``app.add_url_rule("/fetch-sse.js", "fetch_sse", lambda: send_file(FETCH_SSE))``; in Starlette:
``Route("/fetch-sse.js", lambda request: FileResponse(FETCH_SSE))``.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["FETCH_SSE", "FETCH_SSE_TYPES"]

FETCH_SSE = Path(__file__).with_name("fetch-sse.js")
FETCH_SSE_TYPES = Path(__file__).with_name("fetch-sse.d.ts")
