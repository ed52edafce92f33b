"""Every format by round trip; sidecars for the rest; and no flipped byte of the picture goes unnoticed."""

import io
from dataclasses import replace
from functools import cache
from pathlib import Path

import cbor2
import custody_assets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from signing_assets import active, picture, read
from signing_formats import EMBEDDABLE, image_data, small_picture

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.custody.chain import BottomLine
from assay.provenance.custody.verifying import verify
from assay.provenance.decoding import can_decode, decode
from assay.provenance.errors import AssayError, SigningFailed
from assay.provenance.jumbf.containers import embedded_stores
from assay.provenance.jumbf.store import parse_store
from assay.provenance.media_type import MediaType
from assay.provenance.signing import ASSAY, Component, Recipe, Relationship, Signer, SoftwareAgent, open_signer, sign
from assay.provenance.signing.deriving import Derivation, derive
from assay.provenance.signing.ingredients import Upstream, own_sidecar
from assay.provenance.signing.jxl import jxl_container
from assay.provenance.trust import TrustPolicy, default_policy

RECIPE = Recipe.generated(SoftwareAgent("example-model", "1.0"))


@pytest.mark.parametrize("kind", EMBEDDABLE)
def test_every_format_is_trusted_and_its_picture_untouched(kind: MediaType, signer: Signer) -> None:
    asset = small_picture(kind)
    signed = sign(asset, RECIPE, signer)
    reading = read(signed.asset)
    assert reading.state == "Trusted"
    custody = verify(signed.asset)
    assert custody.bottom_line is BottomLine.TRUSTED, custody.headline
    assert custody.links[-1].signer.development
    assert signed.asset.media_type is kind
    assert image_data(asset) in signed.asset.content
    if can_decode(kind):
        assert decode(signed.asset).tobytes() == decode(asset).tobytes()


@pytest.mark.parametrize("kind", EMBEDDABLE)
def test_every_format_keeps_its_history_when_signed_again(kind: MediaType, signer: Signer) -> None:
    first = sign(small_picture(kind), RECIPE, signer)
    second = sign(first.asset, Recipe.published(), signer)
    reading = read(second.asset)
    assert reading.state == "Trusted"
    assert set(reading.report["manifests"]) == {first.manifest_label, second.manifest_label}
    assert second.upstream is Upstream.READABLE
    assert image_data(first.asset) in second.asset.content


@pytest.mark.parametrize("kind", list(MediaType))
def test_every_format_takes_a_sidecar_and_stays_as_it_is(kind: MediaType, signer: Signer, tmp_path: Path) -> None:
    asset = small_picture(kind)
    if kind is MediaType.JXL:
        asset = Asset.from_bytes(jxl_container(asset.content), name="picture.jxl")
    signed = sign(asset, RECIPE, signer, sidecar=True, into=tmp_path / f"picture{kind.suffix}")
    assert signed.asset.content == asset.content
    assert signed.sidecar_path == tmp_path / "picture.c2pa"
    assert signed.sidecar_path.read_bytes() == signed.sidecar
    written = Asset.open(tmp_path / f"picture{kind.suffix}")
    assert read(written, signed.sidecar).state == "Trusted"


def test_bmp_gets_a_sidecar_unasked(signer: Signer) -> None:
    signed = sign(picture("BMP"), RECIPE, signer)
    assert signed.sidecar is not None
    assert read(signed.asset, signed.sidecar).state == "Trusted"


def test_a_sidecar_of_the_source_becomes_the_parent(signer: Signer, tmp_path: Path) -> None:
    first = sign(picture("BMP"), RECIPE, signer, into=tmp_path / "picture.bmp")
    source = Asset.open(tmp_path / "picture.bmp")
    store = own_sidecar(source)
    assert store == first.sidecar
    derived = derive(source, Derivation(media_type=MediaType.PNG), signer, asset_sidecar=store)
    reading = read(derived.asset)
    assert reading.state == "Trusted"
    assert first.manifest_label in reading.report["manifests"]
    assert active(reading)["ingredients"][0]["active_manifest"] == first.manifest_label


