"""TensorFlow writes to the terminal while it loads, past every setting; a command's stderr is for its user."""

from __future__ import annotations

import importlib
import os
import sys

__all__ = ["import_quietly"]


def import_quietly(*modules: str) -> None:
    """Import modules while what they write to file descriptor 2 goes nowhere.

    Raises
    ------
    ImportError
        where one is missing.
    """
    if all(module in sys.modules for module in modules):
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        for module in modules:
            importlib.import_module(module)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
