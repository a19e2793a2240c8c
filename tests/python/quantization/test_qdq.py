"""Quantized ONNX models (QDQ): the DPU computes what onnxruntime computes, but for halves."""

from __future__ import annotations

import numpy as np
import pytest

from compilation.quantized_interpreter import Interpreter, rounded
from nerone import Model, Pipeline
from nerone.compilation import compile as compile_model
from nerone.compilation.export import export_quantized_xir
from nerone.compilation.quantized_xir import load_quantized_xir
from nerone.deployment import deploy
from nerone.deployment.quantized_models import already_quantized
from nerone.errors import ModelError
from nerone.graph import Op, load
from nerone.quantization import load_qdq
from nerone.runtime.preprocessing import Channels, Preprocessing, Resize, ScaleOffset
from nerone.runtime.preprocessing.numpy_steps import apply
from nerone.runtime.presets import preset
from paths import golden, shared

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

BCCD = ("vendor_tools", "quark_0.13_xint8_bccd.onnx")
CONVS = ("vendor_tools", "quark_0.13_xint8_two_convs.onnx")


class Qdq:
    """Writes a QDQ model node by node, as amd-quark's XINT8 does."""

    def __init__(self, shape=(1, 3, 8, 8), seed=0):
        self.rng, self.shape = np.random.default_rng(seed), shape
        self.nodes, self.constants, self.last = [], [], "x"

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(self, kind, inputs, name, **attrs):
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"{name}_node", **attrs))
        return name

    def quantized(self, source, fix_point, scale=None, zero=0, dtype=np.int8):
        scale = self.constant(f"{source}_s{len(self.nodes)}", np.float32(2.0**-fix_point) if scale is None else scale)
        zero = self.constant(f"{source}_z{len(self.nodes)}", np.asarray(zero, dtype))
        stored = self.add("QuantizeLinear", [source, scale, zero], f"{source}_q{len(self.nodes)}")
        self.last = self.add("DequantizeLinear", [stored, scale, zero], f"{source}_d{len(self.nodes)}")
        return self.last

    def weight(self, name, shape, fix_point):
        numbers = self.constant(f"{name}_i", self.rng.integers(-128, 128, shape).astype(np.int8))
        scale = self.constant(f"{name}_s", np.float32(2.0**-fix_point))
        return self.add("DequantizeLinear", [numbers, scale, self.constant(f"{name}_z", np.int8(0))], f"{name}_d")

    def conv(self, source, name, filters, channels, fix_point, relu=True):
        kernel, bias = self.weight(f"{name}_w", (filters, channels, 3, 3), 9), self.weight(f"{name}_b", (filters,), 7)
        node = self.add("Conv", [source, kernel, bias], name, pads=[1, 1, 1, 1])
        return self.quantized(self.add("Relu", [node], f"{name}_relu") if relu else node, fix_point)

    def save(self, path, outputs=None):
        source = helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)
        end = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, [None] * 4)
        graph = helper.make_graph(self.nodes, "net", [source], [end], self.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        return path


def stored_values(path, images):
    """Int8 values after every QuantizeLinear, channels last, by the name of the node that makes the tensor."""
    model = onnx.load(path)
    makers = {name: node for node in model.graph.node for name in node.output}
    quantizers = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    model.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in quantizers)
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results = session.run([node.output[0] for node in quantizers], {session.get_inputs()[0].name: images})
    found = {}
    for node, array in zip(quantizers, results, strict=True):
        maker = makers.get(node.input[0])
        name = node.input[0] if maker is None else maker.name or maker.output[0]
        found[name] = array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
    return found


