"""Writes the tables of the documentation from the code: `python docs/tables.py`; with `--check` it only tells which are old.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; a test compares the files with what this would write.
"""

import dataclasses
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from assay import cli
from assay.detectors.card import FACES, read_card, shipped_models
from assay.detectors.evidence import Basis, Origin
from assay.detectors.signals import REGISTRY
from assay.detectors.signals.rule_loading import all_rules
from assay.detectors.source_types import SOURCE_TYPES
from assay.detectors.training.examples import Example, read_index
from assay.detectors.training.laundering import GRID
from assay.provenance.limits import Limits
from assay.scanning.child import WorkerLimits
from assay.scanning.gate import CONDITIONS
from assay.scanning.words import (
    CHANGE,
    CHANGE_BESIDE_MANIFEST,
    CHANGE_OF_DEVELOPED,
    CHANGE_OF_PIXELS,
    CHANGE_OF_RECOVERED,
    CHANGE_OF_TIE,
    CHANGE_UNDETERMINED,
    COMPOSED,
    CONFLICTS,
    CONTRADICTION,
    DEVELOPED,
    ENFSI,
    FACE,
    INCONCLUSIVE,
    PIXELS_ALONE,
    RECOVERED,
    RETOUCHED,
    SENTENCES,
    SURE,
    SURE_OF_DEVELOPED,
    SURE_OF_PIXELS,
    SURE_OF_RECOVERED,
    SURE_OF_RECOVERED_DEVELOPED,
    SURE_UNDETERMINED,
    UNDETERMINED,
)

DOCS = Path(__file__).resolve().parent
DOCUMENTS = (
    "commands.md",
    "evaluation.md",
    "hardening.md",
    "peers.md",
    "pixels.md",
    "signals.md",
    "verdicts.md",
    "../datasets/photographs/README.md",
    "../datasets/art-and-graphics/README.md",
    "../datasets/generated/README.md",
    "../datasets/altered/README.md",
)
_TABLE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    cells = [head, tuple("---" for _ in head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in row) + " |\n" for row in cells
    )


def commands() -> str:
    """The help of every command, as a terminal of 100 columns shows it."""
    settings = cli.assay.context_settings  # `-h` is one of them, and click remembers the first answer
    top = click.Context(cli.assay, info_name="assay", max_content_width=100, terminal_width=100, **settings)
    sections = []
    for name in cli.COMMANDS:
        command = cli.assay.get_command(top, name)
        sections += _helped(f"assay {name}", command, top) if command else []
    return "".join(sections)


def _helped(title: str, command: click.Command, parent: click.Context) -> list[str]:
    context = click.Context(command, info_name=title.split()[-1], parent=parent)
    sections = [f"\n## {title}\n\n```\n{context.get_help()}\n```\n"]
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            sections += _helped(f"{title} {name}", child, context)
    return sections


