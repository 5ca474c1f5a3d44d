"""The Flask app with the one line at module level."""

from stopping import stop_on_signal
from stopping_flask import app, wrapped

__all__ = ["app", "wrapped"]

stop_on_signal()
