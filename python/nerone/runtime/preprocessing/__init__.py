"""The declaration of what happens to an image before the network, and its statement in numpy."""

from __future__ import annotations

from nerone.runtime.preprocessing.declaration import (
    STEPS,
    Channels,
    Clip,
    CropOrPad,
    Grey,
    Percentile,
    Preprocessing,
    Resample,
    Resize,
    ScaleOffset,
    Spacing,
    Statistics,
    Step,
    Window,
    ZScore,
    spacing_pair,
)

__all__ = [
    "STEPS",
    "Channels",
    "Clip",
    "CropOrPad",
    "Grey",
    "Percentile",
    "Preprocessing",
    "Resample",
    "Resize",
    "ScaleOffset",
    "Spacing",
    "Statistics",
    "Step",
    "Window",
    "ZScore",
    "spacing_pair",
]
