"""Signing throughput and added bytes, beside c2pa-python called directly for the same work.

Both sides sign in memory with the same key and manifest, hash the picture before and after, read the result back and check
its state; ours also looks for an upstream manifest, parses the new store with its own reader and writes its log. The two
alternate, and processor time is what is measured, so that a busy machine does not decide; the ratio is the median over the
pairs.

    python benchmarks/signing.py [--pairs 60]
"""

import argparse
import hashlib
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import c2pa
from PIL import Image

SIZES = {"1 MP": (1155, 866), "12 MP": (4000, 3000)}


def photo(size: tuple[int, int]) -> bytes:
    """A JPEG with about the entropy of a photograph: gradients and noise."""
    noise = Image.effect_noise(size, 24)
    gradient = Image.linear_gradient("L").resize(size)
    picture = Image.merge("RGB", (noise, Image.blend(noise, gradient, 0.5), gradient))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def timed(work: Callable[[], int]) -> tuple[float, int]:
    start = time.process_time()
    size = work()
    return (time.process_time() - start) * 1000, size


def compare(content: bytes, pairs: int) -> dict[str, float]:
    from assay.provenance import _c2pa
    from assay.provenance.asset import Asset
    from assay.provenance.signing import KeySigner, Recipe, SoftwareAgent, open_signer, sign
    from assay.provenance.signing.definition import manifest_definition
    from assay.provenance.trust.development import development_anchor

    signer = open_signer("dev:")
    assert isinstance(signer, KeySigner)
    recipe = Recipe.generated(SoftwareAgent("example-model", "1.0"), title="photo.jpg")
    anchor = development_anchor()
    settings = {
        "trust": {
            "trust_config": "\n".join(_c2pa.ACCEPTED_EKUS) + "\n",
            "anchors": [{"trust_anchors": anchor, "trust_kind": "manifest", "trust_uri": "urn:benchmark"}],
        },
        "verify": {"remote_manifest_fetch": False, "verify_after_sign": False},  # both sides verify once, afterwards
        "builder": {"thumbnail": {"enabled": False}},
    }
    context = c2pa.Context.from_dict(settings)
    key = signer.key_pem
    definition = manifest_definition(recipe)

    def directly() -> int:
        hashlib.sha256(content).hexdigest()
        sdk_signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", signer.chain.encode(), key, None))
        target = io.BytesIO()
        with c2pa.Builder(definition, context=context) as builder:
            builder.sign(sdk_signer, "image/jpeg", io.BytesIO(content), target)
        signed = target.getvalue()
        hashlib.sha256(signed).hexdigest()
        with c2pa.Reader("image/jpeg", io.BytesIO(signed), context=context) as reader:
            json.loads(reader.json())
            assert reader.get_validation_state() == "Trusted"
        return len(signed)

    def with_assay() -> int:
        return len(sign(Asset.from_bytes(content, name="photo.jpg"), recipe, signer).asset.content)

    for warm_up in (directly, with_assay):
        warm_up()
    ours, theirs, ratios = [], [], []
    size_ours = size_theirs = 0
    for _ in range(pairs):
        a, size_theirs = timed(directly)
        b, size_ours = timed(with_assay)
        theirs.append(a)
        ours.append(b)
        ratios.append(b / a)
    return {
        "picture": len(content),
        "direct_ms": statistics.median(theirs),
        "assay_ms": statistics.median(ours),
        "direct_best_ms": min(theirs),
        "assay_best_ms": min(ours),
        "ratio": statistics.median(ratios),
        "ratio_best": min(ours) / min(theirs),
        "added_direct": size_theirs - len(content),
        "added_assay": size_ours - len(content),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=60)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ASSAY_HOME"] = str(Path(folder) / "home")
        print(
            "| picture | bytes | c2pa-python | assay | ratio (median of pairs) | ratio of the best | added bytes (direct / assay) |"
        )
        print("|---|---|---|---|---|---|---|")
        for name, size in SIZES.items():
            row = compare(photo(size), pairs)
            print(
                f"| {name} | {row['picture']:,.0f} | {row['direct_ms']:.1f} ms (best {row['direct_best_ms']:.1f}) | "
                f"{row['assay_ms']:.1f} ms (best {row['assay_best_ms']:.1f}) | {row['ratio']:.2f} | "
                f"{row['ratio_best']:.2f} | {row['added_direct']:,.0f} / {row['added_assay']:,.0f} |"
            )


if __name__ == "__main__":
    main()
