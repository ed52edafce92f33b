"""A policy's rules are told from rows alone, and a misspelt policy is refused."""

from pathlib import Path

import pytest
from scanning_rows import simple
from signing_assets import picture

from assay.detectors.evidence import DEVELOPMENT
from assay.provenance.custody.chain import BottomLine
from assay.provenance.signing import Recipe, SoftwareAgent, SourceType, open_signer, sign
from assay.provenance.trust import default_policy
from assay.provenance.trust.development import DEVELOPMENT_LIST
from assay.scanning.audit.columns import content
from assay.scanning.audit.policy import Policy, PolicyRefused, Rule, read_policy
from assay.scanning.scan import Scanner, standard_signals

POLICY = """
fail-on = ["tampered"]
exclude = ["drafts/", "/desk/raw*"]

[[rule]]
name = "press pictures are signed by us"
files = ["press/**"]
signed = "trusted"
by = ["Example News*"]

[[rule]]
name = "generated pictures are labelled"
labelled = true

[[rule]]
name = "only captures in the archive"
files = ["/archive/"]
origin = ["captured"]
"""


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    (tmp_path / "assay.toml").write_text(POLICY)
    return read_policy(tmp_path / "assay.toml")


def broken(policy: Policy, name: str, **columns: object) -> tuple[str, ...]:
    return policy.judged(simple(name, **columns)).breaches


def test_who_must_have_signed(policy: Policy, tmp_path: Path) -> None:
    rule = ("press pictures are signed by us",)
    inside = str(tmp_path / "press/2026/a.png")
    ours = {"custody": "trusted", "signer": "EXAMPLE NEWS desk 4"}
    assert broken(policy, inside, **ours) == ()
    assert broken(policy, inside, custody="trusted", organisation="Example News") == ()
    assert broken(policy, inside, **{**ours, "custody": "valid"}) == rule
    assert broken(policy, inside, **{**ours, "custody": "tampered"}) == rule
    assert broken(policy, inside, custody="trusted", signer="Somebody Else") == rule
    assert broken(policy, inside) == rule
    assert broken(policy, inside, origin=None, custody=None, error="ParserCrashed") == rule
    assert broken(policy, "s3://bucket/press/a.png") == ()  # the pattern is anchored at the bucket
    assert broken(policy, str(tmp_path / "elsewhere/a.png")) == ()


def test_what_must_be_labelled(policy: Policy) -> None:
    rule = ("generated pictures are labelled",)
    assert broken(policy, "a.png", origin="synthetic", declared=False) == rule
    assert broken(policy, "a.png", origin="composite", declared=False) == rule
    assert broken(policy, "a.png", origin="synthetic", declared=True) == ()


def test_which_origins_are_allowed(policy: Policy, tmp_path: Path) -> None:
    assert broken(policy, str(tmp_path / "archive/a.png"), origin="captured") == ()
    assert broken(policy, str(tmp_path / "archive/a.png")) == ("only captures in the archive",)


def test_the_rest_of_the_file_is_read(policy: Policy) -> None:
    assert policy.fail_on == ("tampered",)
    assert policy.exclude == ("drafts/", "/desk/raw*")


def test_exclusions_are_relative_to_the_policy_and_hold_for_named_files(policy: Policy, tmp_path: Path) -> None:
    assert policy.excludes(str(tmp_path / "deep/drafts/a.png"))
    assert policy.excludes(str(tmp_path / "desk/raw-1.png"))
    assert not policy.excludes(str(tmp_path / "deep/desk/raw-1.png"))
    assert policy.prunable == ("drafts/",)
    assert Policy(root=tmp_path, exclude=("drafts/", "!drafts/kept/")).prunable == ()


