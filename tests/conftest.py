"""Every test runs with a state folder of its own, so that no test sees this user's development authority or trust lists."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


@pytest.fixture(scope="session", autouse=True)
def assay_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The session's state folder; subprocesses inherit it."""
    folder = tmp_path_factory.mktemp("assay-home")
    before = os.environ.get("ASSAY_HOME")
    os.environ["ASSAY_HOME"] = str(folder)
    yield folder
    if before is None:
        del os.environ["ASSAY_HOME"]
    else:
        os.environ["ASSAY_HOME"] = before


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of public sample files beside the repository; tests that want it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared with public sample files here")
    return SHARED