def test_a_sidecar_under_the_full_name_is_found_beside_a_foreign_one(signer: Signer, tmp_path: Path) -> None:
    mine = sign(picture("BMP"), RECIPE, signer, into=tmp_path / "picture.bmp")
    assert mine.sidecar_path is not None
    mine.sidecar_path.rename(tmp_path / "picture.bmp.c2pa")
    foreign = sign(picture("GIF"), RECIPE, signer, sidecar=True)
    (tmp_path / "picture.c2pa").write_bytes(foreign.sidecar or b"")
    assert own_sidecar(Asset.open(tmp_path / "picture.bmp")) == mine.sidecar


def test_the_sidecar_of_another_picture_is_not_taken(signer: Signer, tmp_path: Path) -> None:
    sign(picture("BMP"), RECIPE, signer, into=tmp_path / "picture.bmp")
    (tmp_path / "picture.gif").write_bytes(picture("GIF").content)
    assert own_sidecar(Asset.open(tmp_path / "picture.gif")) is None


def test_a_bare_codestream_is_wrapped_bit_for_bit(signer: Signer) -> None:
    asset = small_picture(MediaType.JXL)
    assert asset.content.startswith(b"\xff\x0a")
    signed = sign(asset, RECIPE, signer)
    assert asset.content in signed.asset.content
    with pytest.raises(SigningFailed, match="bare JPEG XL"):
        sign(asset, RECIPE, signer, sidecar=True)
    assert any("container" in warning for warning in signed.warnings)


@pytest.mark.parametrize("kind", list(MediaType))
def test_every_format_may_be_the_parent_of_another(kind: MediaType, signer: Signer) -> None:
    parent = small_picture(kind)
    signed = sign(picture("PNG"), Recipe.edited(parent, agent=ASSAY), signer)
    (ingredient,) = active(read(signed.asset))["ingredients"]
    assert (ingredient["title"], ingredient["format"]) == (parent.name, kind.value)
    assert verify(signed.asset).bottom_line is BottomLine.INCOMPLETE_HISTORY  # the parent carried no manifest


def test_a_tampered_parent_is_recorded_as_broken(signer: Signer) -> None:
    content = bytearray(sign(picture("PNG"), RECIPE, signer).asset.content)
    content[-30] ^= 1  # in the last chunk of the picture's data
    ours = sign(Asset.from_bytes(bytes(content), name="tampered.png"), Recipe.published(), signer)
    (parent,) = active(read(ours.asset))["ingredients"]
    codes = [status["code"] for status in parent["validation_results"]["activeManifest"]["failure"]]
    assert codes == ["assertion.dataHash.mismatch"]


def test_a_manifest_that_cannot_be_parsed_is_recorded_as_broken(signer: Signer) -> None:
    content = bytearray(sign(picture("PNG"), RECIPE, signer).asset.content)
    start = content.index(b"caBX") + 4
    content[start : start + 40] = b"\xff" * 40
    ours = sign(Asset.from_bytes(bytes(content), name="junk.png"), RECIPE, signer)
    assert ours.upstream is Upstream.UNREADABLE
    reading = read(ours.asset)
    assert reading.state == "Trusted"
    (parent,) = active(reading)["ingredients"]
    assert parent["relationship"] == "parentOf"
    assert "could not be parsed" in parent["description"]
    assert parent["validation_results"]["activeManifest"]["failure"][0]["code"] == "general.error"


def remote() -> custody_assets.Signed:
    """A picture that only names the address of its manifest, and that manifest."""
    signer = custody_assets.leaf(custody_assets.authority())
    return custody_assets.sign(
        picture("JPEG").content,
        custody_assets.created(),
        signer,
        embed=False,
        remote_url="https://manifests.example/1.c2pa",
    )


