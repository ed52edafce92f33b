"""A scan as one self-contained page: pictures, verdicts in plain words, chains of custody, every voice.

Rules: no script and no request to anywhere; everything is escaped by Jinja, and strings of the file go through `plain`
first; pictures are re-encoded, never embedded as they came.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import jinja2
from markupsafe import Markup

from assay import __version__
from assay.detectors.evidence import Origin
from assay.provenance.custody.chain import Answer, Custody, Link
from assay.provenance.text import plain, plain_block
from assay.scanning.report.fragments import Fragment
from assay.scanning.report.picture import thumbnail
from assay.scanning.report.terminal import facts, left_out, undecoded, unheard
from assay.scanning.scan import Failure, Report
from assay.scanning.words import answer, only_pixels

TITLE = "Where do these images come from?"
TITLE_OF_PIXELS = "What do the pixels of these images say?"
LEAD_OF_PIXELS = "The pixels alone were weighed. What the files state, carry or prove plays no part in these answers."
_SIGNS = {Answer.YES: "✓", Answer.NO: "✕", Answer.UNKNOWN: "?"}
_AXES = ("intact", "authentic", "trusted", "timely", "unbroken")


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """The templates of this room, autoescaping, undefined names an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("assay.scanning.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["plain"] = plain
    made.filters["plain_block"] = plain_block
    made.filters["sign"] = lambda given: _SIGNS[given]
    return made


def page(
    outcomes: Sequence[Report | Failure],
    *,
    title: str = "",
    lead: str = "",
    notes: Mapping[str, str] | None = None,
    prior: float | None = None,
) -> str:
    """Render outcomes as one HTML document. `lead` stands under the title, `notes` (by asset name) under the pictures."""
    verdicts = [outcome.verdict for outcome in outcomes if isinstance(outcome, Report)]
    if verdicts and all(map(only_pixels, verdicts)):
        title, lead = title or TITLE_OF_PIXELS, lead or LEAD_OF_PIXELS
    origins = [verdict.origin for verdict in verdicts]
    cards = [_card(outcome, notes or {}, prior) for outcome in outcomes]
    return _rendered(
        title or TITLE, lead, cards=cards, fragments=(), origins=origins, failures=len(outcomes) - len(origins)
    )


def page_around(fragments: Sequence[Fragment], *, title: str = TITLE) -> str:
    """The same page around parts that other processes made and `fragments.accepted` let through."""
    origins = [Origin(fragment.origin) for fragment in fragments if fragment.origin in set(Origin)]
    failures = sum(fragment.failed for fragment in fragments)
    return _rendered(title, "", cards=(), fragments=fragments, origins=origins, failures=failures)


def _rendered(
    title: str,
    lead: str,
    *,
    cards: Sequence[dict[str, object]],
    fragments: Sequence[Fragment],
    origins: Sequence[Origin],
    failures: int,
) -> str:
    tally = Counter(origins)
    return (
        environment()
        .get_template("scan.html.j2")
        .render(
            title=title,
            lead=lead,
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            version=__version__,
            cards=cards,
            fragments=[Markup(fragment.html) for fragment in fragments],  # noqa: S704 - checked element by element
            tally=[(origin.value, tally[origin]) for origin in Origin if tally[origin]],
            failures=failures,
            axes=_AXES,
        )
    )


def _card(outcome: Report | Failure, notes: Mapping[str, str], prior: float | None) -> dict[str, object]:
    if isinstance(outcome, Failure):
        note = notes.get(outcome.name, "")
        return {"kind": "failure", "name": outcome.name, "message": str(outcome.error), "note": note}
    custody = outcome.custody
    return {
        "kind": "report",
        "name": outcome.asset.name.rsplit("/", 1)[-1],
        "path": outcome.asset.name,
        "facts": facts(outcome),
        "note": notes.get(outcome.asset.name, ""),
        "undecoded": undecoded(outcome),
        "sha256": outcome.asset.sha256,
        "picture": thumbnail(outcome.asset),
        "origin": outcome.verdict.origin.value,
        "basis": outcome.verdict.basis.word,
        "said": answer(outcome.verdict, prior=prior),
        "findings": outcome.verdict.findings,
        "grounds": outcome.verdict.grounds,
        "dissent": outcome.verdict.dissent,
        "silent": outcome.verdict.silent,
        "left_out": left_out(outcome),
        "unheard": [piece for piece in unheard(outcome) if not piece.findings],  # findings are shown anyway
        "chain": links(custody) if isinstance(custody, Custody) else [],
        "custody": custody if isinstance(custody, Custody) else None,
        "custody_failure": "" if isinstance(custody, Custody) else str(custody),
    }


def links(custody: Custody) -> list[dict[str, object]]:
    """The nodes of a drawn chain, oldest first."""
    return [_link(link) for link in custody.links]


def _link(link: Link) -> dict[str, object]:
    bad = Answer.NO in (link.axes.intact.answer, link.axes.authentic.answer, link.axes.unbroken.answer)
    state = "broken" if bad else ("trusted" if link.axes.trusted.answer is Answer.YES else "untrusted")
    return {
        "link": link,
        "state": state,
        "who": link.signer.who,
        "what": ", ".join(dict.fromkeys(action.label.removeprefix("c2pa.") for action in link.actions)) or "no actions",
        "with": next((action.software_agent for action in link.actions if action.software_agent), link.claim_generator),
        "when": link.certified_time.strftime("%Y-%m-%d %H:%M UTC, certified")
        if link.certified_time
        else (f"{link.claimed_time}, claimed" if link.claimed_time else "no time given"),
        "types": [kind.rsplit("/", 1)[-1] for kind in link.digital_source_types],
    }
