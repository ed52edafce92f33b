"""Images deployed in Azure OpenAI: the Images API under a deployment's name.

Rules: `Request.model` is the deployment; endpoint, key and API version come from the environment unless they are given.
"""

from typing import Any

import openai

from assay.provenance.generating.openai import OpenAIImages, client
from assay.provenance.generating.provider import Connection


def connect(connection: Connection) -> OpenAIImages:
    """A client from `AZURE_OPENAI_ENDPOINT`, `AZURE_OPENAI_API_KEY` and `OPENAI_API_VERSION`. Raises `ProviderFailed`."""

    options: dict[str, Any] = {"timeout": connection.timeout, "max_retries": connection.retries}
    if connection.endpoint:
        options["azure_endpoint"] = connection.endpoint
    if connection.api_version:
        options["api_version"] = connection.api_version
    return OpenAIImages(client(lambda: openai.AzureOpenAI(**options)), name="azure")
