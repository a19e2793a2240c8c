"""Whole programs in the shape of the vendor's detectors: a notebook of PYNQ-DPU, and threads that share a video."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.test_vendor_scripts import run_script
from compilation.small_models import Maker
from nerone import Model
from nerone.compilation import compile as compile_model
from nerone.graph import Op

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")

# A YOLO of three scales: float32 arrays for an overlay's runner, letterboxed pictures, boxes, non-maximum suppression.
YOLO_PROGRAM = """
import json
import os
import sys
import time

import cv2
import numpy as np
from pynq_dpu import DpuOverlay

ANCHORS = [(10, 13), (16, 30), (33, 23)]
CLASSES = 2


def letterbox(picture, size):
    height, width = picture.shape[:2]
    scale = min(size / height, size / width)
    inner = cv2.resize(picture, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_NEAREST)
    boxed = np.full((size, size, 3), 128, np.uint8)
    top, left = (size - inner.shape[0]) // 2, (size - inner.shape[1]) // 2
    boxed[top : top + inner.shape[0], left : left + inner.shape[1], :] = inner
    return boxed[:, :, ::-1].astype(np.float32) / 255


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def boxes_of(head, size):
    cells = head.shape[0]
    head = head.reshape(cells, cells, len(ANCHORS), 5 + CLASSES)
    found = []
    for row in range(cells):
        for column in range(cells):
            for number, (width, height) in enumerate(ANCHORS):
                x, y, w, h, sure = head[row, column, number, :5]
                scores = sigmoid(sure) * sigmoid(head[row, column, number, 5:])
                if scores.max() > 0.3:
                    middle = ((column + sigmoid(x)) / cells * size, (row + sigmoid(y)) / cells * size)
                    half = (width * np.exp(w) / 2, height * np.exp(h) / 2)
                    box = (middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1])
                    found.append((float(scores.max()), int(scores.argmax()), [float(value) for value in box]))
    return found


def overlap(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0, width) * max(0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


def best(found):
    kept = []
    for score, number, box in sorted(found, reverse=True):
        if all(other != number or overlap(box, kept_box) < 0.5 for _, other, kept_box in kept):
            kept.append((round(score, 5), number, [round(value, 3) for value in box]))
    return kept


def main(arguments):
    overlay = DpuOverlay("dpu.bit")
    overlay.load_model(arguments[1])
    dpu = overlay.runner
    inputTensors = dpu.get_input_tensors()
    outputTensors = dpu.get_output_tensors()
    shapeIn = tuple(inputTensors[0].dims)
    shapesOut = [tuple(tensor.dims) for tensor in outputTensors]
    input_data = [np.empty(shapeIn, dtype=np.float32, order="C")]
    output_data = [np.empty(shape, dtype=np.float32, order="C") for shape in shapesOut]
    image = input_data[0]
    results = {}
    began = time.time()
    for name in sorted(os.listdir(arguments[2])):
        image[0, ...] = letterbox(cv2.imread(os.path.join(arguments[2], name)), shapeIn[1])
        job_id = dpu.execute_async(input_data, output_data)
        dpu.wait(job_id)
        heads = [np.reshape(data, shape)[0] for data, shape in zip(output_data, shapesOut)]
        results[name] = best([box for head in heads for box in boxes_of(head, shapeIn[1])])
    print("Performance: {} FPS".format(len(results) / (time.time() - began)), file=sys.stderr)
    del overlay
    del dpu
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv)
"""

# A reader, several threads with a runner each, and a writer that puts the frames in order again.
VIDEO_PROGRAM = """
import json
import queue
import sys
import threading

import numpy as np
import vart
import xir

END = None


def read(path, frames, threads):
    for number, frame in enumerate(np.load(path)):
        frames.put((number, frame))
    for _ in range(threads):
        frames.put(END)


def detect(dpu, frames, done):
    tensor, heads = dpu.get_input_tensors()[0], dpu.get_output_tensors()
    scale = 2 ** tensor.get_attr("fix_point")
    while True:
        taken = frames.get()
        if taken is END:
            done.put((sys.maxsize, ""))
            return
        number, frame = taken
        given = [np.empty(tuple(tensor.dims), dtype=np.int8, order="C")]
        found = [np.empty(tuple(head.dims), dtype=np.int8, order="C") for head in heads]
        given[0][0, ...] = np.clip(frame * scale, -128, 127)
        dpu.wait(dpu.execute_async(given, found))
        scales = [2.0 ** -head.get_attr("fix_point") for head in heads]
        sums = {head.name: float(np.sum(one * scale)) for head, one, scale in zip(heads, found, scales)}
        done.put((number, json.dumps(sums, sort_keys=True)))


