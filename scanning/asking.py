"""What a child is asked about one file: its bytes, and the manifest store that lies beside it.

Rules: whatever keeps a sidecar from being read counts only where the file has no manifest of its own.
"""

from typing import TYPE_CHECKING, Any

from assay.provenance.asset import DEFAULT_LIMITS, Asset, Limits
from assay.provenance.errors import UnreadableFile
from assay.provenance.sidecar import Beside
from assay.scanning import envelope

if TYPE_CHECKING:
    from assay.provenance.custody.examining import Examined
    from assay.provenance.trust import TrustPolicy


def question(
    name: str, content: bytes, *, beside: Beside | None, refused: str = "", named: bool = False, sha256: str = ""
) -> bytes:
    """The message. `refused`: why the sidecar cannot be read; `named`: the user named it, so it comes first; `sha256` of the
    content where it is known, so that it is not computed twice."""
    head: dict[str, Any] = {"name": name, "picture": len(content), "refused": refused, "named": named}
    head |= {"sha256": sha256, "beside": beside.name if beside else "", "sole": beside.sole if beside else True}
    return envelope.packed(head, content + (beside.store if beside else b""))


def examined(message: bytes, policy: "TrustPolicy", *, limits: Limits = DEFAULT_LIMITS) -> "Examined":
    """In the child: open and verify. Raises `AssayError` where the file cannot be opened."""
    from assay.provenance.custody.examining import examine_asset  # the parent, who only asks, verifies nothing

    head, content = envelope.unpacked(message)
    end = int(head["picture"])

    def beside() -> Beside | None:
        if head["refused"]:
            raise UnreadableFile(str(head["refused"]))
        return Beside(str(head["beside"]), content[end:], bool(head["sole"])) if head["beside"] else None

    asset = Asset.from_bytes(content[:end], name=str(head["name"]), limits=limits, sha256=str(head["sha256"]))
    return examine_asset(asset, policy, beside=beside, named=bool(head["named"]))


def name_in(message: bytes) -> str:
    """What the file is called in a question."""
    return str(envelope.unpacked(message)[0]["name"])