def test_a_manifest_that_is_kept_elsewhere_is_named_and_breaks_nothing(signer: Signer) -> None:
    asset = Asset.from_bytes(remote().content, name="remote.jpg")
    for made in (
        sign(asset, Recipe.published(), signer),
        sign(picture("PNG"), Recipe.edited(asset, agent=ASSAY), signer),
        derive(asset, Derivation(resize=(24, 24)), signer),
    ):
        assert made.upstream is Upstream.NONE
        (parent,) = active(read(made.asset))["ingredients"]
        assert (parent["title"], parent["format"], parent["relationship"]) == ("remote.jpg", "image/jpeg", "parentOf")
        assert parent["description"] == "its manifest is kept at manifests.example and was not fetched"
        assert verify(made.asset).bottom_line is BottomLine.INCOMPLETE_HISTORY
    generated = sign(asset, RECIPE, signer)
    assert "ingredients" not in active(read(generated.asset))
    assert any("manifests.example" in warning for warning in generated.warnings)


def test_a_sidecar_counts_beside_a_file_that_names_a_remote_manifest_too(signer: Signer, tmp_path: Path) -> None:
    made = remote()
    (tmp_path / "photo.jpg").write_bytes(made.content)
    (tmp_path / "photo.c2pa").write_bytes(made.store)
    asset = Asset.open(tmp_path / "photo.jpg")
    sidecar = own_sidecar(asset)
    assert sidecar == made.store
    signed = sign(asset, Recipe.published(), signer, asset_sidecar=sidecar)
    custody = verify(signed.asset)
    assert custody.bottom_line is BottomLine.VALID
    assert len(custody.links) == 2


@pytest.mark.parametrize("state", ["unsigned", "signed", "unreadable"])
def test_where_a_picture_lies_on_this_machine_is_told_to_nobody(state: str, signer: Signer, tmp_path: Path) -> None:
    content = sign(picture("JPEG"), RECIPE, signer).asset.content
    if state == "unsigned":
        content = picture("JPEG").content
    elif state == "unreadable":
        content = content.replace(b"cbor", b"cbox")
    folder = tmp_path / "jane.doe" / "clients"
    folder.mkdir(parents=True)
    (folder / "photo.jpg").write_bytes(content)
    asset = Asset.open(folder / "photo.jpg")
    component = Component(asset, Relationship.INPUT_TO)
    for made in (
        sign(asset, Recipe.published(), signer, into=folder / "signed.jpg"),
        sign(picture("JPEG"), Recipe.edited(asset, agent=ASSAY, inputs=(component,)), signer),
        derive(asset, Derivation(resize=(8, 8)), signer, into=folder / "small.jpg"),
    ):
        assert b"jane.doe" not in made.asset.content
        assert b"photo.jpg" in made.asset.content


def test_inputs_and_components_are_ingredients_with_their_relationship(signer: Signer) -> None:
    inputs = (
        Component(picture("JPEG", "style"), Relationship.INPUT_TO),
        Component(sign(picture("PNG", "logo"), RECIPE, signer).asset, Relationship.COMPONENT_OF),
    )
    signed = sign(picture(), Recipe.generated(ASSAY, inputs=inputs), signer)
    reading = read(signed.asset)
    assert reading.state == "Trusted"
    found = {part["title"]: part["relationship"] for part in active(reading)["ingredients"]}
    assert found == {"style.jpeg": "inputTo", "logo.png": "componentOf"}
    labels = [action["action"] for action in active(reading)["assertions"][0]["data"]["actions"]]
    assert labels == ["c2pa.created", "c2pa.placed"]
    assert len(reading.report["manifests"]) == 2


@pytest.mark.parametrize("kind", [MediaType.JPEG, MediaType.AVIF])
def test_thumbnails_are_small_and_never_enlarged(kind: MediaType, signer: Signer) -> None:
    recipe = replace(RECIPE, thumbnail=64)
    for size, expected in (((200, 100), (64, 32)), ((24, 16), (24, 16))):
        signed = sign(small_picture(kind, size), recipe, signer)
        identifier = active(read(signed.asset))["thumbnail"]["identifier"]
        (found,) = embedded_stores(signed.asset.content, kind)
        label = f"self#jumbf=/c2pa/{signed.manifest_label}/c2pa.assertions/{identifier.rpartition('/')[2]}"
        media_type, content = parse_store(found.store).picture(label) or ("", b"")
        assert media_type == "image/jpeg"
        with Image.open(io.BytesIO(content)) as image:
            assert image.size == expected
        assert len(content) < 4_000


