"""The chain as a whole: its order, its gaps, whether it is unbroken, and the one bottom line.

Rules: a chain is as strong as its weakest link; no recursion, so that hostile depth costs nothing; every manifest is walked
once, however many links were made from it; gaps are named, and grave ones keep the chain from being believed whole.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.provenance.custody.chain import Action, Answer, Axis, BottomLine, Gap, Ingredient, Signer, Standing
from assay.provenance.custody.judging import Judged
from assay.provenance.custody.reading import Assertions
from assay.provenance.custody.statuses import MISSING, Found
from assay.provenance.jumbf.store import Kind, ManifestStore, StoredManifest

MADE_FROM = ("parentOf", "componentOf")
_MOST_DOUBTS = 8  # told of one link; hostile chains would let the sentence grow with every link
_LONGEST_TITLE = 120  # characters of it in a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One link before its history is judged."""

    label: str
    title: str
    kind: Kind
    assertions: Assertions
    actions: tuple[Action, ...]
    all_actions_included: bool
    claim: Mapping[str, Any]
    claim_version: int
    redacted: tuple[str, ...]  # JUMBF URLs of assertions it removed from its ingredients
    ingredients: tuple[Ingredient, ...]
    found: Found
    judged: Judged
    signer: Signer
    recorded: Standing | None

    @property
    def who(self) -> str:
        """The signer's name."""
        return self.signer.who

    @property
    def who_and_why(self) -> str:
        """The signer's name, and why they are believed or not: a list may know them, and their certificate be doubtful."""
        return f"{self.who}, {self.judged.trusted.statement if self.signer.trust_list else 'whom no trust list knows'}"


