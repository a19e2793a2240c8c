"""The ops of CPU subgraphs against numpy, each in a model of its own."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nerone import Model
from nerone.errors import ModelError
from paths import golden
from runtime.xmodels import data_fix, data_float, fixed, op, real, subgraph, write

Array = NDArray[Any]
SEED = 20240611
CONV = {"pad_mode": "FLOOR", "dilation": [1, 1]}


def _constant(name: str, value: Array) -> dict[str, Any]:
    shape = list(value.shape)
    return op(
        name, "const", real(value.shape), shape=shape, data_type="FLOAT32", data=value.astype(np.float32).tobytes()
    )


def run_op(
    folder: Path, kind: str, x: Array, output: tuple[int, ...], constants: dict[str, Array] | None = None, **attrs: Any
) -> Array:
    """One op on float32, whose other inputs are constants by role ("input" appends to the data)."""
    inputs: dict[str, list[str]] = {"input": ["x"]}
    ops = [data_float("x", x.shape)]
    for role, value in (constants or {}).items():
        ops.append(_constant(f"c_{role}", value))
        inputs.setdefault(role, []).append(f"c_{role}")
    ops.append(op("y", kind, real(output), inputs, **attrs))
    names = [item["name"] for item in ops[1:]]
    path = write(folder / "op.xmodel", ops, [subgraph("in", "USER", ["x"]), subgraph("cpu", "CPU", names)])
    return Model.load(path).run(x.astype(np.float32))


@pytest.fixture
def values() -> Array:
    print(f"seed {SEED}")
    return np.random.default_rng(SEED).normal(scale=4, size=(2, 3, 4, 5)).astype(np.float32)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


UNARY = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "sigmoid": _sigmoid,
    "swish": lambda x: x * _sigmoid(x),
    "tanh": np.tanh,
    "hard-sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "hard-swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "hard-tanh": lambda x: np.clip(x, -1, 1),
    "exp": np.exp,
    "neg": np.negative,
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "identity": lambda x: x,
}


@pytest.mark.parametrize("kind", sorted(UNARY))
def test_one_value(tmp_path: Path, values: Array, kind: str) -> None:
    expected = UNARY[kind](values.astype(np.float64))
    np.testing.assert_allclose(run_op(tmp_path, kind, values, values.shape), expected, rtol=1e-6, atol=1e-7)


def test_leaky_relu(tmp_path: Path, values: Array) -> None:
    expected = np.where(values < 0, values * np.float32(0.1), values)
    np.testing.assert_array_equal(run_op(tmp_path, "leaky-relu", values, values.shape, alpha=0.1), expected)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (5,), (1, 3, 1, 5), (1,)])
@pytest.mark.parametrize(
    ("kind", "function"), [("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("div", np.divide)]
)
def test_two_values_broadcast(tmp_path: Path, values: Array, kind: str, function: Any, shape: tuple[int, ...]) -> None:
    other = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    found = run_op(tmp_path, kind, values, values.shape, {"input": other})
    np.testing.assert_array_equal(found, function(values, other))


@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_softmax(tmp_path: Path, values: Array, axis: int) -> None:
    scores = (values * 100).astype(np.float64)
    exponents = np.exp(scores - scores.max(axis, keepdims=True))
    found = run_op(tmp_path, "softmax", values * 100, values.shape, axis=axis)
    np.testing.assert_allclose(found, exponents / exponents.sum(axis, keepdims=True), rtol=1e-4, atol=1e-7)


def test_argmax_takes_the_first_maximum(tmp_path: Path) -> None:
    x = np.random.default_rng(2).integers(0, 3, (1, 4, 5, 6)).astype(np.float32)
    ops = [data_float("x", x.shape), op("y", "argmax", real((1, 4, 5), "INT32"), ["x"], axis=-1)]
    path = write(tmp_path / "op.xmodel", ops, [subgraph("in", "USER", ["x"]), subgraph("cpu", "CPU", ["y"])])
    np.testing.assert_array_equal(Model.load(path).run(x), x.argmax(-1))


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("axes", [[1, 2], [-1], [0, 1, 2, 3]])
@pytest.mark.parametrize(("kind", "function"), [("mean", np.mean), ("max", np.max), ("sum", np.sum)])
def test_reductions(tmp_path: Path, values: Array, kind: str, function: Any, axes: list[int], keep: bool) -> None:
    expected = np.asarray(function(values.astype(np.float64), axis=tuple(axes), keepdims=keep))
    shape = expected.shape or (1,)
    found = run_op(tmp_path, f"reduction_{kind}", values, shape, axis=axes, keep_dims=keep)
    np.testing.assert_allclose(found, expected.reshape(shape), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("order", [[0, 3, 1, 2], [3, 2, 1, 0], [0, 1, 2, 3]])
def test_transpose(tmp_path: Path, values: Array, order: list[int]) -> None:
    expected = values.transpose(order)
    np.testing.assert_array_equal(run_op(tmp_path, "transpose", values, expected.shape, order=order), expected)


def test_reshapes(tmp_path: Path, values: Array) -> None:
    np.testing.assert_array_equal(run_op(tmp_path, "reshape", values, (2, 60), shape=[2, 60]), values.reshape(2, 60))
    flat = run_op(tmp_path, "flatten", values, (2, 60), start_axis=1, end_axis=3)
    np.testing.assert_array_equal(flat, values.reshape(2, 60))
    one = values[:, :1]
    np.testing.assert_array_equal(run_op(tmp_path, "squeeze", one, (2, 4, 5), axis=[1]), one[:, 0])


SLICES = [([0, 1, 0, 2], [2, 3, 4, 5], [1, 1, 2, 1]), ([0, 0, 0, 0], [2, 3, 4, 5], [1, 2, 3, 4])]


@pytest.mark.parametrize(("begin", "end", "strides"), SLICES)
def test_strided_slice(tmp_path: Path, values: Array, begin: list[int], end: list[int], strides: list[int]) -> None:
    expected = values[tuple(slice(*part) for part in zip(begin, end, strides, strict=True))]
    found = run_op(tmp_path, "strided_slice", values, expected.shape, begin=begin, end=end, strides=strides)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("axis", [0, 1, 3, -2])
def test_concat(tmp_path: Path, values: Array, axis: int) -> None:
    shape = list(values.shape)
    shape[axis] = 2
    other = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    expected = np.concatenate([values, other], axis)
    positive = axis % 4
    np.testing.assert_array_equal(
        run_op(tmp_path, "concat", values, expected.shape, {"input": other}, axis=positive), expected
    )


@pytest.mark.parametrize(
    ("mode", "numpy_mode"), [("CONSTANT", "constant"), ("REFLECT", "reflect"), ("SYMMETRIC", "symmetric")]
)
def test_pad(tmp_path: Path, values: Array, mode: str, numpy_mode: str) -> None:
    expected = np.pad(values, ((0, 0), (1, 2), (2, 0), (0, 0)), mode=numpy_mode)
    paddings = [0, 0, 1, 2, 2, 0, 0, 0]
    found = run_op(tmp_path, "pad", values, expected.shape, paddings=paddings, mode=mode, constant_values=[0.0] * 8)
    np.testing.assert_array_equal(found, expected)


def _window(
    x: Array, kernel: tuple[int, int], stride: tuple[int, int], pad: list[int], fill: float
) -> tuple[Array, tuple[int, int]]:
    """Windows (N, oh, ow, kh, kw, C); kernel and stride are (h, w), pad is {left, right, top, bottom}."""
    padded = np.pad(x, ((0, 0), (pad[2], pad[3]), (pad[0], pad[1]), (0, 0)), constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1]].transpose(0, 1, 2, 4, 5, 3)
    return windows, (windows.shape[1], windows.shape[2])


CASES = [((3, 2), (1, 1), [0, 0, 0, 0]), ((2, 3), (2, 1), [1, 0, 0, 1]), ((3, 3), (1, 2), [1, 1, 1, 1])]


@pytest.mark.parametrize(("kernel", "stride", "pad"), CASES)
def test_convolutions(tmp_path: Path, kernel: tuple[int, int], stride: tuple[int, int], pad: list[int]) -> None:
    generator = np.random.default_rng(SEED)
    x = generator.normal(size=(1, 6, 7, 3)).astype(np.float32)
    windows, (height, width) = _window(x.astype(np.float64), kernel, stride, pad, 0)
    attrs = CONV | {"kernel": [*kernel[::-1]], "stride": [*stride[::-1]], "pad": pad}
    weights = generator.normal(size=(4, *kernel, 3)).astype(np.float32)
    bias = generator.normal(size=4).astype(np.float32)
    expected = np.einsum("nhwklc,oklc->nhwo", windows, weights) + bias
    found = run_op(tmp_path, "conv2d", x, (1, height, width, 4), {"weights": weights, "bias": bias}, **attrs)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    weights = generator.normal(size=(1, *kernel, 3)).astype(np.float32)
    expected = np.einsum("nhwklc,klc->nhwc", windows, weights[0])
    found = run_op(tmp_path, "depthwise-conv2d", x, (1, height, width, 3), {"weights": weights}, **attrs)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("kernel", "stride", "pad"), [((2, 2), (2, 2), [0] * 4), ((3, 3), (2, 2), [1, 0, 0, 1])])
def test_transposed_convolution(
    tmp_path: Path, kernel: tuple[int, int], stride: tuple[int, int], pad: list[int]
) -> None:
    generator = np.random.default_rng(SEED)
    x = generator.normal(size=(1, 3, 4, 2)).astype(np.float32)
    weights = generator.normal(size=(3, *kernel, 2)).astype(np.float32)
    height = (3 - 1) * stride[0] + kernel[0] - pad[2] - pad[3]
    width = (4 - 1) * stride[1] + kernel[1] - pad[0] - pad[1]
    expected = np.zeros((1, height, width, 3))
    for oy, ox, ky, kx in product(range(height), range(width), range(kernel[0]), range(kernel[1])):
        sy, sx = oy + pad[2] - (kernel[0] - 1 - ky), ox + pad[0] - (kernel[1] - 1 - kx)
        if sy % stride[0] == 0 and sx % stride[1] == 0 and 0 <= sy // stride[0] < 3 and 0 <= sx // stride[1] < 4:
            expected[0, oy, ox] += weights[:, ky, kx] @ x[0, sy // stride[0], sx // stride[1]]
    attrs = CONV | {"kernel": [*kernel[::-1]], "stride": [*stride[::-1]], "pad": pad}
    found = run_op(tmp_path, "transposed-conv2d", x, expected.shape, {"weights": weights}, **attrs)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("kernel", "stride", "pad"), CASES)
def test_pools(tmp_path: Path, kernel: tuple[int, int], stride: tuple[int, int], pad: list[int]) -> None:
    x = np.random.default_rng(SEED).normal(size=(2, 6, 7, 3)).astype(np.float32)
    attrs = {"kernel": [*kernel[::-1]], "stride": [*stride[::-1]], "pad": pad, "pad_mode": "FLOOR"}
    windows, (height, width) = _window(x, kernel, stride, pad, -np.inf)
    found = run_op(tmp_path, "maxpool2d", x, (2, height, width, 3), **attrs)
    np.testing.assert_array_equal(found, windows.max((3, 4)))
    inside = np.isfinite(windows)
    sums = np.where(inside, windows, 0).astype(np.float64).sum((3, 4))
    for include, divisor in ((True, kernel[0] * kernel[1]), (False, inside.sum((3, 4)))):
        found = run_op(tmp_path, "avgpool2d", x, (2, height, width, 3), count_include_pad=include, **attrs)
        np.testing.assert_allclose(found, sums / divisor, rtol=1e-5, atol=1e-6)


def test_products_of_matrices(tmp_path: Path) -> None:
    generator = np.random.default_rng(SEED)
    a, b = generator.normal(size=(2, 3, 4)).astype(np.float32), generator.normal(size=(2, 4, 5)).astype(np.float32)
    found = run_op(tmp_path, "matmul", a, (2, 3, 5), {"input": b}, transpose_a=False, transpose_b=False)
    np.testing.assert_allclose(found, a @ b, rtol=1e-5, atol=1e-6)
    turned = np.ascontiguousarray(b.swapaxes(1, 2))
    found = run_op(tmp_path, "matmul", a, (2, 3, 5), {"input": turned}, transpose_a=False, transpose_b=True)
    np.testing.assert_allclose(found, a @ b, rtol=1e-5, atol=1e-6)
    weights, bias = generator.normal(size=(6, 12)).astype(np.float32), generator.normal(size=6).astype(np.float32)
    found = run_op(tmp_path, "inner-product", a, (2, 6), {"weights": weights, "bias": bias}, axis=1)
    np.testing.assert_allclose(found, a.reshape(2, 12) @ weights.T + bias, rtol=1e-5, atol=1e-5)


def test_resize(tmp_path: Path) -> None:
    x = np.random.default_rng(SEED).normal(size=(1, 3, 4, 2)).astype(np.float32)
    sizes = {"mode": "NEAREST", "scale": [2.0, 2.0], "align_corners": False, "half_pixel_centers": False}
    found = run_op(tmp_path, "resize", x, (1, 6, 8, 2), **sizes)
    np.testing.assert_array_equal(found, x.repeat(2, 1).repeat(2, 2))
    ramp = np.broadcast_to(np.arange(4, dtype=np.float32)[None, None, :, None], (1, 3, 4, 2)).copy()
    sizes |= {"mode": "BILINEAR", "half_pixel_centers": True}
    found = run_op(tmp_path, "resize", ramp, (1, 6, 8, 2), **sizes)
    expected = np.clip((np.arange(8) + 0.5) / 2 - 0.5, 0, 3)
    np.testing.assert_allclose(found[0, 2, :, 1], expected, atol=1e-6)


def test_batchnorm_and_scale(tmp_path: Path, values: Array) -> None:
    generator = np.random.default_rng(SEED)
    gamma, beta, mean = (generator.normal(size=5).astype(np.float32) for _ in range(3))
    variance = generator.uniform(0.5, 2, 5).astype(np.float32)
    constants = {"gamma": gamma, "beta": beta, "moving_mean": mean, "moving_var": variance}
    found = run_op(tmp_path, "batchnorm", values, values.shape, constants, axis=3, epsilon=1e-3)
    expected = (values - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_crossings_equal_the_reference_runner(tmp_path: Path) -> None:
    import json

    cases, arrays = json.loads(golden("ops.json").read_text()), np.load(golden("ops.npz"))
    compared = 0
    for case in cases:
        node, source = case["nodes"][-1], case["nodes"][0]
        if node["type"] not in {"fix", "float2fix", "fix2float", "softmax"}:
            continue
        x, expected = arrays[source["data"]], arrays[case["expected"]]
        first = data_fix("x", x.shape, source["fix_point"]) if x.dtype == np.int8 else data_float("x", x.shape)
        output = fixed(expected.shape, node["fix_point"]) if expected.dtype == np.int8 else real(expected.shape)
        ops = [first, op("y", node["type"], output, ["x"], **node["attrs"])]
        path = write(tmp_path / "op.xmodel", ops, [subgraph("in", "USER", ["x"]), subgraph("cpu", "CPU", ["y"])])
        found = Model.load(path).run(x)
        if node["type"] == "softmax":
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
        else:
            np.testing.assert_array_equal(found, expected, err_msg=str(case["id"]))
        compared += 1
    assert compared >= 26


def test_an_integer_op_on_the_cpu_has_the_dpus_arithmetic(tmp_path: Path) -> None:
    shape = (1, 2, 2, 1)
    ops = [
        data_fix("x", shape, 4),
        op("y", "eltwise-fix", fixed(shape, 3), ["x", "x"], type="ADD", nonlinear="RELU"),
    ]
    path = write(tmp_path / "op.xmodel", ops, [subgraph("in", "USER", ["x"]), subgraph("cpu", "CPU", ["y"])])
    x = np.array([-5, 3, 100, 127], np.int8).reshape(shape)
    np.testing.assert_array_equal(Model.load(path).run(x).ravel(), [0, 3, 100, 127])


def test_an_op_on_another_dtype_is_refused(tmp_path: Path) -> None:
    shape = (1, 2, 2, 1)
    ops = [data_fix("x", shape, 4), op("y", "relu", real(shape), ["x"])]
    path = write(tmp_path / "op.xmodel", ops, [subgraph("in", "USER", ["x"]), subgraph("cpu", "CPU", ["y"])])
    with pytest.raises(ModelError, match=r"'y' \(relu\).*int8"):
        Model.load(path)


def default_boxes(rows: int, columns: int, image: tuple[int, int], **attrs: Any) -> Array:
    """The default boxes of an SSD as Caffe defines them: (2, boxes * 4), corners and variances."""
    step = attrs["step"] if len(attrs["step"]) == 2 else attrs["step"] * 2
    boxes = []
    for y, x in product(range(rows), range(columns)):
        cy, cx = (y + attrs["offset"]) * step[0], (x + attrs["offset"]) * step[1]
        for number, smallest in enumerate(attrs["min_sizes"]):
            sizes = [(smallest, smallest)]
            if attrs["max_sizes"]:
                sizes += [(np.sqrt(smallest * attrs["max_sizes"][number]),) * 2]
            for ratio in attrs["aspect_ratio"]:
                root = np.sqrt(ratio)
                sizes += [(smallest * root, smallest / root)]
                sizes += [(smallest / root, smallest * root)] if attrs["flip"] else []
            for width, height in sizes:
                boxes.append([cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2])
    corners = np.array(boxes) / ([image[1], image[0]] * 2)
    corners = np.clip(corners, 0, 1) if attrs["clip"] else corners
    variances = np.tile(attrs["variance"], 4 * len(boxes) // len(attrs["variance"]))
    return np.stack([corners.reshape(-1), variances]).astype(np.float32)


@pytest.mark.parametrize(
    "attrs",
    [
        {"max_sizes": [45.0], "aspect_ratio": [2.0], "flip": True, "clip": False, "step": [8.0], "min_sizes": [21.0]},
        {"max_sizes": [], "aspect_ratio": [2.0, 3.0], "flip": False, "clip": True, "step": [16.0, 12.0]},
        {"max_sizes": [60.0, 90.0], "aspect_ratio": [], "flip": True, "clip": False, "step": [16.0], "variance": [0.1]},
    ],
)
def test_prior_boxes(attrs: dict[str, Any], tmp_path: Path) -> None:
    attrs = {"min_sizes": [20.0, 44.0], "offset": 0.5, "variance": [0.1, 0.1, 0.2, 0.2]} | attrs
    expected = default_boxes(3, 4, (50, 70), **attrs)
    ops = [
        data_float("map", (1, 3, 4, 6)),
        data_float("image", (1, 50, 70, 3)),
        op("y", "priorbox", real((1, *expected.shape)), {"input": ["map", "image"]}, **attrs),
    ]
    path = write(
        tmp_path / "net.xmodel", ops, [subgraph("in", "USER", ["map", "image"]), subgraph("cpu", "CPU", ["y"])]
    )
    zeros = {"map_t": np.zeros((1, 3, 4, 6), np.float32), "image_t": np.zeros((1, 50, 70, 3), np.float32)}
    np.testing.assert_allclose(Model.load(path).run(zeros)[0], expected, rtol=1e-5, atol=1e-6)


def test_prior_boxes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    attrs = {"min_sizes": [20.0], "aspect_ratio": [2.0], "flip": True, "clip": False, "variance": [0.1, 0.2]}
    attrs |= {"max_sizes": [], "step": [8.0], "offset": 0.5}
    ops = [
        data_float("map", (1, 3, 4, 6)),
        op("y", "priorbox", real((1, 2, 144)), {"input": ["map", "map"]}, **attrs),
    ]
    path = write(tmp_path / "net.xmodel", ops, [subgraph("in", "USER", ["map"]), subgraph("cpu", "CPU", ["y"])])
    with pytest.raises(ModelError, match=r"op 'y' .*2 variances, expected one or four"):
        Model.load(path)
