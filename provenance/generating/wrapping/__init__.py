"""Drop-ins: `client = assay.signed(OpenAI(), signer=…)`, and from then on every picture that it returns is signed.

Rules: types, signatures and exceptions stay the SDK's own; only the finished pictures' bytes change, and of those only where
the manifest stands, unless a mark in the pixels is asked for; what cannot be signed is refused before the call where that can be known, and never passed on unsigned.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, TypeVar, overload

from assay.provenance.generating.attesting import Terms
from assay.provenance.generating.provider import CannotDo
from assay.provenance.signing.signer import Signer

T = TypeVar("T")

_CLIENTS = {  # (package, class) anywhere among the bases: the module that wraps it
    ("openai", "OpenAI"): "openai_client",
    ("openai", "AsyncOpenAI"): "openai_client",
    ("google", "Client"): "google_client",
    ("google", "AsyncClient"): "google_client",
    ("diffusers", "DiffusionPipeline"): "pipeline",
}
_MARK = "_signed_by_assay"
_TERMS = frozenset(
    {"disclose_prompt", "policy", "training_mining", "thumbnail", "timestamp", "marker", "fingerprinter", "kept"}
)


@overload
def signed(target: T, /, *, signer: Signer | str, **options: Any) -> T: ...
@overload
def signed(target: None = None, /, *, signer: Signer | str, **options: Any) -> Callable[[T], T]: ...
def signed(target: Any = None, /, *, signer: Signer | str, **options: Any) -> Any:
    """Wrap an image generator so that each picture leaves it signed.

    `target` is a client of the OpenAI SDK (also Azure and asynchronous ones), a `google.genai.Client`, a diffusers
    pipeline, or any function that returns bytes, a Pillow image or a path (also several); without a target this is a
    decorator. `signer` is a signer or its URI (`dev:`, `pem:CHAIN.pem,KEY.pem` …).

    Options for all: `disclose_prompt` (False: a salted hash only), `policy` (sees each `Request`, may return a `Refusal`),
    `training_mining`, `thumbnail`, `timestamp` (an authority or its URL), `provider` (the name to record), and `marker`,
    `fingerprinter` and `kept` as in `Terms`. For functions see `wrapping.callables.wrap`.
    Raises `CannotDo` where the target is of a kind that cannot be wrapped.
    """
    if target is None:
        return partial(signed, signer=signer, **options)
    if getattr(target, _MARK, False):
        raise CannotDo("it signs already", "wrap the original, once")
    terms = Terms.of(signer, **{name: options.pop(name) for name in _TERMS & options.keys()})
    module = next((_CLIENTS[key] for key in map(_key, type(target).__mro__) if key in _CLIENTS), None)
    if module is None and not callable(target):
        raise CannotDo(
            f"a {type(target).__module__}.{type(target).__name__} cannot be wrapped",
            "wrap the function of yours that calls it and returns bytes, a Pillow image or a path",
        )
    wrap = import_module(f"assay.provenance.generating.wrapping.{module or 'callables'}").wrap
    wrapped = wrap(target, terms, **options)
    setattr(wrapped, _MARK, True)
    return wrapped


def _key(kind: type) -> tuple[str, str]:
    return kind.__module__.partition(".")[0], kind.__name__
