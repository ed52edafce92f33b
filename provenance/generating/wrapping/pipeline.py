"""A diffusers pipeline: the output type stays the pipeline's own, its images are signed when they are saved.

Rules: latents, arrays and tensors cannot be signed and are refused before the run; the seed is recorded where the generator
that was handed in knows it.
"""

import copy
from importlib import metadata
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
        if arguments.get("output_type", "pil") != "pil":
            raise CannotDo("latents, arrays and tensors cannot be signed", "leave output_type at 'pil'")
        prompt = positional[0] if positional else arguments.get("prompt")
        prompts = (
            list(map(str, prompt)) if isinstance(prompt, list | tuple) else [prompt if isinstance(prompt, str) else ""]
        )
        requests = [_request(one, arguments, model_name(self)) for one in prompts]
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


def _request(prompt: str, arguments: dict[str, Any], model: str) -> Request:
    parameters: Pairs = tuple((k, v) for k in _RECORDED if isinstance(v := arguments.get(k), str | int | float))
    generator: Any = arguments.get("generator")
    seed = generator.initial_seed() if hasattr(generator, "initial_seed") else None
    picture = arguments.get("image")
    inputs = (Asset.from_bytes(png(picture), name="input.png"),) if isinstance(picture, Image.Image) else ()
    return Request(prompt=prompt, model=model, seed=seed, inputs=inputs, parameters=parameters)


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
