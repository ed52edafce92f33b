"""What the service counts, in the Prometheus text format.

Rules: labels are from closed sets, never from uploads; a registry of its own for each server.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from assay.scanning.service.examining import Answer
from assay.scanning.worker import ParserCrashed

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counters of one server. `waiting` tells the depth of the queue."""

    def __init__(self, waiting: Callable[[], int], warm: Callable[[], bool]) -> None:
        self._registry = CollectorRegistry()
        self._answered: dict[tuple[str, int], tuple[Counter, Histogram]] = {}  # both from closed sets
        self.requests = Counter(
            "assay_requests_total", "Answered requests", ("route", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "assay_request_seconds",
            "From the request's head to the last byte of its answer",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.examining = Histogram(
            "assay_examining_seconds",
            "Within a worker, for one file, of a job as well",
            ("task",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.verdicts = Counter("assay_verdicts_total", "Verdicts given", ("origin", "basis"), registry=self._registry)
        self.uploads = Counter("assay_upload_bytes_total", "Bytes received for examination", registry=self._registry)
        self.crashes = Counter(
            "assay_worker_crashes_total",
            "Files that killed or hung a worker, or had it answer what cannot be; not those that were refused for it later",
            registry=self._registry,
        )
        self.jobs = Gauge("assay_jobs", "Jobs by state", ("state",), registry=self._registry)
        Gauge("assay_waiting", "Examinations submitted and not answered", registry=self._registry).set_function(waiting)
        Gauge("assay_ready", "1 when every worker is warm", registry=self._registry).set_function(warm)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        counted = self._answered.get((route, status))
        if counted is None:
            counted = self.requests.labels(route, str(status)), self.seconds.labels(route)
            self._answered[route, status] = counted
        counted[0].inc()
        counted[1].observe(seconds)

    def examined(self, task: str, answer: Answer) -> None:
        """Count one examination, whatever becomes of its answer."""
        self.examining.labels(task).observe(answer.seconds)

    def gave(self, answer: Answer) -> None:
        """Count the verdict of an answer that was given, or kept for who asks."""
        if answer.basis:
            self.verdicts.labels(answer.origin, answer.basis).inc()

    def crashed(self, error: ParserCrashed) -> None:
        """Count one file's harm."""
        if not error.unopened:
            self.crashes.inc()

    def text(self) -> bytes:
        """Everything counted so far."""
        return generate_latest(self._registry)
