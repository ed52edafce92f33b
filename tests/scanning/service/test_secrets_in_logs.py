"""What must stay secret (API keys, the webhook secret) is in no log, answer or traceback of a server, whoever asks badly."""

import subprocess
import sys
from pathlib import Path

import pytest
from serving import served

pytest.importorskip("uvicorn", reason="the service extra is not installed")


def test_an_api_key_reaches_no_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "state"
    make = [sys.executable, "-m", "assay.cli", "serve", "keys", "add", "newsroom", "--state", str(state)]
    shown = subprocess.run(make, capture_output=True, text=True, check=True, timeout=60).stdout
    key = next(word for word in shown.split() if word.startswith("assay_"))
    with served("--state", str(state)) as server, server.client() as client:
        good = {"authorization": f"Bearer {key}"}
        said = [
            client.post("/v1/scan", content=b"no picture", headers=good),
            client.post("/v1/scan", content=b"no picture", headers={"authorization": f"Bearer {key}x"}),
            client.post("/v1/scan", content=b"no picture", headers={"authorization": f"Basic {key}"}),
            client.get("/v1/jobs/none", headers=good),
            client.get("/metrics", headers=good),
            client.get(f"/v1/{key}", headers=good),
        ]
        assert said[0].status_code == 415
        assert said[1].status_code == said[2].status_code == 401
        server.stop()
    printed = "".join(capfd.readouterr())
    assert key not in printed
    for answer in said[:-1]:
        assert key not in answer.text
    for path in state.rglob("*"):
        if path.is_file():
            assert key.encode() not in path.read_bytes(), f"{path.name} holds the key itself"
