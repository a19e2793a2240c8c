"""From a trained model to a bundle, and from there to a board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nerone import lazy_names

if TYPE_CHECKING:
    from nerone.bundle.bundle import Bundle
    from nerone.bundle.declaration import OutputDeclaration, TensorDeclaration
    from nerone.deployment.make_bundle import deploy

__all__ = ["Bundle", "OutputDeclaration", "TensorDeclaration", "deploy"]

# Imported when first used: what only opens a bundle does not wait for the compiler.
_HOMES = {
    "Bundle": "nerone.bundle.bundle",
    "OutputDeclaration": "nerone.bundle.declaration",
    "TensorDeclaration": "nerone.bundle.declaration",
    "deploy": "make_bundle",
}

__getattr__ = lazy_names(__name__, _HOMES)