def compare(model, stored):
    """Compute each node from onnxruntime's own inputs; return {op: (values, halves, of them different, others)}."""
    interpreter = Interpreter(model)
    counts = {}
    sums = {}
    for node in model.graph:
        fix_point = model.fix_points.get(node.name)
        if node.op is Op.INPUT:
            interpreter.values[node.name] = (stored[node.name].astype(np.int64), fix_point)
            continue
        if node.inputs[0] in sums:
            exact, exponent = sums[node.inputs[0]]
            exact = np.maximum(exact, 0) if node.op is Op.RELU else exact
        else:
            handler = getattr(interpreter, "_" + node.op.value)
            exact, exponent = handler(node, *[interpreter.values[name] for name in node.inputs])
        if fix_point is None and node.op in (Op.RESHAPE, Op.PAD):
            interpreter.values[node.name] = (exact, exponent)
            continue
        if fix_point is None:
            sums[node.name] = (exact, exponent)
            continue
        scaled = exact * 2.0 ** (fix_point - exponent)
        ours, theirs = rounded(scaled), stored[node.name].astype(np.int64)
        halves = scaled - np.floor(scaled) == 0.5
        row = np.array([ours.size, halves.sum(), (halves & (ours != theirs)).sum(), (~halves & (ours != theirs)).sum()])
        kind = node.op.value if node.op is not Op.RELU else model.graph[node.inputs[0]].op.value
        counts[kind] = counts.get(kind, 0) + row
        interpreter.values[node.name] = (theirs, fix_point)
    return {kind: tuple(int(number) for number in row) for kind, row in counts.items()}


def test_every_difference_on_the_blood_cell_network_is_a_half():
    """Sums whose scale doubles end in a half, every odd one; half of those are rounded up and not to even."""
    path = golden(*BCCD)
    images = np.load(path.with_suffix(".npz"))["input"]
    counts = compare(load_qdq(path), stored_values(path, images))
    print(counts)
    assert counts["add"][0] > 1_000_000
    assert all(others == 0 for *_, others in counts.values())
    assert 0.05 < counts["add"][2] / counts["add"][0] < 0.3
    assert counts["conv2d"][2] / counts["conv2d"][0] < 0.01


def on_the_dpu(model, images, folder):
    compiled = compile_model(model, output=folder / "net.xmodel")
    loaded = Model.load(compiled.path)
    results = [loaded.run(np.ascontiguousarray(image[None]), dtype="float32") for image in images]
    return np.concatenate([next(iter(r.values())) if isinstance(r, dict) else r for r in results])


def test_two_convolutions_are_equal_bit_for_bit(tmp_path):
    path = golden(*CONVS)
    stored = np.load(path.with_suffix(".npz"))
    found = on_the_dpu(load_qdq(path), stored["input"].transpose(0, 2, 3, 1), tmp_path)
    np.testing.assert_array_equal(found, stored["output_0"].transpose(0, 2, 3, 1))


def test_blood_cell_network_keeps_its_classes(tmp_path):
    path = golden(*BCCD)
    stored = np.load(path.with_suffix(".npz"))
    found = on_the_dpu(load_qdq(path), stored["input"].transpose(0, 2, 3, 1), tmp_path)
    expected = stored["output_0"]
    noise = np.square(found - expected).mean()
    print(f"equal {np.mean(found == expected):.3f}, {10 * np.log10(np.square(expected).mean() / noise):.1f} dB")
    np.testing.assert_array_equal(found.argmax(-1), expected.argmax(-1))
    assert np.square(expected).mean() / noise > 100


def residual(seed=0):
    net = Qdq(seed=seed)
    first = net.conv(net.quantized("x", 5), "a", 4, 3, 4)
    second = net.conv(first, "b", 4, 4, 5)
    total = net.quantized(net.add("Add", [first, second], "sum"), 4)
    pooled = net.quantized(net.add("MaxPool", [total], "pool", kernel_shape=[2, 2], strides=[2, 2]), 4)
    joined = net.quantized(net.add("Concat", [pooled, pooled], "joined", axis=1), 4)
    net.conv(joined, "end", 2, 8, 3, relu=False)
    return net


