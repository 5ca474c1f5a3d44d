"""Frames with nothing but data and the event's name: the bytes of a ServerSentEvent, without the cost of one."""

from __future__ import annotations

from functools import lru_cache

from .wire import lines, one_line


def data_frame(data: str, event: str | None = None) -> bytes:
    """Return the bytes of ServerSentEvent(data, event), without the cost of making one."""
    head = "" if event is None else _event_line(event)
    if "\n" in data or "\r" in data:
        return f"{head}{lines('data', data)}\n".encode()
    return f"{head}data: {data}\n\n".encode()


def data_frames(data: list[str], event: str | None = None) -> bytes:
    """Return data_frame() of each, joined; all are searched for line ends, and encoded, at once."""
    head = "data: " if event is None else f"{_event_line(event)}data: "
    joint = f"\n\n{head}".join(data)
    if "\r" in joint or joint.count("\n") != (head.count("\n") + 2) * (len(data) - 1):
        return b"".join([data_frame(each, event) for each in data])
    return f"{head}{joint}\n\n".encode()


def json_frame(line: bytes, event: str | None = None) -> bytes:
    """Return the frame of one line of JSON, which is not searched for line ends."""
    return b"%bdata: %b\n\n" % (_event_line_bytes(event), line)


def json_frames(lines: list[bytes], event: str | None = None) -> bytes:
    """Return json_frame() of each, joined."""
    head = b"%bdata: " % _event_line_bytes(event)
    return b"%b%b\n\n" % (head, (b"\n\n%b" % head).join(lines))


def count_frames(data: bytes) -> int:
    """How many whole frames these bytes hold, with any line ends."""
    count = data.count(b"\n\n")
    return count + data.count(b"\r\n\r\n") + data.count(b"\r\r") if b"\r" in data else count


def count_lines_of_data(data: bytes) -> int:
    """How many frames these bytes hold, if each is one line of data and nothing else; 0 if not.

    It costs a quarter of counting any frames and searching for ids: a longer search string skips more.
    """
    count = data.count(b"\n\ndata: ") + 1
    alike = data.startswith(b"data: ") and data.endswith(b"\n\n")
    return count if alike and data.count(b"\n") == 2 * count and b"\r" not in data else 0


def has_id(frames: bytes) -> bool:
    """Whether any of these frames, of any line ends, sets an id."""
    return frames.startswith(b"id") or b"\nid" in frames or b"\rid" in frames


def ends_line(last: bytes) -> bool:
    """Whether a new line may follow these last bytes. Not after a lone CR: an LF to come may belong to it."""
    return last.endswith((b"\n", *_FRAME_ENDS))


def end_of_frame(last: bytes) -> bytes:
    """The line ends that these last bytes lack, lest their unfinished frame swallow the one that follows."""
    if last.endswith(_FRAME_ENDS):
        return b""
    return b"\n" if last.endswith(b"\n") else b"\n\n"


_FRAME_ENDS = (b"\n\n", b"\n\r\n", b"\r\r\n", b"\r\r", b"\n\r")


@lru_cache(maxsize=64)  # A dialect has a few names, and says one in nearly every frame.
def _event_line(event: str) -> str:
    return f"event: {one_line('event', event)}\n"


def _event_line_bytes(event: str | None) -> bytes:
    return b"" if event is None else _event_line(event).encode()
