"""Whatever a reader of models stumbles over is the file's fault, and one error of ours: files come from strangers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from nerone.errors import Error, ModelError

__all__ = ["model_errors"]


@contextlib.contextmanager
def model_errors(file: Path | str, remedy: str = "export the model again") -> Iterator[None]:
    """Raise ModelError, naming the file, in place of what a library or an importer raises about its content."""
    try:
        yield
    except (Error, ImportError):  # a missing package is reported elsewhere, with what to install
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise ModelError(f"'{file}' cannot be imported ({reason}); {remedy}") from error
