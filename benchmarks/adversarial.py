"""How far simple attacks move a model: generated pictures made to pass, human-made ones made to be flagged.

Every attack makes a file, and the file is decoded, measured and judged as any other by the model folder that is given. The
gradient is the model's own (white box: the weights ship with the package), taken once through the rescaling and both graphs
(torch; compared with ONNX Runtime first) and followed by its sign in the picture's own pixels: down for generated pictures,
up for human-made ones. Pictures come from `datasets/*/index.csv`, some that the model was fitted on and some not, one group
after another; longer sides are brought to 1,024 first.

    python benchmarks/adversarial.py models/deep --pictures FOLDER [--number 200] [--steps 10] [--output adversarial.json]

Needs torch and onnx (`pip install -e '.[train]' torch`). Rows that are done are kept beside the output and not done again.
"""

import argparse
import csv
import hashlib
import io
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from onnx_in_torch import Graph
from PIL import Image, ImageFilter

from assay.detectors.calibration import Point
from assay.detectors.card import ModelCard, read_card
from assay.detectors.classifier import Classifier, Opinion
from assay.detectors.quality import measure
from assay.detectors.views import SIDE, factors
from assay.provenance.asset import Asset
from assay.provenance.decoding import decode, upright
from assay.provenance.errors import AssayError
from assay.provenance.trust import TrustPolicy
from assay.scanning.scan import Scanner, standard_signals

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"generated": ("generated",), "human": ("photographs", "art-and-graphics")}
LARGEST = 1024
_SELDOM = 4  # what costs most is done to every fourth picture
Pixels = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A row of an index, and whether the model was fitted on it, on others of its group, or on neither."""

    sha256: str
    label: str
    group: str
    fitted: str  # "picture", "group", "neither"


def chosen(card: ModelCard, pictures: Path, number: int) -> list[Picture]:
    """`number` of each label, half of them fitted on, a group's pictures no two in a row."""
    groups = set()
    for folder in (folder for folders in FOLDERS.values() for folder in folders):
        with (ROOT / "datasets" / folder / "index.csv").open(encoding="utf-8") as file:
            groups |= {row["group"] for row in csv.DictReader(file) if card.fitted_on(row["sha256"])}
    found = []
    for label, folders in FOLDERS.items():
        known: dict[bool, dict[str, list[Picture]]] = {True: defaultdict(list), False: defaultdict(list)}
        for folder in folders:
            with (ROOT / "datasets" / folder / "index.csv").open(encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    if (pictures / row["sha256"]).is_file():
                        of = (
                            "picture"
                            if card.fitted_on(row["sha256"])
                            else "group"
                            if row["group"] in groups
                            else "neither"
                        )
                        picture = Picture(sha256=row["sha256"], label=label, group=row["group"], fitted=of)
                        known[of == "picture"][row["group"]].append(picture)
        for by_group in known.values():
            found += _in_turn(by_group, number // 2)
    return found


def _in_turn(groups: dict[str, list[Picture]], number: int) -> list[Picture]:
    rng = random.Random(0)
    names = sorted(groups)
    rng.shuffle(names)
    names.sort(key=lambda name: groups[name][0].fitted != "neither")  # groups that are quite unknown come first
    for pictures in groups.values():
        rng.shuffle(pictures)
    found: list[Picture] = []
    while len(found) < number and any(groups.values()):
        found += [groups[name].pop() for name in names if groups[name]]
    return found[:number]


def opened(path: Path) -> Image.Image | None:
    """An upright RGB picture of at most 1,024 pixels a side."""
    try:
        image = upright(decode(Asset.open(path)))
    except AssayError:
        return None
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return Image.fromarray(np.asarray(image)) if min(image.size) >= 128 else None


def png(image: Image.Image, **_: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def jpeg(image: Image.Image, quality: int, exif: Image.Exif | None = None) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, exif=exif or Image.Exif())
    return buffer.getvalue()


def camera_exif() -> Image.Exif:
    """What a camera would have written."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0132] = "Canon", "Canon EOS R6", "2024:05:17 11:02:33"
    exif.get_ifd(0x8769).update(
        {0x829A: (1, 250), 0x829D: (56, 10), 0x8827: 200, 0x9003: "2024:05:17 11:02:33", 0x920A: (50, 1),
         0xA434: "RF24-105mm F4 L IS USM"}
    )  # fmt: skip
    return exif


def camera(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The noise of a sensor: shot and read noise behind a colour mosaic, interpolated again (bilinear), in linear light."""
    light = (np.asarray(image, np.float32) / 255) ** 2.2
    noisy = light + rng.normal(size=light.shape).astype(np.float32) * np.sqrt(light * 4e-4 + 2e-6)
    mosaic = np.zeros_like(noisy)
    sites = np.zeros_like(noisy)
    for down, across, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[down::2, across::2, channel] = noisy[down::2, across::2, channel]
        sites[down::2, across::2, channel] = 1
    full = _spread(mosaic) / _spread(sites)
    return Image.fromarray((np.clip(full, 0, 1) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8))


def _spread(planes: Pixels) -> Pixels:
    padded = np.pad(planes, ((1, 1), (1, 1), (0, 0)))
    rows, columns = planes.shape[:2]
    weights = ((1, 2, 1), (2, 4, 2), (1, 2, 1))
    return sum(weights[y][x] * padded[y : y + rows, x : x + columns] for y in range(3) for x in range(3))


def noise(image: Image.Image, rng: np.random.Generator, deviation: float) -> Image.Image:
    pixels = np.asarray(image, np.float32) + rng.normal(0, deviation, (*image.size[::-1], 3))
    return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))


