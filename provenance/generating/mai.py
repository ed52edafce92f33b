"""Microsoft's MAI image models in Azure AI Foundry: the OpenAI client against another address.

Rules: one picture per call, so that several are several calls; the size goes as width and height. Source: Microsoft's
"Use MAI models" page for Foundry, preview interface.
"""

import os
from dataclasses import replace
from typing import Any

import openai

from assay.provenance.asset import Asset
from assay.provenance.generating.openai import OpenAIImages, client
from assay.provenance.generating.provider import (
    CannotDo,
    Connection,
    Description,
    ProviderFailed,
    Request,
    Result,
    joined,
)

ENDPOINT = "MAI_ENDPOINT"  # https://….services.ai.azure.com/mai/v1
KEY = "MAI_API_KEY"


def connect(connection: Connection) -> "MAIImages":
    """A client from `MAI_ENDPOINT` and `MAI_API_KEY`. Raises `ProviderFailed` where one is missing."""
    endpoint, key = connection.endpoint or os.environ.get(ENDPOINT, ""), os.environ.get(KEY, "")
    if not (endpoint and key):
        raise ProviderFailed("no connection: mai needs an endpoint and a key", f"set {ENDPOINT} and {KEY}")
    return MAIImages(
        client(
            lambda: openai.OpenAI(
                base_url=endpoint,
                api_key=key,
                default_headers={"api-key": key},
                default_query={"api-version": connection.api_version or "preview"},
                timeout=connection.timeout,
                max_retries=connection.retries,
            )
        )
    )


class MAIImages(OpenAIImages):
    """The `Provider` for MAI."""

    def __init__(self, client: openai.OpenAI) -> None:
        super().__init__(client, name="mai")

    def generate(self, request: Request) -> Result:
        """One call per picture."""
        return joined([super(MAIImages, self).generate(one) for one in _singles(request)])

    def edit(self, request: Request) -> Result:
        """One call per picture."""
        return joined([super(MAIImages, self).edit(one) for one in _singles(request)])

    def describe(self, asset: Asset, *, model: str = "") -> Description:
        """MAI's image models do not describe."""
        raise CannotDo("mai cannot describe pictures", "use another provider")

    def arguments(self, request: Request) -> dict[str, Any]:
        """Width and height instead of a size, and no count."""
        arguments = super().arguments(replace(request, size=None))
        del arguments["n"]
        if request.size:
            arguments["extra_body"] = {"width": request.size[0], "height": request.size[1]}
        return arguments


def _singles(request: Request) -> list[Request]:
    return [replace(request, count=1)] * request.count
