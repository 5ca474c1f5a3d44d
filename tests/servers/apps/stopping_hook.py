"""Gunicorn's configuration, with the one line in a hook: the app then needs none."""

from typing import Any

from stopping import stop_on_signal


def post_worker_init(worker: Any) -> None:
    stop_on_signal()
