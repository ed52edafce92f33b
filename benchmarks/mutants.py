"""Signed files, damaged by the thousand: none may be trusted that should not be, and none may end the process.

Every seed is signed by a throw-away authority that the policy trusts. A mutant that is still *trusted* is compared with its
seed: the decoded picture, the claim and every assertion must be the same to the byte. Where the damage lay is counted, for
some bytes are outside what a signature covers by design (COSE padding and unprotected header, lengths of outer boxes).

    python benchmarks/mutants.py [--number 3000] [--seed 1]
"""

import argparse
import collections
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import custody_assets as made

from assay.provenance.asset import Asset
from assay.provenance.custody.chain import BottomLine
from assay.provenance.custody.verifying import verify
from assay.provenance.decoding import decode
from assay.provenance.errors import AssayError
from assay.provenance.jumbf.boxes import boxes, superbox
from assay.provenance.jumbf.containers import embedded_stores
from assay.provenance.jumbf.store import StoreUnreadable, parse_store
from assay.provenance.trust import TrustPolicy

FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "TIFF": "image/tiff", "GIF": "image/gif",
           "AVIF": "image/avif"}  # fmt: skip


def seeds(authority: made.Credential) -> dict[str, bytes]:
    """One signed file of each format, and one edit with its parent as an ingredient."""
    signer = made.leaf(authority)
    found = {}
    for fmt, media_type in FORMATS.items():
        plain = made.encoded(made.picture((64, 48)), fmt)
        found[fmt] = made.sign(plain, made.created(made.CAPTURED), signer, media_type=media_type).content
    parent = made.parent(found["JPEG"])
    found["JPEG edited"] = made.sign(
        made.encoded(made.picture((64, 48), shape="#aa3355")), made.opened(), signer, ingredients=(parent,)
    ).content
    return found


def flip(rng: random.Random, content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]


def overwrite(rng: random.Random, content: bytes, at: int) -> bytes:
    size = rng.choice((1, 2, 4, 16, 64))
    return content[:at] + rng.randbytes(min(size, len(content) - at)) + content[at + size :]


def length(rng: random.Random, content: bytes, at: int) -> bytes:
    value = rng.choice((0, 1, 7, 8, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, len(content)))
    return content[:at] + (value & 0xFFFFFFFF).to_bytes(4, "big") + content[at + 4 :]


def delete(rng: random.Random, content: bytes, at: int) -> bytes:
    return content[:at] + content[at + rng.choice((1, 2, 8, 64, 512)) :]


def insert(rng: random.Random, content: bytes, at: int) -> bytes:
    return content[:at] + rng.randbytes(rng.choice((1, 4, 64))) + content[at:]


def repeat(rng: random.Random, content: bytes, at: int) -> bytes:
    size = rng.choice((8, 64, 512, 4096))
    return content[: at + size] + content[at : at + size] + content[at + size :]


def move(rng: random.Random, content: bytes, at: int) -> bytes:
    size, to = rng.choice((8, 64, 512)), rng.randrange(len(content))
    rest = content[:at] + content[at + size :]
    return rest[:to] + content[at : at + size] + rest[to:]


def truncate(rng: random.Random, content: bytes, at: int) -> bytes:
    return content[:at]


def append(rng: random.Random, content: bytes, at: int) -> bytes:
    return content + content[at : at + 4096]


MUTATORS: tuple[Callable[[random.Random, bytes, int], bytes], ...] = (
    flip, overwrite, length, delete, insert, repeat, move, truncate, append,
)  # fmt: skip


def swap_stores(seeds: dict[str, bytes]) -> list[tuple[str, bytes]]:
    """Each file's store put into another file of the same length of store, byte for byte."""
    found = []
    stores = {name: embedded_stores(content, Asset.from_bytes(content).media_type) for name, content in seeds.items()}
    for name, content in seeds.items():
        for other, (store, *_) in stores.items():
            own = stores[name][0].store
            if other != name and len(store.store) <= len(own):
                padded = store.store + bytes(len(own) - len(store.store))
                found.append((f"{name} with the store of {other}", content.replace(own, padded)))
    return found


