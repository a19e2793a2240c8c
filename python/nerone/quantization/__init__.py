"""Quantization to int8 with power-of-two scales: PTQ, and the import of models quantized elsewhere."""

from __future__ import annotations

from nerone.quantization.calibration import CalibrationSet
from nerone.quantization.options import QuantizeOptions
from nerone.quantization.pof2s import quantize_array
from nerone.quantization.quantize import quantize
from nerone.quantization.quantized import QuantizedModel
from nerone.quantization.vai_q import load_vai_q

__all__ = ["CalibrationSet", "QuantizeOptions", "QuantizedModel", "load_vai_q", "quantize", "quantize_array"]