def measured(model: str) -> str:
    """The figures of a shipped model's card."""
    card = read_card(model)
    strict = card.figures["strict"]

    def interval(figure: list[float]) -> str:
        return f"{figure[0]:.3f} ({figure[1]:.2f} to {figure[2]:.2f})"

    def counted(counts: list[int]) -> str:
        return f"{counts[0]} of {counts[1]}"

    figures = ("auc", "tpr_at_5_percent", "tpr_at_1_percent")
    arms = [
        (f"{kind}: {name}", f"{arm['human']} / {arm['generated']}", *(interval(arm[figure]) for figure in figures))
        for kind, arms in (
            ("unseen sources and generators", strict["arms"]),
            ("unseen sources", card.figures["generators_known"]["arms"]),
        )
        for name, arm in arms.items()
    ]
    points = [
        (name, counted(rates["false_positive"]), f"{rates['false_positive'][3]:.2%}", counted(rates["true_positive"]))
        for name, rates in strict["points"].items()
    ]
    sources = [
        (point, source, counted(counts))
        for point, worst in strict["worst_sources"].items()
        for source, counts in worst.items()
        if counts[0]
    ]
    recall = [
        (name, counted(rates["balanced"]), counted(rates["sensitive"]))
        for name, rates in strict["recall_by_generator"].items()
    ]
    controls = [(name.replace("_", " "), f"{value:.3f}") for name, value in card.figures["controls"].items()]
    calibration = [(name, f"{strict['calibration'][name]:.3f}") for name in ("ece", "cllr", "min_cllr")]
    pictures = card.training["pictures"]
    conformal = strict.get("conformal", {"domains": {}})
    aside = card.figures.get("aside")
    covered = [
        (
            domain,
            kind,
            str(n["pictures"]),
            *(f"{n[key] / max(1, n['pictures']):.0%}" for key in ("covered", "both", "neither")),
        )
        for domain, kinds in conformal["domains"].items()
        for kind, n in kinds.items()
    ]
    sets = (
        [
            f"Conformal sets at alpha {conformal['alpha']:g}: the aim is {1 - conformal['alpha']:.0%} covered.\n",
            table(
                ("domain", "class", "pictures", "set holds the class", "both: inconclusive", "neither: outside"),
                covered,
            ),
        ]
        if covered
        else []
    )
    return "\n".join(
        [
            f"Version {card.version}: {pictures['human']:,} human-made and {pictures['generated']:,} generated pictures, "
            f"{pictures['groups']} groups, {pictures['generators']} generators.\n",
            *(f"- {failure}" for failure in card.failures),
            "",
            table(("arm", "human / generated", "AUC", "recall at 5 % FPR", "recall at 1 % FPR"), arms),
            table(("point", "human-made flagged", "at most (95 %)", "generated flagged"), points),
            *(measured_aside(aside) if aside else ()),
            table(("point", "human-made source (30 pictures or more)", "flagged"), sources),
            table(("generator (never trained on)", "flagged at balanced", "flagged at sensitive"), recall),
            *sets,
            table(("control", "AUC"), controls),
            table(("calibration", ""), calibration),
        ]
    )


def measured_aside(found: dict[str, Any]) -> list[str]:
    """What the finished model did on pictures that their terms set aside."""
    arms, points = found["arms"], found["points"]
    whole = arms["all"]
    names = [name for name, counts in found["recall_by_generator"].items() if counts["balanced"][1] >= 10]

    def shown(rates: dict[str, list[float]]) -> tuple[str, ...]:
        (flagged, human, _, most), (seen, generated, *_) = rates["false_positive"], rates["true_positive"]
        return (f"{flagged:.0f} of {human:.0f}", f"{most:.2%}", f"{seen:.0f} of {generated:.0f}")

    worst = found["worst_sources"]["balanced"]
    return [
        f"The finished model on {whole['human']:,} human-made and {whole['generated']:,} generated pictures that their terms kept from "
        f"training and calibration, of groups that it never met: AUC {whole['auc'][0]:.3f} ({whole['auc'][1]:.2f} to "
        f"{whole['auc'][2]:.2f}), ECE {found['calibration']['ece']:.3f}.\n",
        table(
            ("point, pictures set aside", "human-made flagged", "at most (95 %)", "generated flagged"),
            [(name, *shown(rates)) for name, rates in points.items()],
        ),
        table(
            ("set aside: source or generator", "flagged at balanced"),
            [(name, f"{hits} of {trials}") for name, (hits, trials) in worst.items()]
            + [(name, "{} of {}".format(*found["recall_by_generator"][name]["balanced"])) for name in names],
        ),
    ]


def sources(dataset: str) -> str:
    """The sources of a dataset, with what is theirs."""
    of_source: dict[str, list[Example]] = {}
    for example in read_index(DOCS.parent / "datasets" / dataset / "index.csv"):
        of_source.setdefault(example.source, []).append(example)

    def listed(names: set[str]) -> str:
        return ", ".join(sorted(names - {""})) or "–"

    return table(
        ("source", "pictures", "domain", "generator", "terms"),
        [
            (
                source,
                str(len(rows)),
                listed({row.domain or "" for row in rows}),
                listed({row.generator for row in rows}),
                listed({row.licence for row in rows}),
            )
            for source, rows in sorted(of_source.items(), key=lambda entry: entry[0].lower())
        ],
    )


