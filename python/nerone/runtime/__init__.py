"""Running deployed models: the raw network, the pipeline, and the declaration of what happens to an image before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nerone import lazy_names

if TYPE_CHECKING:
    from nerone.backends.futures import Future
    from nerone.runtime.model import Model, Subgraph, TensorInfo
    from nerone.runtime.pipeline import Frame, Pipeline

__all__ = ["Frame", "Future", "Model", "Pipeline", "Subgraph", "TensorInfo"]

# Imported when first used: the preprocessing declaration does not need the C++ core.
_HOMES = {
    "Frame": "pipeline",
    "Future": "nerone.backends.futures",
    "Model": "model",
    "Pipeline": "pipeline",
    "Subgraph": "model",
    "TensorInfo": "model",
}

__getattr__ = lazy_names(__name__, _HOMES)
