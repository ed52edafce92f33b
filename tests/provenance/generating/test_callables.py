"""Any function of one's own: bytes, Pillow images, paths, several of them, asynchronous; and what is refused."""

import asyncio
import copy
import io
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from provider_wire import painting, pixels, png_data, said

import assay
from assay.provenance.asset import Asset
from assay.provenance.generating.provider import CannotDo, PromptRefused, Refusal
from assay.provenance.media_type import MediaType
from assay.provenance.signing import Recipe, SoftwareAgent, SourceType, open_signer, sign


def test_a_decorated_function_returns_signed_bytes_and_keeps_its_name() -> None:
    @assay.signed(signer="dev:", model="my-model", version="7", record=("steps",))
    def draw(prompt: str, steps: int = 4, api_key: str = "secret-key") -> bytes:
        """Draw it."""
        return painting()

    content = draw("a lake", steps=9)
    told = said(content)
    assert draw.__name__ == "draw"
    assert draw.__doc__ == "Draw it."
    assert png_data(content) == png_data(painting())
    assert (told.state, told.labels, told.source_type) == ("Trusted", ["c2pa.created"], "trainedAlgorithmicMedia")
    assert told.agent == {"name": "my-model", "version": "7"}
    assert told.ours["provider"] == "draw"
    assert told.ours["parameters"] == {"steps": 9}
    assert "promptHash" in told.ours
    assert b"secret-key" not in content
    assert b"a lake" not in content


def test_the_honest_source_type_can_be_said() -> None:
    wrapped = assay.signed(painting, signer="dev:", source_type="http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia")  # fmt: skip
    assert said(wrapped(3)).source_type == "algorithmicMedia"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_a_pillow_image_is_signed_when_it_is_saved(suffix: str, tmp_path: Path) -> None:
    wrapped = assay.signed(lambda prompt: [Image.open(io.BytesIO(painting())).convert("RGB")], signer="dev:", model="m")
    (picture,) = wrapped("x")
    assert isinstance(picture, Image.Image)
    assert picture.size == (96, 64)
    target = tmp_path / f"picture{suffix}"
    picture.save(target)
    told = said(target.read_bytes())
    assert told.state == "Trusted"
    actions = next(a for a in told.manifest["assertions"] if a["label"].startswith("c2pa.actions"))["data"]
    assert "allActionsIncluded" not in actions  # somebody may have drawn on it in memory
    if suffix in (".png", ".tif"):
        assert pixels(target.read_bytes()) == pixels(painting())


def test_a_pillow_image_saves_into_an_open_file_and_refuses_what_can_carry_nothing(tmp_path: Path) -> None:
    picture = assay.signed(lambda: Image.new("RGB", (40, 40), "red"), signer="dev:")()
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    assert said(buffer.getvalue()).state == "Trusted"
    with pytest.raises(CannotDo, match="no room for a manifest"):
        picture.save(tmp_path / "x.bmp")
    with pytest.raises(CannotDo, match="no image format"):
        picture.save(tmp_path / "x.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_pillow_image_is_saved_wherever_pillow_saves_one(tmp_path: Path) -> None:
    picture = assay.signed(lambda: Image.new("RGB", (40, 40), "red"), signer="dev:")()
    with tempfile.TemporaryFile() as nameless, tempfile.SpooledTemporaryFile() as spooled:
        for file in (nameless, spooled):
            picture.save(file, "PNG")
            file.seek(0)
            assert said(file.read()).state == "Trusted"
            with pytest.raises(CannotDo, match="no image format"):
                picture.save(file)
    target = tmp_path / "picture.png"
    picture.save(os.fsencode(target))
    assert said(target.read_bytes()).state == "Trusted"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda picture: pickle.loads(pickle.dumps(picture))])
