"""A diffusers pipeline in this process: the weights are the user's, and so is the machine.

Rules: a picture that the pipeline's safety checker flagged is not an output but a safety event; the pixels are written as
PNG, once, without loss; every picture has its own seed, which is recorded.
"""

import io
import random
from importlib import metadata
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from assay.provenance.asset import Asset
from assay.provenance.decoding import decode, upright
from assay.provenance.errors import MissingExtra
from assay.provenance.generating.provider import (
    CannotDo,
    Connection,
    Description,
    Output,
    ProviderFailed,
    Refusal,
    Request,
    Result,
    SafetyEvent,
    Stage,
)
from assay.provenance.generating.receiving import received
from assay.provenance.text import plain

NAME = "diffusers"


def connect(connection: Connection) -> "Diffusers":
    """Load `connection.model` (a folder or a hub name) with diffusers' own automatic choice of pipeline."""
    if not connection.model:
        raise CannotDo(f"{NAME} needs a model", "name a folder or a hub model with --model")
    try:
        from diffusers import AutoPipelineForText2Image
    except ImportError as error:
        raise MissingExtra("running a diffusers pipeline", NAME) from error
    try:
        return Diffusers(AutoPipelineForText2Image.from_pretrained(connection.model))
    except (OSError, ValueError) as error:
        raise ProviderFailed(f"the model cannot be loaded: {plain(str(error))}", "check its name or folder") from error


class Diffusers:
    """The `Provider` around a loaded pipeline. `Request.parameters` are the pipeline's own arguments."""

    name = NAME

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def generate(self, request: Request) -> Result:
        """Run the pipeline once per picture, each with a seed of its own."""
        size = {"width": request.size[0], "height": request.size[1]} if request.size else {}
        return self._run(request, self._pipeline, size)

    def edit(self, request: Request) -> Result:
        """Run the image-to-image or, with a mask, the inpainting pipeline that shares the loaded weights."""
        if not request.inputs:
            raise CannotDo("there is no picture to edit", "give one")
        from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting

        automatic = AutoPipelineForInpainting if request.mask else AutoPipelineForImage2Image
        try:
            pipeline = automatic.from_pipe(self._pipeline)
        except ValueError as error:
            raise CannotDo(f"this model cannot edit: {plain(str(error))}") from error
        pictures: dict[str, Any] = {"image": upright(decode(request.inputs[0]))}
        if request.mask:
            # what may change is transparent, as the OpenAI interface has it, or else white
            mask = decode(request.mask)
            transparent = mask.mode in ("RGBA", "LA")
            pictures["mask_image"] = ImageChops.invert(mask.getchannel("A")) if transparent else mask.convert("L")
        return self._run(request, pipeline, pictures)

    def describe(self, asset: Asset, *, model: str = "") -> Description:
        """Pipelines that make pictures do not describe them."""
        raise CannotDo(f"{NAME} cannot describe pictures", "use another provider")

    def _run(self, request: Request, pipeline: Any, arguments: dict[str, Any]) -> Result:
        if request.references or request.inputs[1:]:
            raise CannotDo(f"{NAME} takes one picture at most", "give only the one to be edited")
        import torch

        first = random.SystemRandom().randrange(2**32) if request.seed is None else request.seed
        outputs: list[Output] = []
        events: list[SafetyEvent] = []
        for seed in range(first, first + request.count):
            generator = torch.Generator("cpu").manual_seed(seed)
            try:
                answer = pipeline(prompt=request.prompt, generator=generator, **arguments, **dict(request.parameters))
            except Exception as error:  # pipelines raise whatever their parts raise
                raise ProviderFailed(f"the pipeline failed: {plain(str(error))}", "check the parameters") from error
            flagged = getattr(answer, "nsfw_content_detected", None) or [False] * len(answer.images)
            for picture, held_back in zip(answer.images, flagged, strict=True):
                if held_back:
                    events.append(SafetyEvent(stage=Stage.OUTPUT, code="nsfw_content_detected"))
                else:
                    outputs.append(received(png(picture), provider=NAME, parameters=(("seed", seed),)))
        return Result(
            provider=NAME,
            provider_version=metadata.version(NAME),
            model_requested=without_folders(request.model),
            model_returned=model_name(pipeline),
            outputs=tuple(outputs),
            refusal=None
            if outputs
            else Refusal(NAME, events[0].code, "the pipeline's safety checker flagged every picture"),
            safety=tuple(events),
        )


def model_name(pipeline: Any) -> str:
    """The name under which the weights were loaded, else the pipeline's class."""
    loaded = getattr(pipeline.config, "_name_or_path", "") or pipeline.config.get("_name_or_path")
    return without_folders(str(loaded or "")) or type(pipeline).__name__


def without_folders(name: str) -> str:
    """A hub name as it is; of a path on this machine only its last part, for the folders are nobody's business."""
    local = name.startswith(("/", ".", "~")) or "\\" in name or Path(name).exists()
    return Path(name).name if local else name


def png(picture: Image.Image) -> bytes:
    """A picture as PNG, without loss."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
