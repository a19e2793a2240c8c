"""Running deployed models: the raw network, the pipeline, and the declaration of what happens to an image before."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nerone.runtime.futures import Future
    from nerone.runtime.model import Model, Subgraph, TensorInfo
    from nerone.runtime.pipeline import Frame, Pipeline

__all__ = ["Frame", "Future", "Model", "Pipeline", "Subgraph", "TensorInfo"]

# Imported when first used: the preprocessing declaration does not need the C++ core.
_HOMES = {
    "Frame": "pipeline",
    "Future": "futures",
    "Model": "model",
    "Pipeline": "pipeline",
    "Subgraph": "model",
    "TensorInfo": "model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nerone.runtime' has no attribute '{name}'")
    return getattr(importlib.import_module(f"nerone.runtime.{_HOMES[name]}"), name)
