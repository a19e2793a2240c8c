"""The errors of NERONE. One root, few children; each is also the builtin error a caller would expect."""

from __future__ import annotations

import builtins
import contextlib
import unicodedata
from collections.abc import Iterator
from numbers import Integral, Real
from pathlib import Path
from typing import Any

__all__ = [
    "ConfigurationError",
    "DeviceError",
    "DtypeError",
    "Error",
    "ModelError",
    "QueueClosedError",
    "ShapeError",
    "TimeoutError",
    "check",
    "check_real",
    "check_whole",
    "model_errors",
    "printable",
    "printable_line",
]


def printable(text: str) -> str:
    """Return a text without what a terminal would take for commands: names come from files and boards.

    Spaces of all scripts stay; control characters, marks that turn the direction of writing, and bytes that are no
    UTF-8 become the replacement character.

    Examples
    --------
    >>> printable("scan" + chr(27) + "[2J.nii").isprintable()
    True
    """
    if text.isprintable():
        return text
    return "".join(c if _is_harmless(c) else "\N{REPLACEMENT CHARACTER}" for c in text)


def printable_line(text: str) -> str:
    """Return :func:`printable` text on one line: a line break in a name becomes the replacement character too.

    Examples
    --------
    >>> printable_line("scan" + chr(10) + "all is well.nii").isprintable()
    True
    """
    return printable(text).replace("\n", "\N{REPLACEMENT CHARACTER}").replace("\t", " ")


def _is_harmless(character: str) -> bool:
    return character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs"


class Error(Exception):
    """Root of all errors of NERONE. The message says what, what was got, what was expected and what to do."""

    def __str__(self) -> str:
        # A trace, a log and a page show it as they find it: on one line, which a name in it cannot end.
        return printable(" ".join(super().__str__().splitlines()))


class ShapeError(Error, ValueError):
    """An array has another shape or memory layout than expected."""


class DtypeError(Error, TypeError):
    """An array has another dtype than expected."""


class ModelError(Error, ValueError):
    """A model or model file cannot be used: damaged, of another DPU family, with an op that is missing."""


class DeviceError(Error, RuntimeError):
    """The device, its runner library or its driver failed or is absent."""


class TimeoutError(Error, builtins.TimeoutError):
    """A call did not finish in the time it was given."""


class QueueClosedError(Error, RuntimeError):
    """A frame was submitted to a pipeline that is closed."""


class ConfigurationError(Error, ValueError):
    """A setting cannot work: unknown board or preset, missing file, empty folder."""


@contextlib.contextmanager
def model_errors(file: Path | str, remedy: str = "export the model again") -> Iterator[None]:
    """Raise ModelError, naming the file, in place of what a library or an importer raises about its content.

    Whatever a reader of models stumbles over is the file's fault: files come from strangers. NERONE's own errors pass,
    and so does ImportError: a missing package is reported elsewhere, with what to install.
    """
    try:
        yield
    except (Error, ImportError):
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise ModelError(f"'{file}' cannot be imported ({reason}); {remedy}") from error


def check(name: str, good: bool, value: object, expected: str) -> None:
    """Raise ConfigurationError where an option is not good."""
    if not good:
        raise ConfigurationError(f"{name} is {value!r}; expected {expected}")


def check_whole(name: str, value: Any, least: int, most: int | None = None, *, other: str = "") -> None:
    """Raise ConfigurationError where an option is no whole number from ``least`` to ``most``.

    Examples
    --------
    >>> check_whole("size", 0, 1)
    Traceback (most recent call last):
    nerone.errors.ConfigurationError: size is 0; expected a whole number, 1 or more
    """
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    good = is_whole and least <= int(value) and (most is None or int(value) <= most)
    limits = f"{least} or more" if most is None else f"{least} to {most}"
    check(name, good, value, f"a whole number, {limits}{other}")


def check_real(name: str, value: Any, least: float, most: float, *, above: bool = False) -> None:
    """Raise ConfigurationError where an option is no number from ``least`` to ``most``, or not above ``least``.

    Examples
    --------
    >>> check_real("watts", float("nan"), 0, 1e6, above=True)
    Traceback (most recent call last):
    nerone.errors.ConfigurationError: watts is nan; expected a number above 0, at most 1e+06
    """
    good = isinstance(value, Real) and not isinstance(value, bool) and least <= float(value) <= most
    limits = f"above {least:g}, at most {most:g}" if above else f"from {least:g} to {most:g}"
    check(name, good and not (above and value == least), value, f"a number {limits}")
