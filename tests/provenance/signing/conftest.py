"""The development signer, under the session's state folder."""

import pytest

from assay.provenance.signing import Signer, open_signer


@pytest.fixture(scope="session")
def signer() -> Signer:
    return open_signer("dev:")