def measured_faces() -> str:
    """The figures of the model for faces, those of swapped faces last."""
    figures = read_card(FACES).figures

    def counted(counts: list[int]) -> str:
        return f"{counts[0]} of {counts[1]}"

    def compared(found: dict[str, Any] | None) -> tuple[str, str]:
        if found is None:
            return ("none", "not measured")
        value, low, high = found["auc"]
        return (str(found["faces"]), f"{value:.3f} ({low:.2f} to {high:.2f})")

    pictures = [
        (point, counted(classes["human"]), counted(classes["generated"]))
        for point, classes in figures["pictures"].items()
    ]
    swaps = [
        (
            name,
            f"{found['faces']} / {found['groups']}",
            counted(found["balanced"]),
            counted(found["sensitive"]),
            *compared(found["other_sources"]),
            *compared(found["same_source"]),
        )
        for name, found in figures["swaps"].items()
    ]
    return "\n".join(
        [
            measured(FACES),
            table(("point", "human-made pictures with a flagged face", "generated pictures with one"), pictures),
            "Swapped faces, never trained on:\n",
            table(
                (
                    "swapped by",
                    "faces / groups",
                    "flagged at balanced",
                    "at sensitive",
                    "human-made faces of other sources",
                    "AUC against them",
                    "unswapped faces of the same source",
                    "AUC against them",
                ),
                swaps,
            ),
        ]
    )


def in_a_hundred() -> str:
    """What the shipped models flag at each point, for readers who want one number."""

    def share(counts: list[float]) -> str:
        return f"{100 * counts[0] / counts[1]:.1f}"

    rows = [
        (model, point, share(rates["false_positive"]), share(rates["true_positive"]))
        for model in shipped_models()
        for point, rates in read_card(model).figures["strict"]["points"].items()
    ]
    return table(("model", "point", "human-made, wrongly flagged", "generated, flagged"), rows)


def adversarial(model: str) -> str:
    """How far simple attacks move a shipped model: `adversarial.json` of its folder."""
    card = read_card(model)
    path = card.folder / "adversarial.json"
    if not path.is_file():
        return "Not measured.\n"
    found = json.loads(path.read_text("utf-8"))
    same = all(found[file] == card.files[f"{file}.onnx"] for file in ("encoder", "head"))

    def flagged(line: dict[str, object], label: str) -> tuple[str, ...]:
        these: dict[str, object] = line[label]  # type: ignore[assignment]
        counts: dict[str, int] = these["flagged"]  # type: ignore[assignment]
        moved = these["logit moved by, median"]
        return (f"{counts['balanced']} / {counts['sensitive']} of {these['pictures']}", f"{moved:+.2f}")

    rows = [(line["attack"], *flagged(line, "generated"), *flagged(line, "human")) for line in found["attacks"]]
    scans = [
        (name, *("; ".join(f"{count} {verdict}" for verdict, count in said[label].items()) for label in said))
        for name, said in found["verdicts of a whole scan"].items()
    ]
    pictures = ", ".join(
        f"{sum(counts.values())} {label} (fitted on: {counts.get('picture', 0)})"
        for label, counts in found["fitted on"].items()
    )
    return "\n".join(
        [
            f"{found['model']} {found['version']}{'' if same else ', an earlier version than the shipped one'}: {pictures}.\n",
            table(
                ("attack", "generated flagged (balanced / sensitive)", "logit", "human flagged", "logit"),
                rows,
            ),
            table(("the whole scan", "generated", "human"), scans),
        ]
    )


def laundering(model: str) -> str:
    """A shipped model at every cell of the laundering grid: `laundering.json` of its folder."""
    path = read_card(model).folder / "laundering.json"
    if not path.is_file():
        return "Not measured.\n"
    found = json.loads(path.read_text("utf-8"))
    figures = ("auc", "tpr_at_5_percent", "tpr_at_1_percent")
    rows = [
        (
            cell.name,
            str(cell.long_side),
            f"{cell.codec} {cell.quality}",
            *("{:.3f} ({:.2f} to {:.2f})".format(*found["cells"][cell.name][figure]) for figure in figures),
        )
        for cell in GRID
        if cell.name in found["cells"]  # an earlier version was measured at fewer
    ]
    counts = next(iter(found["cells"].values()))
    return "\n".join(
        [
            f"{model} {found['version']}: {counts['human']} human-made and {counts['generated']} generated pictures.\n",
            table(("cell", "long side", "encoding", "AUC", "recall at 5 % FPR", "recall at 1 % FPR"), rows),
        ]
    )


