"""The head as a graph says what the fitted coefficients say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay.detectors.classifier import Network
from assay.detectors.training.examples import Domain, Example, Label
from assay.detectors.training.head import DOMAINS, Head, balanced_weights, fit, write_head

WIDTH = 40


def examples(count: int) -> list[Example]:
    return [
        Example(
            sha256=f"{index:064x}",
            label=Label.GENERATED if index % 2 else Label.HUMAN,
            generator="flux-1" if index % 2 else "",
            source=f"s{index % 14}",
            group=f"s{index % 14}",
            domain=tuple(Domain)[index % 3],
            licence="",
        )
        for index in range(count)
    ]


@pytest.fixture(scope="module")
def fitted() -> tuple[Head, np.ndarray, list[Example]]:
    rows = examples(280)
    features = np.random.default_rng(0).normal(3, 5, (len(rows), WIDTH)).astype(np.float32)
    features[:, 0] += [8.0 * (row.label is Label.GENERATED) for row in rows]
    columns = np.array([index for index in range(WIDTH) if index != 7])
    return fit(features, rows, columns=columns, strength=0.1), features, rows


def test_the_graph_says_what_the_coefficients_say(
    fitted: tuple[Head, np.ndarray, list[Example]], tmp_path: Path
) -> None:
    pytest.importorskip("onnx")
    head, features, _ = fitted
    write_head(head, WIDTH, tmp_path / "head.onnx")
    network = Network(tmp_path / "head.onnx", threads=1)
    logits, domain, novelty = network.run(features, "logits", "domain", "novelty")
    np.testing.assert_allclose(logits, head.logits(features), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(domain, head.domain(features), atol=1e-5)
    np.testing.assert_allclose(novelty, head.novelty(features), rtol=1e-3)
    assert domain.shape == (len(features), len(DOMAINS))
    np.testing.assert_allclose(domain.sum(axis=1), 1, atol=1e-5)


def test_the_head_finds_what_tells_the_classes_and_reads_no_other_column(
    fitted: tuple[Head, np.ndarray, list[Example]],
) -> None:
    head, features, rows = fitted
    generated = np.array([row.label is Label.GENERATED for row in rows])
    assert head.logit(features)[generated].mean() > head.logit(features)[~generated].mean() + 0.5
    changed = features.copy()
    changed[:, 7] = 1e6
    np.testing.assert_array_equal(head.logit(changed), head.logit(features))
    far = features + np.float32(100)
    assert np.median(head.novelty(far)) > 5 * np.median(head.novelty(features))


def test_a_source_weighs_as_the_root_of_its_size_and_both_classes_alike() -> None:
    human, generated = examples(2)
    sizes = {"large": 16, "small": 4}
    rows = [replace(human, source=name, group=name) for name, count in sizes.items() for _ in range(count)]
    rows += [generated] * 10
    weights = balanced_weights(rows)
    large, small, made = weights[:16], weights[16:20], weights[20:]
    assert large.sum() == pytest.approx(2 * small.sum())
    assert large.sum() + small.sum() == pytest.approx(made.sum())
