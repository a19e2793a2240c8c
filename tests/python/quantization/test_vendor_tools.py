"""Files that the vendor's current tools wrote."""

from __future__ import annotations

import numpy as np

from nerone.graph import Op
from nerone.quantization import load_vai_q
from nerone.quantization.executor import QuantizedExecutor
from paths import golden


def test_convolution_that_ends_in_a_softmax_stays_on_the_dpu():
    """vai_q stores the convolution's fix point with the softmax, as ``pre_activation_pos``."""
    model = load_vai_q(golden("vendor_tools", "vai_q_3.5.0_conv_softmax.h5"))
    assert model.fix_points == {"input_1": 5, "conv2d_relu": 4, "end": 4}
    assert set(model.float_nodes) == {"end_softmax"}
    assert model.graph["end_softmax"].op is Op.SOFTMAX
    images = np.random.default_rng(0).normal(0, 2, (3, 8, 8, 2)).astype(np.float32)
    scores, found = QuantizedExecutor(model, ["end", "end_softmax"])(images)
    np.testing.assert_array_equal(scores * 16, np.round(scores * 16))
    exact = np.exp(scores - scores.max(-1, keepdims=True))
    np.testing.assert_allclose(found, exact / exact.sum(-1, keepdims=True), atol=1e-6)
    assert np.abs(found * 8 - np.round(found * 8)).max() > 0.3  # no longer rounded to eighths
