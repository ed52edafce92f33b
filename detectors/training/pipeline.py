"""From an index to a sample: pictures laundered, viewed, encoded; each is kept, so that a stopped run goes on where it was."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from assay.detectors.card import View
from assay.detectors.classifier import Network
from assay.detectors.training.examples import Example, read_index, read_own_index
from assay.detectors.training.laundering import Cell
from assay.detectors.training.protocol import Sample
from assay.detectors.training.viewing import UNDECODABLE, cache_mark, large_pictures, look, read_picture
from assay.provenance.text import plain

Progress = Callable[[str], None]
_BATCH = 4
_TASK = 100  # pictures that one process is given at a time
_NAMED = 10  # pictures that a sentence names
_FORMATS = ("", "JPEG", "PNG", "WEBP", "GIF", "AVIF", "MPO", "TIFF", "BMP")


def examples_with_pictures(indexes: Sequence[Path], folder: Path | None) -> tuple[list[Example], dict[str, Path]]:
    """Rows whose picture is at hand, and where. With `folder`, pictures are named by their sha256 there; without, the index
    has a column `path`, relative to itself. Raises `ValueError`, also where one picture has two labels."""
    if folder is None:
        known: dict[str, Example] = {}
        places: dict[str, Path] = {}
        for index in indexes:
            for example, path in read_own_index(index):
                first = places.setdefault(example.sha256, path)
                label = known.setdefault(example.sha256, example).label
                if label is not example.label:
                    raise ValueError(f"{index}: {path} is {example.label}, and {first}, the same picture, is {label}")
        return list(known.values()), places
    examples = [example for example in read_index(*indexes) if (folder / example.sha256).exists()]
    return examples, {example.sha256: folder / example.sha256 for example in examples}


@large_pictures()
def with_hashes(examples: Sequence[Example], places: Mapping[str, Path]) -> list[Example]:
    """The examples with the difference hash of their pictures, as most of the shipped indexes state it; it is empty where a
    picture cannot be decoded."""
    return [replace(example, dhash=_difference_hash(example, places[example.sha256])) for example in examples]


def _difference_hash(example: Example, place: Path) -> str:
    """For each of 9 × 8 grey pixels whether it is brighter than its right neighbour: 64 bits in hexadecimal."""
    try:
        picture = read_picture(place, example).convert(
            "RGBA"
        )  # Pillow warns of palettes with transparency that become grey
        grey = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BILINEAR))
    except UNDECODABLE:
        return ""
    return np.packbits(grey[:, :-1] > grey[:, 1:]).tobytes().hex()


def undecodable(places: Sequence[Path], count: int) -> str:
    """A sentence on those of `count` pictures that cannot be decoded."""
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    named = ", ".join(plain(place.name) for place in places[:_NAMED])
    return f"{len(places)} of {count} pictures cannot be decoded and are left out: {named}{more}."


@large_pictures()
def originals(places: Sequence[Path]) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """What the untouched files tell without a pixel, for a control: (n, 5), width, height, area, bytes, format."""
    rows = []
    for place in places:
        with Image.open(place) as image:
            width, height = image.size
            rows.append(
                (
                    width,
                    height,
                    width * height,
                    place.stat().st_size,
                    _FORMATS.index(image.format) if image.format in _FORMATS else 0,
                )
            )
    return np.array(rows, np.float64)


def extract(
    examples: Sequence[Example],
    places: Mapping[str, Path],
    encoder: Path,
    work: Path,
    *,
    view: View,
    seed: int,
    cell: Cell | None = None,
    progress: Progress = lambda _: None,
) -> Sample:
    """Launder, view and encode, as many pictures at a time as there are cores; each is kept below `work`, so that the same picture
    is never encoded twice for the same draw, whatever else an index names. Raises `ValueError` where none can be decoded."""
    from joblib import Parallel, delayed

    folder = work / f"{cell.name if cell else f'draw-{seed}'}-{view}-{cache_mark([encoder])}"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [example for example in examples if not _kept(folder, example).exists()]
    tasks = []
    for start in range(0, len(missing), _TASK):
        some = missing[start : start + _TASK]
        near = {example.sha256: places[example.sha256] for example in some}
        tasks.append(delayed(_encode)(some, near, encoder, folder, view, seed, cell))
    done = len(examples) - len(missing)
    for count in Parallel(n_jobs=-1 if len(tasks) > 1 else 1, return_as="generator_unordered")(tasks):
        done += count
        progress(f"{done} of {len(examples)} pictures")
    return _read(examples, folder)


def _encode(
    examples: Sequence[Example],
    places: Mapping[str, Path],
    encoder: Path,
    folder: Path,
    view: View,
    seed: int,
    cell: Cell | None,
) -> int:
    """Keep what the encoder sees in each example that can be decoded; gives the number of examples."""
    network = _network(encoder)
    for start in range(0, len(examples), _BATCH):
        looks = [
            (example, seen)
            for example in examples[start : start + _BATCH]
            if (seen := look(example, places[example.sha256], view, seed=seed, cell=cell))
        ]
        if not looks:
            continue
        (features,) = network.run(np.stack([seen.pixels for _, seen in looks]), "features")
        for (example, seen), row in zip(looks, features.astype(np.float16), strict=True):
            target = _kept(folder, example)
            partial = target.with_suffix(".partial")
            with partial.open("wb") as file:
                np.savez(
                    file, features=row, covariates=np.array(seen.covariates, np.float32), bucket=np.array(seen.bucket)
                )
            partial.rename(target)
    return len(examples)


@lru_cache(maxsize=1)
def _network(encoder: Path) -> Network:
    return Network(encoder, threads=1)


def _kept(folder: Path, example: Example) -> Path:
    return folder / f"{example.sha256}.npz"


def _read(examples: Sequence[Example], folder: Path) -> Sample:
    """Read what `_encode` kept."""
    features, covariates, buckets = [], [], []
    found = [example for example in examples if _kept(folder, example).exists()]
    if not found:
        raise ValueError(f"none of {len(examples)} pictures can be decoded")
    for example in found:
        with np.load(_kept(folder, example)) as file:
            features.append(file["features"].astype(np.float32))
            covariates.append(file["covariates"])
            buckets.append(str(file["bucket"]))
    return Sample(
        features=np.stack(features), examples=tuple(found), covariates=np.stack(covariates), buckets=tuple(buckets)
    )
