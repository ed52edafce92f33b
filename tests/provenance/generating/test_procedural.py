"""The embedded generator: same seed same bytes, honest source types, edits that stay inside their mask."""

import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from assay.provenance.asset import Asset
from assay.provenance.generating.canvas import PALETTES
from assay.provenance.generating.procedural import Procedural
from assay.provenance.generating.provider import CannotDo, Request
from assay.provenance.generating.scenes import PAINTERS
from assay.provenance.media_type import MediaType

SMALL = (160, 120)


def picture(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def png(image: Image.Image) -> Asset:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return Asset.from_bytes(buffer.getvalue(), name="input.png")


@pytest.mark.parametrize("scene", PAINTERS)
def test_the_same_prompt_and_seed_give_the_same_bytes_and_another_seed_gives_another_picture(scene: str) -> None:
    request = Request(prompt="something", seed=7, size=SMALL, parameters=(("scene", scene),))
    first, again = (Procedural().generate(request).outputs[0] for _ in range(2))
    other = (
        Procedural()
        .generate(Request(prompt="something", seed=8, size=SMALL, parameters=(("scene", scene),)))
        .outputs[0]
    )
    assert first.content == again.content
    assert ImageChops.difference(picture(first.content), picture(other.content)).getbbox() is not None
    assert picture(first.content).size == SMALL
    assert min(ImageStat.Stat(picture(first.content).convert("L")).stddev) > 8  # there is something to see


@pytest.mark.parametrize("palette", PALETTES)
def test_every_palette_paints_every_scene_at_odd_sizes(palette: str) -> None:
    for scene in PAINTERS:
        for size in ((16, 61), (97, 33)):
            wishes = (("scene", scene), ("palette", palette))
            output = Procedural().generate(Request(prompt="a tree", size=size, parameters=wishes)).outputs[0]
            assert picture(output.content).size == size
            assert palette in output.alt_text


@pytest.mark.parametrize(
    ("prompt", "scene"),
    [("a lake in the mountains", "landscape"), ("julia spiral", "fractal"), ("stained glass", "voronoi"), ("Poster: Vote!", "poster")],
)  # fmt: skip
def test_words_of_the_prompt_choose_the_scene(prompt: str, scene: str) -> None:
    assert ("scene", scene) in Procedural().generate(Request(prompt=prompt, size=SMALL)).outputs[0].parameters


def test_it_never_claims_to_be_a_trained_model() -> None:
    made = Procedural().generate(Request(prompt="x", size=SMALL, count=3))
    assert len({output.content for output in made.outputs}) == 3
    assert {output.source_type.rsplit("/", 1)[1] for output in made.outputs} == {"algorithmicMedia"}
    changed = Procedural().edit(Request(prompt="x", inputs=(made.outputs[0].asset,)))
    graded = Procedural().edit(Request(prompt="warmer please", inputs=(made.outputs[0].asset,)))
    assert changed.outputs[0].source_type.endswith("/composite")
    assert graded.outputs[0].source_type.endswith("/algorithmicallyEnhanced")


def test_an_edit_changes_nothing_outside_its_mask() -> None:
    original = Image.effect_noise(SMALL, 80).convert("RGB")
    mask = Image.new("L", SMALL)
    mask.paste(255, (40, 30, 100, 90))
    request = Request(prompt="a marble swirl", inputs=(png(original),), mask=png(mask))
    edited = picture(Procedural().edit(request).outputs[0].content)
    assert ImageChops.difference(edited, original).getbbox() == (40, 30, 100, 90)


def test_a_transparent_mask_means_the_transparent_part() -> None:
    original = Image.effect_noise(SMALL, 80).convert("RGB")
    mask = Image.new("RGBA", SMALL, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 50, 120))
    edited = picture(Procedural().edit(Request(prompt="x", inputs=(png(original),), mask=png(mask))).outputs[0].content)
    assert ImageChops.difference(edited, original).getbbox() == (0, 0, 50, 120)


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(CannotDo, match="mask has 10×10"):
        Procedural().edit(
            Request(prompt="x", inputs=(png(Image.new("RGB", SMALL)),), mask=png(Image.new("L", (10, 10))))
        )


def test_it_describes_its_own_and_says_that_it_cannot_see_anything_else() -> None:
    output = Procedural().generate(Request(prompt="mountains", size=SMALL)).outputs[0]
    own = Procedural().describe(output.asset)
    assert own.alt_text == output.alt_text
    assert own.caption != own.alt_text
    other = Procedural().describe(png(Image.new("RGB", (40, 80), "#d01010")))
    assert other.alt_text == "Upright picture, 40 by 80 pixels, dark, mainly red."
    assert "cannot see" in other.caption


@pytest.mark.parametrize("media_type", [MediaType.PNG, MediaType.JPEG, MediaType.WEBP])
def test_it_writes_the_format_that_was_asked_for(media_type: MediaType) -> None:
    output = Procedural().generate(Request(prompt="x", size=SMALL, output_format=media_type)).outputs[0]
    assert output.media_type is media_type


def test_wishes_it_cannot_fulfil_are_refused() -> None:
    with pytest.raises(CannotDo, match="no scene 'portrait'"):
        Procedural().generate(Request(prompt="x", parameters=(("scene", "portrait"),)))
    with pytest.raises(CannotDo, match="cannot be painted"):
        Procedural().generate(Request(prompt="x", size=(100_000, 100_000)))
    with pytest.raises(CannotDo, match="no picture to edit"):
        Procedural().edit(Request(prompt="x"))


def test_a_megapixel_is_painted_while_you_wait() -> None:
    started = time.perf_counter()
    Procedural().generate(Request(prompt="a lake in the mountains", size=(1024, 1024)))
    assert time.perf_counter() - started < 5  # a fraction of a second on an idle machine


@settings(max_examples=60, deadline=None)
@given(
    prompt=st.one_of(
        st.text(max_size=300), st.sampled_from(["", " ", "\0", "\ud800", "🦊" * 50, "a" * 400, "\u202egnp", "\n\t"])
    ),
    width=st.integers(16, 90),
    height=st.integers(16, 90),
    scene=st.sampled_from(sorted(PAINTERS)),
    seed=st.integers(0, 2**40),
)
def test_any_text_at_any_size_becomes_a_picture_that_can_be_read_back(
    prompt: str, width: int, height: int, scene: str, seed: int
) -> None:
    request = Request(prompt=prompt, size=(width, height), seed=seed, parameters=(("scene", scene),))
    output = Procedural().generate(request).outputs[0]
    assert picture(output.content).size == (width, height)
    assert Procedural().describe(output.asset).alt_text == output.alt_text != ""
