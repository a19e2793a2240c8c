"""From data to report for the networks that do not come trained, as small as it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nerone.data.phantom_sets import write_phantoms
from nerone.evaluation import experiments
from nerone.evaluation.reproduce import reproduce
from nerone.evaluation.settings import Settings
from nerone.zoo.tasks import train
from nerone.zoo.training import TrainingOptions

pytest.importorskip("nerone._core", reason="the extension is not built")
tf = pytest.importorskip("tensorflow", reason="training needs TensorFlow")


def trained_eagerly(*given: Any, **named: Any) -> Any:
    """Train without tracing, which takes half a minute of MobileNetV2 and pays in hundreds of steps only."""
    tf.config.run_functions_eagerly(True)
    try:
        return train(*given, **named)
    finally:
        tf.config.run_functions_eagerly(False)


def few_phantoms(settings: Settings, task: str, part: str) -> Path:
    folder = settings.output / f"{task}-{part}"
    if not folder.is_dir():
        write_phantoms(task, folder, count=2, seed=3 if part == "training" else 9, slices=3)
    return folder


@pytest.mark.parametrize("task", ["brats", "prostate"])
def test_train_deploy_score_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    monkeypatch.setattr(experiments, "phantom_folder", few_phantoms)
    monkeypatch.setattr(experiments, "train", trained_eagerly)
    options = TrainingOptions(epochs=1, steps=2, batch_size=2)
    settings = Settings(tmp_path, training=options, runs=2, seconds=0.02, power="none")
    report = reproduce(["all"], settings, tasks=(task,))
    own = next(table for table in report.tables if table.name == "table2").rows[0]
    assert "weighted Dice" in own[4]
    assert "weighted Dice" in own[5]
    assert own[6].endswith("points")
    assert float(own[7].split()[0]) > 90, "INT8 equals FP32 in most pixels even of a network that has learned nothing"
    speeds = {row[1:4] for row in next(table for table in report.tables if table.name == "table1").rows}
    for board in ("Ultra96-V2", "KV260", "ZCU104"):
        for backend in ("VART, INT8", "PYNQ-DPU, INT8"):
            assert (backend, f"{board} (simulated)", "image to mask") in speeds
    assert {backend for backend, device, _ in speeds if "this machine" in device} == {
        "VART, INT8",
        "PYNQ-DPU, INT8",
        "TensorFlow, FP32",
    }
    paths = next(table for table in report.tables if table.name == "paths").rows[0]
    assert paths[6] == "identical"
    assert report.page.is_file()


def test_networks_of_several_seeds_are_scored_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from keras import Input, Model, layers

    monkeypatch.setattr(experiments, "phantom_folder", few_phantoms)
    image = Input((256, 256, 1))
    given = tmp_path / "given.keras"
    Model(image, layers.Conv2D(3, 3, padding="same", activation="softmax")(image)).save(given)
    settings = Settings(tmp_path / "seeds", weights={"prostate": (given, given)}, runs=1, seconds=0.02, power="none")
    row = reproduce(["table2"], settings, tasks=("prostate",)).tables[0].rows[0]
    assert row[1].startswith("2 trained networks given")
    assert "± 0.00 % over 2 seeds" in row[5]
