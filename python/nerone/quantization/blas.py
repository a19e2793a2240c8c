"""How many threads numpy's BLAS takes."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

__all__ = ["one_blas_thread"]

# What OpenBLAS calls its functions in numpy's wheels, and in distributions.
_NAMES = (
    "scipy_openblas_{}_num_threads64_",
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",
)
_LOCK = threading.Lock()
_users = 0
_before = 0


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold numpy's OpenBLAS to the calling thread, in the whole process, while it lasts; another BLAS stays as it is.

    Its threads wait for each other by spinning: on a machine that others use too, a factorization on two threads costs
    ten times the processor time of one.
    """
    global _users, _before
    functions = _openblas()
    if functions is None:
        yield
        return
    get, put = functions
    with _LOCK:
        if _users == 0:
            _before = get()
            put(1)
        _users += 1
    try:
        yield
    finally:
        with _LOCK:
            _users -= 1
            if _users == 0:
                put(_before)


def _openblas() -> tuple[Any, Any] | None:
    """The functions that get and set the number of threads of the OpenBLAS that numpy is linked with; None without."""
    try:
        # The handle of an extension finds the symbols of the libraries that it needs.
        library = ctypes.CDLL(np.linalg._umath_linalg.__file__)
    except (AttributeError, OSError):
        return None
    for name in _NAMES:
        get, put = (getattr(library, name.format(verb), None) for verb in ("get", "set"))
        if get is not None and put is not None:
            return get, put
    return None
