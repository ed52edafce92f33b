"""The one way in which a file is written: here, who may read it."""

import os
import stat
from pathlib import Path

import pytest

from assay.provenance.replacing import replacing


@pytest.mark.parametrize(
    ("umask", "mode", "expected"), [(0o022, 0o644, 0o644), (0o077, 0o644, 0o600), (0, 0o600, 0o600)]
)
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_file_is_written_with_its_mode_less_the_umask(
    umask: int, mode: int, expected: int, overwrite: bool, tmp_path: Path
) -> None:
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "out.txt", overwrite=overwrite, mode=mode) as temporary:
            assert stat.S_IMODE(temporary.stat().st_mode) == expected
            temporary.write_text("whole")
    finally:
        os.umask(before)
    (written,) = tmp_path.iterdir()
    assert stat.S_IMODE(written.stat().st_mode) == expected