def test_a_copy_is_an_ordinary_image_again(tmp_path: Path, copied: Any) -> None:
    picture = copied(assay.signed(lambda: Image.new("RGB", (40, 40), "red"), signer="dev:")())
    assert type(picture) is Image.Image
    picture.save(tmp_path / "picture.png")
    assert pixels((tmp_path / "picture.png").read_bytes()) == Image.new("RGB", (40, 40), "red").tobytes()


def test_an_animation_is_refused_as_a_pillow_image_and_signed_whole_as_bytes() -> None:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green", "blue")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(CannotDo, match="several frames"):
        assay.signed(lambda: Image.open(buffer), signer="dev:")()
    content = assay.signed(buffer.getvalue, signer="dev:")()
    assert said(content).state == "Trusted"
    assert getattr(Image.open(io.BytesIO(content)), "n_frames", 1) == 3


def test_a_path_is_signed_into_a_new_file_beside_it(tmp_path: Path) -> None:
    source = tmp_path / "out.png"

    def render(prompt: str) -> Path:
        source.write_bytes(painting())
        return source

    wrapped = assay.signed(render, signer="dev:")
    first, second = wrapped("x"), wrapped("x")
    assert (first, second) == (tmp_path / "out-signed.png", tmp_path / "out-signed-2.png")
    assert source.read_bytes() == painting()
    assert said(first.read_bytes()).state == "Trusted"
    as_text = assay.signed(lambda: str(source), signer="dev:")()
    assert as_text == str(tmp_path / "out-signed-3.png")


class Scribble:
    """A marker whose mark is always there."""

    name = "scribble"

    def mark(self, image: Image.Image) -> tuple[Image.Image, bytes]:
        return image, b"1"

    def read(self, image: Image.Image) -> bytes:
        return b"1"


def test_a_manifest_beside_a_path_becomes_the_parent(tmp_path: Path) -> None:
    source = tmp_path / "out.png"
    taken = Recipe.created(SourceType.DIGITAL_CAPTURE, SoftwareAgent("camera"))
    sign(Asset.from_bytes(painting(1)), taken, open_signer("dev:"), into=source, sidecar=True)
    for marker in (None, Scribble()):
        told = said(assay.signed(lambda: source, signer="dev:", marker=marker)().read_bytes())
        assert told.labels[0] == "c2pa.opened"
        assert told.ours["receivedManifest"] == "intact"
        assert len(told.report["manifests"]) == 2


def test_several_pictures_are_all_signed() -> None:
    pictures = assay.signed(lambda: [painting(1), painting(2, media_type=MediaType.JPEG)], signer="dev:")()
    assert isinstance(pictures, list)
    assert [said(content).state for content in pictures] == ["Trusted", "Trusted"]


class Pair(NamedTuple):
    before: bytes
    after: bytes


def test_a_named_tuple_keeps_its_names() -> None:
    pair = assay.signed(lambda: Pair(painting(1), painting(2)), signer="dev:")()
    assert isinstance(pair, Pair)
    assert said(pair.after).state == "Trusted"


