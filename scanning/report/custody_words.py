"""How every presenter of a chain calls things: who, what, when, from what, and which sign stands for it.

Rules: strings of the file go through `plain` here, so that no presenter can forget it; a sign never stands alone.
"""

import re
from dataclasses import dataclass

from assay.detectors.source_types import source_type
from assay.provenance.custody.chain import Answer, BottomLine, Custody, Ingredient, Link, Standing
from assay.provenance.text import plain

SIGNS = {Answer.YES: "✓", Answer.NO: "✕", Answer.UNKNOWN: "?"}
STANDING_SIGNS = {
    Standing.TRUSTED: "✓",
    Standing.VALID: "?",
    Standing.UNKNOWN: "?",
    Standing.INVALID: "!",
    Standing.TAMPERED: "✕",
}
STANDINGS = {
    Standing.TRUSTED: "intact, and a trust list knows the signer",
    Standing.VALID: "intact, but no trust list knows the signer",
    Standing.UNKNOWN: "not recorded, and nothing can tell now",
    Standing.INVALID: "intact, but not in order",
    Standing.TAMPERED: "not what was signed",
}
BOTTOM_LINES = {
    BottomLine.NO_MANIFEST: "no manifest",
    BottomLine.UNREADABLE: "unreadable manifest",
    BottomLine.TAMPERED: "tampered",
    BottomLine.BROKEN_HISTORY: "broken history",
    BottomLine.INVALID: "invalid",
    BottomLine.VALID: "valid, signer unknown",
    BottomLine.INCOMPLETE_HISTORY: "trusted, history incomplete",
    BottomLine.TRUSTED: "trusted",
}
AXES = {
    "intact": "Are these the bytes that were signed?",
    "authentic": "Did the named certificate sign them?",
    "trusted": "Does a trust list vouch for the signer?",
    "timely": "Was the certificate valid then?",
    "unbroken": "Does everything it was made from hold?",
}
_REMOTE = "remote-manifest-not-fetched"
_HOST = re.compile(
    r"https?://((?:[a-z0-9-]{1,63}\.){1,9}[a-z][a-z0-9-]{0,62})(?:[/:?#]|$)", re.IGNORECASE
)  # harmless in a command
_ROLES = {"parentOf": "made from", "componentOf": "contains", "inputTo": "used as input"}
_LIST_KINDS = {"interim": "interim list, frozen", "development": "development key", "user": "your own list"}


@dataclass(frozen=True, slots=True)
class Node:
    """One place in the picture of a chain: a link, or an ingredient of which nothing is known."""

    role: str  # how it entered the link above it; empty for the file itself
    link: Link | None
    ingredient: Ingredient | None
    children: tuple["Node", ...] = ()


def who(link: Link) -> str:
    """The signer, and who vouches for them."""
    signer = link.signer
    name = signer.who
    if signer.common_name and signer.common_name != name:
        name += f" ({signer.common_name})"
    return plain(name, limit=120)


def standing(link: Link) -> str:
    """What holds of it now. A list may know the signer whom the certificate's own responder does not know, and this machine's own
    development authority is a list in name only."""
    if link.now is Standing.VALID and link.signer.trust_list:
        return "intact, and a trust list knows the signer, but whether to trust them is in doubt"
    if link.now is Standing.TRUSTED and link.signer.development:
        return "intact, and signed with this machine's own development key"
    return STANDINGS[link.now]


def vouched(link: Link) -> str:
    """The list that vouches, or that none does."""
    signer = link.signer
    if not signer.trust_list:
        return "on no trust list"
    return plain(_LIST_KINDS.get(signer.trust_list_kind, signer.trust_list), limit=120)


def what(link: Link) -> str:
    """Its actions in plain words, each once."""
    if link.kind == "update":
        return "added statements, left the picture as it was"
    done = dict.fromkeys(plain_action(action.label) for action in link.actions)
    return ", ".join(list(done)[:8]) + (" …" if len(done) > 8 else "") or "does not say what was done"


def plain_action(label: str) -> str:
    """`c2pa.color_adjustments` as "color adjustments"; foreign actions keep their full name."""
    own = label.startswith("c2pa.")
    return plain(label.removeprefix("c2pa.").replace("_", " ").replace(".", " ") if own else label, limit=60)


def tool(link: Link) -> str:
    """The software of its first action that names one, else what wrote the claim."""
    named = next((action.software_agent for action in link.actions if action.software_agent), link.claim_generator)
    return plain(named, limit=80)


def when(link: Link) -> str:
    """The certified time, else the claimed one, and which of the two it is."""
    if link.certified_time is not None:
        by = f" by {plain(link.time_authority, limit=60)}" if link.time_authority else ""
        return f"{link.certified_time:%Y-%m-%d %H:%M} UTC, certified{by}"
    if link.claimed_time:
        return f"{plain(link.claimed_time, limit=40)}, as it claims"
    return "at a time nobody states"


def source_types(link: Link) -> tuple[str, ...]:
    """What it declares of its origin, in plain words with the term."""
    found = []
    for uri in link.digital_source_types:
        kind = source_type(uri)
        found.append(f"{kind.meaning} ({kind.term})" if kind else f"of an unknown source type ({plain(uri, limit=80)})")
    return tuple(found)


def remote_step(custody: Custody) -> str:
    """How to have a manifest fetched that is kept elsewhere; empty where nobody has to, where it failed, and where the host's name
    is none that may stand in a command."""
    unasked = any(gap.code == _REMOTE and gap.statement.endswith("was not fetched") for gap in custody.breaks)
    host = _HOST.match(custody.remote_url) if unasked else None
    return f"`assay verify --fetch-remote {host[1].lower()}` asks for it there." if host else ""


def picture_of(custody: Custody, *, most: int = 400) -> Node | None:
    """The chain as a tree, the file itself at its root; a link that is used twice is shown once with what is below it.

    No recursion while reading: built from the oldest link up. At most `most` ingredients are shown.
    """
    nodes: dict[str, Node] = {}
    shown: set[str] = set()
    left = most
    for link in custody.links:
        children = []
        for ingredient in link.ingredients:
            if left <= 0:
                break
            left -= 1
            source = nodes.get(ingredient.manifest)
            below = source.children if source and ingredient.manifest not in shown else ()
            shown.add(ingredient.manifest)
            role = _ROLES.get(ingredient.relationship, plain(ingredient.relationship or "made from", limit=30))
            children.append(Node(role, source.link if source else None, ingredient, below))
        nodes[link.label] = Node("", link, None, tuple(children))
    active = custody.active
    return nodes[active.label] if active else None


def title_of(node: Node, root: str = "this file") -> str:
    """What to call a node; `root` is the word for the picture whose chain it is."""
    if not node.role:
        return root
    title = (node.ingredient.title if node.ingredient else "") or (node.link.title if node.link else "")
    return f"“{plain(title, limit=80)}”" if title else "a picture without a title"
