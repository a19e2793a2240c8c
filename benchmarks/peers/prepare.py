"""Quantizes one exported network with the peers' own tools. Runs in the peers' environment."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np


def prepare_openvino(folder: Path) -> None:
    import nncf
    import openvino as ov

    target = folder / "openvino.xml"
    if target.exists():
        return
    images = np.load(folder / "images.npy")
    model = ov.convert_model(str(folder / "saved_model"), input=[1, *images.shape[1:]])
    data = nncf.Dataset([image[None] for image in images])
    quantized = nncf.quantize(model, data, preset=nncf.QuantizationPreset.PERFORMANCE, subset_size=len(images))
    ov.save_model(quantized, str(target))


class OnnxWriter:
    """A NERONE graph (NHWC) as ONNX: NCHW inside, NHWC at both ends or NCHW there too."""

    def __init__(self, folder: Path, *, channels_last: bool = True) -> None:
        self.channels_last = channels_last
        self.described = json.loads((folder / "layers.json").read_text())
        self.weights = np.load(folder / "layers.npz")
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.shapes = {node["name"]: node["shape"] for node in self.described["nodes"]}

    def model(self) -> Any:
        from onnx import TensorProto, helper

        names = {}
        for node in self.described["nodes"]:
            names[node["name"]] = self._add(node, [names[name] for name in node["inputs"]])
        source = next(node for node in self.described["nodes"] if node["op"] == "input")
        last = names[self.described["outputs"][0]]
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, *self._ends(source["shape"])])
        shape = self._ends(self.shapes[self.described["outputs"][0]])
        if len(shape) == 3 and self.channels_last:
            self._node("Transpose", [last], "logits", perm=[0, 2, 3, 1])
        else:
            self._node("Identity", [last], "logits")
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, *shape])
        graph = helper.make_graph(self.nodes, "network", [image], [logits], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

    def _ends(self, shape: list[int]) -> list[int]:
        return shape if self.channels_last or len(shape) < 3 else [shape[-1], *shape[:-1]]

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        # A layer may have the name of the network's input or output.
        output = output if output == "logits" and kind in ("Transpose", "Identity") else f"layer/{output}"
        self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def _constant(self, name: str, values: Any) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _window(self, attrs: dict[str, Any]) -> dict[str, Any]:
        top, bottom, left, right = attrs.get("pad", (0, 0, 0, 0))
        found = {"strides": attrs.get("strides", (1, 1)), "pads": [top, left, bottom, right]}
        return {key: list(value) for key, value in found.items()}

    def _convolution(self, node: dict[str, Any], inputs: list[str]) -> str:
        name, attrs, options = node["name"], node["attrs"], self._window(node["attrs"])
        kernel = self.weights[f"{name}/kernel"]
        kind = "Conv"
        options["dilations"] = list(attrs.get("dilation", (1, 1)))
        if node["op"] == "depthwise_conv2d":
            options["group"] = kernel.shape[2]
            packed = kernel.reshape(*kernel.shape[:2], 1, -1).transpose(3, 2, 0, 1)
        else:
            packed = kernel.transpose(3, 2, 0, 1)
        if node["op"] == "transposed_conv2d":
            kind = "ConvTranspose"
        operands = [*inputs, self._constant(f"{name}/kernel", packed)]
        if f"{name}/bias" in self.weights:
            operands.append(self._constant(f"{name}/bias", self.weights[f"{name}/bias"]))
        return self._node(kind, operands, name, **options)

    def _add(self, node: dict[str, Any], inputs: list[str]) -> str:
        name, op, attrs = node["name"], node["op"], node["attrs"]
        if op == "input" and not self.channels_last:
            return "image"
        if op == "input":
            return self._node("Transpose", ["image"], name, perm=[0, 3, 1, 2])
        if op.endswith("conv2d"):
            return self._convolution(node, inputs)
        if op == "relu":
            return self._node("Relu", inputs, name)
        if op == "relu6":
            bounds = [self._constant(f"{name}/{v}", np.float32(v)) for v in (0, 6)]
            return self._node("Clip", [*inputs, *bounds], name)
        if op == "max_pool":
            return self._node("MaxPool", inputs, name, kernel_shape=list(attrs["kernel"]), **self._window(attrs))
        if op == "avg_pool":
            if attrs.get("global"):
                return self._node("GlobalAveragePool", inputs, name)
            include = int(attrs.get("count_include_pad", True))
            window = {"kernel_shape": list(attrs["kernel"]), **self._window(attrs)}
            return self._node("AveragePool", inputs, name, count_include_pad=include, **window)
        if op == "pad" and attrs["mode"] == "constant":
            top, bottom, left, right = attrs["pad"]
            pads = self._constant(f"{name}/pads", np.array([0, 0, top, left, 0, 0, bottom, right]))
            return self._node("Pad", [*inputs, pads], name)
        if op == "dense":
            keys = [f"{name}/{key}" for key in ("kernel", "bias") if f"{name}/{key}" in self.weights]
            return self._node("Gemm", [*inputs, *(self._constant(key, self.weights[key]) for key in keys)], name)
        if op == "add":
            return self._node("Add", inputs, name)
        if op == "concat":
            return self._node("Concat", inputs, name, axis=1)
        if op == "upsample":
            scales = self._constant(f"{name}/scales", np.array([1, 1, *attrs["scale"]], np.float32))
            modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            return self._node("Resize", [*inputs, "", scales], name, **modes)
        if op == "reshape":
            rows = self._node("Transpose", inputs, f"{name}/nhwc", perm=[0, 2, 3, 1])
            return self._node("Reshape", [rows, self._constant(f"{name}/shape", np.array([1, *node["shape"]]))], name)
        if op == "softmax":
            self.shapes[name] = node["shape"]
            return inputs[0]
        raise ValueError(f"layer '{name}' is a {op}, which this writer does not know; add it")


def prepare_onnx(folder: Path) -> None:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self.images = iter(np.load(folder / "images.npy"))

        def get_next(self) -> dict[str, Any] | None:
            image = next(self.images, None)
            return None if image is None else {"image": image[None]}

    target = folder / "quantized.onnx"
    if target.exists() or not (folder / "layers.json").exists():
        return
    onnx.save(OnnxWriter(folder).model(), folder / "float.onnx")
    quant_pre_process(folder / "float.onnx", folder / "float.onnx")
    quantize_static(
        folder / "float.onnx",
        target,
        Images(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    for folder in parser.parse_args().folders:
        prepare_openvino(folder)
        prepare_onnx(folder)


if __name__ == "__main__":
    main()
