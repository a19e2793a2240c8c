"""A module with the ``GraphRunner`` of the official ``vitis_ai_library``: whole models, their CPU subgraphs too."""

from __future__ import annotations

from nerone.backends.pynq.graph_runner import GraphRunner

__all__ = ["GraphRunner"]
