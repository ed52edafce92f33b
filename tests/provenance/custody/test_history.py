from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.provenance.custody.chain import Action, Answer, Axis, BottomLine, Ingredient, Signer, Standing, Status
from assay.provenance.custody.history import Draft, bottom_line, headline, link_gaps, oldest_first, store_gaps, unbroken
from assay.provenance.custody.judging import Judged
from assay.provenance.custody.statuses import Found, found_statuses, manifest_of, recorded_standing, recorded_statuses
from assay.provenance.jumbf.store import Kind, ManifestStore, StoredManifest

PREFIX = "self#jumbf=/c2pa/"
SOURCES = {"active": ("parent", "other"), "parent": ("grandparent",), "grandparent": (), "other": ()}


def status(code: str, manifest: str = "parent", *, failure: bool = False) -> Status:
    return Status(code, f"{PREFIX}{manifest}/c2pa.signature", failure)


def report(*, success: tuple[str, ...] = (), failure: tuple[str, ...] = (), manifest: str = "parent") -> dict:
    def entries(codes: tuple[str, ...]) -> list:
        return [{"code": code, "url": f"{PREFIX}{manifest}/c2pa.signature"} for code in codes]

    delta = {"validationDeltas": {"success": entries(success), "informational": [], "failure": entries(failure)}}
    return {"validation_results": {"ingredientDeltas": [delta]}}


