"""How well stripped manifests are found again: recall under twelve launderings, false matches, milliseconds at a million.

    python benchmarks/recovery.py FOLDER --index CSV --work DIR --pictures 1000 --strangers 500 --distractors 100000

FOLDER holds pictures of any kind, each reduced to at most 1,024 pixels (distractors: 512, the size at which they are hashed)
before anything else, as a platform would have them.
They are put in an order by lot (the hash of a seed and the name), which DIR/pictures.txt keeps, so that a folder that grows
changes nothing: the first 1,200 are for choosing the threshold (`--choose` looks at nothing else), of the
rest `--pictures` are remembered and laundered in all twelve ways, `--strangers` are searched for in one of them without being
remembered, and all others are remembered as distractors: whole, and as eight places of half their sides each.

Collections repost: another version of a picture that is found is no false match. Which pictures are versions of one is
decided without the search that is measured: by the difference hash (64 bits) that the index files hold beside each SHA-256
(the file's name), and said apart. DIR keeps what was done; a second run goes on there.
"""

import argparse
import csv
import hashlib
import io
import json
import math
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFile, ImageOps

from assay.detectors.fingerprints.grounds import REGIONS, crop_views, cut, first_views, framed_views, ground
from assay.detectors.fingerprints.index import HammingIndex
from assay.detectors.fingerprints.pdq import LEAST_QUALITY, PDQ, pdq
from assay.detectors.fingerprints.searching import FRAMED, Match, Searcher, operating_point
from assay.provenance.custody.chain import BottomLine
from assay.provenance.repository import Fingerprint, Keepsake, Repository

CHOOSING = 1200
SEED = 11
EDGE = 1024  # pixels of the long side of every picture here
VERSION = 8  # bits of 64 in which the difference hashes of two versions of one picture may differ
SHARES = (0, 0.5, 1, 2, 5, 10, 50, 90, 95, 98, 99, 99.5, 100)
PLACES = [(x / 4, y / 4) for x, y in ((0, 0), (2, 0), (0, 2), (2, 2), (1, 1), (0, 1), (2, 1), (1, 0))]
Image.MAX_IMAGE_PIXELS = 250_000_000
ImageFile.LOAD_TRUNCATED_IMAGES = True


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--index", type=Path, nargs="*", default=[], help="CSV files with sha256, group and dhash")
    parser.add_argument("--work", type=Path, default=Path("recovery-benchmark"))
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--strangers", type=int, default=500)
    parser.add_argument("--distractors", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--choose", action="store_true", help="score what the threshold is chosen on, without a threshold"
    )
    parser.add_argument("--told", action="store_true", help="only tell what DIR holds so far; search nothing")
    parser.add_argument("--million", action="store_true", help="only measure the index")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.million:
        print(json.dumps(million(), indent=1))
        return
    paths = ordered(options.folder, options.work / "pictures.txt")
    paths = paths[:CHOOSING] if options.choose else paths[CHOOSING:]
    work = options.work / ("choosing" if options.choose else "reported")
    work.mkdir(parents=True, exist_ok=True)
    members = paths[: options.pictures]
    strangers = paths[options.pictures : options.pictures + options.strangers]
    others = paths[options.pictures + options.strangers :]
    known = remember(work / "repository.sqlite", members, others, options)
    rows = logged(work) if options.told else search(work, members, strangers, options)
    result = known | summary(rows, Versions(options.index), stems(work / "repository.sqlite"), options)
    print(json.dumps(result, indent=1, ensure_ascii=False), file=sys.stderr)
    print(table(result))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")


def ordered(folder: Path, listing: Path) -> list[Path]:
    """All pictures in the order of this run, which is written down at its first start."""
    if not listing.exists():
        names = (path.name for path in folder.iterdir() if path.is_file())
        lots = sorted(names, key=lambda name: hashlib.sha256(f"{SEED} {name}".encode()).digest())
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_text("".join(f"{name}\n" for name in lots), "utf-8")
    return [folder / name for name in listing.read_text("utf-8").splitlines()]