def _peers() -> dict[str, object]:
    found: dict[str, object] = json.loads((DOCS / "peers.json").read_text("utf-8"))
    return found


def peers(question: str) -> str:
    """Right, wrong and none of every tool to one question, by case."""
    found = _peers()
    tools: dict[str, dict[str, dict[str, dict[str, int]]]] = found["tools"]  # type: ignore[assignment]
    asked = [name for name, tool in tools.items() if question in tool]
    files: dict[str, int] = found["files"]  # type: ignore[assignment]
    rows = []
    for case in files:
        cells = []
        for name in asked:
            counts = tools[name][question][case]
            cells.append(
                ", ".join(f"{count} {answer}" for answer, count in sorted(counts.items()) if answer != "-") or "–"
            )
        rows.append((case, *cells))
    return table(("case", *asked), rows)


def peers_cost() -> str:
    """What every tool costs, and what malformed files do to it."""
    found = _peers()
    rows = []
    tools: dict[str, dict[str, object]] = found["tools"]  # type: ignore[assignment]
    for name, tool in tools.items():
        if "left out" in tool:
            rows.append((name, str(tool.get("version", "")), f"left out: {tool['left out']}", "", "", "", "", ""))
            continue
        hostile: dict[str, object] = tool.get("malformed", {})  # type: ignore[assignment]
        ended: dict[str, int] = hostile.get("deaths and hangs", {})  # type: ignore[assignment]
        raised: dict[str, int] = hostile.get("exceptions", {})  # type: ignore[assignment]
        rows.append(
            (
                f"{name} {tool['version']}",
                str(tool["files per second of one processor"]),
                str(tool["seconds to start"]),
                str(tool["peak, MiB"]),
                str(hostile.get("answered", "–")),
                str(sum(raised.values())),
                "; ".join(f"{count} {how}" for how, count in ended.items()) or "0",
                f"{hostile.get('slowest, seconds', 0):.1f}",
            )
        )
    return table(
        ("tool", "files / processor second", "start, s", "peak, MiB", "malformed: answered", "exceptions", "deaths and hangs",
         "slowest, s"), rows,
    )  # fmt: skip


def peers_mapping() -> str:
    """Whose words were read as what."""
    mapping: list[list[str]] = _peers()["mapping"]  # type: ignore[assignment]
    return table(("tool", "custody", "origin"), [tuple(row) for row in mapping])