def patched(image: Image.Image, patch: Image.Image, share: float) -> Image.Image:
    """Another picture laid over the lower right corner, `share` of the area."""
    size = tuple(max(1, round(side * share**0.5)) for side in image.size)
    result = image.copy()
    result.paste(patch.resize(size, Image.Resampling.BICUBIC), (image.width - size[0], image.height - size[1]))
    return result


class Steepest:
    """The gradient of a model's logit in a picture's own pixels."""

    def __init__(self, card: ModelCard, judge: Classifier) -> None:
        torch.set_num_threads(1)
        self._encoder, self._head = Graph(card.folder / "encoder.onnx"), Graph(card.folder / "head.onnx")
        self._judge, self._view = judge, card.view

    def logit(self, pixels: torch.Tensor) -> torch.Tensor:
        """Of one picture (1, 3, height, width), 0 to 255."""
        features = self._encoder(self._seen(pixels).permute(0, 2, 3, 1))["features"].mean(dim=0, keepdim=True)
        head = self._head(features)
        return (head["logits"] * head["domain"]).sum()

    def _seen(self, pixels: torch.Tensor) -> torch.Tensor:
        height, width = pixels.shape[2:]
        across, down = factors((width, height), self._view)  # as `views.whole`: averaged first
        small = torch.nn.functional.avg_pool2d(pixels, (down, across), ceil_mode=True, count_include_pad=False)
        resized = torch.nn.functional.interpolate(small, (SIDE, SIDE), mode="bicubic", antialias=True)
        return resized.clamp(0, 255)

    def gap(self, image: Image.Image) -> float:
        """How far torch's logit is from that of ONNX Runtime."""
        theirs = self._judge.opinions([image], [measure(image)])[0].logit
        with torch.no_grad():
            return abs(float(self.logit(_tensor(image))) - theirs)

    def slope(self, pixels: torch.Tensor) -> torch.Tensor:
        """The sign of the gradient at `pixels`."""
        pixels = pixels.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(self.logit(pixels), pixels)
        return slope.sign()

    def stepped(self, image: Image.Image, slope: torch.Tensor, bound: float) -> Image.Image:
        """Every pixel moved by `bound` (of 255) along `slope`."""
        return _image(_tensor(image) + bound * slope)

    def iterated(self, image: Image.Image, bound: float, steps: int, *, up: bool) -> Image.Image:
        """Pixels moved by at most `bound` each, in so many steps, each along the gradient where it stands."""
        start = pixels = _tensor(image)
        for _ in range(steps):
            pixels = pixels + (2 if up else -2) * bound / steps * self.slope(pixels)
            pixels = torch.maximum(torch.minimum(pixels, start + bound), start - bound).clamp(0, 255)
        return _image(pixels)