def opened(path: Path, edge: int = EDGE) -> Image.Image:
    with Image.open(path) as stored:
        stored.draft("RGB", (edge, edge))
        image = ImageOps.exif_transpose(stored).convert("RGB")
    image.thumbnail((edge, edge), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return image


def remember(database: Path, members: list[Path], others: list[Path], options: argparse.Namespace) -> dict[str, object]:
    """Fill the repository, or go on filling it. Says how many records it holds of what."""
    with Repository(database) as repository, Pool(options.processes) as pool:
        repository._base.execute("PRAGMA synchronous = OFF")  # of a repository that is thrown away
        there = {record.name for record in repository.records()}
        whole = [path for path in (*members, *others) if path.name not in there]
        for number, keepsakes in enumerate(pool.imap(kept, [(path, path in set(members)) for path in whole], 4)):
            if len(repository) >= options.distractors + len(members):
                pool.terminate()
                break
            for one in keepsakes:
                repository.keep(one)
            if number % 500 == 0:
                print(f"{time.strftime('%H:%M:%S')} {len(repository):,} records", file=sys.stderr, flush=True)
        names = [record.name for record in repository.records()]
        found = {name for (name,) in repository._base.execute(
            "SELECT name FROM record WHERE id IN (SELECT record FROM fingerprint)")}  # fmt: skip
    own = {path.name for path in members}
    return {
        "records": len(names),
        "remembered pictures": len(own),
        "of these with too little in them to match": len(own - found),
        "whole distractors": sum("#" not in name for name in names) - len(own),
        "distractors that are places of these": sum("#" in name for name in names),
    }


def kept(task: tuple[Path, bool]) -> list[Keepsake]:
    """What is remembered of one picture, and unless it is a member of eight places of it. None of what cannot be opened."""
    path, member = task
    try:
        image = opened(path) if member else opened(path, EDGE // 2)
    except (OSError, ValueError, Image.DecompressionBombError):
        return []
    found = [keepsake(path.name, image)]
    if not member:
        for number, (x, y) in enumerate(PLACES):
            box = (x * image.width, y * image.height, (x + 0.5) * image.width, (y + 0.5) * image.height)
            found.append(keepsake(f"{path.name}#{number}", image.crop(tuple(map(round, box)))))
    return found


def keepsake(name: str, image: Image.Image) -> Keepsake:
    """What `assay repository add` keeps of a picture, but for the manifest and the ISCC, by which no copy is searched."""
    small = image.copy()
    small.thumbnail((256, 256), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=70)
    picture = ground(image)
    hashed = {region: pdq(cut(picture, box)) for region, box in REGIONS.items()}
    return Keepsake(
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
        fingerprints=tuple(
            Fingerprint(PDQ, region, value) for region, (value, quality) in hashed.items() if quality >= LEAST_QUALITY
        ),
    )


def logged(work: Path) -> list[dict[str, Any]]:
    """What was searched for before."""
    log = work / "searches.jsonl"
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.exists() else []


def search(work: Path, members: list[Path], strangers: list[Path], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Search for every copy that was not searched for before; all rows."""
    log = work / "searches.jsonl"
    rows = logged(work)
    done = {row["picture"] for row in rows}
    mixed = [(path, path in set(members)) for path in (*members, *strangers) if path.name not in done]
    random.Random(SEED + 2).shuffle(mixed)
    mixed.sort(key=lambda one: one[1])  # strangers first: what takes little time and matters most
    tasks = [(work / "repository.sqlite", path, member, options.choose) for path, member in mixed]
    with log.open("a", encoding="utf-8") as file, Pool(options.processes) as pool:
        for number, fresh in enumerate(pool.imap_unordered(searched, tasks)):
            file.write("".join(json.dumps(row) + "\n" for row in fresh))
            file.flush()
            rows += fresh
            if number % 50 == 0:
                print(f"{time.strftime('%H:%M:%S')} {number} of {len(tasks)} pictures", file=sys.stderr, flush=True)
    return rows


@cache
def searcher(database: Path, choose: bool) -> Searcher:
    point = operating_point()
    return Searcher(Repository(database, reading=True), point=replace(point, agreement=-1.0) if choose else point)


def searched(task: tuple[Path, Path, bool, bool]) -> list[dict[str, Any]]:
    """One picture after all launderings, or a stranger after one of them: what was found, and in how many milliseconds."""
    database, path, member, choose = task
    chance = random.Random(f"{SEED} {path.name}")
    try:
        image = opened(path)
    except (OSError, ValueError, Image.DecompressionBombError):
        return []
    rows = []
    for name in LAUNDERINGS if member else [chance.choice(list(LAUNDERINGS))]:
        copy = LAUNDERINGS[name](image, chance)
        start = time.process_time()
        found = all_groups(searcher(database, True), copy) if choose else searcher(database, False).search(copy)
        spent = time.process_time() - start
        matches = [(match.record.name, match.distance, round(match.agreement, 4)) for match in found]
        rows.append({"picture": path.name, "member": member, "laundering": name, "found": matches, "ms": 1e3 * spent})
    return rows


def all_groups(searcher: Searcher, copy: Image.Image) -> list[Match]:
    """What the groups of guesses find without a threshold; a search tries cut edges and frames only where nothing else fits."""
    picture = ground(copy)
    found = searcher._try(picture, first_views(picture)) + searcher._try(picture, crop_views())
    found += searcher._try(picture, framed_views(picture), within=FRAMED)
    return sorted(found, key=lambda match: -match.agreement)


def stems(database: Path) -> set[str]:
    """The pictures that are in the repository, whole or in places."""
    with Repository(database, reading=True) as repository:
        return {_stem(record.name) for record in repository.records()}


class Versions:
    """Which pictures are versions of one, by the difference hashes of the index files."""

    def __init__(self, indexes: list[Path]) -> None:
        self.hashes: dict[str, int] = {}
        self.groups: dict[str, str] = {}
        for path in indexes:
            with path.open(encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    self.hashes[row["sha256"]] = int(row["dhash"], 16)
                    self.groups[row["sha256"]] = row["group"]

    def alike(self, one: str, other: str) -> bool:
        first, second = self.hashes.get(_stem(one)), self.hashes.get(_stem(other))
        return first is not None and second is not None and (first ^ second).bit_count() <= VERSION

    def among(self, one: str, others: set[str]) -> bool:
        """Whether some version of a picture is among the others."""
        return any(self.alike(one, other) for other in others if _stem(other) != _stem(one))

    def one_group(self, one: str, other: str) -> bool:
        return self.groups.get(_stem(one), one) == self.groups.get(_stem(other), other)


def _stem(name: str) -> str:
    return name.partition("#")[0].partition(".")[0]


def summary(
    rows: list[dict[str, Any]], versions: Versions, remembered: set[str], options: argparse.Namespace
) -> dict[str, object]:
    """Counts and names. A find is the picture itself, a version of it, or false."""
    table = {name: {"searches": 0, "found first": 0, "found": 0, "false": 0} for name in LAUNDERINGS}
    alone = {"searches": 0, "found": 0, "with a version remembered": 0, "of these found": 0}
    false, scores = [], {"copies": [], "false": []}  # type: ignore[var-annotated]
    lost = []
    for row in rows:
        picture, found = row["picture"], row["found"]
        own = [agreement for name, _, agreement in found if _stem(name) == _stem(picture)]
        wrong = [
            (name, distance, agreement)
            for name, distance, agreement in found
            if _stem(name) != _stem(picture) and not versions.alike(name, picture)
        ]
        scores["false"].append(max((agreement for *_, agreement in wrong), default=-1.0))
        false += [
            {"picture": picture, "as": name, "laundering": row["laundering"], "distance": distance,
             "agreement": agreement, "one group": versions.one_group(picture, name), "member": row["member"]}
            for name, distance, agreement in wrong
        ]  # fmt: skip
        if row["member"]:
            counts = table[row["laundering"]]
            counts["searches"] += 1
            counts["found"] += bool(own)
            counts["found first"] += bool(own) and (found[0][0] == picture or versions.alike(found[0][0], picture))
            counts["false"] += bool(wrong)
            scores["copies"].append(max(own, default=-1.0))
            if not own:
                lost.append(f"{picture} ({row['laundering']})")
        elif versions.among(picture, remembered):
            alone["with a version remembered"] += 1
            alone["of these found"] += bool(found)
        else:
            alone["searches"] += 1
            alone["found"] += bool(wrong)
    times = [row["ms"] for row in rows]
    result: dict[str, object] = {
        "launderings": table,
        "strangers": alone,
        "false pairs": len({(one["picture"], one["as"]) for one in false}),
        "milliseconds of processor time": {"median": float(np.median(times)), "p95": float(np.percentile(times, 95))},
    }
    if options.choose:
        for name, values in scores.items():
            result[f"agreement of {name}"] = {
                str(share): round(float(value), 3)
                for share, value in zip(SHARES, np.percentile(values, SHARES), strict=True)
            }
        false = [one for one in false if one["agreement"] > 0.4]
    return result | {"false matches": sorted(false, key=lambda one: -one["agreement"])[:200], "lost": lost[:100]}


def table(result: dict[str, Any]) -> str:
    """The launderings as a table in Markdown, worst first, with 95 % intervals; and the strangers."""
    lines = [
        "| laundering | pictures | the original found | 95 % interval | found first | another found besides | 95 % interval |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    counted = sorted(result["launderings"].items(), key=lambda one: one[1]["found"] / max(1, one[1]["searches"]))
    every = {key: sum(counts[key] for _, counts in counted) for key in counted[0][1]}
    for name, counts in [*counted, ("**all**", every)]:
        trials = max(1, counts["searches"])
        cells = [name, str(counts["searches"])]
        cells += [f"{counts['found']} ({counts['found'] / trials:.1%})", _interval(counts["found"], trials)]
        cells += [f"{counts['found first']} ({counts['found first'] / trials:.1%})"]
        cells += [f"{counts['false']} ({counts['false'] / trials:.1%})", _interval(counts["false"], trials)]
        lines.append(f"| {' | '.join(cells)} |")
    alone = result["strangers"]
    hits, trials = alone["found"], max(1, alone["searches"])
    lines.append(f"\nStrangers: {hits} of {alone['searches']} found something, {_interval(hits, trials)}; {alone}")
    low, high = wilson(hits, trials)
    lines.append(f'operating_point.json: "hits": {hits}, "trials": {trials}, "low": {low:.6f}, "high": {high:.6f}')
    spent = result["milliseconds of processor time"]
    lines.append(f"Processor time: median {spent['median']:.0f} ms, 95 % {spent['p95']:.0f} ms")
    return "\n".join(lines)


def _interval(hits: int, trials: int) -> str:
    low, high = wilson(hits, trials)
    return f"{low:.1%} to {high:.1%}"


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927)."""
    z, share = 1.959964, hits / trials
    centre, spread = share + z * z / (2 * trials), z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    return (max(0.0, (centre - spread) / (1 + z * z / trials)), min(1.0, (centre + spread) / (1 + z * z / trials)))


def million(count: int = 1_000_000) -> dict[str, float]:
    """A repository of a million records in SQLite, without their manifests and pictures: seconds, milliseconds, megabytes.

    Every record has two random fingerprints. A search for a strange copy asks for all its guesses, about 120.
    """
    chance = np.random.default_rng(SEED)
    guesses = len(first_views(ground(Image.new("RGB", (640, 480))))) + len(crop_views())
    with tempfile.TemporaryDirectory() as folder, Repository(Path(folder) / "repository.sqlite") as repository:
        start = time.process_time()
        base = repository._base
        base.execute("BEGIN")
        facts = "(sha256, kept, name, media_type, width, height, manifest, signer, bottom_line, thumbnail, store)"
        base.executemany(
            f"INSERT INTO record {facts} VALUES (?, '', '', '', 0, 0, ?, '', 'valid', '', '')",
            ((f"{number:064x}", f"urn:c2pa:{number}") for number in range(count)),
        )
        for region in REGIONS:
            content = chance.bytes(32 * count)
            base.executemany(
                "INSERT INTO fingerprint VALUES (?, ?, ?, ?)",
                ((at + 1, PDQ, region, content[32 * at : 32 * at + 32]) for at in range(count)),
            )
        base.execute("COMMIT")
        made = time.process_time() - start
        start = time.process_time()
        indexes = {region: HammingIndex(repository, PDQ, region) for region in REGIONS}
        for index in indexes.values():
            index.nearest([bytes(32)], within=31, most=1)
        built = time.process_time() - start
        before = _resident()
        mapped = {region: HammingIndex(repository, PDQ, region) for region in REGIONS}
        one, all_of_them = [], []
        for _ in range(10):
            start = time.process_time()
            mapped["whole"].nearest([chance.bytes(32)], within=94, most=12)
            one.append(time.process_time() - start)
        for _ in range(3):
            start = time.process_time()
            mapped["core"].nearest([chance.bytes(32) for _ in range(guesses)], within=94, most=12)
            all_of_them.append(time.process_time() - start)
        return {
            "records": count,
            "filling the database, s": made,
            "building both indexes, s": built,
            "database, MB": repository.path.stat().st_size / 1e6,
            "index files, MB": sum(path.stat().st_size for path in repository.index_folder.iterdir()) / 1e6,
            "resident after searching, MB": _resident() - before,
            "one fingerprint, ms": 1e3 * float(np.median(one)),
            f"{guesses} fingerprints, ms": 1e3 * float(np.median(all_of_them)),
        }


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    main()
