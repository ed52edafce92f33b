"""What the routes of one server share."""

import base64
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import cast

from starlette.requests import Request

from assay.scanning.labels.policy import LabelPolicy
from assay.scanning.service.admitting import Busy, Examiner, Holding
from assay.scanning.service.examining import Answer, Task
from assay.scanning.service.keys import Key, Keys
from assay.scanning.service.metrics import Metrics
from assay.scanning.service.receiving import S, Upload, receive, receive_json
from assay.scanning.service.refusing import Forbidden, Unauthorised
from assay.scanning.service.settings import Settings
from assay.scanning.service.working import Working
from assay.scanning.worker import ParserCrashed

_ANYBODY = "anybody"  # who calls where no keys are kept
_READING = ("scan", "review")  # decisions


class Buckets:
    """How much each caller may still ask: a bucket of a minute's requests, filled evenly."""

    _MOST = 100_000

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}  # caller → (requests left, when)

    def take(self, caller: str, rate: int) -> None:
        """Count one request against `rate` a minute, 0 for any. Raises `Busy`."""
        if not rate:
            return
        now = time.monotonic()
        left, before = self._left.pop(caller, (float(rate), now))
        left = min(float(rate), left + (now - before) * rate / 60)
        allowed = left >= 1
        self._left[caller] = (left - allowed, now)
        if len(self._left) > self._MOST:  # the one that was quiet longest
            del self._left[next(iter(self._left))]
        if not allowed:
            raise Busy(f"more than {rate} requests a minute", (1 - left) * 60 / rate)


@dataclass(slots=True, kw_only=True)
class Service:
    """One server's parts. `draining` is set when it is told to end."""

    settings: Settings
    examiner: Examiner
    metrics: Metrics
    policies: Mapping[str, LabelPolicy] = field(default_factory=dict)
    keys: Keys | None = None
    working: Working | None = None
    buckets: Buckets = field(default_factory=Buckets)
    draining: bool = False

    def end(self) -> None:
        """Take on nothing new; who was asking before is answered."""
        if self.draining:
            return
        self.draining = True
        if self.working is not None:
            self.working.end()

    def caller(self, request: Request, *scopes: str) -> str:
        """Who asks, with one of these scopes: a key's owner, or anybody where no keys are kept.

        Counts against the rate of that owner, or of the address where there are no keys. Raises `Unauthorised`, `Forbidden` or `Busy`.
        """
        key = self._key(request, scopes)
        if key is None:
            self.buckets.take(_address(request), self.settings.rate)
            return _ANYBODY
        self.buckets.take(key.owner, key.rate or self.settings.rate)
        return key.owner

    def reader(self, request: Request) -> str | None:
        """The same of somebody who reads a decision: None for a reviewer, who reads everybody's."""
        owner = self.caller(request, *_READING)
        key = self._key(request, _READING)
        return None if key is None or "review" in key.scopes else owner

    def _key(self, request: Request, scopes: tuple[str, ...]) -> Key | None:
        """The key that is asked with, None where no keys are kept. Raises `Unauthorised` or `Forbidden`."""
        if self.keys is None or not self.keys.any():
            return None
        key = self.keys.find(_secret(request))
        if key is None:
            raise Unauthorised("this server asks for a key", "send it as “Authorization: Bearer …”")
        if not set(scopes) & set(key.scopes):
            raise Forbidden(f"this key may not {scopes[0]}", "make one with that scope")
        return key

    def holding(self, request: Request, owner: str) -> AbstractContextManager[Holding]:
        """Memory for one upload. Where `caller` tells nobody apart, addresses do, as for the rate."""
        caller = _address(request) if owner == _ANYBODY else owner
        return self.examiner.holding(caller)

    async def upload(self, request: Request, holding: Holding) -> Upload:
        """The one file of a request. Raises what `receive` raises, and `Busy` before the body is read."""
        self.examiner.check()
        limits = self.settings
        (upload,) = await receive(request, limit=limits.upload, seconds=limits.receive, holding=holding)
        self.metrics.uploads.inc(len(upload.content))
        return upload

    async def said(self, request: Request, kind: type[S]) -> S:
        """The JSON of a request. Raises what `receive` raises."""
        return await receive_json(request, kind, seconds=self.settings.receive)

    async def examine(self, request: Request, task: Task) -> Answer:
        """Ask the pool, and count. Raises what `Examiner.ask` raises."""

        async def hung_up() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass

        try:
            answer = await self.examiner.ask(task, hung_up=hung_up)
        except ParserCrashed as error:
            self.metrics.crashed(error)
            raise
        self.metrics.examined(task.do, answer)
        self.metrics.gave(answer)
        return answer


def service_of(request: Request) -> Service:
    """The server that a request came to."""
    return cast(Service, request.app.state.service)


def _address(request: Request) -> str:
    return f"address {request.client.host if request.client else ''}"


def _secret(request: Request) -> str:
    """The key in the request: a bearer token, or the password that a browser asked for."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return ""
