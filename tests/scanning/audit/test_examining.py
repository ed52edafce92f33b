"""What a worker answers is what a scan of the same file says, and its version tells everything that could change it."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from custody_assets import authority, trust_list
from outcomes import picture

from assay.detectors.card import ModelRefused
from assay.provenance.asset import Asset
from assay.provenance.trust import TrustPolicy
from assay.scanning.audit.columns import content
from assay.scanning.audit.examining import Scanning
from assay.scanning.audit.row import SUBJECT, Content
from assay.scanning.scan import Scanner, standard_signals

POLICY = TrustPolicy()
PLAIN = Scanning(model=None, policy=POLICY)


@pytest.mark.parametrize("model", [None, "deep"])
def test_a_worker_says_what_a_scan_says(model: str | None, tmp_path: Path) -> None:
    path = tmp_path / "named.png"
    path.write_bytes(picture(size=(256, 192)))
    examine = pickle.loads(pickle.dumps(Scanning(model=model, policy=POLICY)))()
    scanned = Scanner(signals=standard_signals(model), policy=POLICY).scan(Asset.open(path))
    assert Content.from_json(examine(path.read_bytes())) == content(scanned)


def test_the_name_of_a_file_reaches_nothing_that_is_kept() -> None:
    examine = PLAIN()
    for broken in (b"no image", picture()[:60], b""):
        answer = examine(broken).decode()
        assert Content.from_json(answer).conditions == ("unreadable",)
        assert f'"{SUBJECT}: ' not in answer


def test_near_pictures_have_a_hash_only_where_it_is_asked_for() -> None:
    pytest.importorskip("pdqhash")
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.radial_gradient("L").rotate(20).resize((320, 240)).save(buffer, "PNG")
    near = Content.from_json(replace(PLAIN, near=True)()(buffer.getvalue()))
    assert near == replace(Content.from_json(PLAIN()(buffer.getvalue())), perceptual_hash=near.perceptual_hash)
    assert len(near.perceptual_hash) in (0, 64)


def test_versions_tell_apart_what_could_change_an_answer() -> None:
    versions = [
        PLAIN.version(),
        replace(PLAIN, model="deep").version(),
        replace(PLAIN, thorough=True).version(),
        replace(PLAIN, near=True).version(),
        replace(PLAIN, policy=TrustPolicy(lists=(trust_list(authority()),))).version(),
    ]
    assert len(set(versions)) == len(versions)
    assert PLAIN.version() == Scanning(model=None, policy=TrustPolicy()).version()
    with pytest.raises(ModelRefused):
        replace(PLAIN, model="no-such-model").version()
