"""The table of providers: a name on the command line, the module that knows it, and the extra that it needs."""

from importlib import import_module

from assay.provenance.errors import MissingExtra
from assay.provenance.generating.provider import CannotDo, Connection, Policy, Provider, Request, Result

PROVIDERS: dict[str, tuple[str, str, str]] = {  # name: (module, function that connects, extra)
    "procedural": ("procedural", "connect", ""),
    "openai": ("openai", "connect", "openai"),
    "azure": ("azure", "connect", "openai"),
    "mai": ("mai", "connect", "openai"),
    "google": ("google", "connect", "google"),
    "google-imagen": ("google", "connect_imagen", "google"),
    "diffusers": ("diffusers", "connect", "diffusers"),
}


def open_provider(name: str, connection: Connection | None = None) -> Provider:
    """Connect to a provider. Raises `CannotDo`, `MissingExtra` or `ProviderFailed`."""
    if name not in PROVIDERS:
        raise CannotDo(f"{name}: no such provider", f"choose one of {', '.join(PROVIDERS)}")
    module, function, extra = PROVIDERS[name]
    try:
        connect = getattr(import_module(f"assay.provenance.generating.{module}"), function)
    except ModuleNotFoundError as error:
        if not extra:
            raise
        raise MissingExtra(f"provider {name}", extra) from error
    provider: Provider = connect(connection or Connection())
    return provider


def ask(provider: Provider, request: Request, *, policy: Policy | None = None) -> Result:
    """Generate, or edit where the request brings pictures; a policy that refuses does so before any call."""
    if policy is not None and (refusal := policy(request)) is not None:
        return Result(provider=provider.name, model_requested=request.model, refusal=refusal)
    return provider.edit(request) if request.inputs else provider.generate(request)
