"""Whatever a reader raises becomes one error of ours that names the file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from nerone.errors import ConfigurationError, Error, printable

__all__ = ["named_errors", "nothing_left", "one_line", "with_named_errors"]

_T = TypeVar("_T")
_LONGEST = 200


def one_line(error: BaseException) -> str:
    """Return what an error says, on one line, without control characters, of bounded length."""
    text = " ".join(printable(str(error)).split())
    return (text[: _LONGEST - 3] + "..." if len(text) > _LONGEST else text) or type(error).__name__


def nothing_left(what: str, skipped: Sequence[tuple[Path, str]]) -> str:
    """Return a sentence that nothing is left to work on, with why the last file was left out."""
    if not skipped:
        return what
    count = "" if len(skipped) == 1 else f"{len(skipped)} files were left out, the last one because "
    return f"{what}: {count}{skipped[-1][1]}"


@contextlib.contextmanager
def named_errors(path: Path, kind: str) -> Iterator[None]:
    """Raise ConfigurationError, naming the file, in place of what a library raises about its content.

    Parameters
    ----------
    path : the file, or the folder of a series
    kind : what it should be, such as "DICOM" or "a picture"
    """
    try:
        yield
    except (Error, ImportError):  # a missing package is reported elsewhere, with what to install
        raise
    except FileNotFoundError:
        raise ConfigurationError(f"'{path}' does not exist") from None
    except MemoryError as error:
        raise ConfigurationError(f"'{path}' does not fit into memory; read it where there is more") from error
    except Exception as error:
        raise ConfigurationError(
            f"'{path}' cannot be read as {kind} ({one_line(error)}); it may be damaged or half downloaded"
        ) from error


def with_named_errors(path: Path, kind: str, items: Iterator[_T]) -> Iterator[_T]:
    """Yield ``items``; errors while they are read are those of :func:`named_errors`."""
    while True:
        with named_errors(path, kind):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item