def _image(pixels: torch.Tensor) -> Image.Image:
    return Image.fromarray(pixels[0].permute(1, 2, 0).clamp(0, 255).round().to(torch.uint8).numpy())


def _tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image, np.float32).copy()).permute(2, 0, 1)[None]


def attacks(
    image: Image.Image, other: Image.Image, steepest: Steepest, *, up: bool, steps: int, seed: int
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Each attack's name and the file that it makes. `other` is a picture of the other label."""
    rng = np.random.default_rng(seed)
    yield "none", lambda: png(image)
    for quality in (90, 70, 50, 30):
        yield f"JPEG quality {quality}", lambda quality=quality: jpeg(image, quality)
    for radius in (1, 2):
        yield f"Gaussian blur, {radius} px", lambda radius=radius: png(image.filter(ImageFilter.GaussianBlur(radius)))
    for deviation in (5, 10):
        yield f"white noise, {deviation}/255", lambda deviation=deviation: png(noise(image, rng, deviation))
    yield (
        "half size",
        lambda: png(image.resize((max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.LANCZOS)),
    )
    yield "sensor noise and mosaic, JPEG 92", lambda: jpeg(camera(image, rng), 92)
    for share in (0.1, 0.25):
        yield (
            f"patch of the other class, {share:.0%} of the area",
            lambda share=share: png(patched(image, other, share)),
        )
    slope = steepest.slope(_tensor(image)) * (1 if up else -1)
    for bound in (2, 4):
        yield f"gradient, one step, {bound}/255", lambda bound=bound: png(steepest.stepped(image, slope, bound))
    yield "gradient, one step, 4/255, then JPEG 80", lambda: jpeg(steepest.stepped(image, slope, 4), 80)
    if steps > 1 and seed % _SELDOM == 0:
        yield f"gradient, {steps} steps, 2/255", lambda: png(steepest.iterated(image, 2, steps, up=up))


def measured(
    card: ModelCard, folder: Path, pictures: Sequence[Picture], steps: int, rows: Path
) -> list[dict[str, object]]:
    """One row per picture and attack; appended to `rows` as they come."""
    judge = Classifier(card, threads=1)
    steepest = Steepest(card, judge)
    scanner = Scanner(signals=standard_signals(str(card.folder)), policy=TrustPolicy(lists=()))
    done = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
    known = {row["sha256"] for row in done}
    others = {label: [p for p in pictures if p.label != label] for label in FOLDERS}
    with rows.open("a", encoding="utf-8") as file:
        for number, picture in enumerate(pictures):
            image = opened(folder / picture.sha256)
            if picture.sha256 in known or image is None:
                continue
            turned = others[picture.label][number % len(pictures) :] + others[picture.label]
            other = next(filter(None, (opened(folder / candidate.sha256) for candidate in turned)))
            up = picture.label == "human"
            found = []
            gap = steepest.gap(image)
            for name, made in attacks(image, other, steepest, up=up, steps=steps, seed=number):
                opinion = _judged(judge, made())
                point = opinion.point.value if opinion.point else ""
                found.append({
                    "sha256": picture.sha256, "label": picture.label, "fitted": picture.fitted, "attack": name,
                    "logit": round(opinion.logit, 4), "point": point, "abstained": opinion.abstained is not None,
                    "gap": round(gap, 4),
                })  # fmt: skip
            if number % _SELDOM == 0:
                found += list(_whole_verdicts(scanner, image, picture, camera(image, np.random.default_rng(number))))
            done += found
            file.write("".join(json.dumps(row) + "\n" for row in found))
            file.flush()
            print(f"{number + 1} of {len(pictures)}", end="\r", file=sys.stderr)
    return done


def _whole_verdicts(
    scanner: Scanner, image: Image.Image, picture: Picture, noisy: Image.Image
) -> Iterator[dict[str, object]]:
    """What the whole scan says of a picture when a camera's metadata are written into it, and its noise over it."""
    for name, content in (
        ("JPEG 92", jpeg(image, 92)),
        ("JPEG 92 and a camera's EXIF", jpeg(image, 92, camera_exif())),
        ("sensor noise and mosaic, JPEG 92 and a camera's EXIF", jpeg(noisy, 92, camera_exif())),
    ):
        verdict = scanner.scan(Asset.from_bytes(content)).verdict
        yield {
            "sha256": picture.sha256, "label": picture.label, "fitted": picture.fitted, "scanned": name,
            "verdict": f"{verdict.origin.value}, {verdict.basis.word}",
        }  # fmt: skip


def _judged(judge: Classifier, content: bytes) -> Opinion:
    image = decode(Asset.from_bytes(content))
    return judge.opinions([image], [measure(image)])[0]


def summary(card: ModelCard, every: list[dict[str, object]]) -> dict[str, object]:
    """What of each label is flagged at each point under each attack, and how much the logit moved."""
    table = []
    rows = [row for row in every if "attack" in row]
    verdicts: dict[str, dict[str, Counter[str]]] = {}
    for row in every:
        if "scanned" in row:
            by_label = verdicts.setdefault(str(row["scanned"]), {label: Counter() for label in FOLDERS})
            by_label[str(row["label"])][str(row["verdict"])] += 1
    for attack in dict.fromkeys(row["attack"] for row in rows):
        line: dict[str, object] = {"attack": attack}
        for label in FOLDERS:
            these = [row for row in rows if row["attack"] == attack and row["label"] == label]
            before = {row["sha256"]: row for row in rows if row["attack"] == "none" and row["label"] == label}
            line[label] = {
                "pictures": len(these),
                "flagged": {point.value: sum(_passes(row, point) for row in these) for point in Point},
                "abstained": sum(bool(row["abstained"]) for row in these),
                "logit moved by, median": round(
                    float(np.median([row["logit"] - before[row["sha256"]]["logit"] for row in these])), 3
                ),
            }
        table.append(line)
    counts: dict[str, dict[str, int]] = {label: {} for label in FOLDERS}
    by_fitted: dict[str, dict[str, dict[str, list[int]]]] = {}
    for label in FOLDERS:
        for fitted in ("picture", "group", "neither"):
            these = [row for row in rows if row["label"] == label and row["fitted"] == fitted]
            if not these:
                continue
            counts[label][fitted] = sum(row["attack"] == "none" for row in these)
            for attack in ("none", "gradient, one step, 2/255", "gradient, one step, 4/255"):
                here = [row for row in these if row["attack"] == attack]
                by_fitted.setdefault(attack, {}).setdefault(label, {})[fitted] = [
                    sum(_passes(row, Point.BALANCED) for row in here), len(here),
                ]  # fmt: skip
    return {
        "schema": 1,
        "model": card.name,
        "version": card.version,
        "encoder": card.files["encoder.onnx"],
        "head": card.files["head.onnx"],
        "command": f"python benchmarks/adversarial.py models/{card.name} --pictures PICTURES",
        "fitted on": counts,
        "attacks": table,
        "verdicts of a whole scan": verdicts,
        "flagged at balanced, by what the model was fitted on": by_fitted,
        "largest difference of torch's logit from ONNX Runtime's": max(float(row["gap"]) for row in rows),
        "made": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _passes(row: dict[str, object], point: Point) -> bool:
    return bool(row["point"]) and list(Point).index(Point(str(row["point"]))) <= list(Point).index(point)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model folder")
    parser.add_argument("--pictures", type=Path, required=True, help="pictures, each named by its sha256")
    parser.add_argument("--number", type=int, default=200, help="of each label")
    parser.add_argument("--steps", type=int, default=10, help="of the iterated attack; 1: none")
    parser.add_argument("--output", type=Path, help="default: adversarial.json in the model's folder")
    given = parser.parse_args()
    card = read_card(given.model)
    output = given.output or given.model / "adversarial.json"
    weights = hashlib.sha256((given.model / "card.json").read_bytes()).hexdigest()[:12]
    rows = Path(f"{output}.{weights}.rows")
    pictures = chosen(card, given.pictures, given.number)
    random.Random(1).shuffle(pictures)  # an interrupted run has some of everything
    document = summary(card, measured(card, given.pictures, pictures, given.steps, rows))
    output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
