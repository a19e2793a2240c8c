"""Quantizes with vai_q_tensorflow2. It runs in the vendor's interpreter, where NERONE is not, as a script of its own.

It keeps to Python 3.7, which old containers have. In its folder it finds ``float.h5`` (Keras 2), ``calibration.npz``
(one array per input, in order) and ``settings.json``; it leaves ``q_model.h5``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> int:
    """Quantize; return the exit code."""
    folder = Path(__file__).resolve().parent
    settings = json.loads((folder / "settings.json").read_text("utf-8"))
    try:
        import numpy
        import tensorflow
        from tensorflow_model_optimization.quantization.keras import vitis_quantize  # type: ignore[import-not-found]
    except ImportError as error:
        print("this Python has no vai_q_tensorflow2: " + str(error))
        return 3
    model = tensorflow.keras.models.load_model(str(folder / "float.h5"), compile=False)
    with numpy.load(str(folder / "calibration.npz")) as stored:
        images = [stored[name] for name in settings["arrays"]]
    quantizer = vitis_quantize.VitisQuantizer(model)
    quantized = quantizer.quantize_model(
        calib_dataset=images[0] if len(images) == 1 else images,
        calib_batch_size=settings["calib_batch_size"],
        **settings["options"],
    )
    quantized.save(str(folder / "q_model.h5"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
