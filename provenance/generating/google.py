"""Google's image models: Gemini through `generate_content`, and on Vertex the older Imagen calls while they last.

Rules: one picture per call, so that several are several calls; a block is a `Refusal` with Google's own reason, whichever of
its three places it stands in (prompt feedback, finish reason, filter reason); drafts of a thinking model are no outputs.
"""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx2
from google import genai
from google.auth.exceptions import GoogleAuthError
from google.genai import errors, types

from assay.provenance.asset import Asset
from assay.provenance.generating.describing import INSTRUCTION, SCHEMA, parsed, pixels_alone
from assay.provenance.generating.provider import (
    CannotDo,
    Connection,
    Description,
    Output,
    Pairs,
    ProviderFailed,
    Refusal,
    Request,
    Result,
    SafetyEvent,
    Stage,
    joined,
)
from assay.provenance.generating.receiving import received
from assay.provenance.media_type import sniff
from assay.provenance.text import plain

NAME = "google"
T = TypeVar("T")

_IMAGE_SETTINGS = frozenset(types.ImageConfig.model_fields)  # what goes into image_config rather than beside it


def connect(connection: Connection) -> "GeminiImages":
    """A client from `GEMINI_API_KEY`, or for Vertex `GOOGLE_GENAI_USE_VERTEXAI` and its project. Raises `ProviderFailed`."""
    return GeminiImages(_client(connection))


def connect_imagen(connection: Connection) -> "ImagenImages":
    """The same for the older Imagen calls. Raises `CannotDo` outside Vertex, where they do not exist."""
    client = _client(connection)
    if not client.vertexai:
        raise CannotDo("Imagen calls exist on Vertex only", "use provider google with a Gemini image model")
    return ImagenImages(client)


class GeminiImages:
    """The `Provider` for Gemini image models."""

    name = NAME

    def __init__(self, client: genai.Client) -> None:
        self._client = client

    def generate(self, request: Request) -> Result:
        """One call per picture. Parameters named in the SDK's `ImageConfig` go there, the others beside it."""
        return joined([self._one(request, number) for number in range(request.count)])

    def edit(self, request: Request) -> Result:
        """The same call with the pictures before the prompt, the one to be changed first."""
        if not request.inputs:
            raise CannotDo("there is no picture to edit", "give one")
        if request.mask:
            raise CannotDo("Gemini takes no mask", "say in the prompt where the picture may change")
        return self.generate(request)

    def describe(self, asset: Asset, *, model: str = "") -> Description:
        """Ask a model that sees for alt text and caption."""
        if not model:
            raise CannotDo(f"{NAME} needs a model that can see", "name one with --model")
        config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=SCHEMA)
        contents: Any = [types.Part.from_bytes(data=pixels_alone(asset), mime_type="image/jpeg"), INSTRUCTION]
        response = called(lambda: self._client.models.generate_content(model=model, contents=contents, config=config))
        refusal, _ = refused(response)
        if refusal:
            return Description(alt_text="", caption="", provider=NAME, model=model, refusal=refusal)
        alt_text, caption = parsed(response.text or "", provider=NAME)
        return Description(
            alt_text=alt_text,
            caption=caption,
            provider=NAME,
            model=response.model_version or model,
            request_id=response.response_id or "",
        )

    def _one(self, request: Request, number: int) -> Result:
        wishes = dict(request.parameters)
        image: dict[str, Any] = {name: wishes.pop(name) for name in _IMAGE_SETTINGS & wishes.keys()}
        if request.size:
            image.setdefault("aspect_ratio", aspect(request.size))
        if request.output_format:
            image.setdefault("output_mime_type", request.output_format.value)
        seed = None if request.seed is None else request.seed + number
        settings: dict[str, Any] = {"response_modalities": ["IMAGE"], "seed": seed, **wishes}
        if image:
            settings["image_config"] = image
        contents: Any = [*map(_part, (*request.inputs, *request.references)), request.prompt]
        config = types.GenerateContentConfig.model_validate(settings)
        if not request.model:
            raise CannotDo(f"{NAME} needs a model", "name one with --model")
        response = called(
            lambda: self._client.models.generate_content(model=request.model, contents=contents, config=config)
        )
        return result(response, model=request.model, seed=seed)


