"""Drivers do the waiting: one for each way to wait, all with the same Stream."""
