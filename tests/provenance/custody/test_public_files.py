"""Over the public test files: no unhandled error, and the verdicts that docs/custody.md tables."""

import re
from pathlib import Path

import pytest

from assay.provenance.asset import Asset
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import AssayError
from assay.provenance.trust import default_policy

TABLE = Path(__file__).resolve().parents[3] / "docs" / "custody.md"
_ROW = re.compile(r"^\| `([^`]+)` \| (\S+) \| (\S+) \|", re.MULTILINE)


@pytest.fixture(scope="module")
def verdicts(shared: Path) -> dict[str, tuple[str, str]]:
    """By path below the folder: the SDK's state and our bottom line, for every file that has or names a manifest."""
    policy, found = default_policy(development=False), {}
    for path in sorted((shared / "c2pa").rglob("*")):
        if not path.is_file():
            continue
        try:
            asset = Asset.open(path)
        except AssayError:
            continue
        custody = verify(asset, policy)
        if custody.place or custody.remote_url or custody.residue:
            name = str(path.relative_to(shared / "c2pa"))
            found[name] = (custody.sdk_state or "–", custody.bottom_line.value)
    return found


def test_the_table_of_verdicts_is_what_verifying_says(verdicts: dict[str, tuple[str, str]]) -> None:
    told = {name: (state, line) for name, state, line in _ROW.findall(TABLE.read_text())}
    assert told == verdicts
    assert len(verdicts) > 40


def test_a_tampered_file_is_never_better_than_tampered(verdicts: dict[str, tuple[str, str]]) -> None:
    for name, (_, line) in verdicts.items():
        defect = re.search(r"-(E-[a-z]+|X[A-Z]+)-?", f"-{Path(name).stem}")
        if defect:
            assert line in ("tampered", "broken-history"), name
