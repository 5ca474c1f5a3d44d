"""What has come of a response: room for the server, bells for the client."""

from __future__ import annotations

from sse_bridge.testing.answer import ROOM, Answer, Bell


def test_a_bell_rings_for_those_who_listen_just_now():
    bell, heard = Bell(), []
    with bell.heard_by(lambda: heard.append("a")), bell.heard_by(lambda: heard.append("b")):
        bell.ring()
    bell.ring()
    assert sorted(heard) == ["a", "b"]


def test_a_server_has_room_until_much_waits_and_again_once_that_was_read():
    answer, woken = Answer(), []
    answer.wake_server = lambda: woken.append(True)
    answer.put(b"x" * ROOM)
    assert not answer.has_room
    assert answer.take() == b"x" * ROOM
    assert answer.has_room
    assert woken == [True]


def test_there_is_room_for_whom_nobody_reads_any_more_and_it_is_dropped():
    answer = Answer()
    answer.put(b"x" * ROOM)
    answer.hang_up()
    assert answer.has_room
    answer.put(b"more")
    assert answer.take() == b"x" * ROOM
    assert answer.take() == b""


def test_an_answer_without_a_stream_of_ours_has_no_source_to_close():
    assert Answer().source_closed