class ImagenImages(GeminiImages):
    """The `Provider` for Imagen on Vertex."""

    def generate(self, request: Request) -> Result:
        """Ask for `request.count` pictures in one call."""
        if request.references:
            raise CannotDo("Imagen looks at no pictures", "use provider google with a Gemini image model")
        wishes: dict[str, Any] = dict(request.parameters)
        if request.size:
            wishes.setdefault("aspect_ratio", aspect(request.size))
        if request.output_format:
            wishes.setdefault("output_mime_type", request.output_format.value)
        if request.seed is not None:
            wishes |= {"seed": request.seed, "add_watermark": wishes.get("add_watermark", False)}  # Vertex: not both
        config = types.GenerateImagesConfig(
            number_of_images=request.count, include_rai_reason=True, include_safety_attributes=True, **wishes
        )
        response = called(
            lambda: self._client.models.generate_images(model=request.model, prompt=request.prompt, config=config)
        )
        return imagen_result(response, model=request.model)

    def edit(self, request: Request) -> Result:
        """Not offered: the editing models of this interface were shut down."""
        raise CannotDo("Imagen's editing models are gone", "use provider google with a Gemini image model")


def result(
    response: types.GenerateContentResponse, *, model: str, seed: int | None = None, provider: str = NAME
) -> Result:
    """Read a `generate_content` answer. Raises `ProviderFailed` where a part is no image."""
    refusal, events = refused(response)
    outputs = tuple(
        received(
            part.inline_data.data,
            provider=provider,
            request_id=response.response_id or "",
            parameters=(("seed", seed),) if seed is not None else (),
        )
        for part in image_parts(response)
        if part.inline_data and part.inline_data.data
    )
    if not outputs and refusal is None:
        refusal = Refusal(provider, "NO_IMAGE", plain("".join(map(_words, response.candidates or ()))))
    return Result(
        provider=provider,
        model_requested=model,
        model_returned=response.model_version or "",
        request_id=response.response_id or "",
        outputs=outputs,
        refusal=None if outputs else refusal,
        safety=events,
        usage=_usage(response.usage_metadata),
    )


def imagen_result(response: types.GenerateImagesResponse, *, model: str, provider: str = NAME) -> Result:
    """Read a `generate_images` answer; pictures that the filter held back become safety events."""
    outputs: list[Output] = []
    events: list[SafetyEvent] = []
    for one in response.generated_images or ():
        if one.rai_filtered_reason:
            reason = plain(one.rai_filtered_reason)
            events.append(SafetyEvent(stage=Stage.OUTPUT, code="rai_filtered", reason=reason))
        attributes = one.safety_attributes
        for category, score in zip(
            (attributes and attributes.categories) or (), (attributes and attributes.scores) or (), strict=False
        ):
            events.append(SafetyEvent(stage=Stage.OUTPUT, code="score", category=plain(category), score=score))
        if one.image and one.image.image_bytes:
            outputs.append(received(one.image.image_bytes, provider=provider, revised_prompt=one.enhanced_prompt or ""))
        elif one.image and one.image.gcs_uri:
            raise ProviderFailed(f"{NAME} put the picture into a bucket", "leave out output_gcs_uri")
    filtered = [event for event in events if event.code == "rai_filtered"]
    refusal = None
    if not outputs:
        refusal = Refusal(NAME, filtered[0].code, filtered[0].reason) if filtered else Refusal(NAME, "NO_IMAGE")
    return Result(
        provider=provider, model_requested=model, outputs=tuple(outputs), refusal=refusal, safety=tuple(events)
    )


def image_parts(response: types.GenerateContentResponse) -> Iterator[types.Part]:
    """The parts that are finished pictures, of all candidates: not text, not the drafts of a thinking model.

    A picture is what the label calls one, or what is one, whatever the label says.
    """
    for candidate in response.candidates or ():
        for part in (candidate.content and candidate.content.parts) or ():
            blob = part.inline_data
            labelled = blob and (blob.mime_type or "").lower().startswith("image/")
            if blob and not part.thought and (labelled or sniff(blob.data or b"")):
                yield part


