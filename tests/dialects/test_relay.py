"""Somebody else's frames: they pass, and they end in the protocol that they speak."""

from __future__ import annotations

import pytest

from sse_bridge.dialects.relay import Relay
from sse_bridge.parts import End, Failure, Frame, Relayed, Start

FAILURE = Failure("m", "c", retryable=True)
PLAIN = b'event: error\ndata: {"code":"c","message":"m","retryable":true}\n\n'
PLAIN_DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"
OPENAI = b'data: {"error":{"message":"m","type":"server_error","param":null,"code":"c"}}\n\ndata: [DONE]\n\n'


def voice_of(protocol: str | None, *, cuts: bool = True, over: bool = False):
    voice = Relay(cuts=cuts).voice()
    assert voice(Start("id", 1)) == b""
    assert voice(Frame(b"data: x\n\n")) == b"data: x\n\n"
    assert voice(Relayed(protocol, over)) == b""
    return voice


@pytest.mark.parametrize(
    "protocol, failed, finished",
    [
        (None, PLAIN, PLAIN_DONE),
        ("openai", OPENAI, b"data: [DONE]\n\n"),
        ("delta", PLAIN, PLAIN_DONE),
        ("ag-ui", PLAIN, b""),
        ("anthropic", PLAIN, b""),
    ],
)
def test_it_ends_in_its_own_protocol_where_that_can_be_spoken(protocol, failed, finished):
    assert voice_of(protocol)(FAILURE) == failed
    assert voice_of(protocol)(End()) == finished


@pytest.mark.parametrize("cuts", [True, False])
@pytest.mark.parametrize("protocol, known", [(None, False), ("ag-ui", False), ("openai", True)])
def test_a_failure_in_words_that_nobody_may_know_ends_as_a_cut_as_well(protocol, known, cuts):
    assert voice_of(protocol, cuts=cuts).cuts is (cuts and not known)


@pytest.mark.parametrize("protocol", [None, "openai", "ag-ui"])
def test_what_has_ended_in_its_own_words_gets_none_of_ours(protocol):
    assert voice_of(protocol, over=True)(End()) == b""
    assert voice_of(protocol, over=True)(FAILURE) == b""


def test_what_goes_on_after_its_end_is_not_over():
    voice = voice_of("openai", over=True)
    voice(Relayed("openai", over=False))
    assert voice(FAILURE) == OPENAI
