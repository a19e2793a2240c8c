"""What runs the frames of a pipeline: VART in C++, and PYNQ-DPU in Python to compare with, behind one protocol."""

from __future__ import annotations

__all__: list[str] = []
