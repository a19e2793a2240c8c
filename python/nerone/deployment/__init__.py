"""The bundle, how it is made, and how images run through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nerone import lazy_names

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

__getattr__ = lazy_names(__name__, _HOMES)
