"""What is told of an option that there is not."""

from __future__ import annotations

import inspect
from importlib.util import find_spec
from typing import Any, get_args

import pytest
import sse_starlette
from starlette.responses import StreamingResponse

from pages import ROOT
from sse_bridge import adapters, dialects, starlette
from sse_bridge.options import Words
from sse_bridge.unknown import MOVING, not_a_view, unknown_option

KNOWN = Words.__annotations__.keys()


def told(name: str) -> str:
    return str(unknown_option(name, "EventStream", KNOWN))


def test_a_name_that_is_nearly_one_of_ours_is_suggested_beside_the_list():
    assert told("stalltimeout").startswith(
        "EventStream has no option 'stalltimeout': did you mean 'stall_timeout'? It has dialect, adapter, ping,"
    )


def test_a_name_like_none_of_ours_gets_the_list():
    listed = told("colour").partition("EventStream has no option 'colour'; it has ")[2]
    assert listed == ", ".join(KNOWN)


OURS = KNOWN | inspect.signature(starlette.EventSourceResponse).parameters.keys()
PEERS: list[Any] = [sse_starlette.EventSourceResponse, StreamingResponse]
if find_spec("fastapi.sse"):  # older versions have none
    from fastapi.sse import EventSourceResponse as FastAPIs

    PEERS.append(FastAPIs)
THEIRS = {name for peer in PEERS for name in inspect.signature(peer).parameters} - OURS


@pytest.mark.parametrize("name", sorted(THEIRS | {"status", "background"}))
def test_each_word_of_the_peers_that_we_do_not_have_says_where_ours_is(name: str):
    assert told(name).startswith(f"EventStream has no option {name!r}: ")
    assert "did you mean" not in told(name)


def test_the_heading_that_it_names_is_in_the_docs():
    text = (ROOT / "docs" / "moving.md").read_text(encoding="utf-8")
    assert MOVING in told("ping_message_factory")
    assert text.startswith(f"# {MOVING}")
    section = text.partition("\n## From sse-starlette\n")[2].partition("\n## ")[0]
    only_theirs = inspect.signature(sse_starlette.EventSourceResponse).parameters.keys() - OURS
    assert {name for name in only_theirs if f"`{name}" not in section} == set()


@pytest.mark.parametrize(
    "given, asked",
    [
        ("delta", r"did you mean dialect='delta'\?"),
        ("frames", r"did you mean adapter='frames'\?"),
        ("klingon", "give options by name"),
    ],
)
def test_text_where_a_view_is_expected_is_taken_for_an_option(given: str, asked: str):
    with pytest.raises(TypeError, match=f"event_stream decorates a view, got '{given}': {asked}"):
        raise not_a_view(given, "a view")


def test_what_else_is_no_view_is_shown():
    assert str(not_a_view(5, "a view")) == "event_stream decorates a view, got 5"


@pytest.mark.parametrize(
    "module, names", [(adapters, adapters.AdapterName), (dialects, dialects.DialectName)]
)
def test_the_names_that_type_checkers_know_are_those_that_there_are(module: Any, names: Any):
    assert set(get_args(names)) == module._NAMED.keys()
