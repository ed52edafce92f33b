"""OpenAI's Images API, and every service that speaks it; the only room, with its drop-in, that knows the `openai` SDK.

Rules: retries and back-off are the SDK's own; a moderation block is a `Refusal` with OpenAI's code and words, every other
failure is `ProviderFailed`; a picture that comes as a link instead of bytes is refused, for nobody could vouch for it.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import openai

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
)
from assay.provenance.generating.receiving import decoded, received
from assay.provenance.text import plain

T = TypeVar("T")

# Codes of HTTP 400 that mean "we will not", as against "we do not understand".
_REFUSALS = ("moderation", "content_policy", "content_filter", "contentfilter", "safety", "responsibleai")


def connect(connection: Connection) -> "OpenAIImages":
    """A client from `OPENAI_API_KEY` (and `OPENAI_BASE_URL`). Raises `ProviderFailed` where the key is missing."""
    return OpenAIImages(
        client(
            lambda: openai.OpenAI(
                base_url=connection.endpoint or None, timeout=connection.timeout, max_retries=connection.retries
            )
        )
    )


class OpenAIImages:
    """The `Provider` for OpenAI; Azure and MAI build on it."""

    def __init__(self, client: openai.OpenAI, *, name: str = "openai") -> None:
        self._client = client
        self.name = name

    def generate(self, request: Request) -> Result:
        """Ask for `request.count` pictures in one call."""
        if request.references:
            raise CannotDo(f"{self.name} looks at pictures only when it edits", "give them as inputs of an edit")
        images: Any = self._client.images  # the SDK's overloads cannot be met by a mapping
        return self._asked(request, lambda: images.generate(**self.arguments(request)))

    def edit(self, request: Request) -> Result:
        """Send the inputs (the first is edited, the others are references) and the mask, if any."""
        if not request.inputs:
            raise CannotDo("there is no picture to edit", "give one")
        images: Any = self._client.images
        files = [upload(asset) for asset in (*request.inputs, *request.references)]
        mask = {"mask": upload(request.mask)} if request.mask else {}
        image = files[0] if len(files) == 1 else files
        return self._asked(request, lambda: images.edit(image=image, **mask, **self.arguments(request)))

    def describe(self, asset: Asset, *, model: str = "") -> Description:
        """Ask a model that sees (Responses API) for alt text and caption."""
        if not model:
            raise CannotDo(f"{self.name} needs a model that can see", "name one with --model")
        address = f"data:image/jpeg;base64,{base64.b64encode(pixels_alone(asset)).decode()}"
        content = [
            {"type": "input_text", "text": INSTRUCTION},
            {"type": "input_image", "image_url": address, "detail": "auto"},
        ]
        responses: Any = self._client.responses
        form = {"type": "json_schema", "name": "description", "schema": SCHEMA, "strict": True}
        try:
            answer = responses.create(model=model, input=[{"role": "user", "content": content}], text={"format": form})
        except openai.OpenAIError as error:
            refusal, _ = refused(error, self.name)
            if refusal is None:
                raise failure(error, self.name) from error
            return Description(alt_text="", caption="", provider=self.name, model=model, refusal=refusal)
        words = [part for item in answer.output if item.type == "message" for part in item.content]
        if said_no := next((part.refusal for part in words if part.type == "refusal"), None):
            no = Refusal(self.name, "refusal", plain(said_no))
            return Description(alt_text="", caption="", provider=self.name, model=model, refusal=no)
        alt_text, caption = parsed(answer.output_text, provider=self.name)
        return Description(
            alt_text=alt_text,
            caption=caption,
            provider=self.name,
            model=answer.model or model,
            request_id=answer._request_id or "",
        )

    def arguments(self, request: Request) -> dict[str, Any]:
        """The request in this interface's terms."""
        if request.seed is not None:
            raise CannotDo(f"{self.name} takes no seed", "leave it out")
        arguments: dict[str, Any] = {"prompt": request.prompt, "n": request.count}
        if request.model:
            arguments["model"] = request.model
        if request.size:
            arguments["size"] = f"{request.size[0]}x{request.size[1]}"
        if request.output_format:
            arguments["output_format"] = request.output_format.value.removeprefix("image/").removesuffix("+xml")
        return arguments | dict(request.parameters)

    def _asked(self, request: Request, call: Callable[[], Any]) -> Result:
        try:
            response = call()
        except openai.OpenAIError as error:
            refusal, events = refused(error, self.name)
            if refusal is None:
                raise failure(error, self.name) from error
            return Result(
                provider=self.name,
                model_requested=request.model,
                request_id=getattr(error, "request_id", None) or "",
                refusal=refusal,
                safety=events,
            )
        return result(response, provider=self.name, model=request.model)


def client(make: Callable[[], T]) -> T:
    """Make an SDK client; a missing key or endpoint becomes a `ProviderFailed` with the SDK's own words."""
    try:
        return make()
    except openai.OpenAIError as error:
        raise ProviderFailed(f"no connection: {plain(str(error))}", "set the key in the environment") from error


