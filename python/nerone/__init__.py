"""NERONE: trained Keras models as maximum-FPS INT8 deployments on AMD-Xilinx DPUs, and bit for bit the same without a board."""

from __future__ import annotations

__all__: list[str] = []
