"""Signals that consist of rules: credits, IPTC's AI fields, application fields, and what generators write.

Rules: the first rule that speaks names the tool, all that hold are traced; rules that leave the origin open never speak.
"""

from collections.abc import Sequence
from dataclasses import replace

from assay.detectors.evidence import RETOUCHING, Evidence, Finding, Origin, Severity, Trace
from assay.detectors.signals.declaring import Claim, spoken
from assay.detectors.signals.rule import FieldTable, Hit, JsonCache, Rule, apply
from assay.detectors.signals.rule_loading import rules_for
from assay.detectors.subject import Subject

_QUOTED = 100  # characters of a free text that a statement quotes


class RuledSignal:
    """A signal whose knowledge is data. Subclasses name themselves; `rules` replaces the shipped ones."""

    name = ""
    nothing = ""

    def __init__(self, rules: Sequence[Rule] | None = None) -> None:
        self.rules = tuple(rules_for(self.name) if rules is None else rules)

    def examine(self, subject: Subject) -> Evidence:
        """Ask every rule, most telling first."""
        fields, parsed = FieldTable(subject.metadata.fields), JsonCache()
        hits = [hit for rule in self.rules if (hit := apply(rule, fields, parsed))]
        hits.sort(key=lambda hit: hit.rule.origin is Origin.UNDETERMINED)
        claims = [
            Claim(field, hit.rule.origin, _meaning(hit), hit.rule.tool, _says(hit))
            for hit in hits
            for field in hit.fields
        ]
        evidence = spoken(self.name, claims, nothing=self.nothing)
        notes = tuple(
            Finding(RETOUCHING if hit.rule.retouching else hit.rule.id, Severity.NOTE, hit.rule.note)
            for hit in hits
            if hit.rule.note
        )
        return _with(evidence, tuple(drawn for hit in hits for drawn in _drawn(hit)), notes)


class CreditDeclaration(RuledSignal):
    """Credit lines that Google's and Apple's editors write."""

    name = "declaration-credit"
    nothing = "The file carries no credit line of an AI tool."


class AiFieldsDeclaration(RuledSignal):
    """The fields on AI systems and prompts of IPTC 2025.1."""

    name = "declaration-ai-fields"
    nothing = "The file names no AI system in the fields that IPTC has for it."


class AppDeclaration(RuledSignal):
    """What applications write about their own AI functions: ByteDance, Samsung."""

    name = "declaration-app"
    nothing = "No application says in the file that it generated or changed the picture with AI."


class GeneratorMetadata(RuledSignal):
    """Parameters, graphs and names that image generators leave in metadata."""

    name = "generator-metadata"
    nothing = "No image generator known here left its traces in the metadata."


def _meaning(hit: Hit) -> str:
    models = [value for name, value in hit.drawn if name == "model"]
    return f"{hit.rule.meaning} ({', '.join(models[:4])})" if models else hit.rule.meaning


def _says(hit: Hit) -> str:
    said = hit.rule.says
    for name, value in hit.drawn:
        said = said.replace(f"{{{name}}}", f"“{value[:_QUOTED]}{'…' if len(value) > _QUOTED else ''}”")
    return said


def _drawn(hit: Hit) -> list[Trace]:
    return [Trace(f"{hit.fields[0].path} → {name}", value, hit.fields[0].offset) for name, value in hit.drawn]


def _with(evidence: Evidence, traces: tuple[Trace, ...], findings: tuple[Finding, ...]) -> Evidence:
    unique = tuple(dict.fromkeys((*evidence.traces, *traces)))
    return replace(evidence, traces=unique, findings=(*evidence.findings, *findings))
