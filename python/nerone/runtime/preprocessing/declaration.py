"""The declaration of what happens to an image before the network: frozen, saved in the bundle, executed elsewhere.

Values are float32 from the first step to the last; the numpy statement of every step is
`nerone.runtime.preprocessing.numpy_steps`, the fast one is the C++ library.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from nerone.errors import ConfigurationError, ShapeError
from nerone.runtime.preprocessing.steps import (
    STEPS,
    Channels,
    Clip,
    CropOrPad,
    Grey,
    Percentile,
    Resample,
    Resize,
    ScaleOffset,
    Step,
    Window,
    ZScore,
    step_from_dict,
    step_to_dict,
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

VERSION = 1

Spacing = Union[float, tuple[float, float], None]
"""Millimetres from one pixel to the next: one number, (between rows, between columns), or None where unknown."""


def spacing_pair(spacing_mm: Spacing) -> tuple[float, float] | None:
    """Give a spacing as (row, column) millimetres, or None.

    Raises ConfigurationError where a number is not finite and positive.
    """
    if spacing_mm is None:
        return None
    try:
        values = (
            tuple(float(v) for v in spacing_mm) if not isinstance(spacing_mm, (int, float)) else (float(spacing_mm),)
        )
    except (TypeError, ValueError, OverflowError):
        values = ()
    pair = values * 2 if len(values) == 1 else values
    if len(pair) != 2 or not all(0.0 < v < float("inf") for v in pair):
        raise ConfigurationError(
            f"spacing_mm is {spacing_mm!r}; expected one or two positive numbers in millimetres (row, column)"
        )
    return pair[0], pair[1]


@dataclass(frozen=True)
class Statistics:
    """Statistics of a whole volume, for the steps of that scope.

    Parameters
    ----------
    values : per volume-scoped step, in order, and per channel: (low, high) of a Percentile, (mean, deviation) of a
        ZScore
    """

    values: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class Preprocessing:
    """The steps from an image to the network's input, in order.

    Parameters
    ----------
    steps : sequence of steps; a step of scope "volume" has to come before the first step that moves pixels
    orientation : how the slices lie that the network was trained on, as "RAS": rows grow to the right, columns to the
        front, slices are stacked from the feet up; readers turn volumes to it and masks back. "" where undeclared
    dicom_orientation : the same for DICOM series alone, of bundles from before the declaration; it is not saved

    Raises
    ------
    ConfigurationError
        naming the step and the field that cannot work.

    Examples
    --------
    >>> Preprocessing((Resize(256, 256), Window(-500, 1000))).output_shape(512, 512)
    (256, 256, 1)
    """

    steps: tuple[Step, ...]
    orientation: str = ""
    dicom_orientation: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        _check_orientation(self.orientation)
        steps = tuple(self.steps)
        object.__setattr__(self, "steps", steps)
        moved = False
        for number, step in enumerate(steps):
            if type(step) not in STEPS.values():
                raise ConfigurationError(f"steps[{number}] is {step!r}; expected one of {', '.join(sorted(STEPS))}")
            moved = moved or step.moves_pixels
            if moved and step.needs_volume:
                raise ConfigurationError(
                    f"steps[{number}] ({step.kind}) has scope 'volume' behind a step that moves pixels; "
                    "put it before that step"
                )

    @property
    def volume_steps(self) -> tuple[Step, ...]:
        """The steps that want statistics of the whole volume."""
        return tuple(step for step in self.steps if step.needs_volume)

    @property
    def input_channels(self) -> int | None:
        """Channels that an image must have, or None where any number goes."""
        channels: int | None = None
        for step in reversed(self.steps):
            needed = step.input_channels
            channels = needed if needed is not None else channels
        return channels

    def output_shape(
        self, height: int, width: int, channels: int = 1, *, spacing_mm: Spacing = None
    ) -> tuple[int, int, int]:
        """Give the shape (H, W, C) that an image of this size has after the last step.

        Raises ShapeError where the image is empty or has other channels than a step needs.
        """
        if height < 1 or width < 1 or channels < 1:
            raise ShapeError(
                f"the image has shape ({height}, {width}, {channels}); every axis needs at least one element"
            )
        spacing = spacing_pair(spacing_mm)
        for step in self.steps:
            if step.input_channels not in (None, channels):
                raise ShapeError(
                    f"the image has {channels} channels where the step {step.kind} expects {step.input_channels}; "
                    "give an image of that kind or change the preprocessing"
                )
            (height, width), spacing = step.output_size((height, width), spacing)
            channels = step.output_channels(channels)
        return height, width, channels

    def with_output_size(self, height: int, width: int) -> Preprocessing:
        """Give the same ending at another size: the last Resize or CropOrPad gets it, or a Resize is added."""
        steps = list(self.steps)
        for number in reversed(range(len(steps))):
            step = steps[number]
            if isinstance(step, (Resize, CropOrPad)):
                steps[number] = dataclasses.replace(step, height=height, width=width)
                return dataclasses.replace(self, steps=tuple(steps))
        return dataclasses.replace(self, steps=(*steps, Resize(height, width)))

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON; `from_dict` reads them back to an equal object."""
        declared = {"orientation": self.orientation} if self.orientation else {}
        return {"version": VERSION, **declared, "steps": [step_to_dict(step) for step in self.steps]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Read what `to_dict` gave.

        Raises
        ------
        ConfigurationError
            naming the field: unknown step, unknown or missing field, value out of range, newer version.
        """
        if not isinstance(values, Mapping):
            raise ConfigurationError(
                f"preprocessing is {type(values).__name__}; expected an object with 'version' and 'steps'"
            )
        unknown = sorted(str(key) for key in values if key not in ("version", "orientation", "steps"))
        if unknown:
            raise ConfigurationError(
                f"preprocessing.{unknown[0]} is unknown; expected 'version', 'orientation' and 'steps' only"
            )
        version = values.get("version")
        if version != VERSION or isinstance(version, bool):
            raise ConfigurationError(
                f"preprocessing.version is {version!r}; this release reads version {VERSION}: "
                "use the release that wrote the bundle"
            )
        steps = values.get("steps")
        if not isinstance(steps, (list, tuple)):
            raise ConfigurationError(f"preprocessing.steps is {type(steps).__name__}; expected a list of steps")
        read = tuple(step_from_dict(step, f"preprocessing.steps[{n}]") for n, step in enumerate(steps))
        return cls(read, values.get("orientation", ""))


def _check_orientation(orientation: Any) -> None:
    letters = orientation if isinstance(orientation, str) else "?"
    axes = sorted(next((pair for pair in ("LR", "AP", "IS") if letter in pair), "") for letter in letters)
    if letters and axes != ["AP", "IS", "LR"]:
        raise ConfigurationError(
            f"preprocessing.orientation is {orientation!r}; expected three letters such as RAS or LPS, one of R and L, "
            'one of A and P, one of S and I, or "" where it is unknown'
        )
