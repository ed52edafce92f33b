"""What assay's own invisible mark survives, how it looks in decibels, and how often it is read where none is.

    python benchmarks/marks.py FOLDER [--photos 300] [--unmarked N] [--words N]

FOLDER holds `pack.csv` (file, label, source …) and `images/`, or only pictures (then they count as of any label). Marked are JPEG pictures labelled "real" with sides of at least 400
pixels, in the order of their hashes; a payload counts only bit for bit. `--unmarked`: pictures of all labels searched for a
mark that is not there. `--words`: soft words taken at random positions and scales of unmarked pictures and given to the
decoder without asking for the fixed pattern first, to count how often a checksum holds by chance.
"""

import argparse
import csv
import hashlib
import io
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from assay.detectors.watermarks import spread
from assay.detectors.watermarks.convolution import decoded_bits

SCALES = (1.0, *(1 - step / 200 for step in range(1, 46)))  # those at which a mark is looked for
WORDS_EACH = 500  # at each of two scales of a picture

Attack = Callable[[Image.Image, np.random.Generator], Image.Image]


def names(folder: Path, *, real: bool) -> list[str]:
    if not (folder / "pack.csv").is_file():
        found = [path.name for path in folder.iterdir() if path.is_file()]
        return sorted(found, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    with (folder / "pack.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if not real or row["label"] == "real"]
    return sorted((row["file"] for row in rows), key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def path_of(folder: Path, name: str) -> Path:
    return folder / "images" / name if (folder / "images").is_dir() else folder / name


def jpeg(quality: int) -> Attack:
    def apply(image: Image.Image, random: np.random.Generator) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer)

    return apply


def resize(factor: float) -> Attack:
    def apply(image: Image.Image, random: np.random.Generator) -> Image.Image:
        return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)

    return apply


def crop(kept: float) -> Attack:
    def apply(image: Image.Image, random: np.random.Generator) -> Image.Image:
        width, height = int(image.width * kept), int(image.height * kept)
        across, down = (int(random.integers(0, room + 1)) for room in (image.width - width, image.height - height))
        return image.crop((across, down, across + width, down + height))

    return apply


def both(first: Attack, second: Attack) -> Attack:
    return lambda image, random: second(first(image, random), random)


ATTACKS: dict[str, Attack] = {
    "nothing": lambda image, random: image,
    "JPEG 75": jpeg(75),
    "JPEG 50": jpeg(50),
    "resize 0.5": resize(0.5),
    "resize 0.75": resize(0.75),
    "resize 1.25": resize(1.25),
    "resize 1.5": resize(1.5),
    "crop to 0.9 of the sides": crop(0.9),
    "crop to 0.9, JPEG 75": both(crop(0.9), jpeg(75)),
    "resize 0.5, JPEG 75": both(resize(0.5), jpeg(75)),
}


def robustness(folder: Path, photos: int) -> None:
    random = np.random.default_rng(1)
    read: dict[str, int] = defaultdict(int)
    seconds: dict[str, float] = defaultdict(float)
    wrong = number = 0
    decibels = []
    for name in names(folder, real=True):
        stored = Image.open(path_of(folder, name))
        if stored.format != "JPEG" or min(stored.size) < 400:
            continue
        image, payload = stored.convert("RGB"), random.bytes(spread.PAYLOAD)
        start = time.process_time()
        marked = spread.embed(image, payload)
        seconds["embedding"] += time.process_time() - start
        error = np.asarray(marked, float) - np.asarray(image, float)
        decibels.append(10 * np.log10(255**2 / (error**2).mean()))
        for attack, apply in ATTACKS.items():
            copy = apply(marked, random)
            start = time.process_time()
            decoded = spread.detect(copy)
            seconds[attack] += time.process_time() - start
            read[attack] += decoded is not None and decoded.payload == payload
            wrong += decoded is not None and decoded.payload != payload
        number += 1
        print(f"\r{number}", end="", file=sys.stderr, flush=True)
        if number == photos:
            break
    print(
        f"{number} photos, PSNR mean {np.mean(decibels):.2f}, least {np.min(decibels):.2f} dB, {wrong} wrong payloads"
    )
    print(f"embedding {seconds['embedding'] / number * 1000:.0f} ms of processor time")
    for attack in ATTACKS:
        share, spent = read[attack] / number, seconds[attack] / number
        print(f"  {attack:26} {share:6.1%} ({read[attack]}) {spent * 1000:.0f} ms")


def learned(folder: Path, networks: Path, photos: int) -> None:
    """The same photos, reduced to 512 pixels, marked by assay and by RivaGAN: what is read after the same attacks.

    RivaGAN has 32 bits and no checksum: counted are all bits right, at least 30 of a payload that is known, and the share of
    right bits. `networks` holds the two ONNX files of the package invisible-watermark.
    """
    import onnxruntime

    files = [networks / f"rivagan_{part}.onnx" for part in ("encoder", "decoder")]
    once = onnxruntime.SessionOptions()
    once.intra_op_num_threads = once.inter_op_num_threads = 1
    encoder, decoder = (onnxruntime.InferenceSession(path, once, providers=["CPUExecutionProvider"]) for path in files)
    random = np.random.default_rng(3)
    read: dict[str, list[float]] = defaultdict(lambda: [0.0] * 6)
    decibels: list[tuple[float, float]] = []
    embedding = [0.0, 0.0]
    for name in names(folder, real=True):
        stored = Image.open(path_of(folder, name))
        if stored.format != "JPEG" or min(stored.size) < 400:
            continue
        image, payload = stored.convert("RGB"), random.bytes(spread.PAYLOAD)
        image.thumbnail((512, 512))
        bits = random.integers(0, 2, 32).astype(np.float32)
        start = time.process_time()
        ours = spread.embed(image, payload)
        between = time.process_time()
        frame = (np.asarray(image, np.float32)[..., ::-1] / 127.5 - 1).transpose(2, 0, 1)[None, :, None]
        (made,) = encoder.run(None, {"frame": np.ascontiguousarray(frame), "data": bits[None]})
        embedding = [embedding[0] + between - start, embedding[1] + time.process_time() - between]
        pixels = ((made[0, :, 0].clip(-1, 1).transpose(1, 2, 0) + 1) * 127.5).astype(np.uint8)[..., ::-1]
        theirs = Image.fromarray(np.ascontiguousarray(pixels))
        decibels.append((_psnr(image, ours), _psnr(image, theirs)))
        for attack, apply in ATTACKS.items():
            state = random.bit_generator.state
            copy = apply(ours, random)
            random.bit_generator.state = state  # the same cut for both
            other = apply(theirs, random).convert("RGB")
            start = time.process_time()
            decoded = spread.detect(copy)
            between = time.process_time()
            frame = (np.asarray(other, np.float32)[..., ::-1] / 127.5 - 1).transpose(2, 0, 1)[None, :, None]
            (soft,) = decoder.run(None, {"frame": np.ascontiguousarray(frame)})
            end = time.process_time()
            matched = int(((soft[0] > 0.52) == (bits > 0)).sum())
            right = decoded is not None and decoded.payload == payload
            gained = (right, matched == 32, matched >= 30, matched / 32, between - start, end - between)
            read[attack] = [old + new for old, new in zip(read[attack], gained, strict=True)]
        print(f"\r{len(decibels)}", end="", file=sys.stderr, flush=True)
        if len(decibels) == photos:
            break
    number = len(decibels)
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f"{number} photos; RivaGAN's networks have {size:.2f} MB; first assay, then RivaGAN:")
    print(f"PSNR mean {np.mean(decibels, axis=0).round(2)}, least {np.min(decibels, axis=0).round(2)} dB")
    print(f"embedding {[round(1e3 * spent / number) for spent in embedding]} ms of processor time")
    for attack, (right, all_bits, most, share, one, other_one) in read.items():
        print(
            f"  {attack:26} {right / number:6.1%} ({right:.0f}) {1e3 * one / number:.0f} ms | all bits "
            f"{all_bits / number:6.1%} ({all_bits:.0f}), at least 30 {most / number:6.1%} ({most:.0f}), "
            f"bits right {share / number:6.1%}, {1e3 * other_one / number:.0f} ms"
        )