def test_sources_come_before_what_was_made_of_them_and_the_active_one_is_last() -> None:
    graph = {"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ()}
    order = oldest_first("a", graph)
    assert order == ("d", "b", "c", "a")


def test_a_cycle_is_cut_and_a_missing_source_left_out() -> None:
    assert oldest_first("a", {"a": ("b", "gone"), "b": ("a", "b")}) == ("b", "a")


def test_hostile_depth_costs_no_recursion() -> None:
    deep = {str(n): (str(n + 1),) for n in range(50_000)} | {"50000": ()}
    assert len(oldest_first("0", deep)) == 50_001


@given(st.dictionaries(st.integers(0, 12), st.lists(st.integers(0, 12), max_size=5), min_size=1))
def test_every_manifest_is_walked_once(graph: dict[int, list[int]]) -> None:
    labels = {str(node): tuple(map(str, sources)) for node, sources in graph.items()}
    active = next(iter(labels))
    order = oldest_first(active, labels)
    assert len(set(order)) == len(order)
    assert order[-1] == active


def test_a_recorded_lack_of_trust_gives_way_to_trust_found_now() -> None:
    record = (status("signingCredential.untrusted", failure=True), status("claimSignature.validated"))
    found = found_statuses(
        "active", report(success=("signingCredential.trusted",)), [("parent", record)], sources=SOURCES
    )["parent"]
    assert not found.failures()
    assert found.has("signingCredential.trusted", "claimSignature.validated")


def test_recorded_trust_gives_way_to_a_lack_found_now() -> None:
    record = (status("signingCredential.trusted"),)
    found = found_statuses(
        "active", report(failure=("signingCredential.untrusted",)), [("parent", record)], sources=SOURCES
    )["parent"]
    assert not found.has("signingCredential.trusted")


def test_a_record_under_an_earlier_name_is_about_the_ingredient_itself() -> None:
    record = (status("assertion.dataHash.mismatch", "name-before-it-was-taken-in", failure=True),)
    found = found_statuses("active", {}, [("parent", record)], sources=SOURCES)
    assert found["parent"].failures()


def test_a_record_speaks_of_what_was_made_into_the_ingredient_and_of_nothing_else() -> None:
    record = tuple(
        Status("assertion.dataHash.mismatch", f"{PREFIX}{label}/c2pa.assertions/c2pa.hash.data", True)
        for label in ("active", "parent", "grandparent", "other")
    )
    found = found_statuses("active", {}, [("parent", record)], sources=SOURCES)
    assert {label for label in SOURCES if label in found and found[label].failures()} == {"parent", "grandparent"}


def test_a_manifest_that_names_itself_as_its_ingredient_does_not_vouch_for_itself() -> None:
    record = (status("signingCredential.trusted", "active"), status("claimSignature.validated", "parent"))
    circle = {"active": ("active", "parent"), "parent": ("active",)}
    found = found_statuses("active", {}, [("active", record), ("parent", record)], sources=circle)
    assert "active" not in found
    assert found["parent"].has("claimSignature.validated")


def test_a_finding_on_an_unknown_manifest_is_about_the_link_that_took_it_in() -> None:
    node = report(failure=("ingredient.manifest.missing",), manifest="gone")
    node["validation_results"]["ingredientDeltas"][0]["ingredientAssertionURI"] = f"{PREFIX}parent/c2pa.assertions/i"
    found = found_statuses("active", node, [], sources=SOURCES)
    assert [failure.code for failure in found["parent"].failures()] == ["ingredient.manifest.missing"]


def test_a_recorded_change_of_bytes_stands_whatever_matches_now() -> None:
    record = (status("assertion.hashedURI.mismatch", failure=True),)
    found = found_statuses(
        "active", report(success=("assertion.hashedURI.match",)), [("parent", record)], sources=SOURCES
    )["parent"]
    assert [failure.code for failure in found.failures()] == ["assertion.hashedURI.mismatch"]


def test_trust_in_one_certificate_does_not_excuse_another() -> None:
    record = (status("signingCredential.untrusted", failure=True),)
    other = report(success=("signingCredential.trusted",), manifest="other")
    assert found_statuses("active", other, [("parent", record)], sources=SOURCES)["parent"].failures()


def test_old_records_list_failures_and_may_mix_in_successes() -> None:
    ingredient = {"validation_status": [{"code": "claimSignature.mismatch"}, {"code": "timeStamp.trusted"}]}
    record = recorded_statuses(ingredient)
    assert record is not None
    assert [entry.failure for entry in record] == [True, False]
    assert recorded_statuses({}) is None


def test_what_was_recorded_is_summed_up() -> None:
    assert recorded_standing(None) is None
    assert recorded_standing(()) is Standing.UNKNOWN
    assert recorded_standing((status("signingCredential.trusted"),)) is Standing.TRUSTED
    assert recorded_standing((status("signingCredential.untrusted", failure=True),)) is Standing.VALID
    assert recorded_standing((status("signingCredential.expired", failure=True),)) is Standing.INVALID
    assert recorded_standing((status("assertion.dataHash.mismatch", failure=True),)) is Standing.TAMPERED


def test_a_url_names_its_manifest() -> None:
    assert manifest_of(f"{PREFIX}urn:c2pa:1/c2pa.assertions/x") == "urn:c2pa:1"
    assert manifest_of("self#jumbf=c2pa.assertions/x") == ""


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["activeManifest", "ingredientDeltas", "validationDeltas", "success", "failure", "code", "url"]
                ),
                inner,
            )
        ),
    )
)
def test_any_report_is_read_without_an_exception(node: object) -> None:
    found_statuses(
        "active",
        {"validation_results": node},
        [("x", recorded_statuses({"validation_results": node}))],
        sources=SOURCES,
    )


def gaps(**fields: object) -> set[str]:
    """The codes of the gaps of a link that is in order but for `fields`."""
    yes = Axis(Answer.YES, "")
    standard: dict[str, object] = {
        "label": "a",
        "title": "",
        "kind": Kind.STANDARD,
        "assertions": {},
        "actions": (Action(label="c2pa.created"),),
        "all_actions_included": True,
        "claim": {},
        "claim_version": 2,
        "redacted": (),
        "ingredients": (),
        "found": Found(),
        "judged": Judged(intact=yes, authentic=yes, trusted=yes, timely=yes, standing=Standing.TRUSTED),
        "signer": Signer(organisation="X"),
        "recorded": None,
    }
    draft = Draft(**(standard | fields))  # type: ignore[arg-type]
    return {gap.code for gap in link_gaps(draft, None, {"a", "known"})}


def source(relationship: str = "parentOf", **fields: object) -> Ingredient:
    return Ingredient(title="t", relationship=relationship, label="c2pa.ingredient.v3", **fields)  # type: ignore[arg-type]


