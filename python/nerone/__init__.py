"""NERONE: trained Keras models as maximum-FPS INT8 deployments on DPUs, and bit for bit the same without a board.

Importing it costs numpy and the C++ core; everything else is imported when it is first used.
"""

from __future__ import annotations

import nerone.starting  # noqa: F401 (before all others, which take their time)

# isort: split
import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

# The module where each public name lives, without the package's name.
_PUBLIC = {
    "Bundle": "bundle",
    "Error": "errors",
    "Live": "live.notebook",
    "Model": "runtime",
    "Pipeline": "runtime",
    "TensorInfo": "runtime",
    "deploy": "deployment",
    "evaluate": "evaluation.evaluate",
    "quantize": "quantization",
    "show": "live.notebook",
    "compile": "compilation",
}
_PACKAGES = (
    "backends",
    "bundle",
    "cli",
    "compilation",
    "data",
    "deployment",
    "dpu",
    "errors",
    "evaluation",
    "graph",
    "instructions",
    "live",
    "quantization",
    "runtime",
    "zoo",
)

__all__ = [*_PACKAGES, *_PUBLIC, "__version__"]


def _load_core() -> None:
    """Load the C++ core so that its libraries keep to themselves.

    TensorFlow exports its own protobuf; with RTLD_DEEPBIND libxir finds the one it was built with, in whichever order
    the two are imported. Sanitizers replace symbols globally and cannot work with it.
    """
    deepbind = getattr(os, "RTLD_DEEPBIND", 0)
    if "libasan" in os.environ.get("LD_PRELOAD", "") or "libtsan" in os.environ.get("LD_PRELOAD", ""):
        deepbind = 0
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | deepbind)
    try:
        # Without a built core (documentation, the training half) the pure Python packages still work.
        with contextlib.suppress(ImportError):
            importlib.import_module("nerone._core")
    finally:
        sys.setdlopenflags(flags)


_load_core()


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package whose public names are imported when they are first used.

    Parameters
    ----------
    package : its full name
    homes : the module where each public name lives: below the package, or in full from "nerone." on
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        home = homes[name]
        return getattr(importlib.import_module(home if home.startswith("nerone.") else f"{package}.{home}"), name)

    return get


_public = lazy_names(__name__, _PUBLIC)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version(__name__)
    if name in _PACKAGES:
        return importlib.import_module(f"nerone.{name}")
    globals()[name] = value = _public(name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
