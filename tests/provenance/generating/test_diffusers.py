"""A diffusers pipeline with random weights, a few thousand of them: the adapter and the drop-in. Skips without the extra."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from provider_wire import said

import assay
from assay.provenance.asset import Asset
from assay.provenance.generating.provider import CannotDo, Refusal, Request

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

from assay.provenance.generating.diffusers import Diffusers, connect  # noqa: E402
from assay.provenance.generating.provider import Connection, ProviderFailed  # noqa: E402


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Stable Diffusion in miniature: every part real, none of it trained."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tokenizer")
    letters = [chr(c) for c in range(97, 123)]
    vocabulary = ["<|startoftext|>", "<|endoftext|>", *letters, *(letter + "</w>" for letter in letters)]
    import json

    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    text = transformers.CLIPTextConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=16, num_attention_heads=2, num_hidden_layers=1,
        max_position_embeddings=77, bos_token_id=0, eos_token_id=1, pad_token_id=1, projection_dim=16,
    )  # fmt: skip
    pipe = diffusers.StableDiffusionPipeline(
        vae=diffusers.AutoencoderKL(
            block_out_channels=[8, 8], in_channels=3, out_channels=3, latent_channels=4, norm_num_groups=4,
            down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
        ),
        unet=diffusers.UNet2DConditionModel(
            block_out_channels=(8, 8), layers_per_block=1, sample_size=16, in_channels=4, out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16, attention_head_dim=2, norm_num_groups=4,
        ),
        scheduler=diffusers.DDIMScheduler(clip_sample=False, set_alpha_to_one=False),
        text_encoder=transformers.CLIPTextModel(text),
        tokenizer=transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return pipe


STEPS = (("num_inference_steps", 2),)


def test_each_picture_has_its_seed_and_the_same_seed_gives_the_same_picture(pipeline: Any) -> None:
    request = Request(prompt="a cat", count=2, seed=5, size=(32, 32), parameters=STEPS)
    first, second = Diffusers(pipeline).generate(request).outputs
    again = Diffusers(pipeline).generate(Request(prompt="a cat", seed=6, size=(32, 32), parameters=STEPS)).outputs[0]
    assert dict(first.parameters)["seed"] == 5
    assert second.content == again.content
    assert first.content != second.content


def test_a_flagged_picture_is_a_safety_event_and_no_output(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original = type(pipeline).__call__

    def flagging(self: Any, *positional: Any, **arguments: Any) -> Any:
        answer = original(self, *positional, **arguments)
        answer.nsfw_content_detected = [True]
        return answer

    monkeypatch.setattr(type(pipeline), "__call__", flagging)
    result = Diffusers(pipeline).generate(Request(prompt="x", size=(32, 32), parameters=STEPS))
    assert result.outputs == ()
    assert result.refusal == Refusal(
        "diffusers", "nsfw_content_detected", "the pipeline's safety checker flagged every picture"
    )


def test_an_edit_uses_the_same_weights(pipeline: Any) -> None:
    adapter = Diffusers(pipeline)
    picture = adapter.generate(Request(prompt="a", seed=1, size=(32, 32), parameters=STEPS)).outputs[0].asset
    edited = adapter.edit(
        Request(prompt="b", seed=1, inputs=(picture,), parameters=(("num_inference_steps", 4), ("strength", 0.5)))
    )
    assert len(edited.outputs) == 1
    assert edited.outputs[0].content != picture.content


def test_wrong_parameters_and_models_are_failures_in_words(pipeline: Any, tmp_path: Path) -> None:
    with pytest.raises(ProviderFailed, match="pipeline failed"):
        Diffusers(pipeline).generate(Request(prompt="x", parameters=(("height", 33), ("width", 32))))
    with pytest.raises(ProviderFailed, match="cannot be loaded"):
        connect(Connection(model=str(tmp_path)))
    with pytest.raises(CannotDo, match="needs a model"):
        connect(Connection())
    with pytest.raises(CannotDo, match="cannot describe"):
        Diffusers(pipeline).describe(Asset.from_bytes(b"GIF89a"))


def test_a_wrapped_pipeline_signs_what_it_saves(pipeline: Any, tmp_path: Path) -> None:
    wrapped = assay.signed(pipeline, signer="dev:")
    assert isinstance(wrapped, diffusers.StableDiffusionPipeline)
    generator = torch.Generator("cpu").manual_seed(11)
    answer = wrapped(["a cat", "a dog"], num_inference_steps=2, height=32, width=32, generator=generator)
    assert type(answer).__name__ == "StableDiffusionPipelineOutput"
    for number, image in enumerate(answer.images):
        image.save(tmp_path / f"{number}.png")
        told = said((tmp_path / f"{number}.png").read_bytes())
        assert (told.state, told.source_type) == ("Trusted", "trainedAlgorithmicMedia")
        assert told.ours["parameters"] == {
            "num_inference_steps": 2, "width": 32, "height": 32, "seed": 11, "pipeline": "StableDiffusionPipeline",
        }  # fmt: skip
    as_tuple = wrapped("a cat", num_inference_steps=1, height=32, width=32, return_dict=False)
    assert said(as_tuple[0][0].signed().asset.content).state == "Trusted"


def test_moving_a_wrapped_pipeline_keeps_it_wrapped_and_the_original_is_untouched(pipeline: Any) -> None:
    wrapped = assay.signed(pipeline, signer="dev:").to("cpu")
    image = wrapped("x", num_inference_steps=1, height=32, width=32).images[0]
    assert hasattr(image, "signed")
    assert not hasattr(pipeline("x", num_inference_steps=1, height=32, width=32).images[0], "signed")


def test_latents_are_refused(pipeline: Any) -> None:
    with pytest.raises(CannotDo, match="latents"):
        assay.signed(pipeline, signer="dev:")("x", output_type="latent")


def test_a_model_in_a_folder_is_loaded_by_name(pipeline: Any, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path / "tiny")
    adapter = connect(Connection(model=str(tmp_path / "tiny")))
    result = adapter.generate(
        Request(prompt="a cat", model=str(tmp_path / "tiny"), seed=1, size=(32, 32), parameters=STEPS)
    )
    assert len(result.outputs) == 1
    assert (result.model_requested, result.model_returned) == ("tiny", "tiny")  # no folder of this machine


def test_a_picture_that_is_edited_is_the_parent_however_it_is_handed_over(pipeline: Any) -> None:
    wrapped = assay.signed(diffusers.AutoPipelineForImage2Image.from_pipe(pipeline), signer="dev:")
    photo = Image.linear_gradient("L").convert("RGB").resize((32, 32))
    steps: Any = {"num_inference_steps": 2, "strength": 0.5}

    def told(*positional: Any, **named: Any) -> list[Any]:
        return [said(image.signed().asset.content) for image in wrapped(*positional, **named, **steps).images]

    for one in (*told("a", photo), *told("a", image=[photo]), *told(["a", "b"], image=[photo, photo])):
        assert one.labels == ["c2pa.opened", "c2pa.edited"]
        assert one.ingredients == [("parentOf", "input.png")]
        assert one.source_type == "compositeWithTrainedAlgorithmicMedia"
    (unseen,) = told("a", image=torch.rand(1, 3, 32, 32))
    assert (unseen.labels, unseen.source_type) == (["c2pa.created"], "compositeWithTrainedAlgorithmicMedia")


def test_a_mask_is_recorded_by_its_hash(pipeline: Any) -> None:
    wrapped = assay.signed(diffusers.AutoPipelineForInpainting.from_pipe(pipeline), signer="dev:")
    photo = Image.linear_gradient("L").convert("RGB").resize((32, 32))
    (image,) = wrapped("a", photo, photo.convert("L"), height=32, width=32, num_inference_steps=2, strength=0.5).images
    assert len(said(image.signed().asset.content).ours["maskSha256"]) == 64


def test_a_picture_that_only_guides_is_an_input_and_no_parent(pipeline: Any) -> None:
    control = diffusers.ControlNetModel.from_unet(pipeline.unet, conditioning_embedding_out_channels=(4, 8))
    edges, photo = (Image.linear_gradient("L").convert("RGB").resize((32, 32)).rotate(turn) for turn in (0, 90))
    steps: Any = {"num_inference_steps": 2, "height": 32, "width": 32}

    def told(kind: Any, prompt: Any, control: Any = control, **pictures: Any) -> list[Any]:
        wrapped = assay.signed(kind(**pipeline.components, controlnet=control), signer="dev:")
        return [said(image.signed().asset.content) for image in wrapped(prompt, **pictures, **steps).images]

    from_text = diffusers.StableDiffusionControlNetPipeline
    for one in (*told(from_text, "a", image=edges), *told(from_text, ["a", "b"], image=[edges, photo])):
        assert (one.state, one.labels) == ("Trusted", ["c2pa.created"])
        assert one.ingredients == [("inputTo", "input.png")]
        assert one.source_type == "trainedAlgorithmicMedia"  # nothing of the guide is in the picture
    (two,) = told(from_text, "a", [control, control], image=[edges, photo])
    assert two.ingredients == [("inputTo", "input.png")] * 2
    (both,) = told(
        diffusers.StableDiffusionControlNetImg2ImgPipeline, "a", image=photo, control_image=edges, strength=0.9
    )
    assert both.labels == ["c2pa.opened", "c2pa.edited"]
    assert both.ingredients == [("parentOf", "input.png"), ("inputTo", "input.png")]
    assert both.source_type == "compositeWithTrainedAlgorithmicMedia"
