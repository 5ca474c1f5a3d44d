"""Attacks on real servers find them as the tests of the servers do."""

from servers.conftest import gate, serve

__all__ = ["gate", "serve"]
