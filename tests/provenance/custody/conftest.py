"""Chains named by their defect, and the lists they are judged on."""

from collections.abc import Callable

import custody_assets as made
import pytest

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.custody.chain import Custody
from assay.provenance.custody.verifying import verify
from assay.provenance.trust import TrustPolicy


@pytest.fixture(scope="session")
def root() -> made.Credential:
    return made.authority()


@pytest.fixture(scope="session")
def stranger() -> made.Credential:
    return made.leaf(made.authority("Unknown Root"), "Stranger", organisation="Stranger & Co")


@pytest.fixture(scope="session")
def signer(root: made.Credential) -> made.Credential:
    return made.leaf(root)


@pytest.fixture(scope="session")
def policy(root: made.Credential) -> TrustPolicy:
    return TrustPolicy(lists=(made.trust_list(root),))


@pytest.fixture(scope="session")
def anchors(policy: TrustPolicy) -> tuple[_c2pa.Anchors, ...]:
    return policy.anchors()


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    return made.encoded(made.picture())


@pytest.fixture(scope="session")
def signed(jpeg: bytes, signer: made.Credential) -> made.Signed:
    """Created by a generator, trusted."""
    return made.sign(jpeg, made.created(), signer)


@pytest.fixture(scope="session")
def judged(policy: TrustPolicy) -> Callable[..., Custody]:
    def judge(content: bytes, policy: TrustPolicy = policy, **options: object) -> Custody:
        return verify(Asset.from_bytes(content), policy, **options)  # type: ignore[arg-type]

    return judge
