from __future__ import annotations

import numpy as np
import pytest

from nerone.zoo.losses import focal_tversky


def reference(truth: np.ndarray, p: np.ndarray, w: np.ndarray, alpha: float, beta: float, gamma: float) -> float:
    total = 0.0
    for c in range(p.shape[-1]):
        g = (truth == c).astype(np.float64)
        both = (p[..., c] * g).sum()
        index = (both + 1) / (both + alpha * (p[..., c] * (1 - g)).sum() + beta * ((1 - p[..., c]) * g).sum() + 1)
        total += w[c] * (1 - index) ** gamma
    return total / w.sum()


def test_value_is_the_formula() -> None:
    rng = np.random.default_rng(4)
    p = rng.dirichlet(np.ones(3), (2, 5, 6))
    truth = rng.integers(0, 3, (2, 5, 6)).astype(np.uint8)
    weights = np.array([0.2, 1.0, 3.0])
    ours = float(focal_tversky(weights.tolist())(truth, p.astype(np.float32)))
    assert ours == pytest.approx(reference(truth, p, weights, 0.3, 0.7, 0.75), rel=1e-4)


def test_perfect_is_near_zero_and_wrong_is_near_one() -> None:
    truth = np.zeros((1, 8, 8), np.uint8)
    truth[0, :4] = 1
    hot = np.eye(2, dtype=np.float32)[truth]
    assert float(focal_tversky([1, 1])(truth, hot)) < 1e-3
    assert float(focal_tversky([1, 1])(truth, 1 - hot)) > 0.9