def oldest_first(active: str, sources: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Every manifest reachable from the active one, each after all that it was made from; the active one is last.

    `sources` maps a label to those of its ingredients' manifests. A cycle is cut where it closes.
    """
    order: list[str] = []
    seen: set[str] = {active}
    open_labels: list[tuple[str, int]] = [(active, 0)]
    while open_labels:
        label, place = open_labels.pop()
        children = sources.get(label, ())
        if place < len(children):
            open_labels.append((label, place + 1))
            child = children[place]
            if child not in seen and child in sources:
                seen.add(child)
                open_labels.append((child, 0))
        else:
            order.append(label)
    return tuple(order)


def link_gaps(draft: Draft, stored: StoredManifest | None, present: Iterable[str]) -> tuple[Gap, ...]:
    """What is missing from, or unusual about, one link's account of itself."""
    labels = set(present)
    actions = [action.label for action in draft.actions]
    gaps: list[Gap] = []
    if stored is not None:
        gaps += [Gap("malformed-manifest", f"its manifest is malformed: {defect}") for defect in stored.defects]
    for ingredient in draft.ingredients:
        gaps += _ingredient_gaps(ingredient, labels)
    if draft.found.failures(MISSING):
        gaps.append(
            Gap("missing-manifest", "the manifest of something it was made from is not in the file", grave=True)
        )
    parents = [ingredient for ingredient in draft.ingredients if ingredient.relationship == "parentOf"]
    if len(parents) > 1:
        gaps.append(Gap("two-parents", f"it names {len(parents)} parents, and a picture has one", grave=True))
    if draft.kind is Kind.UPDATE:
        gaps.append(
            Gap("update-manifest", "it is an update manifest: it adds statements and leaves the picture as it was")
        )
    elif draft.kind is Kind.TIME_STAMP:
        gaps.append(Gap("time-stamp-manifest", "it is a time-stamp manifest: it adds a time stamp and nothing else"))
    elif not actions:
        gaps.append(Gap("no-actions", "it does not say what was done"))
    elif actions[0] not in ("c2pa.created", "c2pa.opened"):
        gaps.append(Gap("no-beginning", f"its first action is {actions[0]}, neither created nor opened"))
    elif not draft.all_actions_included and draft.claim_version >= 2:
        gaps.append(Gap("actions-incomplete", "it does not say that all actions are listed"))
    if not all(action.attributed for action in draft.actions):
        gaps.append(Gap("gathered-actions", "its signer passes actions on (“gathered”) and does not answer for them"))
    if "c2pa.opened" in actions and not parents:
        gaps.append(Gap("missing-parent", "it says to have opened a picture, and does not say which"))
    if "c2pa.created" in actions[:1] and parents and draft.kind is Kind.STANDARD:
        gaps.append(Gap("created-with-parent", "it says to have been created from nothing, yet names a parent"))
    if draft.redacted:
        count = len(draft.redacted)
        gaps.append(
            Gap("redaction", f"{count} statement{'s' * (count > 1)} of earlier links were removed by it on purpose")
        )
    return tuple(dict.fromkeys(gaps))


def store_gaps(store: ManifestStore, order: tuple[str, ...], *, stores: int) -> tuple[Gap, ...]:
    """What is odd about the store as a whole."""
    compressed = sum(manifest.kind is Kind.COMPRESSED for manifest in store.manifests)
    gaps = []
    if stores > 1:
        gaps.append(Gap("several-stores", f"the file carries {stores} manifest stores, and may have one", grave=True))
    if store.repeated_labels:
        gaps.append(Gap("repeated-label", "two manifests of its store bear one name", grave=True))
    if store.manifests and order and store.manifests[-1].label != order[-1]:
        gaps.append(Gap("spliced-manifest", "the last manifest of the store is not the active one", grave=True))
    stray = [manifest.label for manifest in store.manifests if manifest.label not in order]
    if stray:
        few = len(stray) == 1
        gaps.append(
            Gap(
                "stray-manifest",
                f"{len(stray)} manifest{'' if few else 's'} of its store belong{'s' * few} to nothing in it",
            )
        )
    if compressed:
        gaps.append(
            Gap("compressed-manifest", f"{compressed} of its manifests {'is' if compressed == 1 else 'are'} compressed")
        )
    return tuple(gaps)


def unbroken(draft: Draft, below: Mapping[str, Draft], axes: Mapping[str, Axis], gaps: Iterable[Gap]) -> Axis:
    """Whether everything it was made from holds. `below` and `axes` are the links already judged."""
    doubts: list[str] = []
    codes: list[str] = []
    for ingredient in draft.ingredients:
        source = below.get(ingredient.manifest)
        what = quoted(ingredient.title or (source.title if source else ""))
        if source is None:
            if ingredient.manifest or ingredient.recorded:
                return Axis(
                    Answer.NO, f"the manifest of {what}, from which it was made, is missing", tuple(MISSING)[:1]
                )
            if ingredient.relationship in MADE_FROM:
                doubts.append(f"nothing is known of {what}, from which it was made")
                codes.append("ingredient.unknownProvenance")
            continue
        history = axes[source.label]
        if source.judged.standing is Standing.TAMPERED:
            axis = source.judged.intact if source.judged.intact.answer is Answer.NO else source.judged.authentic
            return Axis(Answer.NO, f"{what}, from which it was made, does not hold: {axis.statement}", axis.codes)
        if history.answer is Answer.NO:
            return history
        if source.judged.standing is Standing.INVALID:
            doubts.append(f"{what}, from which it was made, is not in order: {source.judged.fault}")
        elif source.judged.standing is Standing.VALID:
            doubts.append(f"{what}, from which it was made, was signed by {source.who_and_why}")
            codes.append("signingCredential.untrusted")
        elif source.judged.standing is Standing.UNKNOWN:
            doubts.append(f"nobody recorded having checked {what}, from which it was made")
        if history.answer is Answer.UNKNOWN:
            doubts.append(history.statement)
            codes += history.codes
    grave = next((gap for gap in gaps if gap.grave), None)
    if grave is not None:
        return Axis(Answer.NO, grave.statement)
    doubts += [gap.statement for gap in gaps if gap.code == "missing-parent"]
    if doubts:
        each = list(dict.fromkeys(part for doubt in doubts for part in doubt.split("; ")))[:_MOST_DOUBTS]
        return Axis(Answer.UNKNOWN, "; ".join(each), tuple(dict.fromkeys(codes)))
    if not draft.ingredients:
        return Axis(Answer.YES, "it was made from nothing else")
    return Axis(Answer.YES, "everything it was made from holds")


def bottom_line(drafts: tuple[Draft, ...], axes: Mapping[str, Axis], gaps: Iterable[Gap]) -> BottomLine:
    """The weakest link's word. `drafts` are oldest first, the active one last."""
    active = drafts[-1]
    standings = {draft.judged.standing for draft in drafts}
    history = axes[active.label]
    if active.judged.standing is Standing.TAMPERED:
        return BottomLine.TAMPERED
    if history.answer is Answer.NO:
        return BottomLine.BROKEN_HISTORY
    faulty = Standing.INVALID in standings or active.judged.standing is Standing.UNKNOWN
    if faulty or any(gap.grave for gap in gaps):
        return BottomLine.INVALID
    if Standing.VALID in standings or any(_vouched_by_nobody(draft) for draft in drafts):
        return BottomLine.VALID
    return BottomLine.TRUSTED if history.answer is Answer.YES else BottomLine.INCOMPLETE_HISTORY


def _vouched_by_nobody(draft: Draft) -> bool:
    """Whether nobody recorded having checked its bytes, and no list knows its signer either."""
    return draft.judged.standing is Standing.UNKNOWN and draft.judged.trusted.answer is not Answer.YES


def headline(
    drafts: tuple[Draft, ...], axes: Mapping[str, Axis], line: BottomLine, gaps: Iterable[Gap], *, apart: bool = False
) -> str:
    """The first thing anybody reads: one sentence that names the weakest link. `apart`: its manifest is not in the file."""
    active = drafts[-1]
    history = axes[active.label]
    vouched = active.judged.standing is Standing.TRUSTED
    first, *more = history.statement.split("; ")
    doubt = f"{first} (and {len(more)} more such)" if more else first
    signed, said = f"signed by {active.who}", f"signed by {active.who_and_why}"
    match line:
        case BottomLine.TAMPERED:
            no = active.judged.intact if active.judged.intact.answer is Answer.NO else active.judged.authentic
            warning = "No manifest holds for it" if apart else "Do not rely on it"  # a stray one accuses no file
            return f"{warning}: {no.statement} (it names {active.who} as signer)."
        case BottomLine.BROKEN_HISTORY:
            return f"Its history is broken: {history.statement}. The file itself is {said}."
        case BottomLine.INVALID:
            return _invalid(active, next((gap.statement for gap in gaps if gap.grave), doubt), signed)
        case BottomLine.VALID if vouched:
            return f"The file itself is {said}, but {doubt}."
        case BottomLine.VALID if active.signer.trust_list:
            return f"Intact since it was {said}."
        case BottomLine.VALID:
            return f"Intact since it was {said}: anybody can sign under any name."
        case BottomLine.INCOMPLETE_HISTORY:
            return f"Intact and {said}; {doubt}."
        case _:
            whole = "; everything it was made from holds too" if active.ingredients else ""
            return f"Intact and {said}{whole}."


def _invalid(active: Draft, doubt: str, signed: str) -> str:
    if active.judged.standing is Standing.INVALID:
        return f"Intact, {signed}, but {active.judged.fault}."
    if active.judged.standing is Standing.UNKNOWN:
        axis = active.judged.intact if active.judged.intact.answer is Answer.UNKNOWN else active.judged.authentic
        return f"It proves nothing: {axis.statement}."
    return f"Intact, {signed}, but {doubt}."


def quoted(title: str) -> str:
    """A title in a sentence, or what to call something without one."""
    short = title if len(title) <= _LONGEST_TITLE else title[:_LONGEST_TITLE] + "…"
    return f"“{short}”" if title else "a picture without a title"


def _ingredient_gaps(ingredient: Ingredient, labels: set[str]) -> list[Gap]:
    what = quoted(ingredient.title)
    role = {"parentOf": "parent", "componentOf": "component", "inputTo": "input"}.get(
        ingredient.relationship, "ingredient"
    )
    if ingredient.manifest and ingredient.manifest not in labels:
        return [Gap("missing-manifest", f"the manifest of its {role} {what} is not in the file", grave=True)]
    if not ingredient.manifest and ingredient.recorded:
        return [Gap("history-dropped", f"its {role} {what} had a manifest, which was dropped", grave=True)]
    if not ingredient.manifest:
        return [Gap(f"unsigned-{role}", f"its {role} {what} had no manifest: nothing is known of it")]
    if ingredient.recorded is None and ingredient.label.startswith("c2pa.ingredient.v3"):
        return [Gap("no-record", f"nobody recorded what they found when they took in its {role} {what}")]
    return []
