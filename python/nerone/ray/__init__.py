"""Runs over a Ray cluster: Ray Data moves scans and images through actors that each hold a pipeline."""

from __future__ import annotations

from nerone.ray.images import map_images
from nerone.ray.scans import map_scans

__all__ = ["map_images", "map_scans"]