def test_an_edit_names_the_argument_that_it_changes(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(painting(1))

    @assay.signed(signer="dev:", edits="picture", model="m")
    def change(picture: Any, prompt: str) -> bytes:
        return painting(2)

    for given in (photo, painting(1), Image.open(photo)):
        told = said(change(given, "bluer"))
        assert told.labels == ["c2pa.opened", "c2pa.edited"]
        assert told.source_type == "compositeWithTrainedAlgorithmicMedia"
    assert ("parentOf", "photo.png") in said(change(photo, "bluer")).ingredients


def test_a_picture_that_no_edit_names_may_have_gone_in_too(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(painting(1))
    (tmp_path / "notes.txt").write_text("a lake")
    draw = assay.signed(lambda *given, **named: painting(2), signer="dev:")
    shapes = (painting(1), photo, str(photo), Image.open(photo), Asset.open(photo), io.BytesIO(painting(1)))
    for given in (*shapes, np.asarray(Image.open(photo)), [painting(1)], {"image": Image.open(photo)}):
        for told in (said(draw(given)), said(draw(given=given))):
            assert (told.labels, told.source_type) == (["c2pa.created"], "compositeWithTrainedAlgorithmicMedia")
    told = said(
        draw("a lake" * 999, b"seed", tmp_path, tmp_path / "notes.txt", size=(96, 64), latents=np.zeros((4, 8, 8)))
    )
    assert told.source_type == "trainedAlgorithmicMedia"


def test_an_asynchronous_function_is_signed() -> None:
    @assay.signed(signer="dev:")
    async def draw(prompt: str) -> bytes:
        return painting()

    assert said(asyncio.run(draw("x"))).state == "Trusted"


def test_an_object_that_is_called_asynchronously_is_signed() -> None:
    class Drawing:
        async def __call__(self, prompt: str) -> bytes:
            return painting()

    assert said(asyncio.run(assay.signed(Drawing(), signer="dev:")("x"))).state == "Trusted"

    class Streaming:
        async def __call__(self, prompt: str) -> Any:
            yield painting()

    with pytest.raises(CannotDo, match="generator"):
        assay.signed(Streaming(), signer="dev:")


def test_a_policy_keeps_the_function_from_running() -> None:
    ran = []
    wrapped = assay.signed(lambda prompt: ran.append(prompt), signer="dev:", policy=lambda r: Refusal("policy", "no"))
    with pytest.raises(PromptRefused, match="nothing was sent"):
        wrapped("x")
    assert ran == []


@pytest.mark.parametrize("returned", [None, 7, {"image": painting()}, "no such file.png", [object()]])
def test_what_cannot_be_signed_is_refused_and_not_passed_on(returned: Any) -> None:
    with pytest.raises(CannotDo):
        assay.signed(lambda: returned, signer="dev:")()


def test_what_cannot_be_wrapped_is_refused_at_once() -> None:
    import openai

    def stream() -> Any:
        yield painting()

    for target in (stream, openai, object(), openai.OpenAI(api_key="k").images):
        with pytest.raises(CannotDo):
            assay.signed(target, signer="dev:")
    with pytest.raises(TypeError):
        assay.signed(openai.OpenAI(api_key="k"), signer="dev:", record=("steps",))  # an option for functions only


def test_nothing_is_wrapped_twice() -> None:
    import openai
    from google import genai

    for target in (openai.OpenAI(api_key="k"), genai.Client(api_key="k"), lambda: painting()):
        once = assay.signed(target, signer="dev:")
        with pytest.raises(CannotDo, match="signs already"):
            assay.signed(once, signer="dev:")


def test_what_has_no_room_for_a_manifest_is_refused_as_bytes_and_as_a_file(tmp_path: Path) -> None:
    source = tmp_path / "out.bmp"
    Image.new("RGB", (8, 8)).save(source)
    for answer in (source.read_bytes(), source, str(source), [source.read_bytes()]):
        with pytest.raises(CannotDo, match="BMP has no room for a manifest"):
            assay.signed(lambda answer=answer: answer, signer="dev:")()
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("disclosed", [False, True])
def test_a_prompt_that_is_no_text_costs_no_picture(disclosed: bool) -> None:
    draw = assay.signed(lambda prompt: painting(), signer="dev:", disclose_prompt=disclosed, model="m\udcff")
    assert said(draw("a \udcff lake")).ours.get("prompt") == ("a ? lake" if disclosed else None)


def test_arguments_are_found_whatever_the_function_calls_the_rest_of_them() -> None:
    @assay.signed(signer="dev:", record=("steps",))
    def draw(**options: Any) -> bytes:
        return painting()

    told = said(draw(prompt="a lake", steps=3))
    assert "promptHash" in told.ours
    assert told.ours["parameters"] == {"steps": 3}

    @assay.signed(signer="dev:")
    def passing_on(prompt: str, kwargs: Any = None) -> bytes:
        return painting()

    assert "promptHash" in said(passing_on("a lake")).ours
