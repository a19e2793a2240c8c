"""The doors: for each a seed made here, and what opens it. Only `nerone.Error` may come out."""

from __future__ import annotations

import gzip
import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tests.fuzz.forked import forked_reader
from tests.fuzz.sockets import enter_socket, socket_seeds
from tests.fuzz.structured import json_mutant, onnx_mutant

from nerone.errors import Error

__all__ = ["DOORS", "Door"]


@dataclass(frozen=True)
class Door:
    """A way in.

    Attributes
    ----------
    seeds : makes files in a folder, and returns them
    enter : reads a mutant, whose name ends as its seed's
    mutate : makes a well-formed mutant of a seed's bytes, for one half of the mutants
    """

    seeds: Callable[[Path], list[Path]]
    enter: Callable[[Path], None]
    mutate: Callable[[bytes, random.Random], bytes] | None = None


def _xmodels(folder: Path) -> list[Path]:
    from runtime.xmodels import write_alternating, write_doubling

    return [write_doubling(folder / "doubling.xmodel"), write_alternating(folder / "alternating.xmodel")]


def _enter_xmodel(path: Path) -> None:
    from nerone.runtime.model import Model

    for kernels in ("scalar", "auto"):
        with Model.load(path, kernels=kernels) as model:
            model.run({info.name: np.ones(info.shape, info.dtype) for info in model.inputs})


def _bundles(folder: Path) -> list[Path]:
    from deployment.remote_support import make_bundle

    bundle = make_bundle(folder / "made").path
    shutil.copytree(bundle, folder / "whole.nerone")
    return [folder / "whole.nerone" / "bundle.json"]


def _enter_bundle(path: Path) -> None:
    from nerone.bundle.bundle import Bundle

    whole = next(above / "seeds/whole.nerone" for above in path.parents if (above / "seeds/whole.nerone").is_dir())
    target = whole.parent.parent / "mutant.nerone"
    if not target.is_dir():
        shutil.copytree(whole, target)
    shutil.copyfile(path, target / "bundle.json")
    Bundle.open(target, verify=False)


def _images(folder: Path) -> list[Path]:
    from PIL import Image

    values = np.arange(20 * 14, dtype=np.uint8).reshape(20, 14)
    np.save(folder / "a.npy", values.astype(np.int16))
    made = [folder / "a.npy"]
    for ending in ("png", "tif", "bmp", "jpg"):
        Image.fromarray(values).save(folder / f"a.{ending}")
        made.append(folder / f"a.{ending}")
    try:
        import nibabel
    except ImportError:
        return made
    volume = nibabel.Nifti1Image(np.zeros((8, 6, 3), np.int16), np.diag([1.0, 1, 2, 1]))
    nibabel.save(volume, folder / "a.nii")
    (folder / "b.nii.gz").write_bytes(gzip.compress((folder / "a.nii").read_bytes()))
    return [*made, folder / "a.nii", folder / "b.nii.gz"]


def _enter_image(path: Path) -> None:
    from nerone.data.sources import frames

    for frame in frames(path):
        np.asarray(frame.image)


def _answers(folder: Path) -> list[Path]:
    from deployment.test_remote_parts import board

    values = {name: value for name, value in vars(board()).items() if name != "host"}
    (folder / "board.json").write_text(json.dumps(values))
    golden = {"name": "y", "shape": [1, 2], "dtype": "int8", "data": "eJxjYAAAAAIAAQ=="}
    (folder / "golden.json").write_text(json.dumps({"dpu": [golden], "end": [golden]}))
    return [folder / "board.json", folder / "golden.json"]


def _enter_answer(path: Path) -> None:
    from nerone.deployment.remote import answers, board, golden

    answer = answers.decoded(path.read_bytes().decode("utf-8", "replace"), "b")
    if path.name.startswith("board"):
        board.check_board(board.board_of("b", answer))
        return
    whole = {"name": "y", "shape": [1, 2], "dtype": "int8", "data": "eJxjYAAAAAIAAQ=="}
    golden.compare_golden({"dpu": [whole], "end": [whole]}, answer, "b")


def _messages(folder: Path) -> list[Path]:
    kinds: list[dict[str, Any]] = [
        {"type": "seek", "index": 3},
        {"type": "window", "low": -100, "high": 250.5},
        {"type": "backend", "name": "vart", "threads": 2},
        {"type": "play"},
    ]
    for number, kind in enumerate(kinds):
        (folder / f"{number}.json").write_text(json.dumps(kind))
    return sorted(folder.glob("*.json"))


def _enter_message(path: Path) -> None:
    import asyncio

    from nerone.live.server import LiveServer

    class Session:
        playing, window = False, None

        def seek(self, index: int) -> None:
            if not 0 <= index < 10:
                raise Error("outside")

        def use_engine(self, name: str, threads: int) -> None:
            if not 1 <= threads <= 8:
                raise Error("too many")

        def play(self) -> None: ...
        def pause(self) -> None: ...

    server = LiveServer.__new__(LiveServer)
    server.session = Session()  # type: ignore[assignment]
    server._screen = type("Screen", (), {"refresh": lambda self: None})()  # type: ignore[assignment]
    answer = server._handle(path.read_bytes().decode("utf-8", "replace"), asyncio.Event())
    json.dumps(answer)


