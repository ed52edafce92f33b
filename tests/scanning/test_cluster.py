"""On Ray, with two actors reading from a real S3 server, rows are those of one machine, and the ledger is the truth."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from outcomes import picture
from s3_server import s3_server

pytest.importorskip("ray")
pytest.importorskip("moto")
pytest.importorskip("obstore")

from assay.provenance.trust import TrustPolicy
from assay.scanning import cluster
from assay.scanning.audit.engine import Audit
from assay.scanning.audit.examining import Scanning
from assay.scanning.audit.ledger import Ledger
from assay.scanning.audit.row import Row
from assay.scanning.audit.sources import items
from assay.scanning.cluster import ClusterAudit
from assay.scanning.worker import Pool, WorkersFailed

SCANNING = Scanning(model=None, policy=TrustPolicy())
ROOT = Path(__file__).resolve().parents[2]


def fill(archive: Path) -> None:
    import zipfile

    import boto3

    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    client.create_bucket(Bucket="pictures")
    for number in range(24):
        client.put_object(Bucket="pictures", Key=f"{number:02}.png", Body=picture(size=(40 + number % 20, 30)))
    client.put_object(Bucket="pictures", Key="text.jpg", Body=b"no photograph")
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("inside.png", picture("red"))


def test_the_cluster_gives_the_rows_of_one_machine_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / ".dev"))  # what Ray's processes import
    targets = ["s3://pictures", str(tmp_path / "a.zip"), str(tmp_path / "missing.png")]
    with s3_server():
        fill(tmp_path / "a.zip")
        with Ledger(tmp_path / "local", SCANNING.version()) as ledger, Pool(SCANNING, size=1) as pool:
            local = list(Audit(items(targets), ledger=ledger, pool=pool))

        def on_ray() -> tuple[list[Row], int]:
            with Ledger(tmp_path / "cluster", SCANNING.version()) as ledger:
                audit = ClusterAudit(items(targets), ledger=ledger, scanning=SCANNING, actors=2)
                return list(audit), audit.examined

        rows, examined = on_ray()
        assert rows == local
        assert len(rows) == 27
        assert examined >= 22
        with Ledger(tmp_path / "cluster", SCANNING.version()) as ledger:
            assert all(ledger.find(row.sha256) is not None for row in rows if row.sha256)

        # What is known needs no cluster at all.
        monkeypatch.setattr(cluster, "_started", lambda: pytest.fail("Ray was started"))
        targets.remove(str(tmp_path / "missing.png"))
        again, examined = on_ray()
        assert (again, examined) == ([row for row in local if "missing" not in row.name], 0)


@pytest.mark.parametrize("insist", [False, True])
def test_machines_that_cannot_run_the_model_do_without_or_end_the_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, insist: bool
) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "onnxruntime.py").write_text("raise ImportError('libonnxruntime.so: no such instruction')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'modules'}{os.pathsep}{ROOT / '.dev'}")
    (tmp_path / "one.png").write_bytes(picture())
    scanning = replace(SCANNING, model="swift")
    with Ledger(tmp_path / "ledger", SCANNING.version()) as ledger:
        audit = ClusterAudit(
            items([str(tmp_path / "one.png")]), ledger=ledger, scanning=scanning, actors=1, insist=insist
        )
        if insist:
            with pytest.raises(WorkersFailed, match="no such instruction"):
                list(audit)
        else:
            (row,) = audit
            assert "note:pixels-not-examined" in row.findings
