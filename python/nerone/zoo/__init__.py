"""The paper's four networks, their training, and the weights that come trained."""

from __future__ import annotations

from nerone.zoo.models import NETWORKS, VARIANTS, build
from nerone.zoo.shipped import shipped_model
from nerone.zoo.training import TrainingOptions, TrainingResult

__all__ = ["NETWORKS", "VARIANTS", "TrainingOptions", "TrainingResult", "build", "shipped_model"]
