"""The bundle, how it is made, and how images run through it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nerone.deployment.bundle import Bundle
    from nerone.deployment.declaration import OutputDeclaration, TensorDeclaration
    from nerone.deployment.deploying import deploy

__all__ = ["Bundle", "OutputDeclaration", "TensorDeclaration", "deploy"]

# Imported when first used: what only opens a bundle does not wait for the compiler.
_HOMES = {
    "Bundle": "bundle",
    "OutputDeclaration": "declaration",
    "TensorDeclaration": "declaration",
    "deploy": "deploying",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nerone.deployment' has no attribute '{name}'")
    return getattr(importlib.import_module(f"nerone.deployment.{_HOMES[name]}"), name)
