"""One engine with one network in one process. Reads a time in seconds per line from stdin, runs images that long and
answers with the images per second, and per second of processor time, of each short window; started by compare.py, in
the engine's own environment."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Run = Callable[[], Sequence[NDArray[Any]]]  # the network's outputs
WINDOW_SECONDS = 0.03


class Nerone:
    """int8 image to int8 logits through VART and the software DPU."""

    def __init__(self, folder: Path, threads: int, kernels: str = "auto") -> None:
        import nerone  # noqa: F401
        from nerone import _core

        if threads != 1:
            raise ValueError("a runner uses one thread; give it images in parallel instead")
        self.model = _core.Model(folder / "model.xmodel", _core.DeviceOptions(kernels=kernels), until_dpu=True)
        self.outputs = [np.empty(info.shape, np.int8) for info in self.model.outputs]

    def bind(self, image: Image) -> Run:
        info = self.model.inputs[0]
        fixed = np.clip(np.floor(image * 2.0**info.fix_point + 0.5), -128, 127).astype(np.int8).reshape(info.shape)

        def run() -> Sequence[NDArray[Any]]:
            self.model.run([fixed], self.outputs)
            return self.outputs

        return run


class OpenVino:
    def __init__(self, folder: Path, threads: int) -> None:
        import openvino as ov

        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        compiled = ov.Core().compile_model(folder / "openvino.xml", "CPU", options)
        self.request = compiled.create_infer_request()

    def bind(self, image: Image) -> Run:
        import openvino as ov

        self.request.set_input_tensor(ov.Tensor(np.ascontiguousarray(image[None])))

        def run() -> Sequence[NDArray[Any]]:
            self.request.infer()
            return [tensor.data for tensor in self.request.output_tensors]

        return run


class TfLite:
    def __init__(self, folder: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(str(folder / "model.tflite"), num_threads=threads)
        self.interpreter.allocate_tensors()

    def bind(self, image: Image) -> Run:
        detail = self.interpreter.get_input_details()[0]
        scale, zero = detail["quantization"]
        fixed = np.clip(np.round(image / scale) + zero, -128, 127).astype(np.int8)[None]
        self.interpreter.set_tensor(detail["index"], fixed)
        output = self.interpreter.get_output_details()[0]["index"]

        def run() -> Sequence[NDArray[Any]]:
            self.interpreter.invoke()
            return [self.interpreter.get_tensor(output)]

        return run


class OnnxRuntime:
    def __init__(self, folder: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.session = onnxruntime.InferenceSession(folder / "quantized.onnx", options, ["CPUExecutionProvider"])

    def bind(self, image: Image) -> Run:
        feed = {"image": np.ascontiguousarray(image[None])}
        return lambda: self.session.run(None, feed)


class TensorFlow:
    def __init__(self, folder: Path, threads: int) -> None:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self.module = tf.saved_model.load(str(folder / "saved_model"))

    def bind(self, image: Image) -> Run:
        import tensorflow as tf

        tensor = tf.constant(image[None])
        return lambda: [found.numpy() for found in tf.nest.flatten(self.module.serve(tensor))]


ENGINES = {
    "nerone": Nerone,
    "openvino": OpenVino,
    "tflite": TfLite,
    "onnxruntime": OnnxRuntime,
    "tensorflow": TensorFlow,
}


def agreement(outputs: Sequence[NDArray[Any]], reference: NDArray[Any]) -> float:
    """Share of the largest logits in the same place, of the output that the reference is of."""
    found = next(output for output in outputs if output.size == reference.size)
    return float(np.mean(found.reshape(reference.shape).argmax(-1) == reference.argmax(-1)))


def windows(run: Run, until: float) -> list[tuple[float, float]]:
    """Images per second, and per second of the process's processor time, of one window after the other."""
    found = []
    while (start := time.perf_counter()) < until:
        images, spent = 0, time.process_time()
        while time.perf_counter() - start < WINDOW_SECONDS:
            run()
            images += 1
        cpu = max(time.process_time() - spent, 1e-6)
        found.append((images / (time.perf_counter() - start), images / cpu))
    return found


def rates(runs: list[Run], seconds: float) -> list[tuple[float, float]]:
    """Of one instance, or the sum of several that run in parallel."""
    if len(runs) == 1:
        return windows(runs[0], time.perf_counter() + seconds)
    found: list[list[tuple[float, float]]] = [[] for _ in runs]
    barrier = threading.Barrier(len(runs))

    def work(index: int) -> None:
        barrier.wait()
        found[index] = windows(runs[index], time.perf_counter() + seconds)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(runs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [(sum(wall for wall, _ in row), sum(cpu for _, cpu in row)) for row in zip(*found, strict=False)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1, help="of one image")
    parser.add_argument("--instances", type=int, default=1, help="images in parallel")
    parser.add_argument("--kernels", help="of NERONE's software DPU")
    options = parser.parse_args()
    answers, sys.stdout = sys.stdout, sys.stderr
    images = np.load(options.folder / "images.npy")
    chosen = {"kernels": options.kernels} if options.kernels else {}
    engines = [ENGINES[options.engine](options.folder, options.threads, **chosen) for _ in range(options.instances)]
    reference = np.load(options.folder / "reference.npy")
    same = [agreement(engines[0].bind(x)(), y) for x, y in zip(images, reference, strict=True)]
    runs = [engine.bind(images[0]) for engine in engines]
    scatter = float(np.std(same, ddof=1) / np.sqrt(len(same)))
    print(json.dumps({"agreement": float(np.mean(same)), "standard_error": scatter}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(rates(runs, float(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
