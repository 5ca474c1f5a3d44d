from collections.abc import Iterator

import pytest

from .gate import Gate
from .harness import Pool


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """Give `serve(name, app)`: a running server, the same one to all tests of the session."""
    pool = Pool(tmp_path_factory.mktemp("servers"))
    try:
        yield pool
    finally:
        pool.close()


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate
