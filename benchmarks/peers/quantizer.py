"""One quantizer with one network in one process, in the quantizer's own environment; started by quantizers.py.

Writes the int8 network's logits on the held-out images, and prints the processor seconds and the peak memory of the
call that quantizes. Not counted: starting, imports, reading network and images, running the int8 network.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import pickle
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
MIB = 1024.0
Run = Callable[[], Any]


class Nerone:
    """`nerone.quantize`; the int8 network runs in the software DPU."""

    package = "nerone"

    def __init__(self, folder: Path, method: str) -> None:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        import tensorflow  # noqa: F401

        from nerone.quantization import quantize

        self.folder, self.quantize, self.method = folder, quantize, method or "ptq"
        self.graph = pickle.loads((folder / "graph.pkl").read_bytes())

    def run(self, images: Images) -> None:
        self.model = self.quantize(self.graph, images, method=self.method)  # type: ignore[arg-type]

    def logits(self, held: Images) -> NDArray[np.float32]:
        from nerone import _core
        from nerone.compilation import compile

        target = self.folder / f"{self.method}.xmodel"
        compile(self.model, board="host", output=target)
        network = _core.Model(target, _core.DeviceOptions(), until_dpu=True)
        info, answer = network.inputs[0], network.outputs[0]
        found = []
        for image in held:
            fixed = np.clip(np.floor(image * 2.0**info.fix_point + 0.5), -128, 127).astype(np.int8)
            output = np.empty(answer.shape, np.int8)
            network.run([fixed.reshape(info.shape)], [output])
            found.append(output.astype(np.float32) * 2.0**-answer.fix_point)
        return np.concatenate(found)


class Nncf:
    """`nncf.quantize` with its default preset; the int8 network runs in OpenVINO."""

    package = "nncf"

    def __init__(self, folder: Path, method: str) -> None:
        import nncf
        import openvino as ov

        self.nncf, self.ov, self.fast = nncf, ov, method != "accurate"
        self.float = ov.convert_model(str(folder / "float.onnx"))

    def run(self, images: Images) -> None:
        data = self.nncf.Dataset(list(_channels_first(images)))
        self.model = self.nncf.quantize(self.float, data, subset_size=len(images), fast_bias_correction=self.fast)

    def logits(self, held: Images) -> NDArray[np.float32]:
        compiled = self.ov.Core().compile_model(self.model, "CPU")
        return _channels_last([compiled(image)[0] for image in _channels_first(held)])


class Quark:
    """amd-quark with its configurations XINT8, XINT8_ADAROUND and XINT8_ADAQUANT; onnxruntime runs the result."""

    package = "amd-quark"

    def __init__(self, folder: Path, method: str) -> None:
        import quark.onnx as quark

        self.folder, self.name = folder, "_".join(["XINT8", *([method.upper()] if method else [])])
        self.quantizer = quark.ModelQuantizer(getattr(quark, f"{self.name}_QCONFIG"))

    def run(self, images: Images) -> None:
        from onnxruntime.quantization import CalibrationDataReader

        class Reader(CalibrationDataReader):
            def __init__(self) -> None:
                self.rewind()

            def rewind(self) -> None:
                self.images = iter(_channels_first(images))

            def get_next(self) -> dict[str, Any] | None:
                image = next(self.images, None)
                return None if image is None else {"image": image}

        self.quantizer.quantize_model(str(self.folder / "float.onnx"), str(self._target), Reader())

    @property
    def _target(self) -> Path:
        return self.folder / f"{self.name}.onnx"

    def logits(self, held: Images) -> NDArray[np.float32]:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(str(self._target), options, ["CPUExecutionProvider"])
        return _channels_last([session.run(None, {"image": image})[0] for image in _channels_first(held)])


QUANTIZERS = {"nerone": Nerone, "nncf": Nncf, "quark": Quark}


def _channels_first(images: Images) -> Any:
    """(1, C, H, W) arrays, one after the other."""
    return (np.ascontiguousarray(image.transpose(2, 0, 1)[None]) for image in images)


def _channels_last(outputs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    whole = np.concatenate(outputs)
    return np.ascontiguousarray(whole.transpose(0, 2, 3, 1)) if whole.ndim == 4 else whole


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("quantizer", help="nerone, nerone-ffq, nerone-qat, nncf, quark, quark-adaround, quark-adaquant")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, help="calibration images, all by default")
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    name, _, method = chosen.quantizer.partition("-")
    if name != "nerone" and not (chosen.folder / "float.onnx").exists():
        import onnx
        from prepare import OnnxWriter

        onnx.save(OnnxWriter(chosen.folder, channels_last=False).model(), chosen.folder / "float.onnx")
    worker = QUANTIZERS[name](chosen.folder, method)
    images = np.load(chosen.folder / "images.npy")[: chosen.images]
    start, started, before = _processor_seconds(), time.perf_counter(), _peak_mib()
    worker.run(images)
    found = {
        "version": version(worker.package),
        "images": len(images),
        "cpu_s": _processor_seconds() - start,
        "wall_s": time.perf_counter() - started,
        "before_mib": before,
        "peak_mib": _peak_mib(),
    }
    held = np.load(chosen.folder / "held.npy")
    np.save(chosen.folder / f"{chosen.quantizer}.npy", worker.logits(held))
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
