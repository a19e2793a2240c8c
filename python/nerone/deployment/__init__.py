"""The bundle, how it is made, and how images run through it."""

from __future__ import annotations

from nerone.deployment.bundle import Bundle
from nerone.deployment.declaration import OutputDeclaration, TensorDeclaration
from nerone.deployment.deploy import deploy

__all__ = ["Bundle", "OutputDeclaration", "TensorDeclaration", "deploy"]
