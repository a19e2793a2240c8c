"""From data to report for the networks that do not come trained, as small as it goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nerone.data.phantom_sets import write_phantoms
from nerone.evaluation import experiments
from nerone.evaluation.reproduce import reproduce
from nerone.evaluation.settings import Settings
from nerone.zoo.training import TrainingOptions

pytest.importorskip("nerone._core", reason="the extension is not built")
pytest.importorskip("tensorflow", reason="training needs TensorFlow")


@pytest.mark.parametrize("task", ["brats", "prostate"])
def test_train_deploy_score_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    def few(settings: Settings, task: str, part: str) -> Path:
        folder = settings.output / f"{task}-{part}"
        if not folder.is_dir():
            write_phantoms(task, folder, count=2, seed=3 if part == "training" else 9, slices=3)
        return folder

    monkeypatch.setattr(experiments, "phantom_folder", few)
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
    if task == "prostate":
        best = tmp_path / "networks" / task / "best.keras"
        seeds = Settings(tmp_path / "seeds", weights={task: (best, best)}, runs=1, seconds=0.02, power="none")
        row = reproduce(["table2"], seeds, tasks=(task,)).tables[0].rows[0]
        assert row[1].startswith("2 trained networks given")
        assert "± 0.00 % over 2 seeds" in row[5]
