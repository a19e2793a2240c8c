"""The process of the float model: python -m nerone.live.fp32_process FD BUNDLE MODEL NICENESS, started by fp32.py."""

from __future__ import annotations

import contextlib
import os
import sys
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["serve"]


def _take_little(niceness: int) -> None:
    os.nice(niceness)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _probabilities(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scores as they are where they are probabilities already, else their softmax."""
    if scores.min() >= 0 and abs(float(scores.sum()) - 1) < 1e-3:
        return scores
    shifted = np.exp(scores - scores.max())
    return np.asarray(shifted / shifted.sum(), np.float32)


def serve(connection: Connection, bundle_path: str, model_path: str) -> None:
    """Answer each (image, spacing_mm, statistics) with ("", (mask or None, probabilities or None)) until hung up on."""
    try:
        from nerone.bundle.bundle import Bundle
        from nerone.evaluation.evaluate import KerasNetwork
        from nerone.runtime.preprocessing.image_grid import on_image_grid
        from nerone.runtime.preprocessing.numpy_steps import apply

        bundle = Bundle.open(bundle_path)
        network = KerasNetwork(model_path)

        def answer(image: NDArray[Any], spacing_mm: Any, statistics: Any) -> Any:
            steps = bundle.preprocessing
            scores = network.scores(apply(steps, image, spacing_mm=spacing_mm, statistics=statistics))
            if bundle.output.kind == "classification":
                return None, _probabilities(scores.reshape(-1))
            classes = scores.argmax(-1).astype(np.uint8)
            size = (int(image.shape[0]), int(image.shape[1]))
            return on_image_grid(steps, classes, size, spacing_mm=spacing_mm, covers=bundle.output.covers), None

        connection.send(("", None))
        while True:
            connection.send(("", answer(*connection.recv())))
    except EOFError:
        return
    except Exception as error:
        text = str(error).strip().splitlines()
        said = f"the float model cannot be run: {text[0] if text else type(error).__name__}"
        with contextlib.suppress(OSError):
            connection.send((said, None))


if __name__ == "__main__":
    _take_little(int(sys.argv[4]))
    serve(Connection(int(sys.argv[1])), sys.argv[2], sys.argv[3])
