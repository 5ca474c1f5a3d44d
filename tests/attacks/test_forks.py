"""Attacks by forking with streams open: the child has copies of everything, and touches nothing of its parent's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scenes import played
from servers.harness import Pool

DONE = "event: done\nid: [DONE]\ndata: [DONE]\n\n"
REST = f"data: b\n\n{DONE}"
WHOLE = f"data: a\n\n{REST}"
PARENTS = ["parent: on_end", "parent: source closed"]  # once each, and nothing of the child's
CHILDS = ["child: source closed"] * 2  # the two that it has opened itself
KINDS = pytest.mark.parametrize("kind", ["sync", "task"])


def scene(*words: str) -> dict[str, Any]:
    """What came of a scene of `forking`, played in a process of its own."""
    done = played("forking", *words)
    done.check_returncode()
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


@KINDS
def test_a_child_has_none_of_its_parents_streams(kind: str):
    outcome = scene("looks", kind)
    assert outcome["child"] == [0, 0, False]
    assert (outcome["parent"], outcome["calls"]) == (REST, PARENTS)


@KINDS
def test_a_child_that_closes_its_parents_body_stops_and_tells_nothing(kind: str):
    outcome = scene("closes", kind)
    assert outcome["child"] == [0, 0, True, []]
    assert (outcome["parent"], outcome["calls"]) == (REST, PARENTS)
    assert (outcome["open"], outcome["stragglers"]) == (0, 0)


@KINDS
def test_a_child_that_drops_its_parents_body_stops_and_tells_nothing(kind: str):
    outcome = scene("drops", kind)
    assert outcome["child"] == [0, 0, []]
    assert (outcome["parent"], outcome["calls"]) == (REST, PARENTS)


@KINDS
def test_a_child_whose_interpreter_takes_everything_apart_stops_and_tells_nothing(kind: str):
    outcome = scene("exits", kind)
    assert outcome["child"] == 7
    assert (outcome["parent"], outcome["calls"]) == (REST, PARENTS)


@KINDS
def test_a_child_that_shuts_down_ends_no_stream_of_its_parent(kind: str):
    outcome = scene("shuts down", kind)
    assert outcome["child"] == 0
    assert (outcome["parent"], outcome["calls"]) == (REST, PARENTS)


@KINDS
def test_a_child_streams_sync_and_async_itself_beside_its_parents_stream(kind: str):
    outcome = scene("serves", kind)
    assert outcome["child"] == [WHOLE, WHOLE]
    assert outcome["parent"] == REST
    assert outcome["calls"] == sorted([*CHILDS, *PARENTS])


def test_no_lock_that_another_thread_held_at_the_fork_stops_the_child():
    outcome = scene("locks")
    is_watched, collects = True, True
    assert outcome["child"] == [WHOLE, WHOLE, is_watched, collects]


def test_a_child_of_a_parent_that_shuts_down_is_open():
    outcome = scene("shutting down")
    assert outcome["child"] == [False, WHOLE, WHOLE]


def test_a_source_that_forks_a_helper_tells_its_end_once():
    outcome = scene("source forks", "at once")
    assert (outcome["child"], outcome["parent"], outcome["calls"]) == (7, WHOLE, PARENTS[:1])


def test_a_helper_that_leaves_a_source_by_an_exception_ends_and_calls_nothing():
    """It must not wait for the writer, which it does not have."""
    outcome = scene("source forks", "by an exception")
    assert (outcome["child"], outcome["parent"], outcome["calls"]) == (0, WHOLE, PARENTS[:1])


@KINDS
def test_a_child_that_leaves_an_event_loop_by_an_exception_tells_no_end_of_its_parents_stream(
    kind: str,
):
    """The loop itself cancels all tasks that the child has copies of; what they are for is not told."""
    outcome = scene("task forks", kind)
    assert (outcome["child"], outcome["parent"]) == (7, WHOLE)
    assert [call for call in outcome["calls"] if call != "child: source closed"] == PARENTS


def test_a_grandchild_closes_what_two_generations_have_left_it_and_tells_nothing():
    outcome = scene("grandchild")
    assert outcome["child"] == [1, [0, None, None, [WHOLE, WHOLE]]]
    assert outcome["calls"] == CHILDS


@KINDS
def test_a_view_whose_child_closes_every_body_that_it_finds_ends_nobody_elses_stream(
    serve: Pool, kind: str
):
    server = serve("gunicorn-gthread", "attacked:flask_app", threads=24)
    path = f"/named/forked-{kind}" + ("?kind=async" if kind == "task" else "")
    with server.get(path) as stays:
        frame = stays.read_until()
        with server.get("/fork") as answer:
            assert int(answer.read_all()) >= 1  # so many it has found
        for _ in range(20):
            assert stays.read_until() == frame
        with server.get("/ended") as answer:
            assert f"forked-{kind}" not in json.loads(answer.read_all())["ended"]
