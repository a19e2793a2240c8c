from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from nerone.data import bccd
from nerone.data.phantom_sets import write_phantoms
from nerone.errors import ConfigurationError
from nerone.evaluation import reproduce as module
from nerone.evaluation.evaluate import Evaluation, Scored
from nerone.evaluation.experiments import Experiment, Settings, augmented_blood, published_file, test_frames
from nerone.evaluation.metrics import Summary
from nerone.evaluation.paper import PUBLISHED_MODELS, TABLE1
from nerone.evaluation.speed import Speed, measure_speed
from nerone.zoo.models import NETWORKS

test_frames.__test__ = False  # type: ignore[attr-defined]


def experiment(task: str, seen) -> Experiment:
    """A stand-in for a trained network, so that the report is tested and not the network."""
    from nerone.data.frame import Frame
    from nerone.data.labelled import LabelledFrame
    from nerone.evaluation.metrics import ClassificationCounts, SegmentationCounts

    names = NETWORKS[task].classes
    segmentation = NETWORKS[task].segmentation
    make = SegmentationCounts if segmentation else ClassificationCounts
    evaluation = Evaluation(names, {"INT8": make(len(names)), "FP32": make(len(names))})
    for number in range(4):
        truth = np.full((16, 16), number % len(names), np.uint8) if segmentation else number
        frame = LabelledFrame(Frame(np.zeros((16, 16), np.int16), Path(f"v{number}.nii.gz"), 0), truth)
        scored = Scored(frame, np.zeros((16, 16, 1), np.float32), truth, {"INT8": truth, "FP32": truth})
        evaluation.add(scored)
        seen(scored)
    return Experiment(task, "made up", "made up", evaluation, Speed(Summary(10.0, 0.5, 5)), Speed(Summary(4.0, 0.1, 5)))


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run_task", lambda task, settings, seen, progress: experiment(task, seen))


def test_report_has_every_row_and_no_number_that_was_not_measured(tmp_path: Path, made_up: None) -> None:
    report = module.reproduce(["all"], Settings(tmp_path))
    with (tmp_path / "table1.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16 + 8
    boards = [row for row in rows if row["device"] in ("ZCU104", "KV260", "Ultra96-V2")]
    assert len(boards) == len(TABLE1) == 16
    assert {row["here, FPS"] for row in boards} == {module.NOT_HERE}
    stated = [row["paper, FPS"] for row in boards if row["paper, FPS"] != module.NOT_STATED]
    assert stated == ["335.4"]
    measured = [row for row in rows if row not in boards]
    assert {row["here, FPS"] for row in measured} == {"10.0 +- 0.5", "4.0 +- 0.1"}
    assert {row["here, W"] for row in measured} == {"n/a"}
    page = report.page.read_text()
    for name in ("Table I", "Table II", "Fig. 3", "fig4-ct-org-0.png", "92.05 +- 2.23"):
        assert name in page
    assert {path.name for _, path in report.pictures} >= {"fig3.png", "fig4-ct-org-0.png", "fig4-brats-1.png"}
    assert all(path.stat().st_size > 5_000 for _, path in report.pictures)
    assert "published" in "".join(report.problems), "what was not run is said"


def test_only_what_was_asked_for(tmp_path: Path, made_up: None) -> None:
    report = module.reproduce(["table2"], Settings(tmp_path), tasks=("bccd",))
    assert [table.name for table in report.tables] == ["table2"]
    assert "accuracy 100.00 %" in report.tables[0].rows[0][5]
    for parts, tasks, word in ((["table3"], ("bccd",), "table3"), (["all"], ("cats",), "cats")):
        with pytest.raises(ConfigurationError, match=word):
            module.reproduce(parts, Settings(tmp_path), tasks=tasks)


def test_a_task_that_fails_is_named_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(task, settings, seen, progress):
        if task == "bccd":
            raise ConfigurationError("no network")
        return experiment(task, seen)

    monkeypatch.setattr(module, "run_task", run)
    report = module.reproduce(["table2"], Settings(tmp_path), tasks=("bccd", "brats"))
    assert any("no network" in problem for problem in report.problems)
    with pytest.raises(ConfigurationError, match="no network"):
        module.reproduce(["table2"], Settings(tmp_path), tasks=("bccd",))


def test_energy_needs_a_sensor() -> None:
    class Meter:
        name = "two watts"

        def read_watts(self) -> float:
            return 2.0

    without = measure_speed(lambda: None, seconds=0.01, runs=2)
    assert without.watts is None
    assert without.efficiency is None
    found = measure_speed(lambda: None, seconds=0.15, runs=2, meter=Meter())
    assert found.watts.mean == 2.0
    assert found.efficiency.mean == pytest.approx(found.fps.mean / 2)


def test_blood_is_scored_on_the_test_folder_and_copied_by_class(tmp_path: Path) -> None:
    for part, seed in (("TRAIN", 0), ("TEST", 7)):
        write_phantoms("bccd", tmp_path / part, count=1, seed=seed, size=80)
    frames = list(test_frames("bccd", tmp_path))
    assert len(frames) == 4
    assert all("TEST" in str(item.frame.source) for item in frames)
    copies = list(augmented_blood(tmp_path, 3, seed=1))
    assert [item.truth for item in copies] == [name for name in bccd.CLASSES for _ in range(3)]
    again = list(augmented_blood(tmp_path, 3, seed=1))
    for first, second in zip(copies, again, strict=True):
        np.testing.assert_array_equal(first.frame.image, second.frame.image)
    assert (copies[0].frame.image != copies[1].frame.image).any()


def test_published_files_are_found_by_name(tmp_path: Path) -> None:
    model = next(m for m in PUBLISHED_MODELS if m.task == "bccd")
    assert published_file(model, tmp_path) is None
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / model.names[-1]).write_bytes(b"")
    assert published_file(model, tmp_path) == tmp_path / "sub" / model.names[-1]
    assert published_file(model, None) is None