OPENED = (Action(label="c2pa.opened"),)


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("no-actions", {"actions": ()}),
        ("no-beginning", {"actions": (Action(label="c2pa.edited"),)}),
        ("actions-incomplete", {"all_actions_included": False}),
        ("missing-parent", {"actions": OPENED}),
        ("created-with-parent", {"ingredients": (source(manifest="known", recorded=()),)}),
        ("redaction", {"redacted": ("self#jumbf=/c2pa/x/c2pa.assertions/stds.exif",)}),
        ("update-manifest", {"kind": Kind.UPDATE}),
        ("time-stamp-manifest", {"kind": Kind.TIME_STAMP}),
        ("unsigned-parent", {"actions": OPENED, "ingredients": (source(),)}),
        ("unsigned-component", {"ingredients": (source("componentOf"),)}),
        ("unsigned-input", {"ingredients": (source("inputTo"),)}),
        ("missing-manifest", {"actions": OPENED, "ingredients": (source(manifest="gone", recorded=()),)}),
        ("history-dropped", {"actions": OPENED, "ingredients": (source(recorded=(Status("x"),)),)}),
        ("no-record", {"actions": OPENED, "ingredients": (source(manifest="known"),)}),
        ("two-parents", {"actions": OPENED, "ingredients": (source(manifest="known", recorded=()),) * 2}),
        ("missing-manifest", {"found": Found((Status("ingredient.manifest.missing", failure=True),))}),
    ],
)
def test_gaps_are_named(code: str, fields: dict[str, object]) -> None:
    assert gaps() == set()
    assert gaps(**fields) == {code}


def test_old_claims_need_not_say_that_all_actions_are_listed() -> None:
    assert gaps(all_actions_included=False, claim_version=1) == set()


def test_a_store_as_a_whole_may_be_odd() -> None:
    plain = StoredManifest(label="a", kind=Kind.STANDARD)
    packed = StoredManifest(label="b", kind=Kind.COMPRESSED)

    def odd(*manifests: StoredManifest, order: tuple[str, ...] = ("a",), stores: int = 1) -> set[str]:
        return {gap.code for gap in store_gaps(ManifestStore(manifests, 0), order, stores=stores)}

    assert odd(plain) == set()
    assert odd(plain, stores=2) == {"several-stores"}
    assert odd(plain, plain) == {"repeated-label"}
    assert odd(packed, plain) == {"stray-manifest", "compressed-manifest"}
    assert odd(plain, packed, order=("b", "a")) == {"spliced-manifest", "compressed-manifest"}


def test_a_hostile_chain_does_not_let_the_sentence_grow() -> None:
    yes = Axis(Answer.YES, "")
    judged = Judged(intact=yes, authentic=yes, trusted=yes, timely=yes, standing=Standing.TRUSTED)
    drafts: dict[str, Draft] = {}
    axes: dict[str, Axis] = {}
    for number in range(300):
        before = (Ingredient(title="b", relationship="parentOf", manifest=str(number - 1)),) if number else ()
        unknown = tuple(Ingredient(title=f"{number}.{i} " + "x" * 10_000, relationship="componentOf") for i in range(9))
        drafts[str(number)] = draft = Draft(
            label=str(number),
            title="",
            kind=Kind.STANDARD,
            assertions={},
            actions=OPENED,
            all_actions_included=True,
            claim={},
            claim_version=2,
            redacted=(),
            ingredients=(*before, *unknown),
            found=Found(),
            judged=judged,
            signer=Signer(organisation="X"),
            recorded=None,
        )
        axes[draft.label] = unbroken(draft, drafts, axes, ())
    last = axes["299"]
    assert last.answer is Answer.UNKNOWN
    assert len(last.statement) < 2_000
    chain = tuple(drafts.values())
    assert bottom_line(chain, axes, ()) is BottomLine.INCOMPLETE_HISTORY
    assert "(and 7 more such)" in headline(chain, axes, BottomLine.INCOMPLETE_HISTORY, ())
    strange = replace(judged, standing=Standing.UNKNOWN, trusted=Axis(Answer.NO, "no list knows it"))
    assert bottom_line((replace(chain[0], judged=strange), *chain[1:]), axes, ()) is BottomLine.VALID
