"""Which pictures of a conversation the answer may have changed.

Rules: the one that is changed is the first of the last turn, or where that has none, the last before it; any other may have
gone in too; one that is not at hand is counted and never forgotten.
"""

from collections.abc import Sequence
from dataclasses import replace

from assay.provenance.asset import Asset
from assay.provenance.generating.provider import Request

Pictures = list[Asset | None]
"""The pictures of one turn in their order: None for one behind a link, for a file at the provider's, and where there may be one."""


def with_pictures(request: Request, turns: Sequence[Pictures]) -> Request:
    """`request` with the pictures of the conversation that it goes on with, oldest turn first."""
    before = [picture for turn in turns[:-1] for picture in turn]
    latest = turns[-1] if turns else []
    if not latest:
        before, latest = before[:-1], before[-1:]
    at_hand = tuple(picture for picture in latest if picture is not None)
    is_known = bool(latest) and latest[0] is not None
    return replace(
        request,
        inputs=at_hand if is_known else (),
        references=() if is_known else at_hand,
        earlier=tuple(picture for picture in before if picture is not None),
        unseen=any(picture is None for picture in (*before, *latest)),
    )
