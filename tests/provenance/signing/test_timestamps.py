"""Time stamps from a real RFC 3161 authority on loopback, and what happens when it is down."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from signing_assets import active, picture, read
from signing_certificates import make
from timestamp_authority import TimestampServer, has_openssl, timestamp_server

from assay.provenance import _c2pa
from assay.provenance.errors import AssayError, SigningFailed
from assay.provenance.signing import CallbackSigner, Recipe, Signer, SoftwareAgent, sign
from assay.provenance.signing.timestamp import TimestampAuthority, WithoutStamp, configured_authority
from assay.provenance.trust.development import DEVELOPMENT_LIST, development_anchor

RECIPE = Recipe.generated(SoftwareAgent("example-model"))
NOBODY = "http://127.0.0.1:9/"  # the discard port: nothing listens


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimestampServer]:
    if not has_openssl():
        pytest.skip("no openssl on this machine")
    with timestamp_server(tmp_path_factory.mktemp("tsa")) as server:
        yield server


def test_a_stamp_is_in_the_signature_and_trusted(authority: TimestampServer, signer: Signer) -> None:
    before = authority.requests
    signed = sign(picture(), RECIPE, signer, timestamp=TimestampAuthority(authority.url))
    assert authority.requests == before + 1
    assert signed.timestamped
    anchor = development_anchor()
    assert anchor is not None
    anchors = (_c2pa.Anchors("manifest", DEVELOPMENT_LIST, anchor), _c2pa.Anchors("tsa", "urn:test", authority.anchor))
    reading = _c2pa.read(signed.asset, _c2pa.context(anchors))
    assert reading is not None
    codes = {status["code"] for status in reading.report["validation_results"]["activeManifest"]["success"]}
    assert {"timeStamp.validated", "timeStamp.trusted"} <= codes
    assert active(reading)["signature_info"]["time"]


def test_without_an_authority_nobody_is_asked(authority: TimestampServer, signer: Signer) -> None:
    before = authority.requests
    assert not sign(picture(), RECIPE, signer).timestamped
    assert authority.requests == before


def test_an_authority_that_is_down_fails_the_signature(signer: Signer, tmp_path: Path) -> None:
    with pytest.raises(SigningFailed, match=r"time stamp from http://127\.0\.0\.1:9/ failed"):
        sign(picture(), RECIPE, signer, timestamp=TimestampAuthority(NOBODY), into=tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_an_authority_that_is_down_warns_where_the_user_chose_so(signer: Signer) -> None:
    signed = sign(picture(), RECIPE, signer, timestamp=TimestampAuthority(NOBODY, WithoutStamp.WARN))
    assert read(signed.asset).state == "Trusted"
    assert not signed.timestamped
    assert any("without time stamp" in warning and NOBODY in warning for warning in signed.warnings)


def test_an_authority_that_talks_nonsense_is_named(httpserver: HTTPServer, signer: Signer) -> None:
    httpserver.expect_request("/").respond_with_data(b"no stamp", content_type="application/timestamp-reply")
    url = httpserver.url_for("/")
    with pytest.raises(SigningFailed, match="signing with a time stamp from") as failed:
        sign(picture(), RECIPE, signer, timestamp=TimestampAuthority(url))
    assert url in str(failed.value)
    assert not sign(picture(), RECIPE, signer, timestamp=TimestampAuthority(url, WithoutStamp.WARN)).timestamped


def test_a_signer_that_fails_is_not_asked_twice() -> None:
    calls = []

    def broken(message: bytes) -> bytes:
        calls.append(message)
        raise RuntimeError("no")

    signer = CallbackSigner.of(make().chain.decode(), broken)
    with pytest.raises(SigningFailed, match="the signer failed: no"):
        sign(picture(), RECIPE, signer, timestamp=TimestampAuthority(NOBODY, WithoutStamp.WARN))
    assert len(calls) == 1


@pytest.mark.parametrize("url", ["", "ftp://example.org/", "example.org"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(AssayError, match="is no time-stamping authority"):
        TimestampAuthority(url)


def test_the_authority_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_TIMESTAMP_URL", raising=False)
    assert configured_authority() is None
    monkeypatch.setenv("ASSAY_TIMESTAMP_URL", "https://time.example.org/")
    assert configured_authority() == TimestampAuthority("https://time.example.org/")


@pytest.mark.parametrize("scheme", ["http", "ftp"])
def test_what_may_be_secret_in_an_authoritys_url_is_never_told(scheme: str, signer: Signer) -> None:
    url = NOBODY.replace("http://", f"{scheme}://customer:password1@").rstrip("/") + "/tsa?key=password2"
    with pytest.raises(AssayError) as refused:
        sign(picture(), RECIPE, signer, timestamp=TimestampAuthority(url))
    assert "/tsa" in str(refused.value)
    assert not {"customer", "password1", "password2"} & set(re.split(r"\W+", str(refused.value)))


def test_a_secret_url_is_not_in_the_warning_either(signer: Signer) -> None:
    url = NOBODY.replace("http://", "http://customer:password1@")
    signed = sign(picture(), RECIPE, signer, timestamp=TimestampAuthority(url, WithoutStamp.WARN))
    assert "password1" not in str(signed.warnings)
