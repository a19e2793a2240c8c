"""Quantization to int8 with power-of-two scales: PTQ, fast finetuning, QAT; models quantized elsewhere."""

from __future__ import annotations

from nerone.dpu.arithmetic import quantize_array
from nerone.quantization.calibration.images import CalibrationSet
from nerone.quantization.calibration.sampling import Sampling, class_presence, coverage, sample
from nerone.quantization.model import QuantizedModel
from nerone.quantization.options import QuantizeOptions
from nerone.quantization.quantize import quantize
from nerone.quantization.training.trainable import from_trainable, to_trainable
from nerone.quantization.vendor.qdq import load_qdq
from nerone.quantization.vendor.quantizer import VendorQuantizer
from nerone.quantization.vendor.vai_q import load_vai_q

__all__ = [
    "CalibrationSet",
    "QuantizeOptions",
    "QuantizedModel",
    "Sampling",
    "VendorQuantizer",
    "class_presence",
    "coverage",
    "from_trainable",
    "load_qdq",
    "load_vai_q",
    "quantize",
    "quantize_array",
    "sample",
    "to_trainable",
]
