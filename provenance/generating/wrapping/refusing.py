"""What stands where something would leave unsigned."""

from collections.abc import Callable
from typing import Any, NoReturn

from assay.provenance.generating.provider import CannotDo

_HINT = "use an unwrapped client for it, and sign what comes of it yourself"


class Refusing:
    """Any use of it is refused."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __getattr__(self, name: str) -> NoReturn:
        raise CannotDo(f"pictures from {self._what} would leave unsigned", _HINT)


def refusing(what: str) -> Callable[..., NoReturn]:
    """A function that refuses to be called."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise CannotDo(f"pictures from {what} would leave unsigned", _HINT)

    return refuse
