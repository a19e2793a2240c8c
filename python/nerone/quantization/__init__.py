"""Quantization to int8 with power-of-two scales: PTQ, and the import of models quantized elsewhere."""

from __future__ import annotations

from nerone.quantization.pof2s import quantize_array
from nerone.quantization.quantized import QuantizedModel
from nerone.quantization.vai_q import load_vai_q

__all__ = ["QuantizedModel", "load_vai_q", "quantize_array"]
