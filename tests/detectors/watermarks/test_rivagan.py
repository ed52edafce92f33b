"""The RivaGAN adapter: which bits count, with a stand-in for the network where the library is not installed."""

from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
from dwtdct_marking import photograph

from assay.detectors import classifier
from assay.detectors.watermarks import rivagan
from assay.detectors.watermarks.rivagan import KnownPayload, RivaGan
from assay.provenance.errors import MissingExtra

KNOWN = KnownPayload(payload=bytes.fromhex("deadbeef"), generator="a studio")
BITS = np.unpackbits(np.frombuffer(KNOWN.payload, np.uint8)).astype(np.float32)


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """An installed library whose network gives what the test says."""
    given: list[np.ndarray] = []

    class Network:
        def __init__(self, path: Path) -> None:
            assert path.name == "rivagan_decoder.onnx"

        def run(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
            assert batch.dtype == np.float32
            assert batch.shape[:3] == (1, 3, 1)
            assert max(batch.shape) <= 1024
            assert -1 <= batch.min() <= batch.max() <= 1
            return (given.pop(0)[None],)

    (tmp_path / "rivagan_decoder.onnx").write_bytes(b"")
    spec = ModuleSpec("imwatermark", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(rivagan, "find_spec", lambda name: spec)
    monkeypatch.setattr(classifier, "Network", Network)
    return given


def test_a_missing_library_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivagan, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"assay\[rivagan\]"):
        RivaGan((KNOWN,)).detect(photograph(128, 128))


@pytest.mark.parametrize(("flipped", "found"), [(0, True), (2, True), (3, False), (16, False)])
def test_a_known_payload_needs_thirty_bits(answers: list[np.ndarray], flipped: int, found: bool) -> None:
    bits = BITS.copy()
    bits[:flipped] = 1 - bits[:flipped]
    answers.append(bits)
    decoded = RivaGan((KnownPayload(payload=b"abcd", generator="another"), KNOWN)).detect(photograph(1500, 128))
    assert (decoded is not None) is found
    if decoded:
        assert (decoded.payload, decoded.generator, decoded.matched) == (KNOWN.payload, "a studio", 32 - flipped)


def test_without_known_payloads_nothing_is_read() -> None:
    assert RivaGan(()).detect(photograph(128, 128)) is None


def test_a_payload_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        RivaGan((KnownPayload(payload=b"12345", generator="x"),))
