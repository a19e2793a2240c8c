"""Checks of the fields of frozen dataclasses that have a `kind`; each raises ConfigurationError naming the field."""

from __future__ import annotations

import math
from typing import Any

from nerone.errors import ConfigurationError

__all__ = [
    "MAX_CHANNELS",
    "check_ascending",
    "check_choice",
    "check_flag",
    "check_integer",
    "check_number",
    "check_numbers",
]

MAX_CHANNELS = 64


def check_number(step: Any, field: str, low: float = -1e30, high: float = 1e30) -> None:
    """A finite number in a range; stored as float."""
    value = getattr(step, field)
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not low <= value <= high:
        raise ConfigurationError(f"{step.kind}.{field} is {value!r}; expected a number from {low:g} to {high:g}")
    object.__setattr__(step, field, float(value))


def check_integer(step: Any, field: str, high: int) -> None:
    """A whole number from 1 to high."""
    value = getattr(step, field)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= high:
        raise ConfigurationError(f"{step.kind}.{field} is {value!r}; expected a whole number from 1 to {high}")


def check_numbers(step: Any, field: str, count: int | None = None) -> None:
    """Finite numbers, `count` of them where given; stored as a tuple of floats."""
    value = getattr(step, field)
    values = (value,) if isinstance(value, (int, float)) else value
    good = (
        isinstance(values, (tuple, list))
        and 1 <= len(values) <= MAX_CHANNELS
        and (count is None or len(values) == count)
    )
    if not good or not all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) and abs(v) <= 1e30 for v in values
    ):
        wanted = f"{count} finite numbers" if count else "one finite number, or one per channel"
        raise ConfigurationError(f"{step.kind}.{field} is {value!r}; expected {wanted}")
    object.__setattr__(step, field, tuple(float(v) for v in values))


def check_choice(step: Any, field: str, choices: tuple[str, ...]) -> None:
    """One of the choices."""
    if getattr(step, field) not in choices:
        raise ConfigurationError(
            f"{step.kind}.{field} is {getattr(step, field)!r}; expected one of {', '.join(choices)}"
        )


def check_flag(step: Any, field: str) -> None:
    """True or False."""
    if not isinstance(getattr(step, field), bool):
        raise ConfigurationError(f"{step.kind}.{field} is {getattr(step, field)!r}; expected true or false")


def check_ascending(step: Any, field: str) -> None:
    """Two finite numbers, the lower one first."""
    check_numbers(step, field, 2)
    low, high = getattr(step, field)
    if not low < high:
        raise ConfigurationError(f"{step.kind}.{field} is ({low:g}, {high:g}); expected the lower value first")