def _h5(folder: Path) -> list[Path]:
    """A file without weights, one with a convolution, and a .keras archive's weights in both ways of storing them."""
    import h5py

    kernel = np.ones((3, 3, 1, 2), np.float32)
    convolution = {"name": "act", "filters": 2, "kernel_size": [3, 3], "padding": "same", "use_bias": False}
    given = {"name": "given", "batch_input_shape": [None, 4, 4, 1], "dtype": "float32"}
    layers = [
        {"class_name": "InputLayer", "config": given},
        {"class_name": "Activation", "config": {"name": "act", "activation": "relu", "dtype": "float32"}},
    ]
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    with h5py.File(folder / "a.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.3.1"
        file.create_group("model_weights").attrs["layer_names"] = [b"given", b"act"]
    layers[1] = {"class_name": "Conv2D", "config": convolution}
    with h5py.File(folder / "b.h5", "w") as file:
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(config), "2.3.1"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"given", b"act"]
        layer = group.create_group("act")
        layer.attrs["weight_names"] = [b"act/kernel:0"]
        layer.create_dataset("act/kernel:0", data=kernel, chunks=(3, 3, 1, 1), compression="gzip")
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["layers/conv2d/vars/0"] = kernel
    with zipfile.ZipFile(folder / "c.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.12.0"}))
        archive.writestr("model.weights.h5", content.getvalue())
    return [folder / "a.h5", folder / "b.h5", folder / "c.keras"]


def _enter_h5(path: Path) -> None:
    from nerone.graph import h5_apart

    h5_apart.CPU_LIMIT_S = 2
    # A new interpreter for each file takes 0.4 s; a copy of this one some milliseconds.
    h5_apart.start_reader = forked_reader
    _enter_graph(path)


def _onnx(folder: Path) -> list[Path]:
    from onnx import TensorProto, helper, numpy_helper

    def write(name: str, nodes: list[Any], constants: list[Any]) -> Path:
        given, taken = (helper.make_tensor_value_info(end, TensorProto.FLOAT, [1, 3, 8, 8]) for end in "xy")
        graph = helper.make_graph(nodes, "g", [given], [taken], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        (folder / name).write_bytes(model.SerializeToString())
        return folder / name

    node, constant = helper.make_node, numpy_helper.from_array
    kernel = np.ones((3, 3, 3, 3), np.float32)
    window = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1], "dilations": [1, 1], "group": 1}
    pool = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 0}
    up = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    layers = [
        node("Conv", ["x", "w", "b"], ["c"], **window),
        node("BatchNormalization", ["c", "b", "b", "b", "v"], ["n"], epsilon=1e-3),
        node("LeakyRelu", ["n"], ["l"], alpha=0.1),
        node("MaxPool", ["l"], ["p"], **pool),
        node("Resize", ["p", "", "s"], ["u"], **up),
        node("Concat", ["u", "x"], ["k"], axis=1),
        node("Split", ["k", "parts"], ["k1", "k2"], axis=1),
        node("Add", ["k1", "k2"], ["a"]),
        node("Clip", ["a", "low", "high"], ["y"]),
    ]
    numbers = {"b": np.ones(3), "v": np.ones(3), "s": [1, 1, 2, 2], "low": 0.0, "high": 6.0}
    floats = [constant(np.asarray(value, np.float32), name) for name, value in numbers.items()]
    parts = constant(np.asarray([3, 3], np.int64), "parts")
    quantized = [
        node("QuantizeLinear", ["x", "sx", "z"], ["xq"]),
        node("DequantizeLinear", ["xq", "sx", "z"], ["xd"]),
        node("DequantizeLinear", ["wq", "sx", "z"], ["wd"]),
        node("Conv", ["xd", "wd"], ["c"], **window),
        node("QuantizeLinear", ["c", "sx", "z"], ["cq"]),
        node("DequantizeLinear", ["cq", "sx", "z"], ["y"]),
    ]
    scales = [constant(np.asarray(2.0**-4, np.float32), "sx"), constant(np.asarray(0, np.int8), "z")]
    return [
        write("a.onnx", layers, [constant(kernel, "w"), *floats, parts]),
        write("qdq.onnx", quantized, [constant(kernel.astype(np.int8), "wq"), *scales]),
    ]


def _enter_onnx(path: Path) -> None:
    from nerone.graph.onnx_model import from_onnx
    from nerone.quantization import load_qdq

    (load_qdq if path.name == "qdq.onnx" else from_onnx)(path)


def _enter_graph(path: Path) -> None:
    from nerone.graph.load import load

    load(path)


DOORS = {
    "xmodel": Door(_xmodels, _enter_xmodel),
    "bundle": Door(_bundles, _enter_bundle, json_mutant),
    "images": Door(_images, _enter_image),
    "answers": Door(_answers, _enter_answer, json_mutant),
    "messages": Door(_messages, _enter_message, json_mutant),
    "sockets": Door(socket_seeds, enter_socket),
    "h5": Door(_h5, _enter_h5),
    "onnx": Door(_onnx, _enter_onnx, onnx_mutant),
}
