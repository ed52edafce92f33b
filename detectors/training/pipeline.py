"""From an index to a sample: pictures laundered, viewed, encoded; every step cached, so that a stopped run goes on."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from assay.detectors.card import VIEW
from assay.detectors.classifier import Network
from assay.detectors.training.examples import Example, read_index, read_own_index
from assay.detectors.training.laundering import Cell
from assay.detectors.training.protocol import Sample
from assay.detectors.training.viewing import SHARD, large_pictures, read_views, write_views

Progress = Callable[[str], None]
_BATCH = 4
_FORMATS = ("", "JPEG", "PNG", "WEBP", "GIF", "AVIF", "MPO", "TIFF", "BMP")


def examples_with_pictures(indexes: Sequence[Path], folder: Path | None) -> tuple[list[Example], dict[str, Path]]:
    """Rows whose picture is at hand, and where. With `folder`, pictures are named by their sha256 there; without, the index
    has a column `path`, relative to itself."""
    if folder is None:
        examples: list[Example] = []
        places: dict[str, Path] = {}
        for index in indexes:
            for example, path in read_own_index(index):
                if example.sha256 not in places:
                    places[example.sha256] = path
                    examples.append(example)
        return examples, places
    examples = [example for example in read_index(*indexes) if (folder / example.sha256).exists()]
    return examples, {example.sha256: folder / example.sha256 for example in examples}


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
    seed: int,
    cell: Cell | None = None,
    progress: Progress = lambda _: None,
) -> Sample:
    """Launder, view and encode, as many shards at a time as there are cores; what is done is kept below `work`."""
    from joblib import Parallel, delayed

    name = hashlib.sha256("".join(example.sha256 for example in examples).encode()).hexdigest()[:12]
    folder = work / f"{cell.name if cell else f'draw-{seed}'}-{VIEW}-{name}"  # another view is another cache
    mark = hashlib.sha256(encoder.read_bytes()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    tasks = []
    for start in range(0, len(examples), SHARD):
        shard = examples[start : start + SHARD]
        near = {example.sha256: places[example.sha256] for example in shard}
        tasks.append(delayed(_extract)(shard, near, encoder, folder / f"{start // SHARD:05d}.npz", mark, seed, cell))
    done = 0
    for count in Parallel(n_jobs=-1 if len(tasks) > 1 else 1, return_as="generator_unordered")(tasks):
        done += count
        progress(f"{done} of {len(examples)} pictures")
    return read_sample(examples, folder, mark)


def _extract(
    examples: Sequence[Example],
    places: Mapping[str, Path],
    encoder: Path,
    target: Path,
    mark: str,
    seed: int,
    cell: Cell | None,
) -> int:
    """One shard: views at `target`, features beside them under the encoder's `mark`; gives the number of pictures."""
    write_views(examples, places, target, seed=seed, cell=cell)
    features = target.with_suffix(f".{mark}.npy")
    if not features.exists():
        pixels = read_views(target).whole
        network = _network(encoder)
        parts = [network.run(pixels[i : i + _BATCH], "features")[0] for i in range(0, len(pixels), _BATCH)]
        partial = features.with_suffix(".partial.npy")
        np.save(partial, np.concatenate(parts).astype(np.float16))
        partial.rename(features)
    return len(examples)


@lru_cache(maxsize=1)
def _network(encoder: Path) -> Network:
    return Network(encoder, threads=1)


def read_sample(examples: Sequence[Example], folder: Path, mark: str) -> Sample:
    """Read what `extract` kept in `folder` for the encoder of `mark`."""
    by_hash = {example.sha256: example for example in examples}
    features, covariates = [], []
    found: list[Example] = []
    buckets: list[str] = []
    for path in sorted(folder.glob(f"?????.{mark}.npy")):
        shard = read_views(folder / f"{path.name.split('.')[0]}.npz")
        features.append(np.load(path).astype(np.float32))
        found += [by_hash[digest] for digest in shard.sha256]
        covariates.append(shard.covariates)
        buckets += shard.buckets
    return Sample(
        features=np.concatenate(features),
        examples=tuple(found),
        covariates=np.concatenate(covariates),
        buckets=tuple(buckets),
    )
