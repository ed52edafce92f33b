"""The signing log: complete, private, and any change of it is found."""

import hashlib
import json
import os
import resource
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from signing_assets import active, picture, read
from signing_certificates import make

from assay.cli import assay
from assay.provenance.asset import Asset
from assay.provenance.errors import OutputRefused, SigningFailed
from assay.provenance.signing import CallbackSigner, Prompt, Recipe, Signer, SoftwareAgent, sign
from assay.provenance.signing.log import LogDamaged, SigningLog

RECIPE = Recipe.generated(SoftwareAgent("example-model"))


def facts(number: int) -> dict[str, Any]:
    return {
        "asset": f"{number}.png",
        "path": "",
        "source_sha256": "0" * 64,
        "sha256": "1" * 64,
        "manifest": f"urn:c2pa:{number}",
        "signer": "example – ‮example",
        "certificate_sha256": "2" * 64,
        "development": False,
        "timestamped": False,
        "opening": {},
    }


@pytest.fixture
def log(tmp_path: Path) -> SigningLog:
    made = SigningLog(tmp_path / "log.jsonl")
    for number in range(5):
        made.append(**facts(number))
    return made


def test_a_signature_is_in_the_log_with_what_opens_its_prompt(signer: Signer, tmp_path: Path) -> None:
    log = SigningLog(tmp_path / "log.jsonl")
    prompt = Prompt("a cat")
    target = tmp_path / "signed.png"
    signed = sign(picture(), Recipe.generated(SoftwareAgent("m"), prompt=prompt), signer, into=target, log=log)
    (entry,) = log.entries()
    assert (entry.source_sha256, entry.sha256) == (picture().sha256, signed.sha256)
    assert entry.manifest == signed.manifest_label
    assert entry.path == str(target)
    assert entry.development
    assert entry.opening == {"promptSalt": prompt.salt.hex()}
    assert "a cat" not in log.path.read_text()
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_a_failed_signature_is_not_in_the_log(tmp_path: Path) -> None:
    log = SigningLog(tmp_path / "log.jsonl")
    with pytest.raises(SigningFailed):
        sign(picture(), RECIPE, CallbackSigner.of(make().chain.decode(), lambda message: bytes(64)), log=log)
    assert list(log.entries()) == []


def test_the_chain_holds(log: SigningLog) -> None:
    check = log.check()
    assert (check.entries, check.fault) == (5, "")
    assert check.head == list(log.entries())[-1].hash


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda lines: [lines[0], lines[1].replace("urn:c2pa:1", "urn:c2pa:9"), *lines[2:]], "line 2 was changed"),
        (lambda lines: lines[:2] + lines[3:], "before line 3 a line was removed"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "before line 1 a line was"),
        (lambda lines: [*lines[:4], "{}", lines[4]], "line 5 is no entry"),
        (lambda lines: [*lines, "junk"], "line 6 is no entry"),
    ],
)
def test_every_damage_is_found(log: SigningLog, damage: Any, words: str) -> None:
    lines = log.path.read_text().splitlines()
    log.path.write_text("\n".join(damage(lines)) + "\n")
    assert words in log.check().fault


def test_a_line_recomputed_by_somebody_clever_breaks_the_next(log: SigningLog) -> None:
    from assay.provenance.signing.log import _hash

    lines = log.path.read_text().splitlines()
    entry = json.loads(lines[1])
    entry["signer"] = "somebody else"
    entry["hash"] = _hash({key: value for key, value in entry.items() if key != "hash"})
    log.path.write_text("\n".join([lines[0], json.dumps(entry), *lines[2:]]) + "\n")
    assert "before line 3" in log.check().fault


def test_nothing_is_appended_to_a_torn_line(log: SigningLog) -> None:
    with log.path.open("a") as file:
        file.write('{"sequence": 6, "ti')
    with pytest.raises(LogDamaged, match="last line is no entry"):
        log.append(**facts(6))


def test_many_writers_share_one_log(log: SigningLog) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: SigningLog(log.path).append(**facts(number)), range(40)))
    assert log.check().entries == 45
    assert log.check().fault == ""


def test_the_command_line_replays_and_checks(log: SigningLog, signer: Signer, tmp_path: Path) -> None:
    target = tmp_path / "signed.png"
    sign(picture(), RECIPE, signer, into=target, log=log)
    run = CliRunner()
    listed = run.invoke(assay, ["signatures", "list", "--log", str(log.path)])
    assert listed.exit_code == 0
    assert "‮" not in listed.output
    assert len(listed.output.splitlines()) == 6
    checked = run.invoke(assay, ["signatures", "check", "--files", "--log", str(log.path)])
    assert checked.exit_code == 0
    assert "6 entries hold" in checked.output
    assert "1 files: 1 as signed, 0 changed" in checked.output
    target.write_bytes(b"something else")
    changed = run.invoke(assay, ["signatures", "check", "--files", "--log", str(log.path)])
    assert changed.exit_code == 1
    assert f"changed  {target}" in changed.output
    log.path.write_text(log.path.read_text().replace("urn:c2pa:3", "urn:c2pa:4"))
    assert run.invoke(assay, ["signatures", "check", "--log", str(log.path)]).exit_code == 1


def test_a_full_disk_leaves_no_half_line_that_would_keep_later_signatures_out(log: SigningLog) -> None:
    """The kernel's limit on a file's size stops a write in the middle, as a full disk does."""
    before = log.path.read_bytes()
    earlier = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, earlier[1]))
        with pytest.raises(OutputRefused):
            log.append(**facts(5))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, earlier)
        signal.signal(signal.SIGXFSZ, handler)
    assert log.path.read_bytes() == before
    log.append(**facts(5))
    assert (log.check().entries, log.check().fault) == (6, "")


def test_a_file_name_that_is_no_text_is_signed_and_found_again(signer: Signer, tmp_path: Path) -> None:
    log = SigningLog(tmp_path / "log.jsonl")
    source, target = (
        Path(os.fsdecode(os.fsencode(tmp_path) + name)) for name in (b"/l\xe4tin.png", b"/l\xe4tin-2.png")
    )
    source.write_bytes(picture().content)
    signed = sign(Asset.open(source), Recipe.edited(Asset.open(source), agent=SoftwareAgent("m")), signer, into=target, log=log)  # fmt: skip
    assert active(read(signed.asset))["title"] == "l?tin.png"
    log.append(**facts(2))
    assert (log.check().entries, log.check().fault) == (2, "")
    entry = next(log.entries())
    assert hashlib.sha256(Path(entry.path).read_bytes()).hexdigest() == entry.sha256
