"""Sidecars among names that were listed: the members of an archive, the objects of a bucket.

Rules: the customary names are `provenance.sidecar`'s; a sidecar by the stem alone counts for its file without doubt only where
no other listed file shares that stem.
"""

import os
from collections import Counter
from collections.abc import Iterable

from assay.provenance.sidecar import SUFFIX, sidecar_names


class Sidecars:
    """Which of the listed names are manifest stores, and whose."""

    def __init__(self, names: Iterable[str]) -> None:
        self._stores: set[str] = set()
        self._stems: Counter[str] = Counter()
        for name in names:
            if name.endswith(SUFFIX):
                self._stores.add(name)
            else:
                self._stems[os.path.splitext(name)[0]] += 1  # noqa: PTH122 - no paths
        if not self._stores:
            self._stems.clear()

    def of(self, name: str) -> tuple[str, bool] | None:
        """The sidecar of a listed file, and whether no other file could be meant; None where there is none."""
        if not self._stores:
            return None
        found = next((one for one in sidecar_names(name) if one in self._stores and one != name), None)
        if found is None:
            return None
        return found, found == name + SUFFIX or self._stems[found.removesuffix(SUFFIX)] == 1