# What the specification leaves out of the hard binding of ISO BMFF files (C2PA 2.2 §18.7). Everywhere else only the
# manifest's own container is left out, as the data hash itself records.
UNBOUND_BOXES = (b"ftyp", b"free", b"skip", b"mfra", b"uuid")


def unbound(asset: Asset) -> set[int]:
    """Offsets that the active manifest's hard binding does not cover."""
    (found,) = embedded_stores(asset.content, asset.media_type)
    binding = parse_store(found.store).manifests[-1].find("c2pa.hash.data")
    if binding is not None:
        ranges = [(r["start"], r["length"]) for r in cbor2.loads(binding.content)["exclusions"]]
    else:
        ranges, at = [], 0
        while at < len(asset.content):
            size, name = int.from_bytes(asset.content[at : at + 4], "big"), asset.content[at + 4 : at + 8]
            if name in UNBOUND_BOXES:
                ranges.append((at, size))
            at += size
    return {offset for start, length in ranges for offset in range(start, start + length)}


@cache
def signed_small(kind: MediaType) -> tuple[bytes, tuple[int, ...]]:
    """A signed file and the offsets of all bytes that its signature binds."""
    asset = sign(small_picture(kind), RECIPE, open_signer("dev:")).asset
    left_out = unbound(asset)
    return asset.content, tuple(offset for offset in range(len(asset.content)) if offset not in left_out)


@pytest.mark.parametrize("kind", EMBEDDABLE)
def test_only_the_manifests_container_is_left_out_of_the_binding(kind: MediaType) -> None:
    content, bound = signed_small(kind)
    (store,) = embedded_stores(content, kind)
    encoded = len(store.store) * 4 // 3 if kind is MediaType.SVG else len(store.store)
    brands = int.from_bytes(content[:4], "big") if kind in (MediaType.AVIF, MediaType.HEIC, MediaType.HEIF) else 0
    assert len(content) - len(bound) <= encoded + brands + 48
    assert content.index(image_data(Asset.from_bytes(content))) in bound


@settings(max_examples=400, deadline=None)
@given(kind=st.sampled_from(EMBEDDABLE), place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_no_flipped_byte_outside_the_manifest_is_ever_trusted(kind: MediaType, place: float, flip: int) -> None:
    content, offsets = signed_small(kind)
    changed = bytearray(content)
    changed[offsets[int(place * len(offsets))]] ^= flip
    try:
        asset = Asset.from_bytes(bytes(changed), name="flipped")
    except AssayError:  # no longer an image at all
        return
    assert verify(asset, policy()).bottom_line not in (BottomLine.TRUSTED, BottomLine.VALID)
    try:
        reading = _c2pa.read(asset, _c2pa.context())
    except AssayError:
        return
    assert reading is None or reading.state == "Invalid"


@cache
def policy() -> TrustPolicy:
    return default_policy()


def test_pictures_of_one_stem_keep_their_own_sidecars(signer: Signer, tmp_path: Path) -> None:
    made = [
        sign(picture(kind), RECIPE, signer, sidecar=True, overwrite=True, into=tmp_path / f"picture.{kind.lower()}")
        for kind in ("JPEG", "PNG", "GIF", "JPEG")
    ]
    assert [one.sidecar_path and one.sidecar_path.name for one in made] == [
        "picture.c2pa", "picture.png.c2pa", "picture.gif.c2pa", "picture.jpeg.c2pa",
    ]  # fmt: skip
    for one in made[1:]:
        assert one.path
        assert own_sidecar(Asset.open(one.path)) == one.sidecar
