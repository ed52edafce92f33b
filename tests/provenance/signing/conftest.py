"""A state folder of its own for each test, and small pictures."""

from pathlib import Path

import pytest

from assay.provenance.signing import Signer, open_signer


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("assay-home")


@pytest.fixture(autouse=True)
def _home(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(shared_home))


@pytest.fixture
def signer(_home: None) -> Signer:
    return open_signer("dev:")
