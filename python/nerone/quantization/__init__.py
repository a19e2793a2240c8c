"""Quantization to int8 with power-of-two scales: PTQ, fast finetuning, QAT; models quantized elsewhere."""

from __future__ import annotations

from nerone.quantization.calibration import CalibrationSet
from nerone.quantization.options import QuantizeOptions
from nerone.quantization.pof2s import quantize_array
from nerone.quantization.qat import from_trainable, to_trainable
from nerone.quantization.quantize import quantize
from nerone.quantization.quantized import QuantizedModel
from nerone.quantization.sampling import Sampling, class_presence, coverage, sample
from nerone.quantization.vai_q import load_vai_q
from nerone.quantization.vendor import VendorQuantizer

__all__ = [
    "CalibrationSet",
    "QuantizeOptions",
    "QuantizedModel",
    "Sampling",
    "VendorQuantizer",
    "class_presence",
    "coverage",
    "from_trainable",
    "load_vai_q",
    "quantize",
    "quantize_array",
    "sample",
    "to_trainable",
]
