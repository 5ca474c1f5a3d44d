"""Whoever waits: one loop for each way to wait, the same Stream under all of them."""
