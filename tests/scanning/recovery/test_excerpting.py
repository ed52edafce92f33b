"""A search of an excerpt finds what a search of the whole repository finds, and questions of a hostile child are refused."""

import json

import pytest
from photograph_like import jpeg_asset, photograph
from PIL import Image, ImageOps

from assay.detectors.fingerprints.iscc import ISCC
from assay.detectors.fingerprints.searching import questions
from assay.provenance.asset import Asset
from assay.provenance.repository import Excerpt, Repository
from assay.provenance.signing import Recipe, SoftwareAgent, open_signer, sign
from assay.scanning import excerpting, resolving
from assay.scanning.recovering import recover, remember
from assay.scanning.report.recovery_presenting import document

pytest.importorskip("pdqhash", reason="needs the extra `recovery`")

COPIES = {
    "smaller": lambda image: image.resize((400, 300)),
    "mirrored": ImageOps.mirror,
    "cropped": lambda image: image.crop((40, 20, 620, 470)),
    "under a caption bar": lambda image: ImageOps.expand(image, (0, 60, 0, 0), "white"),
    "on a page": lambda image: ImageOps.expand(ImageOps.expand(image, 3, "black"), (90, 60), "lightgrey"),
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Twelve pictures, two of them remembered twice."""
    signer = open_signer("dev:")
    with Repository(tmp_path_factory.mktemp("kept") / "repository.sqlite") as made:
        for seed in (*range(1, 13), 1, 2):
            recipe = Recipe.generated(SoftwareAgent("example-model"))
            remember(sign(jpeg_asset(photograph(seed), f"{seed}.jpg"), recipe, signer).asset, made)
        yield made


def through_an_excerpt(repository: Repository, asset: Asset, hint: tuple[str, str] = ("", "")) -> Excerpt:
    """As a server and its confined worker do it; the excerpt goes over as bytes."""
    found = excerpting.same_bytes(repository, asset.sha256, most=10)
    if not found:
        message = excerpting.asked(asset, marks=excerpting.marks_are_kept(repository))
        found = excerpting.alike(repository, excerpting.heard(message), hint=hint, most=10)
    return Excerpt(found)


@pytest.mark.parametrize("how", COPIES)
def test_an_excerpt_leads_where_the_repository_leads(repository, how):
    copy = jpeg_asset(COPIES[how](photograph(1)), quality=70)
    excerpt = through_an_excerpt(repository, copy)
    assert len(excerpt) < len(repository)
    wanted = document(recover(copy, repository))
    assert len(wanted["found"]) == 2
    assert document(recover(copy, excerpt)) | {"searched": 14} == wanted
    for alg in ("", ISCC):
        assert resolving.by_content(excerpt, copy, alg=alg) == resolving.by_content(repository, copy, alg=alg)


def test_the_same_bytes_need_no_questions(repository):
    record = next(repository.records())
    excerpt = Excerpt(excerpting.same_bytes(repository, record.sha256, most=10))
    assert [one.id for one in excerpt.records()] == [record.id]
    assert excerpting.same_bytes(repository, "0" * 64, most=10) == b""


def test_a_stranger_leads_nowhere(repository):
    copy = jpeg_asset(photograph(99))
    excerpt = through_an_excerpt(repository, copy)
    assert not recover(copy, excerpt).found
    assert resolving.by_content(excerpt, copy) == {"matches": []}


def test_what_the_caller_knows_besides_is_looked_for(repository):
    import base64

    from assay.detectors.fingerprints.iscc import image_code, sequence

    stranger = jpeg_asset(photograph(99))
    hint = (ISCC, base64.b64encode(sequence(image_code(photograph(5)))).decode())
    excerpt = through_an_excerpt(repository, stranger, hint)
    found = resolving.by_content(excerpt, stranger, hint=hint)
    assert found["matches"]
    assert found == resolving.by_content(repository, stranger, hint=hint)
    assert not resolving.by_content(through_an_excerpt(repository, stranger, (ISCC, "???")), stranger)["matches"]


def test_a_mark_is_asked_about(repository, tmp_path):
    with Repository(tmp_path / "marked.sqlite") as kept:
        assert not excerpting.marks_are_kept(kept)
    assert questions(photograph(1), marks=False).mark == b""
    assert excerpting.heard(excerpting.asked(jpeg_asset(photograph(1)), marks=True)).mark == b""  # there is none


def test_an_excerpt_holds_what_was_kept(repository):
    first = next(repository.records())
    excerpt = Excerpt(Excerpt.of(repository, [first.id, 10_000]).packed())
    (same,) = excerpt.records()
    assert same == first
    assert excerpt.store(same) == repository.store(first)
    assert excerpt.thumbnail(same) == repository.thumbnail(first)
    assert excerpt.fingerprints(same) == repository.fingerprints(first)
    assert excerpt.fingerprints(same)


@pytest.mark.parametrize(
    "said",
    [
        [],
        {"groups": 3},
        {"groups": [[]] * 99, "code": "00" * 32, "mark": ""},
        {"groups": [[["whole", "00" * 32]] * 9999], "code": "00" * 32, "mark": ""},
        {"groups": [[["elsewhere", "00" * 32]]], "code": "00" * 32, "mark": ""},
        {"groups": [[["whole", "00" * 31]]], "code": "00" * 32, "mark": ""},
        {"groups": [[["whole", "zz" * 32]]], "code": "00" * 32, "mark": ""},
        {"groups": [[["whole"]]], "code": "00" * 32, "mark": ""},
        {"groups": [], "code": "", "mark": ""},
        {"groups": [], "code": "00" * 32, "mark": "00" * 99},
        {"groups": [], "code": "00" * 32},
    ],
)
def test_malformed_questions_are_refused(said):
    with pytest.raises(ValueError, match=r"malformed|region|length|hex|unpack"):
        excerpting.heard(json.dumps(said).encode())


def test_a_picture_without_content_asks_nothing_by_its_looks(repository):
    blank = jpeg_asset(Image.new("RGB", (300, 200), "white"))
    assert not recover(blank, through_an_excerpt(repository, blank)).found
