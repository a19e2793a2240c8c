"""Engines of a pipeline behind one protocol: VART in C++, and PYNQ-DPU in Python to compare with."""

from __future__ import annotations

__all__: list[str] = []
