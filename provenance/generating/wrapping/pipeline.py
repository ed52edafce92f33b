"""A diffusers pipeline: the output type stays the pipeline's own, its images are signed when they are saved.

Rules: latents, arrays and tensors cannot be signed and are refused before the run; the seed is recorded where the generator
that was handed in knows it; a picture that the run changes is the parent, one that only guides it (a pose, edges, a style) an
input (C2PA 2.2 §18.15: `parentOf`, `inputTo`).
"""

import copy
from collections.abc import Mapping, Sequence
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
_GUIDES = ("control_image", "ip_adapter_image")
_WRITABLE = ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16")  # modes that PNG has


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
        changed, mask, guides = _roles(self, signature(kind.__call__).parameters, given)
        looked_at = zip(*(_each(guide, len(prompts), apart=apart) for guide, apart in guides), strict=True)
        requests = [
            _request(one, given, model_name(self), changed=changed, picture=picture, mask=mask, guides=sum(looked, ()))
            for one, picture, looked in zip(prompts, _pictures(changed, len(prompts)), looked_at, strict=True)
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


def _roles(
    pipeline: Any, parameters: Mapping[str, Any], given: dict[str, Any]
) -> tuple[Any, Any, tuple[tuple[Any, bool], ...]]:
    """What a run changes, its mask, and each thing that only guides it, with whether a list of them has one for each prompt.

    ControlNets and adapters for text alone call their guide `image`; those that inpaint without an `image` change the guide.
    """
    control, style = (given.get(name) for name in _GUIDES)
    parts = [getattr(pipeline, name) for name in ("controlnet", "adapter") if hasattr(pipeline, name)]
    apart = not any(hasattr(part, "nets") or hasattr(part, "adapters") for part in parts)  # else one for each of them
    if "control_mask" in parameters and "image" not in parameters:
        return control, given.get("control_mask"), ((style, False),)
    if parts and not parameters.keys() & {"strength", "control_image"}:
        return None, None, ((given.get("image"), apart), (style, False))
    return given.get("image"), given.get("mask_image"), ((control, apart), (style, False))


def _each(given: Any, count: int, *, apart: bool) -> list[tuple[Image.Image, ...]]:
    """The pictures that guide each of `count` prompts: all of them, or with `apart` its own, where there are as many."""
    several = list(given) if isinstance(given, list | tuple) else [given]
    if apart and len(several) == count:
        return [(one,) if isinstance(one, Image.Image) else () for one in several]
    return [tuple(one for one in several if isinstance(one, Image.Image))] * count


def _pictures(given: Any, count: int) -> Sequence[Image.Image | None]:
    """The picture that each of `count` prompts changes; None where there is none, or none that can be told apart."""
    several = list(given) if isinstance(given, list | tuple) else [given]
    if not all(isinstance(one, Image.Image) for one in several) or len(several) not in (1, count):
        return [None] * count
    return several * (count // len(several))


def _request(
    prompt: str,
    arguments: dict[str, Any],
    model: str,
    *,
    changed: Any,
    picture: Image.Image | None,
    mask: Any,
    guides: tuple[Image.Image, ...],
) -> Request:
    parameters: Pairs = tuple((k, v) for k in _RECORDED if isinstance(v := arguments.get(k), str | int | float))
    generator: Any = arguments.get("generator")
    seed = generator.initial_seed() if hasattr(generator, "initial_seed") else None
    return Request(
        prompt=prompt,
        model=model,
        seed=seed,
        inputs=(_asset(picture, "input"),) if picture else (),
        references=tuple(_asset(guide, "guide") for guide in guides),
        unseen=picture is None and changed is not None,
        mask=_asset(mask, "mask") if isinstance(mask, Image.Image) else None,
        parameters=parameters,
    )


def _asset(picture: Image.Image, name: str) -> Asset:
    return Asset.from_bytes(png(picture if picture.mode in _WRITABLE else picture.convert("RGB")), name=f"{name}.png")


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
