"""Deployments that build on a bundle: one that is there is sent or copied, or lends its settings to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nerone.bundle.bundle import MANIFEST, Bundle, bundle_path
from nerone.errors import ConfigurationError, Error

__all__ = ["deployed_bundle", "older_bundle", "redeploy"]


def deployed_bundle(model: Any) -> Bundle | None:
    """Return the bundle that was given in place of a model, or None.

    Raises
    ------
    ConfigurationError
        It is a bundle, but a damaged one.
    """
    if isinstance(model, Bundle):
        return model
    if isinstance(model, (str, Path)) and (Path(model) / MANIFEST).is_file():
        return Bundle.open(model)
    return None


def older_bundle(place: Path) -> Bundle | None:
    """Return the bundle that a new one will replace; None where there is none that can be read."""
    try:
        return Bundle.open(place, verify=False)
    except Error:
        return None


def redeploy(bundle: Bundle, output: str | Path | None, board: str | None, *, changed: bool) -> Bundle:
    """Return a bundle as it is, copied to ``output`` where that is another folder.

    Raises
    ------
    ConfigurationError
        Something of it was to be changed, which needs the trained model, or it cannot be written.
    """
    if changed or board not in (None, bundle.board):
        raise ConfigurationError(
            f"'{bundle.path}' is a bundle already, for {bundle.board}; deploy the trained model to change what is in it"
        )
    if output is None or bundle_path(output).resolve() == bundle.path.resolve():
        return bundle
    return Bundle.create(
        output,
        xmodel=bundle.host_model_path,
        preprocessing=bundle.preprocessing,
        input=bundle.input,
        output_tensor=bundle.output_tensor,
        output=bundle.output,
        board=bundle.board,
        fingerprint=bundle.fingerprint,
        preset=bundle.preset,
        board_xmodel=bundle.board_model_path,
        report=bundle.report(),
    )
