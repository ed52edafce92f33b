"""How well stripped manifests are found again: recall under twelve launderings, false matches, milliseconds at a million.

    python benchmarks/recovery.py FOLDER --pictures 1000 --distractors 100000 --minutes 120 --out recovery.json

FOLDER holds pictures of any kind. They are shuffled with a fixed seed: the first 50 are for choosing the threshold
(`--choose` looks at nothing else), the next `--pictures` are remembered and laundered, the next `--strangers` are searched for
without being remembered, the rest are remembered as distractors. Further distractors are made of them: two pictures, cut,
turned and blended. What the time did not suffice for is not counted; the answer says how much was done.
"""

import argparse
import io
import json
import math
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from assay.detectors.fingerprints.grounds import TURNS, ground
from assay.detectors.fingerprints.index import HammingIndex
from assay.detectors.fingerprints.searching import Searcher, fingerprints, operating_point
from assay.provenance.custody.chain import BottomLine
from assay.provenance.repository import Keepsake, Repository

CHOOSING = 50
SEED = 11


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    return _coded(image, "JPEG", quality)


def _coded(image: Image.Image, form: str, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, form, quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def resized(image: Image.Image, factor: float) -> Image.Image:
    size = max(32, round(image.width * factor)), max(32, round(image.height * factor))
    return jpeg(image.resize(size, Image.Resampling.BICUBIC), 80)


def cropped(image: Image.Image, share: float, chance: random.Random) -> Image.Image:
    """`share` of the width and of the height is cut off, divided at random between the two edges; then JPEG 75."""
    x, y = chance.random() * share, chance.random() * share
    width, height = image.size
    box = (round(x * width), round(y * height), round((1 - share + x) * width), round((1 - share + y) * height))
    return jpeg(image.crop(box), 75)


def screenshot(image: Image.Image, chance: random.Random) -> Image.Image:
    """The picture shown at another size on a page with margins, a dark bar and lines of writing; not compressed."""
    width, margin, head = chance.randint(700, 1200), chance.randint(20, 120), 100
    shown = image.resize((width - 2 * margin, round(image.height * (width - 2 * margin) / image.width)))
    page = Image.new("RGB", (width, shown.height + head + chance.randint(60, 200)), (chance.randint(228, 255),) * 3)
    page.paste(shown, (margin, head))
    pen = ImageDraw.Draw(page)
    pen.rectangle((0, 0, width, 50), fill=(60, 60, 80))
    for i in range(30):
        pen.rectangle((margin + i * 20, 65, margin + i * 20 + 12, 80), fill=(20, 20, 20))
        pen.rectangle(
            (margin + i * 16, shown.height + head + 15, margin + i * 16 + 9, shown.height + head + 25),
            fill=(90, 90, 90),
        )
    return page


def recoloured(image: Image.Image, chance: random.Random) -> Image.Image:
    """Gamma 0.7 to 1.4, each channel times 0.85 to 1.15; then JPEG 80."""
    light = (np.asarray(image, np.float32) / 255) ** chance.uniform(0.7, 1.4)
    light *= np.array([chance.uniform(0.85, 1.15) for _ in range(3)], np.float32)
    return jpeg(Image.fromarray((light.clip(0, 1) * 255).astype(np.uint8)), 80)


def captioned(image: Image.Image, chance: random.Random) -> Image.Image:
    """A white bar of 8 to 20 % of the height with writing, above or below; then JPEG 80."""
    bar = max(8, round(image.height * chance.uniform(0.08, 0.2)))
    above = chance.random() < 0.5
    whole = Image.new("RGB", (image.width, image.height + bar), "white")
    whole.paste(image, (0, bar if above else 0))
    pen, top = ImageDraw.Draw(whole), (0 if above else image.height)
    for _ in range(40):
        x = chance.random() * image.width
        pen.rectangle((x, top + bar * 0.3, x + image.width * 0.01, top + bar * 0.7), fill="black")
    return jpeg(whole, 80)


Laundering = Callable[[Image.Image, random.Random], Image.Image]
LAUNDERINGS: dict[str, Laundering] = {
    "JPEG 90": lambda image, _: jpeg(image, 90),
    "JPEG 70": lambda image, _: jpeg(image, 70),
    "JPEG 50": lambda image, _: jpeg(image, 50),
    "WebP 60": lambda image, _: _coded(image, "WEBP", 60),
    "half the size": lambda image, _: resized(image, 0.5),
    "a quarter of the size": lambda image, _: resized(image, 0.25),
    "5 % cropped": lambda image, chance: cropped(image, 0.05, chance),
    "10 % cropped": lambda image, chance: cropped(image, 0.10, chance),
    "15 % cropped": lambda image, chance: cropped(image, 0.15, chance),
    "screenshot": screenshot,
    "colour shift": recoloured,
    "caption bar": captioned,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--strangers", type=int, default=500)
    parser.add_argument("--distractors", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=120, help="of searching")
    parser.add_argument("--choose", action="store_true", help="the least agreement of copies, the most of strangers")
    parser.add_argument("--million", action="store_true", help="only measure the index")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.million:
        print(json.dumps(million()))
        return
    paths = sorted(path for path in options.folder.iterdir() if path.is_file())
    random.Random(SEED).shuffle(paths)
    if options.choose:
        paths = paths[:CHOOSING]
        options.pictures, options.strangers, options.distractors = CHOOSING // 2, CHOOSING // 4, 500
    else:
        paths = paths[CHOOSING:]
        random.Random(SEED + 2).shuffle(paths)
    with tempfile.TemporaryDirectory() as folder, Repository(Path(folder) / "repository.sqlite") as repository:
        result = measure(paths, repository, options)
    print(json.dumps(result, indent=1, ensure_ascii=False))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")


def measure(paths: list[Path], repository: Repository, options: argparse.Namespace) -> dict[str, object]:
    repository._base.execute("PRAGMA synchronous = OFF")  # of a repository that is thrown away
    members = paths[: options.pictures]
    strangers = paths[options.pictures : options.pictures + options.strangers]
    rest = paths[options.pictures + options.strangers :]
    unfit = [path.name for path in members if not keep(repository, path.name, opened(path))]
    for path in rest[: options.distractors]:
        keep(repository, path.name, opened(path))
    real = len(repository) - len(members)
    made = make_distractors(repository, rest or paths, max(0, options.distractors - real))
    print(f"{len(repository):,} records", file=sys.stderr)
    point = operating_point()
    searcher = Searcher(repository, point=replace(point, agreement=-1.0 if options.choose else point.agreement))
    chance = random.Random(SEED)
    counts = {name: [0, 0, 0] for name in LAUNDERINGS}  # searches, found first, another one found
    agreements: dict[str, list[float]] = {"copies": [], "strangers": []}
    lost: list[str] = []
    alone = [0, 0]
    times: list[float] = []
    names: list[str] = []
    until = time.monotonic() + options.minutes * 60
    tasks: list[tuple[Path, str]] = []
    turns = math.ceil(max(len(members), len(strangers)))
    for at in range(turns):
        if at < len(strangers):
            tasks.append((strangers[at], ""))
        if at < len(members):
            tasks += [(members[at], name) for name in LAUNDERINGS]
    for path, name in tasks:
        if time.monotonic() > until:
            break
        image = opened(path)
        laundering = LAUNDERINGS[name or chance.choice(list(LAUNDERINGS))]
        copy = laundering(image, chance)
        start = time.perf_counter()
        found = searcher.search(copy)
        times.append(time.perf_counter() - start)
        others = [match for match in found if match.record.name != path.name]
        if not name:
            alone[0] += 1
            alone[1] += bool(found)
            names += [f"{path.name} as {match.record.name} ({match.agreement:.2f})" for match in found[:1]]
            agreements["strangers"] += [max((match.agreement for match in others), default=0.0)]
            continue
        agreements["copies"] += [match.agreement for match in found if match.record.name == path.name]
        agreements["strangers"] += [max((match.agreement for match in others), default=0.0)]
        counts[name][0] += 1
        counts[name][1] += bool(found) and found[0].record.name == path.name
        counts[name][2] += bool(others)
        if not found:
            lost.append(f"{path.name} ({name})")
    result: dict[str, object] = {
        "records": len(repository),
        "remembered pictures": len(members),
        "of these with too little in them to match": len(unfit),
        "real distractors": real,
        "made distractors": made,
        "launderings": {name: {"searches": a, "found": b, "another found": c} for name, (a, b, c) in counts.items()},
        "strangers": {"searches": alone[0], "found": alone[1], "which": names},
        "milliseconds": {"median": 1e3 * float(np.median(times)), "p95": 1e3 * float(np.percentile(times, 95))},
        "lost": lost[:60],
    }
    if options.choose:
        result["agreement"] = {
            name: [round(float(value), 3) for value in np.percentile(values, [0, 1, 5, 50, 95, 99, 100])]
            for name, values in agreements.items()
        }
    return result


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def keep(repository: Repository, name: str, image: Image.Image, *, edge: int = 256) -> bool:
    """Remember a picture as `assay repository add` does, but for the manifest. Whether it can be matched."""
    small = image.copy()
    small.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=70)
    prints = fingerprints(image)
    repository.keep(
        Keepsake(
            sha256=name,
            name=name,
            media_type="image/jpeg",
            width=image.width,
            height=image.height,
            manifest=name,
            signer="",
            bottom_line=BottomLine.VALID,
            store=b"",
            thumbnail=buffer.getvalue(),
            fingerprints=prints,
        )
    )
    return bool(prints)


def make_distractors(repository: Repository, paths: list[Path], count: int) -> int:
    """Pictures made of two real ones: each cut to 50 to 90 %, turned, and blended half and half at 128 pixels."""
    chance = random.Random(SEED + 1)
    stock = [ground(opened(path)).resize((192, 192)) for path in chance.sample(paths, min(len(paths), 400))]
    for number in range(count):
        one, other = (_piece(picture, chance) for picture in chance.sample(stock, 2))
        keep(repository, f"made-{number}", Image.blend(one, other, chance.uniform(0.35, 0.65)).convert("RGB"), edge=96)
    return count


def _piece(picture: Image.Image, chance: random.Random) -> Image.Image:
    side = picture.width * chance.uniform(0.5, 0.9)
    left, top = chance.random() * (picture.width - side), chance.random() * (picture.height - side)
    piece = picture.resize((128, 128), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
    turn = chance.choice(TURNS)
    return piece if turn is None else piece.transpose(turn)


class _Million:
    """What the index needs of a repository: a million random fingerprints."""

    forgettings = 0
    reading = False

    def __init__(self, folder: Path) -> None:
        self.index_folder = folder
        content = np.random.default_rng(SEED).bytes(32 * 1_000_000)
        self._values = [(number + 1, content[32 * number : 32 * number + 32]) for number in range(1_000_000)]

    def values(self, algorithm: str, region: str, *, after: int = 0) -> list[tuple[int, bytes]]:
        return self._values[after:]


def million() -> dict[str, float]:
    """Milliseconds for one fingerprint against a million, from the mapped file; seconds to build it."""
    with tempfile.TemporaryDirectory() as folder:
        stock = _Million(Path(folder))
        start = time.perf_counter()
        HammingIndex(stock, "pdq", "whole").nearest([bytes(32)], within=31, most=1)  # type: ignore[arg-type]
        built = time.perf_counter() - start
        index = HammingIndex(stock, "pdq", "whole")  # type: ignore[arg-type]
        index.nearest([bytes(32)], within=31, most=1)
        times = []
        for number in range(40):
            start = time.perf_counter()
            index.nearest([stock._values[number][1]], within=94, most=12)
            times.append(time.perf_counter() - start)
    return {"built s": built, "median ms": 1e3 * float(np.median(times)), "best ms": 1e3 * min(times)}


if __name__ == "__main__":
    main()
