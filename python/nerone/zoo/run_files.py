"""The files of one training run: checkpoint, best model, log, curve."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from nerone.bundle.tables import table_text
from nerone.compat import zip
from nerone.errors import ConfigurationError

__all__ = ["RunFiles"]


def _draw_curve(log: Path, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    epochs = [int(row["epoch"]) + 1 for row in rows]
    for place, key in ((left, "loss"), (right, "validation_score")):
        place.plot(epochs, [float(row[key]) for row in rows], color="#0072B2")
        place.set_xlabel("epoch")
        place.set_title(key.replace("_", " "))
        place.grid(alpha=0.3)
    figure.savefig(path, dpi=100)


def _hidden_state(model: Any) -> list[Any]:
    """Return the variables that weights alone do not restore: the optimizer's and the dropouts' random states."""
    generators = (getattr(layer, "seed_generator", None) for layer in model.layers)
    return [*model.optimizer.variables, *(generator.state for generator in generators if generator is not None)]


class RunFiles:
    """The files of one training run and what goes into them."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.last, self.best, self.log = output / "last.keras", output / "best.keras", output / "log.csv"
        self.optimizer, self.progress = output / "optimizer.npz", output / "progress.json"

    def progress_of(self, options: dict[str, Any]) -> dict[str, Any] | None:
        """Return what the last epoch left: "epoch", "best_epoch", "best_score"; None before the first."""
        if not self.progress.is_file():
            return None
        progress: dict[str, Any] = json.loads(self.progress.read_text())
        if progress["options"] != options:
            raise ConfigurationError(
                f"'{self.output}' holds a run with other options; choose another folder or remove it"
            )
        return progress

    def restore(self, model: Any) -> None:
        """Give a compiled model the optimizer's and the dropouts' state of the last epoch."""
        model.optimizer.build(model.trainable_variables)
        stored = np.load(self.optimizer)
        for variable, key in zip(_hidden_state(model), stored.files, strict=True):
            variable.assign(stored[key])

    def save(
        self, model: Any, options: dict[str, Any], epoch: int, row: dict[str, float], best: tuple[int, float]
    ) -> None:
        """Write all that going on needs; the progress file last, so that a stop in between repeats the epoch."""
        model.save(self.last)
        np.savez(self.optimizer, *[v.numpy() for v in _hidden_state(model)])
        rows: list[list[Any]] = [] if self.log.is_file() else [list(row)]
        with self.log.open("a", newline="", encoding="utf-8") as file:
            file.write(table_text([*rows, list(row.values())]))
        _draw_curve(self.log, self.output / "curve.png")
        progress = {"epoch": epoch, "best_epoch": best[0], "best_score": best[1], "options": options}
        beside = self.progress.with_suffix(".new")
        beside.write_text(json.dumps(progress, indent=1))
        beside.replace(self.progress)
