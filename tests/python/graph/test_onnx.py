"""ONNX models against the reference evaluator of the onnx package."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from nerone.errors import ModelError
from nerone.graph import Op, load
from nerone.quantization import quantize
from nerone.quantization.executor import Executor

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

RNG = np.random.default_rng(0)


class Net:
    """Writes an ONNX model node by node."""

    def __init__(self, shape=(2, 6, 12, 10)):
        self.nodes, self.constants, self.last, self.count, self.shape = [], [], "x", 0, shape

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, *shape):
        return self.constant(RNG.normal(size=shape).astype(np.float32) * 0.3)

    def positive(self, size):
        return self.constant(RNG.uniform(0.5, 2.0, size).astype(np.float32))

    def add(self, kind, *inputs, **attrs):
        self.count += 1
        self.last = f"v{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [self.last], name=f"{kind}{self.count}", **attrs))
        return self.last

    def model(self, outputs=None, opset=17, propagate=True):
        source = helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs or [self.last]]
        graph = helper.make_graph(self.nodes, "net", [source], ends, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        with contextlib.suppress(onnx.shape_inference.InferenceError):  # models that are wrong on purpose
            model = onnx.shape_inference.infer_shapes(model, data_prop=propagate)
        for output in model.graph.output:
            if not output.type.tensor_type.HasField("shape"):
                output.type.tensor_type.shape.dim.add()
        return model


def conv(net, x, filters=4, channels=6, kernel=3, **attrs):
    return net.add(
        "Conv", x, net.weight(filters, channels // attrs.get("group", 1), kernel, kernel), net.weight(filters), **attrs
    )


def norm(net, x, channels):
    numbers = [net.positive(channels), net.weight(channels), net.weight(channels), net.positive(channels)]
    return net.add("BatchNormalization", x, *numbers)


def ints(net, *numbers):
    return net.constant(np.array(numbers, np.int64))


def floats(net, *numbers):
    return net.constant(np.array(numbers, np.float32))


def shape_arithmetic(net):
    x = net.add("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2])
    batch = net.add("Gather", net.add("Shape", x), ints(net, 0), axis=0)
    net.add("Reshape", x, net.add("Concat", batch, ints(net, -1), axis=0))
    return net.add("MatMul", net.last, net.weight(180, 3))


def split(net, x, *sizes, axis):
    parts = [f"p{len(net.nodes)}_{number}" for number in range(2)]
    net.nodes.append(helper.make_node("Split", [x, *sizes], parts, name=f"Split{len(net.nodes)}", axis=axis))
    return parts


def flat_mean(net):
    return net.add("ReduceMean", "x", axes=[2, 3], keepdims=0)


CASES = {
    "conv": lambda n: conv(n, "x", pads=[1, 0, 2, 1], strides=[2, 1]),
    "conv_same": lambda n: conv(n, "x", auto_pad="SAME_UPPER", strides=[2, 2]),
    "conv_lower": lambda n: conv(n, "x", kernel=4, auto_pad="SAME_LOWER"),
    "conv_dilated": lambda n: conv(n, "x", dilations=[2, 2], pads=[2, 2, 2, 2]),
    "conv_grouped": lambda n: conv(n, "x", group=2),
    "depthwise": lambda n: conv(n, "x", filters=12, group=6),
    "transposed": lambda n: n.add(
        "ConvTranspose", "x", n.weight(6, 4, 3, 3), n.weight(4), strides=[2, 2], pads=[1] * 4
    ),
    "transposed_extra": lambda n: n.add(
        "ConvTranspose", "x", n.weight(6, 4, 2, 2), strides=[2, 2], output_padding=[1, 1]
    ),
    "norm": lambda n: norm(n, conv(n, "x"), 4),
    "relu6": lambda n: n.add("Clip", "x", n.constant(np.float32(0)), n.constant(np.float32(6))),
    "relu": lambda n: n.add("Clip", "x", n.constant(np.float32(0))),
    "leaky": lambda n: n.add("LeakyRelu", "x", alpha=0.1),
    "swish": lambda n: n.add("Mul", "x", n.add("Sigmoid", "x")),
    "hard_swish": lambda n: n.add("HardSwish", "x"),
    "hard_sigmoid": lambda n: n.add("HardSigmoid", "x", alpha=1 / 6, beta=0.5),
    "tanh": lambda n: n.add("Tanh", "x"),
    "softmax": lambda n: n.add("Softmax", "x", axis=1),
    "max_pool": lambda n: n.add("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "average": lambda n: n.add("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 0, 0]),
    "average_all": lambda n: n.add("AveragePool", "x", kernel_shape=[2, 2], pads=[1] * 4, count_include_pad=1),
    "global_flat_gemm": lambda n: n.add(
        "Gemm", n.add("Flatten", n.add("GlobalAveragePool", "x")), n.weight(5, 6), n.weight(5), transB=1
    ),
    "mean": lambda n: n.add("ReduceMean", "x", axes=[2, 3], keepdims=0),
    "mean_over_channels": lambda n: n.add("ReduceMean", "x", axes=[1], keepdims=1),
    "maximum_over_channels": lambda n: n.add("ReduceMax", "x", axes=[-3], keepdims=1),
    "flatten_gemm": lambda n: n.add("Gemm", n.add("Flatten", conv(n, "x")), n.weight(320, 3), n.weight(3)),
    "flatten_relu_matmul": lambda n: n.add("MatMul", n.add("Relu", n.add("Flatten", "x")), n.weight(720, 3)),
    "flatten": lambda n: n.add("Flatten", "x"),
    "shape_arithmetic": shape_arithmetic,
    "constants": lambda n: n.add("Div", n.add("Sub", n.constant(np.float32(1)), "x"), n.positive((1, 6, 1, 1))),
    "add_mul": lambda n: n.add("Mul", n.add("Add", "x", n.weight(6, 1, 1)), floats(n, 0.5)),
    "residual": lambda n: n.add("Relu", n.add("Add", conv(n, "x", filters=6, pads=[1] * 4), "x")),
    "concat": lambda n: n.add("Concat", "x", conv(n, "x", pads=[1] * 4), axis=1),
    "nearest": lambda n: n.add(
        "Resize", "x", "", floats(n, 1, 1, 2, 3), coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    ),
    "nearest_half": lambda n: n.add("Resize", "x", "", floats(n, 1, 1, 2, 2), mode="nearest"),
    "linear": lambda n: n.add("Resize", "x", "", floats(n, 1, 1, 2, 2), mode="linear"),
    "linear_corners": lambda n: n.add(
        "Resize", "x", "", "", ints(n, 2, 6, 24, 20), mode="linear", coordinate_transformation_mode="align_corners"
    ),
    "pad": lambda n: n.add("Pad", "x", ints(n, 0, 0, 1, 2, 0, 0, 3, 0)),
    "pad_reflect": lambda n: n.add("Pad", "x", ints(n, 0, 0, 1, 2, 0, 0, 3, 0), mode="reflect"),
    "clip": lambda n: n.add("Clip", "x", n.constant(np.float32(-0.5)), n.constant(np.float32(1))),
    "clip_above": lambda n: n.add("Clip", "x", "", n.constant(np.float32(0.7))),
    "hard_sigmoid_other": lambda n: n.add("HardSigmoid", "x"),
    "subtract": lambda n: n.add("Sub", "x", conv(n, "x", filters=6, pads=[1] * 4)),
    "negative": lambda n: n.add("Neg", "x"),
    "maximum": lambda n: n.add("Max", "x", n.add("Neg", "x"), conv(n, "x", filters=6, pads=[1] * 4)),
    "minimum": lambda n: n.add("Min", "x", conv(n, "x", filters=6, pads=[1] * 4)),
    "maximum_of_number": lambda n: n.add("Max", "x", n.constant(np.float32(0.3))),
    "mean_of_tensors": lambda n: n.add("Mean", "x", conv(n, "x", filters=6, pads=[1] * 4), "x"),
    "prelu": lambda n: n.add("PRelu", "x", n.positive((6, 1, 1))),
    "elu": lambda n: n.add("Elu", "x", alpha=0.7),
    "selu": lambda n: n.add("Selu", "x"),
    "slice": lambda n: n.add("Slice", "x", ints(n, 1, 2), ints(n, -1, 9), ints(n, 2, 3)),
    "slice_all_axes": lambda n: n.add("Slice", "x", ints(n, 0, 0, 3, 0), ints(n, 2, 6, 2**40, 8)),
    "slice_steps": lambda n: n.add("Slice", "x", ints(n, 1, 0), ints(n, 12, 10), ints(n, -2, -1), ints(n, 2, 3)),
    "slice_channels": lambda n: n.add("Slice", "x", ints(n, 1), ints(n, 6), ints(n, 1), ints(n, 2)),
    "slice_image": lambda n: n.add("Slice", "x", ints(n, 2, 1), ints(n, 4, 9), ints(n, 1, 2)),
    "identity": lambda n: n.add("Dropout", n.add("Identity", conv(n, "x"))),
    "split": lambda n: n.add("Concat", *split(n, "x", ints(n, 2, 4), axis=1)[::-1], axis=1),
    "split_equal": lambda n: n.add("Add", *split(n, "x", axis=1)),
    "split_rows": lambda n: n.add("Concat", *split(n, "x", ints(n, 5, 7), axis=2)[::-1], axis=2),
    "split_columns": lambda n: n.add("Mul", *split(n, "x", axis=-1)),
    "ceiling_of_nothing": lambda n: n.add("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "ceiling": lambda n: n.add("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "ceiling_padded": lambda n: n.add(
        "MaxPool", "x", kernel_shape=[3, 2], strides=[2, 3], pads=[1, 0, 1, 1], ceil_mode=1
    ),
    "ceiling_average": lambda n: n.add("AveragePool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "unsqueeze": lambda n: n.add("Mul", "x", n.add("Unsqueeze", flat_mean(n), ints(n, 2, 3))),
    "squeeze": lambda n: n.add("Squeeze", n.add("GlobalMaxPool", "x"), ints(n, 2, 3)),
}


def saved(net, folder, **settings):
    path = folder / "net.onnx"
    onnx.save(net.model(**settings), path)
    return path


@pytest.mark.parametrize("name", CASES)
def test_operator(name, tmp_path):
    net = Net()
    CASES[name](net)
    assert_same_as_reference(net, saved(net, tmp_path))


def assert_same_as_reference(net, path):
    images = RNG.normal(size=net.shape).astype(np.float32)
    expected = ReferenceEvaluator(onnx.load(path)).run(None, {"x": images})[0]
    assert_same_images(expected, Executor(load(path))(images.transpose(0, 2, 3, 1))[0])


def assert_same_images(expected, got):
    got = got.transpose(0, 3, 1, 2) if got.ndim == 4 else got
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max())


def test_model_from_tensorflow_keeps_its_channels_last_input(tmp_path):
    net = Net((2, 12, 10, 6))
    y = conv(net, net.add("Transpose", "x", perm=[0, 3, 1, 2]))
    net.add("Softmax", net.add("Transpose", y, perm=[0, 2, 3, 1]), axis=-1)
    path = saved(net, tmp_path)
    images = RNG.normal(size=net.shape).astype(np.float32)
    expected = ReferenceEvaluator(onnx.load(path)).run(None, {"x": images})[0]
    graph = load(path)
    assert not any(node.op is Op.PERMUTE for node in graph)
    np.testing.assert_allclose(Executor(graph)(images)[0], expected, atol=1e-5)


def test_classifier_needs_no_permutation(tmp_path):
    net = Net()
    CASES["flatten_gemm"](net)
    assert not any(node.op is Op.PERMUTE for node in load(saved(net, tmp_path)))


def test_imported_model_quantizes(tmp_path):
    net = Net()
    x = net.add("Relu", norm(net, conv(net, "x", pads=[1] * 4), 4))
    x = net.add("Concat", net.add("Relu", conv(net, "x", pads=[1] * 4)), x, axis=1)
    net.add("Softmax", conv(net, x, channels=8), axis=1)
    model = quantize(saved(net, tmp_path), RNG.normal(size=(4, 12, 10, 6)).astype(np.float32))
    assert len(model.weight_fix_points) == 3
    assert len(model.float_nodes) == 1


def test_open_sizes_need_an_input_shape(tmp_path):
    net = Net(("N", 6, "H", "W"))
    conv(net, "x")
    path = saved(net, tmp_path)
    with pytest.raises(ModelError, match="input_shape"):
        load(path)
    assert load(path, input_shape=(9, 8, 6)).nodes[-1].shape == (7, 6, 4)


REFUSED = {
    "Sin": lambda n: n.add("Sin", "x"),
    "Clip": lambda n: n.add("Clip", "x", n.constant(np.float32(2)), n.constant(np.float32(1))),
    "Div": lambda n: n.add("Div", "x", n.add("Relu", "x")),
    "Slice": lambda n: n.add("Slice", "x", ints(n, 5), ints(n, 2), ints(n, 2)),
    "PRelu": lambda n: n.add("PRelu", "x", n.positive((6, 12, 10))),
    "Softmax": lambda n: n.add("Softmax", "x", axis=2),
    "Resize": lambda n: n.add("Resize", "x", "", floats(n, 1, 1, 1.5, 1.5), mode="linear"),
    "MaxPool": lambda n: n.add("MaxPool", "x", kernel_shape=[3, 3], dilations=[2, 2]),
    "AveragePool": lambda n: n.add("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "Conv": lambda n: conv(n, "x", strides=[0, 1]),
    "ConvTranspose": lambda n: n.add("ConvTranspose", "x", n.weight(6, 4, 3, 3), strides=[1, 0]),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_operator_that_cannot_be_imported_is_named(kind, tmp_path):
    net = Net()
    REFUSED[kind](net)
    with pytest.raises(ModelError, match=rf"'{kind}\d' \({kind}\)"):
        load(saved(net, tmp_path))


@pytest.mark.parametrize("group", [0, 5, -1])
def test_groups_that_do_not_divide(group, tmp_path):
    net = Net()
    net.add("Conv", "x", net.weight(4, 6, 3, 3), group=group)
    with pytest.raises(ModelError, match=r"'Conv1'|no valid ONNX"):
        load(saved(net, tmp_path))


NEAREST = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
OLD_CASES = {
    "squeeze": lambda n: n.add("Squeeze", n.add("GlobalMaxPool", "x"), axes=[2, 3]),
    "unsqueeze": lambda n: n.add("Mul", "x", n.add("Unsqueeze", flat_mean(n), axes=[2, 3])),
    "softmax_of_vector": lambda n: n.add("Softmax", n.add("Flatten", n.add("GlobalMaxPool", "x"))),
    "softmax_of_one_pixel": lambda n: n.add("Softmax", n.add("GlobalMaxPool", "x"), axis=1),
    "softmax_last": lambda n: n.add(
        "Transpose", n.add("Softmax", n.add("Transpose", "x", perm=[0, 2, 3, 1]), axis=3), perm=[0, 3, 1, 2]
    ),
    "split": lambda n: n.add("Concat", *old_split(n), axis=1),
    "clip": lambda n: n.add("Clip", "x", n.constant(np.float32(-0.5)), n.constant(np.float32(1))),
    "resize": lambda n: n.add("Resize", "x", floats(n), floats(n, 1, 1, 2, 3), **NEAREST),
    "pad": lambda n: n.add("Pad", "x", ints(n, 0, 0, 1, 2, 0, 0, 3, 0)),
    "norm": lambda n: norm(n, conv(n, "x"), 4),
    "target": lambda n: n.add("Reshape", "x", n.add("Concat", *old_sizes(n), axis=0)),
}


def old_split(net):
    net.nodes.append(helper.make_node("Split", ["x"], ["pa", "pb"], name="Split", axis=1, split=[2, 4]))
    return ["pb", "pa"]


def old_sizes(net):
    size = net.add("Gather", net.add("Shape", "x"), net.constant(np.int64(0)), axis=0)
    return [net.add("Unsqueeze", size, axes=[0]), ints(net, -1)]


@pytest.mark.parametrize("opset", [11, 12])
@pytest.mark.parametrize("name", OLD_CASES)
def test_old_opset_with_the_meaning_it_had(name, opset, tmp_path):
    net = Net()
    OLD_CASES[name](net)
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    path = saved(net, tmp_path, opset=opset)
    images = RNG.normal(size=net.shape).astype(np.float32)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert_same_images(session.run(None, {"x": images})[0], Executor(load(path))(images.transpose(0, 2, 3, 1))[0])


@pytest.mark.parametrize("axis", [1, None])
def test_softmax_of_old_opsets_over_the_whole_image_is_refused(axis, tmp_path):
    net = Net()
    net.add("Softmax", "x", **({} if axis is None else {"axis": axis}))
    with pytest.raises(ModelError, match="use the channels"):
        load(saved(net, tmp_path, opset=12))


def test_arrays_outside_the_folder(tmp_path):
    """External data may name any file of the machine."""
    net = Net()
    conv(net, "x")
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(4096))
    for place in ("../secret", "/etc/hostname", "absent", "link", ""):
        if place == "link":
            (folder / "link").symlink_to(tmp_path / "secret")
        model = net.model()
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=place)
        (folder / "net.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match=r"no file of its folder"):
            load(folder / "net.onnx")


def test_arrays_in_a_file_beside(tmp_path):
    net = Net()
    conv(net, "x")
    onnx.save(net.model(), tmp_path / "one.onnx")
    onnx.save(net.model(), tmp_path / "two.onnx", save_as_external_data=True, location="two.data", size_threshold=0)
    assert (tmp_path / "two.data").is_file()
    one, two = load(tmp_path / "one.onnx"), load(tmp_path / "two.onnx")
    np.testing.assert_array_equal(one["Conv1"].weights["kernel"], two["Conv1"].weights["kernel"])


def test_constants_that_grow_or_loop(tmp_path):
    for kind, inputs, attrs in (
        ("ConstantOfShape", [np.array([1 << 20, 1 << 20])], {}),
        ("Range", [np.int64(0), np.int64(1 << 40), np.int64(1)], {}),
        ("Tile", [np.zeros((1, 4), np.float32), np.array([1 << 20, 1 << 20])], {}),
        ("RandomUniform", [], {"shape": [4]}),
    ):
        net = Net()
        grown = net.add(kind, *(net.constant(value) for value in inputs), **attrs)
        net.add("Add", "x", net.add("Cast", grown, to=TensorProto.FLOAT))
        with pytest.raises(ModelError, match=rf"{kind}1.*constants"):
            load(saved(net, tmp_path, propagate=False))


def test_old_opset_and_damaged_file(tmp_path):
    net = Net()
    net.add("Relu", "x")
    with pytest.raises(ModelError, match="opset 10"):
        load(saved(net, tmp_path, opset=10))
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="no valid ONNX"):
        load(tmp_path / "bad.onnx")