def result(response: Any, *, provider: str, model: str) -> Result:
    """Read an `ImagesResponse`. Raises `ProviderFailed` where it holds nothing usable."""
    extra = response.model_extra or {}
    events = list(_filter_events(extra.get("prompt_filter_results"), Stage.PROMPT))
    outputs: list[Output] = []
    request_id = response._request_id or ""
    for image in response.data or ():
        events += _filter_events((image.model_extra or {}).get("content_filter_results"), Stage.OUTPUT)
        if image.b64_json:
            content = decoded(image.b64_json, provider=provider)
            revised = image.revised_prompt or ""
            outputs.append(received(content, provider=provider, revised_prompt=revised, request_id=request_id))
        elif image.url:
            raise ProviderFailed(f"{provider} sent a link instead of a picture", "ask for response_format=b64_json")
    refusal = None
    if not outputs:
        if not events:
            raise ProviderFailed(f"{provider} sent no picture", "try again")
        refusal = Refusal(provider, events[-1].code, f"filtered: {events[-1].category}")
    return Result(
        provider=provider,
        model_requested=model,
        model_returned=str(extra.get("model") or ""),
        request_id=request_id,
        outputs=tuple(outputs),
        refusal=refusal,
        safety=tuple(events),
        usage=usage(response.usage) or _own_usage(extra),
        parameters=tuple(
            (name, value) for name in ("size", "quality", "background") if (value := getattr(response, name, None))
        ),
    )


def usage(counts: Any) -> Pairs:
    """The countable part of a usage report."""
    return tuple((k, v) for k, v in counts.model_dump().items() if isinstance(v, int)) if counts else ()


def upload(asset: Asset) -> tuple[str, bytes, str]:
    """A picture as the SDK uploads it: under a neutral name, for the user's file name is nobody's business."""
    return f"image{asset.media_type.suffix}", asset.content, asset.media_type.value


def refused(error: openai.OpenAIError, provider: str) -> tuple[Refusal | None, tuple[SafetyEvent, ...]]:
    """The refusal in an SDK error, and what the safety systems said; None where the error is no refusal."""
    if not isinstance(error, openai.BadRequestError):
        return None, ()
    body: Mapping[str, Any] = error.body if isinstance(error.body, Mapping) else {}
    inner = body.get("inner_error") or body.get("innererror") or {}
    codes = [str(code) for code in (body.get("code"), inner.get("code"), body.get("type"), error.code) if code]
    code = next((c for c in codes if any(word in c.lower() for word in _REFUSALS)), None)
    if code is None:
        return None, ()
    reason = plain(str(body.get("message") or error.message))
    details = body.get("moderation_details") or {}
    stage = Stage.OUTPUT if details.get("moderation_stage") == "output" else Stage.PROMPT
    events = [SafetyEvent(stage=stage, code=code, category=str(c)) for c in details.get("categories") or ()]
    events += _filter_events(inner.get("content_filter_results"), Stage.PROMPT)
    return Refusal(provider, code, reason), tuple(events or [SafetyEvent(stage=stage, code=code, reason=reason)])


def failure(error: openai.OpenAIError, provider: str) -> ProviderFailed:
    """An SDK error in words, with what to do about it."""
    match error:
        case openai.APITimeoutError():
            return ProviderFailed(f"{provider} did not answer in time", "try again, or allow more time with --timeout")
        case openai.APIConnectionError():
            return ProviderFailed(f"{provider} cannot be reached", "check the network and the endpoint")
        case openai.RateLimitError():
            wait = error.response.headers.get("retry-after", "")
            hint = f"wait {plain(wait)} s" if wait else "wait, or ask for a higher limit"
            return ProviderFailed(f"{provider} limits the rate of requests: {_said(error)}", hint)
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return ProviderFailed(f"{provider} refuses the key", "check the key, its project and its permissions")
        case openai.APIStatusError():
            return ProviderFailed(f"{provider} answered {error.status_code}: {_said(error)}")
    return ProviderFailed(f"{provider}: {plain(str(error))}")


def _said(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, Mapping) else {}
    return plain(str(body.get("message") or error.message))


def _own_usage(extra: Mapping[str, Any]) -> Pairs:
    """Usage under a service's own names (MAI: num_output_tokens …)."""
    return tuple((k, v) for k, v in extra.items() if k.startswith("num_") and isinstance(v, int))


def _filter_events(found: Any, stage: Stage) -> Iterator[SafetyEvent]:
    """Azure's content filter: a category each, with a severity or a detection. Only what was not found safe."""
    for entry in found if isinstance(found, list) else [found]:
        categories = entry.get("content_filter_results", entry) if isinstance(entry, Mapping) else {}
        for category, finding in categories.items():
            if isinstance(finding, Mapping) and (finding.get("filtered") or finding.get("detected")):
                code = "content_filter" if finding.get("filtered") else "detected"
                yield SafetyEvent(
                    stage=stage, code=code, category=plain(category), reason=plain(str(finding.get("severity", "")))
                )
