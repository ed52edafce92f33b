"""The loops behind jobs: examining what waits, telling who wants to hear, forgetting what is old.

Rules: each worker has at most one item of jobs in its queue, so that who waits for an answer is not kept; a webhook is signed (Standard
Webhooks 1.0), goes only to hosts that were named, follows no redirect, and is tried again for a day.
"""

import asyncio
import base64
import hashlib
import hmac
import http.client
import json
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import urlsplit

from assay.provenance.errors import AssayError
from assay.scanning.service.admitting import Examiner
from assay.scanning.service.decisions import Decisions
from assay.scanning.service.examining import SCAN, Task
from assay.scanning.service.jobs import Delivery, Item, Jobs
from assay.scanning.service.keys import Keys
from assay.scanning.service.metrics import Metrics
from assay.scanning.service.settings import Settings
from assay.scanning.worker import ParserCrashed, WorkersFailed

AGAIN = (5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600, 12 * 3600)  # seconds between attempts of a webhook
_SWEEP_SECONDS = 60.0
_POLL_SECONDS = 0.5
_WEBHOOK_SECONDS = 15.0
T = TypeVar("T")


class Working:
    """The background of one server with a state folder."""

    def __init__(
        self,
        jobs: Jobs,
        decisions: Decisions,
        keys: Keys,
        *,
        examiner: Examiner,
        metrics: Metrics,
        settings: Settings,
    ) -> None:
        self.decisions = decisions
        self.jobs, self._keys, self._examiner, self._metrics, self._settings = jobs, keys, examiner, metrics, settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="assay-jobs")  # the only one that touches the jobs
        self._posting = ThreadPoolExecutor(4, thread_name_prefix="assay-webhooks")
        self._new = asyncio.Event()
        self._ending = False
        self._loops: list[asyncio.Task[None]] = []

    async def call(self, function: Callable[..., T], *arguments: object, **named: object) -> T:
        """Run one of the jobs' functions in their thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*arguments, **named))

    def wake(self) -> None:
        """There is something new to do."""
        self._new.set()

    def start(self, lanes: int) -> None:
        """Begin the loops."""
        work = [self._examine_all() for _ in range(lanes)]
        self._loops = [asyncio.ensure_future(each) for each in (*work, self._deliver_all(), self._sweep_all())]

    async def stop(self) -> None:
        """Finish the items in work and leave the rest to the next start."""
        self._ending = True
        self._new.set()
        _, late = await asyncio.wait(self._loops, timeout=self._settings.drain)
        for loop in late:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self.call(self.jobs.close)
        await self.call(self.decisions.close)
        self._thread.shutdown()
        self._posting.shutdown(cancel_futures=True)

    async def _pause(self, seconds: float) -> None:
        """Wait for something new, or a while."""
        if self._ending:
            return
        self._new.clear()
        try:
            await asyncio.wait_for(self._new.wait(), seconds)
        except TimeoutError:
            return

    async def _examine_all(self) -> None:
        while not self._ending:
            item = await self.call(self.jobs.claim)
            if item is None:
                await self._pause(_POLL_SECONDS)
                continue
            await self._examine(item)

    async def _examine(self, item: Item) -> None:
        options = item.options
        task = Task(do=SCAN, name=item.name, deep=options.deep, prior=options.prior, content=item.content)
        try:
            answer = await self._examiner.ask_patiently(task)
        except asyncio.CancelledError:
            await self.call(self.jobs.release, item, blameless=True)
            raise
        except WorkersFailed:
            await self.call(self.jobs.release, item, blameless=True)
            await asyncio.sleep(_POLL_SECONDS * 10)
            return
        except ParserCrashed as error:
            self._metrics.crashes.inc()
            if error.foreign:
                await self.call(self.jobs.release, item, blameless=False)
            else:
                await self.call(self.jobs.fail, item.job, item.number, type(error).__name__, error.message)
            return
        if answer.basis:
            self._metrics.verdicts.labels(answer.origin, answer.basis).inc()
        await self.call(self.jobs.finish, item, answer.body, origin=answer.origin, basis=answer.basis)
        self._new.set()

    async def _deliver_all(self) -> None:
        while not self._ending:
            delivery = await self.call(self.jobs.due)
            if delivery is None:
                await self._pause(_POLL_SECONDS)
                continue
            await self._deliver(delivery)

    async def _deliver(self, delivery: Delivery) -> None:
        owner = await self.call(self.jobs.owner, delivery.job)
        job = await self.call(self.jobs.describe, delivery.job, owner, documents=False)
        body = json.dumps({"type": "job.finished", "timestamp": _now(), "data": job}).encode()
        identity = "msg_" + delivery.job.removeprefix("job_")
        headers = signed(body, identity, int(time.time()), self._keys.webhook_secrets())
        loop = asyncio.get_running_loop()
        said = await loop.run_in_executor(self._posting, _post, delivery.url, body, headers)
        again: float | None = None
        if said != "delivered":
            again = AGAIN[delivery.attempts] if delivery.attempts < len(AGAIN) else float("inf")
        await self.call(self.jobs.delivered, delivery, said, again=again)

    async def _sweep_all(self) -> None:
        while not self._ending:
            await self.call(self.jobs.expire, self._settings.retention)
            for state, count in (await self.call(self.jobs.counts)).items():
                self._metrics.jobs.labels(state).set(count)
            await self._pause_long()

    async def _pause_long(self) -> None:
        until = time.monotonic() + _SWEEP_SECONDS
        while not self._ending and time.monotonic() < until:
            await self._pause(_POLL_SECONDS * 10)


class WebhookRefused(AssayError):
    """A webhook's address is not one that this server may call."""


def check_webhook(url: str, allowed: tuple[str, ...]) -> None:
    """Raise `WebhookRefused` unless the URL's host (or host:port) was named at the start."""
    parts = urlsplit(url)
    try:
        place = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        place = ""
    if parts.scheme not in ("http", "https") or not place or parts.username is not None:
        raise WebhookRefused("a webhook is a plain http or https URL", "give one without user name")
    if place not in allowed and parts.hostname not in allowed:
        raise WebhookRefused(f"this server calls no webhook at {place}", "start it with --webhook-host to allow it")


def signed(body: bytes, identity: str, moment: int, secrets: tuple[str, ...]) -> dict[str, str]:
    """The headers of the Standard Webhooks specification 1.0 (symmetric signatures), one signature for each secret."""
    content = f"{identity}.{moment}.".encode() + body
    signatures = [
        base64.b64encode(hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), content, hashlib.sha256)).decode()
        for secret in secrets
    ]
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(moment),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        "content-type": "application/json",
        "user-agent": "assay",
    }


def _post(url: str, body: bytes, headers: dict[str, str]) -> str:
    """ "delivered", or what went wrong."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=_WEBHOOK_SECONDS, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=_WEBHOOK_SECONDS)
    )
    try:
        connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"not reached: {error}"
    finally:
        connection.close()
    return "delivered" if 200 <= status < 300 else f"answered {status}"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