@pytest.mark.parametrize("seed", range(4))
def test_model_of_all_usual_nodes_runs_compiles_and_exports(seed, tmp_path):
    path = residual(seed).save(tmp_path / "net.onnx")
    images = np.random.default_rng(seed).normal(0, 2, (3, 3, 8, 8)).astype(np.float32)
    model = load_qdq(path)
    assert not model.float_nodes
    for image in images:
        counts = compare(model, stored_values(path, image[None]))
        assert all(others == 0 for *_, others in counts.values())
    found = on_the_dpu(model, images.transpose(0, 2, 3, 1), tmp_path)
    stored = rounded(images.transpose(0, 2, 3, 1) * 2.0**5)
    np.testing.assert_array_equal(found, Interpreter(model).run({"x": stored})[0])
    export_quantized_xir(model, tmp_path / "net_int.xmodel")
    assert load_quantized_xir(tmp_path / "net_int.xmodel").weight_fix_points
    assert already_quantized(path).fix_points == model.fix_points


def in_a_bundle(path, pictures, steps, folder, **options):
    """Deploy a file; return scores (N, ...) of bundle, imported graph and onnxruntime for the same pictures."""
    bundle = deploy(path, preprocessing=steps, output=folder / "net.nerone", **options)
    with Pipeline(bundle, result="probabilities") as pipeline:
        shares = np.stack(list(pipeline.map(pictures)))
    model = load_qdq(path)
    point = model.fix_points[model.graph.inputs[0]]
    stored = np.concatenate([rounded(apply(steps, picture)[None] * 2.0**point) for picture in pictures])
    (of_graph,) = Interpreter(model).run({model.graph.inputs[0]: stored})
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = (stored / 2.0**point).astype(np.float32).transpose(0, 3, 1, 2)
    of_onnx = np.concatenate([session.run(None, {session.get_inputs()[0].name: one[None]})[0] for one in feed])
    of_onnx = of_onnx.transpose(0, 2, 3, 1) if of_onnx.ndim == 4 else of_onnx
    return shares, of_graph, of_onnx


def softmax(scores):
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def test_a_deployed_file_computes_what_the_graph_does_and_onnxruntime_but_for_halves(tmp_path):
    path = residual(9).save(tmp_path / "net.onnx")
    pictures = list(np.random.default_rng(9).integers(0, 256, (20, 12, 12, 3), np.uint8))
    steps = Preprocessing((Channels(3), Resize(8, 8), ScaleOffset(1 / 64, -2)))
    shares, of_graph, of_onnx = in_a_bundle(path, pictures, steps, tmp_path, class_names=["none", "cell"])
    np.testing.assert_allclose(shares, softmax(of_graph), atol=1e-6)
    with Pipeline(tmp_path / "net.nerone") as pipeline:
        np.testing.assert_array_equal(np.stack(list(pipeline.map(pictures))), of_graph.argmax(-1))
    differing = np.mean(of_graph != of_onnx)
    largest = np.abs(of_graph - of_onnx).max()
    print(f"{100 * differing:.1f} % of the scores differ from onnxruntime's, by {largest} at most")
    assert differing < 0.2  # sums end in halves; test_model_of_all_usual_nodes_runs_compiles_and_exports counts them
    assert largest <= 2 * 2.0**-3


def test_the_deployed_blood_cell_network_on_real_pictures(tmp_path):
    from PIL import Image

    files = sorted(shared("data", "bccd", "originals_320x240", "test").rglob("*.jpg"))[::9][:4]
    pictures = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    told = preset("paper-bccd")
    steps = told.preprocessing
    shares, of_graph, of_onnx = in_a_bundle(golden(*BCCD), pictures, steps, tmp_path, class_names=told.class_names)
    np.testing.assert_allclose(shares, softmax(of_graph), atol=1e-6)
    # Halves move the scores a little, and so the class where two are close.
    lead = np.diff(np.sort(of_onnx, -1)[:, -2:]).ravel()
    clear = lead > 2 * np.abs(of_graph - of_onnx).max()
    assert clear.sum() >= 2
    np.testing.assert_array_equal(of_graph.argmax(-1)[clear], of_onnx.argmax(-1)[clear])
    noise = np.square(of_graph - of_onnx).mean()
    print(f"equal {np.mean(of_graph == of_onnx):.3f}, {10 * np.log10(np.square(of_onnx).mean() / noise):.1f} dB")
    assert np.square(of_onnx).mean() / noise > 100


