"""The trained weights that come with the project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nerone.errors import ConfigurationError

__all__ = ["SHIPPED", "Shipped", "shipped_model"]


@dataclass(frozen=True)
class Shipped:
    """A trained network of this release.

    Parameters
    ----------
    file : name of the Keras file
    title : one line for people
    preset : name of the preprocessing it was trained with
    score : how good it is, and on which data; weights/README.md has the whole table
    """

    file: str
    title: str
    preset: str
    score: str


SHIPPED = {
    "ct-org": Shipped(
        "unet_ct_org.keras",
        "U-Net, 256x256x1 to 6 classes, trained on drawn phantoms",
        "ct-org",
        "weighted Dice, FP32 and INT8: 88.9 and 88.9 % on phantoms, 69.7 and 70.0 % on two real CT",
    ),
    "bccd": Shipped(
        "cnn_bccd.keras",
        "residual network, 200x250x3 to 4 classes of white blood cells",
        "paper-bccd",
        "accuracy on 71 originals of BCCD, FP32 and INT8: 80.3 and 80.3 %",
    ),
}


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
    path = Path(__file__).parent / "weights" / (SHIPPED[task].file if task in SHIPPED else "none")
    if not path.is_file():
        raise ConfigurationError(
            f"no trained network for '{task}' comes with this release; train one: nerone train {task} --data DIR"
        )
    return path
