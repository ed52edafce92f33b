"""The TrustMark adapter: its gates, with a stand-in for the package where the real one and its weights are not installed."""

import hashlib
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from dwtdct_marking import encoded, photograph
from metadata_files import asset

from assay.detectors.evidence import Silence
from assay.detectors.signals.watermark import InvisibleWatermark
from assay.detectors.subject import Subject
from assay.detectors.watermarks import trustmark
from assay.detectors.watermarks.trustmark import TrustMark
from assay.provenance.errors import AssayError, MissingExtra

BITS = "01" * 30 + "1"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """A package `trustmark` whose decoder answers what the test says."""
    answers: list[tuple[str, bool, int]] = []

    class Decoder:
        def __init__(self, **options: object) -> None:
            assert options["loadRemover"] is False

        def decode(self, image: object, MODE: str) -> tuple[str, bool, int]:
            assert MODE == "binary"
            return answers.pop(0)

    names = ("trustmark_Q.yaml", "encoder_Q.ckpt", "decoder_Q.ckpt")
    (tmp_path / "models").mkdir()
    for name in names:
        (tmp_path / "models" / name).write_bytes(name.encode())
    top, inner = types.ModuleType("trustmark"), types.ModuleType("trustmark.trustmark")
    top.TrustMark = Decoder
    inner.MODEL_CHECKSUMS = {name: hashlib.md5(name.encode()).hexdigest() for name in names}
    monkeypatch.setitem(sys.modules, "trustmark", top)
    monkeypatch.setitem(sys.modules, "trustmark.trustmark", inner)
    spec = ModuleSpec("trustmark", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(trustmark, "find_spec", lambda name: spec)
    return types.SimpleNamespace(answers=answers, folder=tmp_path / "models")


def test_a_missing_package_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trustmark, "find_spec", lambda name: None)
    assert not TrustMark().installed()
    with pytest.raises(MissingExtra, match=r"assay\[trustmark\]"):
        TrustMark().detect(photograph(64, 64))


def test_missing_weights_are_never_downloaded(package: types.SimpleNamespace) -> None:
    (package.folder / "decoder_Q.ckpt").unlink()
    assert not TrustMark().installed()
    with pytest.raises(AssayError, match="downloads nothing"):
        TrustMark().detect(photograph(64, 64))


def test_altered_weights_are_refused(package: types.SimpleNamespace) -> None:
    (package.folder / "decoder_Q.ckpt").write_bytes(b"other")
    with pytest.raises(AssayError, match="not the file"):
        TrustMark().detect(photograph(64, 64))


def test_a_payload_read_twice_alike_counts(package: types.SimpleNamespace) -> None:
    package.answers += [(BITS, True, 1), (BITS, True, 1)]
    decoded = TrustMark().detect(photograph(64, 64))
    assert decoded is not None
    assert (decoded.payload, decoded.bits, decoded.generator) == (int(BITS, 2).to_bytes(8, "big"), 61, "")


@pytest.mark.parametrize(
    "answers",
    [
        [("", False, -1)],
        [(BITS, True, 3)],
        [(BITS, True, 1), (BITS[::-1] + "0", True, 1)],
        [(BITS, True, 1), (BITS, True, 2)],
        [(BITS, True, 1), ("", False, -1)],
    ],
    ids=["nothing", "weakest scheme", "another payload", "another scheme", "lost by compression"],
)
def test_what_is_not_stable_does_not_count(package: types.SimpleNamespace, answers: list) -> None:
    package.answers += answers
    assert TrustMark().detect(photograph(64, 64)) is None


def test_an_identifier_is_told_in_a_deep_examination_and_decides_nothing(package: types.SimpleNamespace) -> None:
    package.answers += [(BITS, True, 1), (BITS, True, 1)]
    content = encoded(photograph(256, 256))
    signal = InvisibleWatermark(decoders=())
    assert signal.examine(Subject(asset(content), AssayError("x"))).silence is Silence.ABSENT
    evidence = signal.examine(Subject(asset(content), AssayError("x"), thorough=True))
    assert evidence.silence is Silence.INCONCLUSIVE
    assert [finding.code for finding in evidence.findings] == ["watermark-identifier"]