def test_a_link_on_the_way_to_a_file_leads_out_of_no_rule_and_into_no_exclusion(
    policy: Policy, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rule = ("press pictures are signed by us",)
    outside = tmp_path_factory.mktemp("outside")
    (tmp_path / "press").mkdir()
    for link, target in {
        outside / "way": tmp_path,  # to the policy's folder
        tmp_path / "alias": tmp_path / "press",
        tmp_path / "press/old": outside,  # out of it
        tmp_path / "drafts": tmp_path / "press",
    }.items():
        link.symlink_to(target)
    linked = read_policy(outside / "way/assay.toml")
    for name in ("press/a.png", "alias/a.png", "press/old/a.png", "drafts/a.png", "press/a.zip!b.png"):
        for folder in (tmp_path, outside / "way"):
            assert broken(policy, str(folder / name)) == broken(linked, str(folder / name)) == rule, name
            assert not policy.excludes(str(folder / name))
    assert broken(policy, str(outside / "a.png")) == ()
    assert policy.excludes(str(outside / "way/desk/raw-1.png"))
    assert not policy.excludes("press/no\0name/a.png")


@pytest.mark.parametrize("member", ["x/../../drafts/a.png", "../../../outside.png", "/a.png"])
def test_what_a_member_is_called_leads_out_of_no_rule(policy: Policy, tmp_path: Path, member: str) -> None:
    (tmp_path / "assay.toml").write_text(POLICY.replace('"drafts/"', '"/drafts/"'))
    name = f"{tmp_path / 'press/in.zip'}!{member}"
    assert not read_policy(tmp_path / "assay.toml").excludes(name)
    assert broken(policy, name) == ("press pictures are signed by us",)


def test_what_is_asked_of_a_signature(tmp_path: Path) -> None:
    met = {
        signed: [
            (custody, vouched)
            for custody in (line.value for line in BottomLine)
            for vouched in (True, False)
            if Rule(name="x", signed=signed).holds(
                simple("a.png", custody=custody, signer="S", trust_list="a list" if vouched else "")
            )
        ]
        for signed in ("trusted", "vouched", "valid")
    }
    assert met["trusted"] == [("trusted", True), ("trusted", False)]
    assert met["vouched"] == [("valid", True), ("incomplete-history", True), ("trusted", True)]
    assert {custody for custody, _ in met["valid"]} == {"valid", "incomplete-history", "trusted"}


@pytest.mark.parametrize("at_home", [True, False])
def test_a_development_key_vouches_for_nothing_unless_a_rule_says_so(at_home: bool) -> None:
    recipe = Recipe.created(SourceType.DIGITAL_CAPTURE, SoftwareAgent("Camera"))
    signed = sign(picture("JPEG"), recipe, open_signer("dev:"))
    policy = default_policy() if at_home else default_policy().without(DEVELOPMENT_LIST)
    columns = content(Scanner(signals=standard_signals(None), policy=policy).scan(signed.asset)).columns()
    row = simple("a.jpg", **columns)
    assert Rule(name="x", signed="valid").holds(row)
    for signed_as in ("trusted", "vouched"):
        assert not Rule(name="x", signed=signed_as).holds(row)
        assert not Rule(name="x", signed=signed_as, by=("assay development",)).holds(row)
        assert Rule(name="x", signed=signed_as, development=True).holds(row) is at_home


def test_what_a_development_key_signed_first_somebody_else_can_vouch_for() -> None:
    row = simple("a.jpg", custody="trusted", trust_list="a list", findings=(f"warning:{DEVELOPMENT}",))
    assert Rule(name="x", signed="vouched").holds(row)
    assert not Rule(name="x", signed="trusted").holds(row)
    assert Rule(name="x", signed="trusted", development=True).holds(row)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("fail_on = []", "unknown key 'fail_on'"),
        ('fail-on = ["tamperd"]', "'tamperd' is none of"),
        ("fail-on = 3", "list of words"),
        ("[rule]\nname='x'", "written \\[\\[rule\\]\\]"),
        ("[[rule]]\nsigned='trusted'", "needs a name"),
        ("[[rule]]\nname='x'\nsign='trusted'", "unknown key 'sign'"),
        ("[[rule]]\nname='x'\nsigned='maybe'", "signed is one of"),
        ("[[rule]]\nname='x'\nby=['me']\nlabelled=true", "needs `signed`"),
        ("[[rule]]\nname='x'\nby=['me']\nsigned='valid'", "anybody can write a name"),
        ("[[rule]]\nname='x'", "demands nothing"),
        ("[[rule]]\nname='x'\nlabelled='yes'", "true or false"),
        ("[[rule]]\nname='x'\nsigned='trusted'\ndevelopment=1", "development is true or false"),
        ("[[rule]]\nname='x'\nsigned='valid'\ndevelopment=true", "`development` needs `signed`"),
        ('exclude = ["!"]', "Invalid git pattern"),
        ("[[rule]]\nname='x'\nlabelled=true\nfiles=['!']", "Invalid git pattern"),
        ("= broken", "cannot be read"),
    ],
)
def test_a_policy_that_could_be_misunderstood_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "assay.toml").write_text(text)
    with pytest.raises(PolicyRefused, match=complaint):
        read_policy(tmp_path / "assay.toml")
