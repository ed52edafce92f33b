"""Asks one tool about a list of files, inside that tool's own environment; started by `peers.py`, which maps the words.

    python peers_asking.py TOOL LIST.json ANSWERS.jsonl ANCHORS.pem

Needs the standard library and the tool. Each file is announced before it is opened, so that whoever reads the answers knows
what killed this process. `custody` and `origin` are the neutral words of `peers.py`; `words` are the tool's own.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = dict[str, Any]  # custody, origin, words


def assay(anchors: Path, model: str | None = "deep") -> Callable[[Path], Answer]:
    from dataclasses import replace

    from assay.provenance.trust import ListKind, Purpose, TrustList, default_policy
    from assay.provenance.trust.reading import read_contents
    from assay.scanning.scan import Failure, Scanner, standard_signals

    contents = read_contents(anchors.name, anchors.read_bytes())
    own = TrustList(
        id="own",
        title="own",
        kind=ListKind.USER,
        purposes=(Purpose.CLAIM_SIGNING,),
        anchors=contents.certificates,
        sha256="0",
    )
    policy = default_policy(development=False)
    scanner = Scanner(signals=standard_signals(model), policy=replace(policy, lists=(*policy.lists, own)))
    custody = {"trusted": "vouched", "valid": "intact", "no-manifest": "absent"}
    origin = {"synthetic": "synthetic", "composite": "synthetic", "captured": "human", "created": "human"}

    def ask(path: Path) -> Answer:
        outcome = scanner.scan_path(path)
        if isinstance(outcome, Failure):
            raise outcome.error
        line, verdict = outcome.custody.bottom_line.value, outcome.verdict
        words = f"{line}; {verdict.origin.value}, {verdict.basis.word}"
        return {
            "custody": custody.get(line, "broken"),
            "origin": origin.get(verdict.origin.value, "unsure"),
            "words": words,
        }

    return ask


def assay_without_pixels(anchors: Path) -> Callable[[Path], Answer]:
    return assay(anchors, None)


def c2pa(anchors: Path) -> Callable[[Path], Answer]:
    import c2pa

    settings = {"trust": {"trust_anchors": anchors.read_text()}, "verify": {"verify_trust": True}}
    context = c2pa.Context.builder().with_settings(c2pa.Settings.from_dict(settings)).build()

    def ask(path: Path) -> Answer:
        reader = c2pa.Reader.try_create(str(path), context=context)
        if reader is None:
            return {"custody": "absent", "origin": "none", "words": "no manifest"}
        with reader:
            store = json.loads(reader.json())
        state = store.get("validation_state")
        manifest = store["manifests"][store["active_manifest"]]
        custody = {"Trusted": "vouched", "Valid": "intact"}.get(state, "broken")
        deltas = store.get("validation_results", {}).get("ingredientDeltas", [])
        inside = any(delta["validationDeltas"].get("failure") for delta in deltas)
        words = f"{state}" + ", an ingredient's failure among the details" * inside
        return {"custody": custody, "origin": _stated(manifest, custody), "words": words}

    return ask


def _stated(manifest: dict[str, Any], custody: str) -> str:
    """What a manifest's own actions say, where it can be believed: synthesis if it is intact, capture if it is vouched for."""
    types = [
        str(action.get("digitalSourceType", "")).rsplit("/", 1)[-1]
        for assertion in manifest.get("assertions", [])
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"]["actions"]
    ]
    if custody in ("vouched", "intact") and any("rainedAlgorithmicMedia" in kind for kind in types):
        return "synthetic"
    return "human" if custody == "vouched" and any(kind.endswith("Capture") for kind in types) else "none"


def encypher(anchors: Path) -> Callable[[Path], Answer]:
    import encypher_c2pa

    pem = anchors.read_text()

    def ask(path: Path) -> Answer:
        said = encypher_c2pa.verify(path, trust_pem=pem, telemetry=False, online=False)
        trust = said["trust"]["status"]
        words = f"integrity {said['integrity']}, trust {trust}"
        if not said["present"]:
            return {"custody": "absent", "origin": "none", "words": words}
        custody = "broken"
        if said["integrity"] == "valid":
            custody = "vouched" if trust == "valid_for_supplied_material" else "intact"
        report = said["manifest_report"]
        manifest = report["manifests"].get(report["active_manifest"], {})
        return {"custody": custody, "origin": _stated(manifest, custody), "words": words}

    return ask


