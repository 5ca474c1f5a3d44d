from servers.conftest import serve

__all__ = ["serve"]