def signed_parts(content: bytes) -> tuple[object, object] | None:
    """What a reader is told: the picture and, of every manifest, claim and assertions."""
    asset = Asset.from_bytes(content)
    try:
        image = decode(asset)
        picture: object = (image.mode, image.size, image.convert("RGBA").tobytes())
    except AssayError:
        picture = "undecodable"
    try:
        store = parse_store(embedded_stores(content, asset.media_type)[-1].store)
    except (IndexError, StoreUnreadable):
        return None
    said = [
        (m.label, m.claim, [(a.label, [a.buffer[b.start : b.end] for b in a.boxes]) for a in m.assertions])
        for m in store.manifests
    ]
    return (picture, said)


def same(mutant: tuple[object, object] | None, seed: tuple[object, object] | None) -> bool:
    """Whether a reader of the mutant is told what the seed tells; a picture that no longer decodes tells nothing."""
    return mutant is not None and seed is not None and mutant[1] == seed[1] and mutant[0] in (seed[0], "undecodable")


def place(content: bytes, at: int) -> str:
    """Where in a signed file a byte lies: in which box of the store, or outside it."""
    for found in embedded_stores(content, Asset.from_bytes(content).media_type):
        inside = (
            _sub_blocks(content)
            if content.startswith(b"GIF")
            else range(start := content.find(found.store), start + len(found.store))
        )
        if at in inside:
            return _within(found.store, inside.index(at))
    return "beside the store: lengths, checksums and headers of what carries it"


def _sub_blocks(content: bytes) -> list[int]:
    """Where the bytes of a GIF's store lie: in blocks of up to 255, each after its length."""
    places: list[int] = []
    at = content.index(b"C2PA_GIF") + 11
    while size := content[at]:
        places += range(at + 1, at + 1 + size)
        at += 1 + size
    return places


def _within(store: bytes, at: int) -> str:
    path, start, end = [], 0, len(store)
    while box := next((box for box in boxes(store, start, end) if box.offset <= at < box.end), None):
        described = superbox(store, box)
        label = described.label.split(":")[0] if described else box.kind.decode("latin-1")
        path.append(label)
        if at < box.start:
            return "/".join(path) + " header"
        if not described:
            break
        start, end = box.start, box.end
    return "/".join(path)


def main() -> None:
    """Make the mutants, verify each, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    authority = made.authority()
    policy = TrustPolicy(lists=(made.trust_list(authority),))
    whole = seeds(authority)
    parts = {name: signed_parts(content) for name, content in whole.items()}
    for name, content in whole.items():
        line = verify(Asset.from_bytes(content), policy).bottom_line
        assert line is BottomLine.TRUSTED, f"the seed {name} is {line}"
    lines: collections.Counter[str] = collections.Counter()
    harmless: collections.Counter[str] = collections.Counter()
    places: collections.Counter[str] = collections.Counter()
    wrong: list[dict[str, object]] = []
    slowest = 0.0
    started = time.process_time()
    swapped = swap_stores(whole)
    for number in range(arguments.number):
        if number < len(swapped):
            name, mutant = swapped[number]
            where, how = "the whole store", "swap"
            if mutant in whole.values():  # a store in parts, which is not found as one run of bytes
                lines["unchanged"] += 1
                continue
        else:
            name = rng.choice(list(whole))
            content = whole[name]
            mutator, at = rng.choice(MUTATORS), rng.randrange(len(content))
            mutant, where, how = mutator(rng, content, at), place(content, at), mutator.__name__
            if mutant == content:
                lines["unchanged"] += 1
                continue
        began = time.process_time()
        try:
            asset = Asset.from_bytes(mutant)
        except AssayError as error:
            lines[type(error).__name__] += 1
            continue
        line = verify(asset, policy).bottom_line
        slowest = max(slowest, time.process_time() - began)
        lines[line.value] += 1
        if line is BottomLine.TRUSTED:
            if how != "swap" and same(signed_parts(mutant), parts[name]):
                harmless[f"{name}: {how} in {where}"] += 1
                places[where] += 1
            else:
                wrong.append({"number": number, "seed": name, "how": how, "where": where})
    print(
        json.dumps(
            {
                "mutants": arguments.number,
                "outcomes": dict(lines.most_common()),
                "trusted, and rightly: the signed picture and statements are unchanged": dict(harmless.most_common()),
                "the same by place alone": dict(places.most_common()),
                "trusted, and wrongly": wrong,
                "processor seconds": round(time.process_time() - started, 1),
                "slowest verification, processor seconds": round(slowest, 3),
            },
            indent=1,
        )
    )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