def authentica(anchors: Path) -> Callable[[Path], Answer]:
    import authentica

    def ask(path: Path) -> Answer:
        said = authentica.scan(path)
        found = said.c2pa
        words = f"trust score {said.trust_score:.0f}" + f", errors {sorted(said.errors)}" * bool(said.errors)
        if found is None or not found.manifest_found:
            return {"custody": "none" if found is None else "absent", "origin": "none", "words": words}
        intact = found.signature_valid and found.data_hash_verified is not False
        return {"custody": "intact" if intact else "broken", "origin": "none", "words": words}

    return ask


def issynthetic(anchors: Path) -> Callable[[Path], Answer]:
    import issynthetic

    def ask(path: Path) -> Answer:
        said = issynthetic.inspect(path)
        origin = {True: "synthetic", False: "human", None: "unsure"}[said.is_generated]
        return {
            "custody": "none",
            "origin": origin,
            "words": f"is_generated {said.is_generated} ({said.confidence:.2f})",
        }

    return ask


def sahu65(anchors: Path) -> Callable[[Path], Answer]:
    import sahu65

    sahu65.warm()

    def ask(path: Path) -> Answer:
        said = sahu65.detect(path)
        origin = "synthetic" if said.is_ai else "human" if said.is_real else "unsure"
        return {"custody": "none", "origin": origin, "words": f"{said.verdict} ({said.ai_probability:.2f})"}

    return ask


def bonafide(anchors: Path) -> Callable[[Path], Answer]:
    import bonafide
    from bonafide.signals.base import SignalRegistry
    from bonafide.signals.provenance import C2paSignal

    registry = SignalRegistry()
    registry.register(C2paSignal(anchors.read_text()))

    def ask(path: Path) -> Answer:
        said = bonafide.detect_file(path, registry=registry)
        origin = {"ai": "synthetic", "human": "human"}.get(said.decision, "unsure")
        found = next((entry for entry in said.evidence if entry.signal_id == "c2pa.manifest"), None)
        if found is None:
            return {"custody": "none", "origin": origin, "words": said.decision}
        if not found.applicable:
            custody = "absent" if found.detail.get("note") == "no C2PA manifest" else "none"
            return {"custody": custody, "origin": origin, "words": f"{said.decision}; {found.detail.get('note')}"}
        state = found.detail.get("validation_state")
        custody = {"Trusted": "vouched", "Valid": "intact"}.get(state, "broken")
        return {"custody": custody, "origin": origin, "words": f"{said.decision}; {state}"}

    return ask


TOOLS: dict[str, Callable[[Path], Callable[[Path], Answer]]] = {
    "assay": assay,
    "assay without pixels": assay_without_pixels,
    "c2pa-python": c2pa,
    "encypher-c2pa": encypher,
    "authentica": authentica,
    "issynthetic": issynthetic,
    "sahu65": sahu65,
    "bonafide": bonafide,
}


def main() -> None:
    """Ask about every file of the list."""
    warnings.simplefilter("ignore")
    tool, files, answers, anchors = (
        sys.argv[1],
        json.loads(Path(sys.argv[2]).read_text()),
        Path(sys.argv[3]),
        Path(sys.argv[4]),
    )
    started = time.perf_counter()
    ask = TOOLS[tool](anchors)
    start = time.perf_counter() - started
    with answers.open("a", encoding="utf-8", buffering=1) as written:
        for file in files:
            written.write(json.dumps({"file": file}) + "\n")
            cpu, wall = time.process_time(), time.perf_counter()
            try:
                said = ask(Path(file))
            except Exception as error:
                said = {
                    "custody": "none",
                    "origin": "none",
                    "words": f"{type(error).__name__}: {error}"[:200],
                    "raised": type(error).__name__,
                }
            said |= {"cpu": round(time.process_time() - cpu, 5), "wall": round(time.perf_counter() - wall, 5)}
            written.write(json.dumps(said | {"file": file}) + "\n")
        status = Path("/proc/self/status").read_text()  # ru_maxrss would remember the process that started this one
        peak = int(status.split("VmHWM:")[1].split()[0])
        written.write(json.dumps({"start": round(start, 2), "peak": peak}) + "\n")


if __name__ == "__main__":
    main()
