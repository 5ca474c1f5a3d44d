"""Middlewares around whole apps: they take over event streams, and let all else pass."""
