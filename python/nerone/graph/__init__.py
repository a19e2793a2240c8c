"""The framework-neutral graph of a model, and the importers that make it."""

from __future__ import annotations

from nerone.graph.graph import Graph, Node, Op

__all__ = ["Graph", "Node", "Op"]
