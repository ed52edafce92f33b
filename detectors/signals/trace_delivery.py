"""Messengers, networks and screenshot functions that a file or its name carries the mark of.

Rules: a way of delivery says nothing of origin, so this signal never speaks.
"""

from assay.detectors.evidence import Evidence, Finding, Severity, Silence, Trace
from assay.detectors.subject import Subject
from assay.detectors.traces.delivery import deliveries


class DeliveryTrace:
    """Tells what the file passed through, as far as it left a mark."""

    name = "trace-delivery"

    def examine(self, subject: Subject) -> Evidence:
        """Compare metadata and file name with the marks that services are known to leave."""
        found = deliveries(subject.metadata, subject.asset.name)
        if not found:
            return Evidence.silent(
                self.name, Silence.ABSENT, "No mark of a messenger, network or screenshot was found."
            )
        findings, traces = [], []
        for one in found:
            if one.field is not None:
                traces.append(Trace(one.field.path, one.field.value[:200], one.field.offset))
                statement = f"The file carries a mark of {one.service} ({one.field.path})."
            else:
                traces.append(Trace("file name", one.name))
                statement = f"The file's name is of the kind that {one.service} gives; a name is easily changed."
            findings.append(Finding("delivered-through", Severity.NOTE, statement))
        services = " and ".join(dict.fromkeys(one.service for one in found))
        return Evidence.silent(
            self.name,
            Silence.INCONCLUSIVE,
            f"The file seems to have come through {services}, which says nothing of its origin.",
            findings=tuple(dict.fromkeys(findings)),
            traces=tuple(traces),
        )