def _psnr(image: Image.Image, other: Image.Image) -> float:
    return float(10 * np.log10(255**2 / ((np.asarray(image, float) - np.asarray(other, float)) ** 2).mean()))


def unmarked(folder: Path, limit: int) -> None:
    searched = found = looked = most = 0
    start = time.process_time()
    for name in names(folder, real=False)[:limit]:
        image = Image.open(path_of(folder, name))
        if min(image.size) >= spread.SMALLEST:
            grey = image.convert("RGB").convert("L")
            words = [word for scale in SCALES for word in spread._looks(grey, scale)]
            searched, looked, most = searched + 1, looked + len(words), max(most, len(words))
            found += any(spread._read(word) for word in words)
    spent = (time.process_time() - start) / max(searched, 1)
    print(f"{searched} unmarked pictures, {found} marks read, {spent * 1000:.0f} ms each")
    print(f"words looked at where the pattern shows by chance: {looked} in all, {most} in one picture at most")


def words(folder: Path, limit: int) -> None:
    """Count checksums that hold by chance; also their first bits, which must hold half as often with each bit more."""
    random = np.random.default_rng(2)
    tried = pictures = 0
    held = np.zeros(33, np.int64)  # how many words agree in at least so many first bits
    for name in names(folder, real=False):
        try:
            image = Image.open(path_of(folder, name))
            image.draft("L", (512, 512))
            grey = image.convert("RGB").convert("L")
        except (OSError, ValueError, Image.DecompressionBombError):
            continue
        if min(grey.size) < spread.SMALLEST:
            continue
        for scale in random.choice(SCALES, 2, replace=False):
            soft = spread.words_at(grey, random.uniform(0, 128, (WORDS_EACH, 2)), scale=scale)
            for row in decoded_bits(soft):
                held[: 33 - spread.compared(row)[1].bit_length()] += 1
            tried += WORDS_EACH
        pictures += 1
        if pictures % 200 == 0 or tried >= limit:
            print(f"{tried:,} words of {pictures:,} unmarked pictures, {held[32]} checksums held", flush=True)
        if tried >= limit:
            break
    print("first bits that held: " + ", ".join(f"{bits}: {count:,}" for bits, count in enumerate(held) if count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--unmarked", type=int, default=0)
    parser.add_argument("--words", type=int, default=0)
    parser.add_argument(
        "--learned", type=Path, metavar="FOLDER", help="with rivagan_encoder.onnx and rivagan_decoder.onnx"
    )
    options = parser.parse_args()
    if options.learned:
        learned(options.folder, options.learned, options.photos)
    elif options.photos:
        robustness(options.folder, options.photos)
    if options.unmarked:
        unmarked(options.folder, options.unmarked)
    if options.words:
        words(options.folder, options.words)


if __name__ == "__main__":
    main()
