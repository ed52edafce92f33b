"""What the routes of one server share."""

from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from assay.scanning.service.admitting import Examiner
from assay.scanning.service.examining import Answer, Task
from assay.scanning.service.metrics import Metrics
from assay.scanning.service.receiving import Upload, receive
from assay.scanning.service.settings import Settings
from assay.scanning.worker import ParserCrashed


@dataclass(slots=True, kw_only=True)
class Service:
    """One server's parts. `draining` is set when it is told to end."""

    settings: Settings
    examiner: Examiner
    metrics: Metrics
    draining: bool = False

    async def upload(self, request: Request) -> Upload:
        """The one file of a request. Raises what `receive` raises, and `Busy` before the body is read."""
        self.examiner.check()
        limits = self.settings
        (upload,) = await receive(request, limit=limits.upload, seconds=limits.receive)
        self.metrics.uploads.inc(len(upload.content))
        return upload

    async def examine(self, request: Request, task: Task) -> Answer:
        """Ask the pool, and count. Raises what `Examiner.ask` raises."""

        async def hung_up() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass

        try:
            answer = await self.examiner.ask(task, hung_up=hung_up)
        except ParserCrashed:
            self.metrics.crashes.inc()
            raise
        self.count(task, answer)
        return answer

    def count(self, task: Task, answer: Answer) -> None:
        """Note one examination."""
        self.metrics.examining.labels(task.do).observe(answer.seconds)
        if answer.basis:
            self.metrics.verdicts.labels(answer.origin, answer.basis).inc()


def service_of(request: Request) -> Service:
    """The server that a request came to."""
    return cast(Service, request.app.state.service)


def held(request: Request, settings: Settings) -> int:
    """The bytes that an upload will take: what it announces, else as many as it may."""
    announced = request.headers.get("content-length", "")
    return min(int(announced), settings.upload) if announced.isdigit() else settings.upload
