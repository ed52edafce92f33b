"""The OpenAI SDK's streams with something done to every event, and the raw forms of calls, which are refused."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from openai import AsyncStream, Stream

from assay.provenance.generating.provider import CannotDo

_RAW = "x-stainless-raw-response"  # the header by which the SDK marks a raw call


class SignedStream(Stream[Any]):
    """The SDK's stream, each event passed through `sign`."""

    def __init__(self, original: Stream[Any], sign: Callable[[Any], Any]) -> None:
        self.__dict__.update(original.__dict__)
        self._signed = map(sign, original)

    def __next__(self) -> Any:
        return next(self._signed)

    def __iter__(self) -> Iterator[Any]:
        return self._signed


class SignedAsyncStream(AsyncStream[Any]):
    """The SDK's asynchronous stream, each event passed through `sign` in a thread, or `at_once` where that takes no time."""

    def __init__(self, original: AsyncStream[Any], sign: Callable[[Any], Any], *, at_once: bool = False) -> None:
        self.__dict__.update(original.__dict__)
        self._signed = self._passing(original, sign, at_once=at_once)

    async def __anext__(self) -> Any:
        return await self._signed.__anext__()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._signed

    @staticmethod
    async def _passing(original: AsyncStream[Any], sign: Callable[[Any], Any], *, at_once: bool) -> AsyncIterator[Any]:
        async for event in original:
            yield sign(event) if at_once else await asyncio.to_thread(sign, event)


def refuse_raw(arguments: Mapping[str, Any]) -> None:
    """Refuse the SDK's raw and streamed-raw forms of a call: their bytes cannot be reached. Raises `CannotDo`."""
    headers = arguments.get("extra_headers") or {}
    if any(name.lower() == _RAW for name in headers):
        raise CannotDo("a raw response would leave unsigned", "call the method itself; the parsed response is signed")