def refused(response: types.GenerateContentResponse) -> tuple[Refusal | None, tuple[SafetyEvent, ...]]:
    """The refusal, if there is nothing to show, and everything the safety systems said."""
    events: list[SafetyEvent] = []
    refusal: Refusal | None = None
    feedback = response.prompt_feedback
    if feedback and feedback.block_reason:
        code, reason = feedback.block_reason.value, plain(feedback.block_reason_message or "")
        events.append(SafetyEvent(stage=Stage.PROMPT, code=code, reason=reason))
        refusal = Refusal(NAME, code, reason)
    for rating in (feedback and feedback.safety_ratings) or ():
        events += _rated(rating, Stage.PROMPT)
    for candidate in response.candidates or ():
        for rating in candidate.safety_ratings or ():
            events += _rated(rating, Stage.OUTPUT)
        finish = candidate.finish_reason.value if candidate.finish_reason else "STOP"
        if finish not in ("STOP", "MAX_TOKENS"):
            reason = plain(candidate.finish_message or _words(candidate))
            events.append(SafetyEvent(stage=Stage.OUTPUT, code=finish, reason=reason))
            refusal = refusal or Refusal(NAME, finish, reason)
    if refusal is None and not response.candidates:
        refusal = Refusal(NAME, "NO_CANDIDATES")
    return refusal, tuple(events)


def _words(candidate: types.Candidate) -> str:
    """What the model said instead of, or beside, a picture."""
    parts = (candidate.content and candidate.content.parts) or ()
    return "".join(part.text for part in parts if part.text and not part.thought)


def called(call: Callable[[], T]) -> T:
    """Make a call; SDK and network errors leave as `ProviderFailed`."""
    try:
        return call()
    except errors.APIError as error:
        raise failure(error) from error
    except httpx2.TimeoutException as error:
        raise ProviderFailed(
            f"{NAME} did not answer in time", "try again, or allow more time with --timeout"
        ) from error
    except httpx2.HTTPError as error:
        raise ProviderFailed(f"{NAME} cannot be reached", "check the network and the endpoint") from error
    except GoogleAuthError as error:
        raise ProviderFailed(f"{NAME} refuses the credentials: {plain(str(error))}") from error
    except json.JSONDecodeError as error:
        raise ProviderFailed(f"{NAME} answered with something that is no JSON", "check the endpoint") from error


def failure(error: errors.APIError) -> ProviderFailed:
    """An SDK error in words, with what to do about it."""
    said = plain(error.message or error.status or "no reason given")
    match error.code:
        case 429:
            return ProviderFailed(f"{NAME} limits the rate of requests: {said}", "wait, or ask for a higher limit")
        case 401 | 403:
            return ProviderFailed(f"{NAME} refuses the key", "check the key, its project and its permissions")
    return ProviderFailed(f"{NAME} answered {error.code}: {said}")


def aspect(size: tuple[int, int]) -> str:
    """`size` as the aspect ratio these services take: 1024×576 is 16:9."""
    divisor = math.gcd(*size)
    return f"{size[0] // divisor}:{size[1] // divisor}"


def _client(connection: Connection) -> genai.Client:
    options = types.HttpOptions(
        base_url=connection.endpoint or None,
        api_version=connection.api_version or None,
        timeout=round(connection.timeout * 1000),
        retry_options=types.HttpRetryOptions(attempts=connection.retries + 1),
    )
    try:
        return genai.Client(http_options=options)
    except (ValueError, GoogleAuthError) as error:
        raise ProviderFailed(f"no connection: {plain(str(error))}", "set GEMINI_API_KEY") from error


def _part(asset: Asset) -> types.Part:
    return types.Part.from_bytes(data=asset.content, mime_type=asset.media_type.value)


def _rated(rating: types.SafetyRating, stage: Stage) -> list[SafetyEvent]:
    if not rating.blocked:
        return []
    category = rating.category.value if rating.category else ""
    reason = rating.probability.value if rating.probability else ""
    return [SafetyEvent(stage=stage, code="blocked", category=category, reason=reason, score=rating.probability_score)]


def _usage(counts: Any) -> Pairs:
    return tuple((k, v) for k, v in counts.model_dump().items() if isinstance(v, int)) if counts else ()
