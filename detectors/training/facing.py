"""From an index to faces: pictures laundered, faces found in what is left, each cropped, encoded and cached by picture.

Rules: a picture is laundered before anybody looks for a face, so that both classes lose the same; up to three faces of a picture
count, all in its group; features are kept, faces are not.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.detectors.card import View
from assay.detectors.classifier import Network
from assay.detectors.faces import NETWORKS, FaceFinder
from assay.detectors.quality import measure, of_part
from assay.detectors.training.examples import Example
from assay.detectors.training.laundering import launder
from assay.detectors.training.pipeline import Progress
from assay.detectors.training.protocol import Sample
from assay.detectors.training.viewing import UNDECODABLE, cache_mark, large_pictures, read_picture
from assay.detectors.views import whole
from assay.provenance.decoding import upright

MOST = 3  # faces of one picture that are trained on and measured


@large_pictures()
def extract_faces(
    examples: Sequence[Example],
    places: Mapping[str, Path],
    encoder: Path,
    folder: Path,
    work: Path,
    *,
    view: View,
    seed: int,
    progress: Progress = lambda _: None,
) -> Sample:
    """The faces of the examples as a sample, in their order, the largest of a picture first.

    `folder` holds the networks that find faces; what was found is kept below `work`.
    """
    finder = FaceFinder(*(folder / name for name in NETWORKS))
    network = Network(encoder, threads=1)
    cache = work / f"faces-{seed}-{view}-{cache_mark([*(folder / name for name in NETWORKS), encoder])}"
    cache.mkdir(parents=True, exist_ok=True)
    found: list[Example] = []
    buckets: list[str] = []
    features, covariates = [], []
    for number, example in enumerate(examples, 1):
        target = cache / f"{example.sha256}.npz"
        if not target.exists():
            partial = target.with_suffix(".partial.npz")
            kept = _faces(example, places[example.sha256], finder, network, view, seed)
            np.savez(partial, features=kept[0], covariates=kept[1], boxes=kept[2], buckets=kept[3])
            partial.rename(target)
        with np.load(target) as file:
            count = len(file["boxes"])
            if count:
                features.append(file["features"].astype(np.float32))
                covariates.append(file["covariates"])
                buckets += file["buckets"].tolist()
        found += [example] * count
        if number % 100 == 0:
            progress(f"{number} of {len(examples)} pictures, {len(found)} faces")
    return Sample(
        features=np.concatenate(features),
        examples=tuple(found),
        covariates=np.concatenate(covariates),
        buckets=tuple(buckets),
    )


def _faces(
    example: Example, place: Path, finder: FaceFinder, network: Network, view: View, seed: int
) -> tuple[NDArray[np.float16], NDArray[np.float32], NDArray[np.float32], NDArray[np.str_]]:
    """Features (n, width), covariates (n, 4), boxes (n, 4: left, top, right, bottom in shares of the laundered picture) and
    buckets (n,); nothing of what cannot be decoded."""
    features, covariates, boxes, buckets = [], [], [], []
    try:
        opened = Image.open(io.BytesIO(launder(read_picture(place, example), example.draws(seed))))
        picture, quality = upright(opened), measure(opened)
        faces = finder.faces(picture)[:MOST]
    except UNDECODABLE:
        faces = ()
    for face in faces:
        crop = face.crop(picture)
        part = of_part(quality, crop)
        features.append(network.run(whole(crop, view)[None], "features")[0][0])
        covariates.append(part.covariates())
        buckets.append(part.bucket.value)
        width, height = picture.size
        boxes.append((face.left / width, face.top / height, face.right / width, face.bottom / height))
    return (
        np.array(features, np.float16),
        np.array(covariates, np.float32).reshape(-1, 4),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(buckets, "<U10"),
    )
