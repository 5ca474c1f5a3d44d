"""Responses instead of a stream, and the mark of a request that gets a stream."""