def write(done, threads):
    ended = 0
    waiting, number = {}, 0
    while ended < threads:
        taken, text = done.get()
        ended += taken == sys.maxsize
        waiting[taken] = text
        while number in waiting:
            print(waiting.pop(number))
            number += 1


def main(arguments):
    graph = xir.Graph.deserialize(arguments[1])
    children = graph.get_root_subgraph().toposort_child_subgraph()
    parts = [part for part in children if part.has_attr("device") and part.get_attr("device").upper() == "DPU"]
    threads = int(arguments[3])
    frames, done = queue.Queue(maxsize=4), queue.PriorityQueue()
    runners = [vart.Runner.create_runner(parts[0], "run") for _ in range(threads)]
    jobs = [threading.Thread(target=read, args=(arguments[2], frames, threads))]
    jobs += [threading.Thread(target=detect, args=(runner, frames, done)) for runner in runners]
    jobs += [threading.Thread(target=write, args=(done, threads))]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    del runners


main(sys.argv)
"""

SIZE = 32


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with heads on grids of 8, 4 and 2 cells."""
    maker = Maker((SIZE, SIZE, 3), fix_point=6, seed=11)

    def convolved(name: str, source: str, channels: int, stride: int, fix_point: int) -> None:
        nodes = {node.name: node for node in maker.nodes}
        height, width, depth = nodes[source].shape
        weights = {
            "kernel": maker.rng.normal(0, 0.35, (stride, stride, depth, channels)).astype(np.float32),
            "bias": maker.rng.normal(0, 0.5, channels).astype(np.float32),
        }
        attrs = {"strides": (stride, stride), "pad": (0, 0, 0, 0), "dilation": (1, 1)}
        shape = (height // stride, width // stride, channels)
        maker.add(name, Op.CONV2D, shape, [source], attrs=attrs, weights=weights, fix_point=fix_point)

    source = "x"
    for number, stride in enumerate((4, 2, 2)):
        convolved(f"body{number}", source, 8, stride, 5)
        convolved(f"head{number}", f"body{number}", 3 * 7, 1, 4)
        source = f"body{number}"
    model = maker.model("head0", "head1", "head2")
    return compile_model(model, output=tmp_path_factory.mktemp("models") / "yolo.xmodel").path


def test_a_yolo_with_float_arrays_on_an_overlay(tmp_path: Path, detector: Path) -> None:
    rng, folder = np.random.default_rng(3), tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 256, (24 + 8 * number, 40, 3), np.uint8))
    found = json.loads(run_script(tmp_path, YOLO_PROGRAM, detector, folder))
    program: dict[str, Any] = {"__name__": "program"}
    source = YOLO_PROGRAM.replace("from pynq_dpu import DpuOverlay", "")
    exec(compile(source, "yolo.py", "exec"), program)
    with Model.load(detector) as model:
        for name, boxes in found.items():
            image = program["letterbox"](cv2.imread(str(folder / name)), SIZE)
            heads = model.run(np.trunc(image * 64)[np.newaxis].astype(np.int8), dtype="float32")
            seen = [box for head in heads.values() for box in program["boxes_of"](head[0], SIZE)]
            assert boxes == json.loads(json.dumps(program["best"](seen)))
            assert 0 < len(boxes) < len(seen)
    assert sorted(found) == ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_with_a_runner_each_share_a_video(tmp_path: Path, detector: Path, threads: int) -> None:
    frames = np.random.default_rng(4).uniform(-1, 1, (25, SIZE, SIZE, 3)).astype(np.float32)
    np.save(tmp_path / "video.npy", frames)
    lines = run_script(tmp_path, VIDEO_PROGRAM, detector, tmp_path / "video.npy", threads).splitlines()
    with Model.load(detector) as model:
        for line, frame in zip(lines, frames, strict=True):
            heads = model.run(np.clip(frame[np.newaxis] * 64, -128, 127).astype(np.int8), dtype="float32")
            sums = {name.removesuffix("2float"): float(values.sum(dtype=np.float64)) for name, values in heads.items()}
            assert json.loads(line) == sums
