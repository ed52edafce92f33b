"""One real server for the tests that only ask it, with no pixel model so that it starts in a moment."""

import secrets
from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi", reason="the service extra is not installed")
pytest.importorskip("uvicorn", reason="the service extra is not installed")

from postgresql import Cluster, cluster
from serving import Server, served


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served("--state", str(tmp_path_factory.mktemp("state")), stop_after=1800) as server:
        yield server


@pytest.fixture(scope="package")
def postgresql() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


@pytest.fixture
def database(postgresql: Cluster) -> str:
    """The URL of an empty database."""
    return postgresql.fresh(f"assay_{secrets.token_hex(6)}")