def test_averages_with_the_factor_that_quark_writes(tmp_path):
    net = Qdq()
    node = net.add("AveragePool", [net.quantized("x", 5)], "mean", kernel_shape=[3, 3], strides=[1, 1])
    factor = net.constant("factor", np.float32(63 / 64))
    net.quantized(net.add("Mul", [node, factor], "scaled"), 5)
    path = net.save(tmp_path / "net.onnx")
    model = load_qdq(path)
    assert [node.op for node in model.graph] == [Op.INPUT, Op.AVG_POOL]
    images = np.random.default_rng(1).normal(0, 1, (1, 3, 8, 8)).astype(np.float32)
    found = on_the_dpu(model, images.transpose(0, 2, 3, 1), tmp_path)
    expected = stored_values(path, images)["scaled_node"] / 32
    assert np.abs(found - expected).max() <= 1 / 32
    assert (found == expected).mean() > 0.95


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"scale": np.float32(0.3)}, "scale 0.3, expected one power of two"),
        ({"scale": np.float32(-0.5)}, "expected one power of two"),
        ({"scale": np.float32(np.nan)}, "expected one power of two"),
        ({"zero": 3}, "around 3, expected int8 around 0"),
        ({"dtype": np.uint8}, "uint8 around 0, expected int8"),
    ],
)
def test_scales_that_are_no_fix_points_are_refused_by_name(settings, reason, tmp_path):
    net = Qdq()
    source = net.quantized("x", 5, **settings)
    net.conv(source, "a", 4, 3, 4)
    with pytest.raises(ModelError, match=rf"'x_q\d+_node' \(QuantizeLinear\).*{reason}"):
        load_qdq(net.save(tmp_path / "net.onnx"))


def test_a_scale_per_channel_is_refused_by_name(tmp_path):
    net = Qdq()
    source = net.quantized("x", 5)
    numbers = net.constant("w_i", np.ones((4, 3, 3, 3), np.int8))
    scale, zero = net.constant("w_s", np.full(4, 0.5, np.float32)), net.constant("w_z", np.zeros(4, np.int8))
    kernel = net.add("DequantizeLinear", [numbers, scale, zero], "w_d", axis=0)
    net.quantized(net.add("Conv", [source, kernel], "c"), 4)
    with pytest.raises(ModelError, match=r"'w_d_node'.*4 scales, expected one"):
        load_qdq(net.save(tmp_path / "net.onnx"))


def test_float_models_and_quantized_ones_are_not_mistaken(tmp_path):
    path = residual().save(tmp_path / "net.onnx")
    with pytest.raises(ModelError, match="load_qdq"):
        load(path)
    net = Qdq()
    net.last = net.add("Relu", ["x"], "r")
    plain = net.save(tmp_path / "plain.onnx")
    assert already_quantized(plain) is None
    with pytest.raises(ModelError, match="not quantized"):
        load_qdq(plain)


def test_what_does_not_fit_is_refused_with_the_files_name(tmp_path):
    whole = onnx.load(residual().save(tmp_path / "net.onnx"))

    def changed(change):
        model = onnx.ModelProto()
        model.CopyFrom(whole)
        change(model.graph)
        onnx.save(model, tmp_path / "odd.onnx")

    def cut(graph):
        kernel = next(one for one in graph.initializer if len(one.dims) == 4)
        kernel.raw_data = kernel.raw_data[:-7]

    def three_pads(graph):
        conv = next(node for node in graph.node if node.op_type == "Conv")
        del conv.attribute[0].ints[-1]

    def one_input(graph):
        add = next(node for node in graph.node if node.op_type == "Add")
        del add.input[1:]

    for change in (cut, three_pads, one_input):
        changed(change)
        with pytest.raises(ModelError, match=r"odd\.onnx|ONNX node"):
            load_qdq(tmp_path / "odd.onnx")
