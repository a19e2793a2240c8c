"""The bundle: the folder that is deployed, read with numpy alone."""

from __future__ import annotations

from nerone.bundle.bundle import Bundle
from nerone.bundle.declaration import OutputDeclaration, TensorDeclaration

__all__ = ["Bundle", "OutputDeclaration", "TensorDeclaration"]
