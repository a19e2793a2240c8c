"""Read fields of bundle.json: each with its type, each refusal one sentence that names the field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from nerone.errors import ConfigurationError
from nerone.files import short_text

__all__ = ["Fields", "read_json"]

T = TypeVar("T")

MAX_BYTES = 64 << 20
_REMEDY = "the bundle is damaged: copy it again or run nerone deploy again"


def read_json(path: Path, remedy: str = _REMEDY) -> dict[str, Any]:
    """Read a JSON object from a file; errors end in ``remedy``.

    Raises
    ------
    ConfigurationError
        where the file is missing, too large, not UTF-8, not JSON or not an object.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigurationError(f"'{path}' has {size} bytes, more than {MAX_BYTES}; {remedy}")
        text = short_text(path, MAX_BYTES)
    except FileNotFoundError as error:
        raise ConfigurationError(f"'{path}' is missing; {remedy}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"'{path}' is not UTF-8 text; {remedy}") from error
    except OSError as error:
        raise ConfigurationError(
            f"'{path}' cannot be read: {error.strerror or error}; check its permissions"
        ) from error
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        line = str(error).splitlines()[0]
        raise ConfigurationError(f"'{path}' is not valid JSON ({line}); {remedy}") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"'{path}' holds a {type(values).__name__}, expected an object; {remedy}")
    return values


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


class Fields:
    """An object of a JSON file with the name of the place it stands at."""

    def __init__(self, values: Mapping[str, Any], place: str) -> None:
        self._values, self._place = values, place

    def fail(self, key: str, got: object, expected: str) -> ConfigurationError:
        """Return the error that says what a field holds and what was expected."""
        shown = repr(got)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        return ConfigurationError(f"{self._place}: '{key}' is {shown}, expected {expected}; {_REMEDY}")

    def get(self, key: str, kind: type[T], expected: str) -> T:
        """Return a field of a type; a bool is no int."""
        if key not in self._values:
            raise ConfigurationError(f"{self._place}: '{key}' is missing, expected {expected}; {_REMEDY}")
        value = self._values[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fail(key, value, expected)
        return value

    def optional(self, key: str, kind: type[T], expected: str) -> T | None:
        """Return a field of a type, or None where it is absent or null."""
        return None if self._values.get(key) is None else self.get(key, kind, expected)

    def object(self, key: str) -> Fields:
        """Return a field that is an object."""
        return Fields(self.get(key, dict, "an object"), f"{self._place}: '{key}'")

    def has(self, key: str) -> bool:
        """Return whether there is such a field."""
        return key in self._values

    def keys(self) -> list[str]:
        """Return the names of the fields."""
        return list(self._values)

    def integers(self, key: str, low: int, high: int) -> tuple[int, ...]:
        """Return a field that is a list of integers within limits."""
        expected = f"a list of integers from {low} to {high}"
        values = self.get(key, list, expected)
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise self.fail(key, values, expected)
        return tuple(values)

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a field that is a list of strings."""
        values = self.get(key, list, "a list of strings")
        if not all(isinstance(value, str) for value in values):
            raise self.fail(key, values, "a list of strings")
        return tuple(values)
