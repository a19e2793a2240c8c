"""Bundles over the network: the Open Inference Protocol v2."""

from __future__ import annotations

from nerone.serving.server import InferenceServer, ServeOptions

__all__ = ["InferenceServer", "ServeOptions"]
