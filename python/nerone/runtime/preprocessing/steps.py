"""The steps a preprocessing is made of: one frozen dataclass each, checked when made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from nerone.errors import ConfigurationError
from nerone.runtime.preprocessing.field_checks import (
    MAX_CHANNELS,
    check_ascending,
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_numbers,
)
from nerone.runtime.preprocessing.geometry import CropOrPad, Resample, Resize
from nerone.runtime.preprocessing.step import Step

__all__ = [
    "STEPS",
    "Channels",
    "Clip",
    "CropOrPad",
    "Grey",
    "Percentile",
    "Resample",
    "Resize",
    "ScaleOffset",
    "Step",
    "Window",
    "ZScore",
    "step_from_dict",
    "step_to_dict",
]

Scope = Literal["slice", "volume"]

SCOPES = ("slice", "volume")


@dataclass(frozen=True)
class Channels(Step):
    """Expect so many channels, and take them in an order if there is one: (2, 1, 0) makes RGB of BGR.

    Parameters
    ----------
    count : int, channels that the image must have
    order : for each channel of the result, the image's channel; empty leaves them as they are
    names : what the image's channels are called ("flair", "t1" ...), for readers that put them together; may be empty
    """

    kind: ClassVar[str] = "channels"
    count: int
    order: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_integer(self, "count", MAX_CHANNELS)
        order = tuple(self.order) if isinstance(self.order, (tuple, list)) else None
        if order is None or not all(
            isinstance(c, int) and not isinstance(c, bool) and 0 <= c < self.count for c in order
        ):
            raise ConfigurationError(
                f"channels.order is {self.order!r}; expected channel numbers from 0 to {self.count - 1}"
            )
        if len(order) > MAX_CHANNELS:
            raise ConfigurationError(f"channels.order has {len(order)} entries; expected at most {MAX_CHANNELS}")
        names = tuple(self.names) if isinstance(self.names, (tuple, list)) else None
        if names is None or len(names) not in (0, self.count) or not all(isinstance(name, str) for name in names):
            raise ConfigurationError(
                f"channels.names is {self.names!r}; expected one name per channel ({self.count}), or none"
            )
        object.__setattr__(self, "order", order)
        object.__setattr__(self, "names", names)

    @property
    def input_channels(self) -> int | None:
        """Channels that the image must have."""
        return self.count

    def output_channels(self, channels: int) -> int:
        """Channels behind the step."""
        return len(self.order) or channels


@dataclass(frozen=True)
class Grey(Step):
    """Make one channel of three: the weighted sum (ITU-R BT.601 luma by default, for R, G, B)."""

    kind: ClassVar[str] = "grey"
    weights: tuple[float, float, float] = (0.299, 0.587, 0.114)

    def __post_init__(self) -> None:
        check_numbers(self, "weights", 3)
        if any(abs(weight) > 10 for weight in self.weights):
            raise ConfigurationError(f"grey.weights is {self.weights!r}; expected -10 to 10")

    @property
    def input_channels(self) -> int | None:
        """Channels that the image must have."""
        return 3

    def output_channels(self, channels: int) -> int:
        """Channels behind the step."""
        return 1


@dataclass(frozen=True)
class Clip(Step):
    """Saturate at both ends; None leaves an end open. `Clip(low=0)` takes negative values to 0."""

    kind: ClassVar[str] = "clip"
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        for field in ("low", "high"):
            if getattr(self, field) is not None:
                check_number(self, field)
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ConfigurationError(f"clip.low is {self.low:g}, above clip.high, {self.high:g}; exchange them")


@dataclass(frozen=True)
class Window(Step):
    """Saturate to [low, high] and map that range to `to`."""

    kind: ClassVar[str] = "window"
    low: float
    high: float
    to: tuple[float, float] = (-1.0, 1.0)

    def __post_init__(self) -> None:
        check_number(self, "low")
        check_number(self, "high")
        if not self.low < self.high:
            raise ConfigurationError(f"window.low is {self.low:g}; expected less than window.high, {self.high:g}")
        check_ascending(self, "to")


@dataclass(frozen=True)
class Percentile(Step):
    """Saturate each channel at two of its percentiles and map that range to `to`.

    A percentile q of n sorted values is at position q / 100 * (n - 1), linearly between its neighbours. A channel whose
    two ends are equal becomes to[0].

    Parameters
    ----------
    low : percent, or None for the value 0 as the lower end
    high : percent
    to : range of the result
    scope : "slice", or "volume": the statistics given with the slice (a slice without them is a volume of one slice)
    nonzero : bool, take the percentiles of the values other than 0
    """

    kind: ClassVar[str] = "percentile"
    low: float | None
    high: float
    to: tuple[float, float] = (-1.0, 1.0)
    scope: Scope = "slice"
    nonzero: bool = False

    def __post_init__(self) -> None:
        if self.low is not None:
            check_number(self, "low", 0.0, 100.0)
        check_number(self, "high", 0.0, 100.0)
        if self.low is not None and not self.low < self.high:
            raise ConfigurationError(
                f"percentile.low is {self.low:g}; expected less than percentile.high, {self.high:g}"
            )
        check_ascending(self, "to")
        check_choice(self, "scope", SCOPES)
        check_flag(self, "nonzero")

    @property
    def needs_volume(self) -> bool:
        """Whether the scope is the volume."""
        return self.scope == "volume"


@dataclass(frozen=True)
class ZScore(Step):
    """Subtract each channel's mean and divide by its standard deviation (of the population); a constant one becomes 0.

    Parameters
    ----------
    scope : as of `Percentile`
    nonzero : bool, take mean and deviation of the values other than 0, and leave 0 at 0
    """

    kind: ClassVar[str] = "z_score"
    scope: Scope = "slice"
    nonzero: bool = False

    def __post_init__(self) -> None:
        check_choice(self, "scope", SCOPES)
        check_flag(self, "nonzero")

    @property
    def needs_volume(self) -> bool:
        """Whether the scope is the volume."""
        return self.scope == "volume"


@dataclass(frozen=True)
class ScaleOffset(Step):
    """value * scale + offset, one pair for all channels or one per channel."""

    kind: ClassVar[str] = "scale_offset"
    scale: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        check_numbers(self, "scale")
        check_numbers(self, "offset")
        if any(abs(s) > 1e6 for s in self.scale):
            raise ConfigurationError(f"scale_offset.scale is {self.scale!r}; expected at most 1e6")
        if len({len(self.scale), len(self.offset)} - {1}) > 1:
            raise ConfigurationError(
                f"scale_offset.scale has {len(self.scale)} and scale_offset.offset {len(self.offset)} values; "
                "expected as many"
            )

    @property
    def input_channels(self) -> int | None:
        """Channels that the image must have."""
        count = max(len(self.scale), len(self.offset))
        return count if count > 1 else None


STEPS: dict[str, type[Step]] = {
    step.kind: step
    for step in (Channels, Clip, CropOrPad, Grey, Percentile, Resample, Resize, ScaleOffset, Window, ZScore)
}


def step_to_dict(step: Step) -> dict[str, Any]:
    """Give a step as plain values: its kind under "step", its fields beside."""
    values = {field.name: getattr(step, field.name) for field in dataclasses.fields(step)}
    return {"step": step.kind} | {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def step_from_dict(values: Any, where: str) -> Step:
    """Read what `step_to_dict` gave; ConfigurationError starts with `where`."""
    if not isinstance(values, Mapping) or not isinstance(values.get("step"), str) or values["step"] not in STEPS:
        got = values.get("step") if isinstance(values, Mapping) else values
        raise ConfigurationError(f"{where}.step is {got!r}; expected one of {', '.join(sorted(STEPS))}")
    cls = STEPS[values["step"]]
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in values:
        if key != "step" and key not in fields:
            raise ConfigurationError(
                f"{where}.{key} is not a field of {cls.kind}; expected {', '.join(fields) or 'none'}"
            )
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING:
            raise ConfigurationError(f"{where}.{name} is missing; {cls.kind} needs it")
    try:
        return cls(**{key: value for key, value in values.items() if key != "step"})
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