def tables() -> dict[str, str]:
    """Every generated table by name."""
    verdicts = [(basis.word, origin.value, said) for (basis, origin), said in SENTENCES.items()]
    verdicts += [
        *(
            (Basis.MARKED.word, f"{origin.value}, by a recovered manifest alone", said)
            for origin, said in RECOVERED.items()
        ),
        *(
            (Basis.PROVED.word, f"{origin.value}, by a development key alone", said)
            for origin, said in DEVELOPED.items()
        ),
        (Basis.DECLARED.word, "composite, by a retouching tool alone", RETOUCHED),
        (Basis.INFERRED.word, "composite, by a face alone", FACE),
    ]
    verdicts += [(basis, f"{which}, a montage", COMPOSED[said]) for basis, which, said in verdicts if said in COMPOSED]
    verdicts += [
        (Basis.NONE.word, Origin.UNDETERMINED.value, INCONCLUSIVE),
        (f"{Basis.NONE.word}, where only pixels were asked", Origin.UNDETERMINED.value, PIXELS_ALONE),
        *((f"none, finding `{code}`", Origin.UNDETERMINED.value, said) for code, said in UNDETERMINED.items()),
        ("a tie", Origin.UNDETERMINED.value, CONTRADICTION),
    ]
    bases = sorted(SURE, reverse=True)
    ratios = [(f"{least:,.0f} and more" if least else "below 2", said) for least, said in ENFSI]
    return {
        "commands": commands(),
        "conditions": table(
            ("condition", "holds for an image that is"), [(f"`{name}`", said) for name, (said, _) in CONDITIONS.items()]
        ),
        "adversarial-deep": adversarial("deep"),
        "adversarial-swift": adversarial("swift"),
        "peers-custody": peers("custody"),
        "peers-origin": peers("origin"),
        "peers-cost": peers_cost(),
        "peers-mapping": peers_mapping(),
        "verdicts": table(("basis", "origin", "what may be said"), verdicts),
        "sure": table(
            ("basis", "how sure", "what would change it"),
            [
                *((basis.word, SURE[basis], CHANGE[basis]) for basis in bases),
                ("proved, by a development key alone", SURE_OF_DEVELOPED, CHANGE_OF_DEVELOPED),
                ("marked, by a recovered manifest alone", SURE_OF_RECOVERED, CHANGE_OF_RECOVERED),
                ("the same, signed with a development key", SURE_OF_RECOVERED_DEVELOPED, CHANGE_OF_RECOVERED),
                ("inferred, where only pixels were asked", SURE[Basis.INFERRED], CHANGE_OF_PIXELS),
                ("none, where only pixels were asked", SURE_OF_PIXELS, CHANGE_OF_PIXELS),
                *(
                    (f"{basis.word}, beside a manifest that says nothing of origin", SURE[basis], said)
                    for basis, said in CHANGE_BESIDE_MANIFEST.items()
                ),
                *(
                    (f"none, finding `{code}`", SURE_UNDETERMINED[code], CHANGE_UNDETERMINED[code])
                    for code in UNDETERMINED
                ),
                ("a tie", "Not sure at all: statements of equal weight contradict one another.", CHANGE_OF_TIE),
            ],
        ),
        "conflicts": table(("code", "what is said"), [(f"`{code}`", said) for code, said in CONFLICTS.items()]),
        "limits": table(
            ("name", "bounds", "default", "beyond it"),
            [
                (f"`{entry.name}`", entry.metadata["bounds"], f"{entry.default:,}", entry.metadata["beyond"])
                for entry in dataclasses.fields(Limits)
            ],
        ),
        "worker-limits": table(
            ("name", "bounds", "default"),
            [
                (f"`{entry.name}`", entry.metadata["bounds"], f"{entry.default:,}")
                for entry in dataclasses.fields(WorkerLimits)
            ],
        ),
        "enfsi": table(("likelihood ratio", "words"), ratios),
        **{f"laundering-{name}": laundering(name) for name in shipped_models()},
        **{f"model-{name}": measured(name) for name in shipped_models()},
        "model-faces": measured_faces(),
        **{f"sources-{name}": sources(name) for name in ("photographs", "art-and-graphics", "generated", "altered")},
        "pixels": in_a_hundred(),
        "signals": table(
            ("name", "looks at", "speaks at most on"),
            [(f"[`{entry.name}`](#{entry.name})", entry.title, entry.basis) for entry in REGISTRY],
        ),
        "source-types": table(
            ("term", "origin", "meaning"),
            [(f"`{term.term}`", term.origin.value, term.meaning) for term in SOURCE_TYPES.values()],
        ),
        "rules": table(
            ("rule", "tool", "fields", "origin", "source"),
            [
                (
                    f"`{rule.id}`",
                    rule.tool,
                    "; ".join(", ".join(condition.fields) for condition in rule.all),
                    rule.origin.value,
                    rule.source,
                )
                for rule in all_rules()
            ],
        ),
    }


def written(text: str) -> str:
    """A document with its tables as the code has them. Raises `KeyError` for a table that nobody makes."""
    made = tables()
    return _TABLE.sub(lambda found: found[1] + made[found[2]] + found[3], text)


def main() -> None:
    """Rewrite the documents in place, or name those that would change."""
    for name in DOCUMENTS:
        path = DOCS / name
        text = path.read_text("utf-8")
        if "--check" not in sys.argv:
            path.write_text(written(text), "utf-8")
        elif text != written(text):
            sys.exit(f"docs/{name} is old; run: python docs/tables.py")


if __name__ == "__main__":
    main()
