"""A diffusers pipeline: the output type stays the pipeline's own, its images are signed when they are saved.

Rules: latents, arrays and tensors cannot be signed and are refused before the run; the seed is recorded where the generator
that was handed in knows it.
"""

import copy
from collections.abc import Sequence
from importlib import metadata
from inspect import signature
from typing import Any

from PIL import Image

from assay.provenance.asset import Asset
from assay.provenance.generating.attesting import Terms
from assay.provenance.generating.diffusers import NAME, model_name, png
from assay.provenance.generating.provider import CannotDo, Pairs, Request, Result
from assay.provenance.generating.receiving import received
from assay.provenance.generating.wrapping.picture import SignedPicture
from assay.provenance.signing.signing import Signed

_RECORDED = ("num_inference_steps", "guidance_scale", "width", "height", "strength", "negative_prompt")


def wrap(pipeline: Any, terms: Terms, *, provider: str = NAME) -> Any:
    """A clone of `pipeline` that shares its weights, of a class derived from its own."""
    kind = type(pipeline)

    def call(self: Any, *positional: Any, **arguments: Any) -> Any:
        given = signature(kind.__call__).bind_partial(self, *positional, **arguments).arguments
        given |= given.pop("kwargs", {})
        if given.get("output_type", "pil") != "pil":
            raise CannotDo("latents, arrays and tensors cannot be signed", "leave output_type at 'pil'")
        prompt = given.get("prompt")
        prompts = (
            list(map(str, prompt)) if isinstance(prompt, list | tuple) else [prompt if isinstance(prompt, str) else ""]
        )
        requests = [
            _request(one, picture, given, model_name(self))
            for one, picture in zip(prompts, _pictures(given.get("image"), len(prompts)), strict=True)
        ]
        for request in requests:
            terms.permit(request)
        answer = kind.__call__(self, *positional, **arguments)
        images = answer[0] if isinstance(answer, tuple) else answer.images
        if not all(isinstance(image, Image.Image) for image in images):
            raise CannotDo("the pipeline returned no Pillow images")
        each = len(images) // len(requests)  # num_images_per_prompt: the pictures of one prompt stand together
        pictures = [
            SignedPicture.of(image, _signing(requests[number // each], self, terms, provider))
            for number, image in enumerate(images)
        ]
        if isinstance(answer, tuple):
            return (pictures, *answer[1:])
        answer.images = pictures
        return answer

    clone = copy.copy(pipeline)
    clone.__class__ = type(kind.__name__, (kind,), {"__call__": call})
    return clone


def _pictures(given: Any, count: int) -> Sequence[Image.Image | None]:
    """The picture that each of `count` prompts changes; None where there is none, or none that can be told apart."""
    several = list(given) if isinstance(given, list | tuple) else [given]
    if not all(isinstance(one, Image.Image) for one in several) or len(several) not in (1, count):
        return [None] * count
    return several * (count // len(several))


def _request(prompt: str, picture: Image.Image | None, arguments: dict[str, Any], model: str) -> Request:
    parameters: Pairs = tuple((k, v) for k in _RECORDED if isinstance(v := arguments.get(k), str | int | float))
    generator: Any = arguments.get("generator")
    seed = generator.initial_seed() if hasattr(generator, "initial_seed") else None
    mask = arguments.get("mask_image")
    return Request(
        prompt=prompt,
        model=model,
        seed=seed,
        inputs=(Asset.from_bytes(png(picture), name="input.png"),) if picture else (),
        unseen=picture is None and arguments.get("image") is not None,
        mask=Asset.from_bytes(png(mask), name="mask.png") if isinstance(mask, Image.Image) else None,
        parameters=parameters,
    )


def _signing(request: Request, pipeline: Any, terms: Terms, provider: str) -> Any:
    def sign(content: bytes) -> Signed:
        output = received(content, provider=provider)
        answer = Result(
            provider=provider,
            provider_version=metadata.version(NAME),
            model_requested=request.model,
            model_returned=request.model,
            outputs=(output,),
            parameters=(("pipeline", type(pipeline).__name__),),
        )
        return terms.sign(request, answer, output, complete=False)  # in memory, anybody may have drawn on it

    return sign
