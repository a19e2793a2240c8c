"""The framework-neutral graph of a model, and the importers that make it."""

from __future__ import annotations

from nerone.graph.builder import GraphBuilder
from nerone.graph.graph import Graph, Node, Op
from nerone.graph.h5_model import from_h5
from nerone.graph.keras_model import from_keras
from nerone.graph.load import import_model, load
from nerone.graph.onnx_model import from_onnx

__all__ = ["Graph", "GraphBuilder", "Node", "Op", "from_h5", "from_keras", "from_onnx", "import_model", "load"]
