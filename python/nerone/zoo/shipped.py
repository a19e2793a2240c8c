"""The trained weights that come with the project."""

from __future__ import annotations

from pathlib import Path

from nerone.errors import ConfigurationError

__all__ = ["SHIPPED", "shipped_model"]

SHIPPED = {"ct-org": "unet_ct_org.keras", "bccd": "cnn_bccd.keras"}


def shipped_model(task: str) -> Path:
    """Return the file of the trained network of a task; weights/README.md says how each was trained and what it
    reaches.

    Parameters
    ----------
    task : "ct-org" or "bccd"

    Raises
    ------
    ConfigurationError
        If no trained network comes with the project for this task.
    """
    path = Path(__file__).parent / "weights" / SHIPPED.get(task, "none")
    if not path.is_file():
        raise ConfigurationError(
            f"no trained network for '{task}' comes with this release; train one: nerone train {task} --data DIR"
        )
    return path
