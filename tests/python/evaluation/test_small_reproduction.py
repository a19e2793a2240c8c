"""From data to report for the networks that do not come trained, as small as it goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nerone.data.phantom_sets import write_phantoms
from nerone.evaluation import experiments
from nerone.evaluation.experiments import Settings
from nerone.evaluation.reproduce import reproduce
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

    monkeypatch.setattr(experiments, "_phantoms", few)
    options = TrainingOptions(epochs=1, steps=2, batch_size=2)
    report = reproduce(["all"], Settings(tmp_path, training=options, seconds=0.02, power="none"), tasks=(task,))
    own = next(table for table in report.tables if table.name == "table2").rows[0]
    assert "weighted Dice" in own[4]
    assert "weighted Dice" in own[5]
    assert float(own[6].split()[0]) > 90, "INT8 equals FP32 in most pixels even of a network that has learned nothing"
    assert report.page.is_file()
