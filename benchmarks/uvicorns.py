"""The two ways in which people run uvicorn, by the name of the server that a row asks for."""

from typing import TYPE_CHECKING, Any, cast

from starlette.types import ASGIApp

if TYPE_CHECKING:
    import uvicorn

# As `uvicorn[standard]` installs it, and by itself.
FAST, PLAIN = "uvicorn", "uvicorn-h11"
LOOP_AND_PARSER = {FAST: ("uvloop", "httptools"), PLAIN: ("asyncio", "h11")}
# A connection waits for its turn while the other contenders are measured.
KEEP_ALIVE = 600


def label(server: str) -> str:
    """Return what a row calls this server, or any other."""
    if server not in LOOP_AND_PARSER:
        return server
    return f"uvicorn, {' + '.join(LOOP_AND_PARSER[server])}"


def config(server: str, app: ASGIApp) -> "uvicorn.Config":
    """Return uvicorn's own configuration; nothing in it is left to what happens to be installed."""
    import uvicorn

    loop, parser = cast("tuple[Any, Any]", LOOP_AND_PARSER[server])
    made = uvicorn.Config(app, loop=loop, http=parser, log_level="error", access_log=False)
    made.timeout_keep_alive = KEEP_ALIVE
    return made
