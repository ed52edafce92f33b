"""One real server for the tests that only ask it, with no pixel model so that it starts in a moment."""

from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi", reason="the service extra is not installed")
pytest.importorskip("uvicorn", reason="the service extra is not installed")

from serving import Server, served


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served("--state", str(tmp_path_factory.mktemp("state"))) as server:
        yield server
