from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from nerone.cli.main import main
from nerone.compilation.paper.table import TABLE1, paper_row
from nerone.data import bccd
from nerone.data.frame import Frame
from nerone.data.labelled import LabelledFrame
from nerone.data.phantom_sets import write_phantoms
from nerone.errors import ConfigurationError
from nerone.evaluation import reproduce as module
from nerone.evaluation.evaluate import Evaluation, Scored
from nerone.evaluation.experiments import BloodFrames, Experiment, published_file, scored_folder, scored_frames
from nerone.evaluation.figures import upright
from nerone.evaluation.identity import PathsReport
from nerone.evaluation.intervals import Summary
from nerone.evaluation.metrics import ClassificationCounts, SegmentationCounts, one_against_rest
from nerone.evaluation.paper import EFFICIENCY_RATIOS, PUBLISHED_MODELS, TABLE2
from nerone.evaluation.paper_tables import (
    efficiency_ratios,
    efficiency_table,
    paper_markdown,
    redeployment_table,
    scans_table,
)
from nerone.evaluation.settings import Settings, find_data
from nerone.evaluation.speed import measure_speed
from nerone.evaluation.tables import NOT_HERE, score_words
from nerone.evaluation.throughput import ALONE, FLOAT, GPU, INTEGER, PYNQ, Measured, board_results
from nerone.zoo.models import NETWORKS
from paths import REPOSITORY

SPEEDS = [
    Measured(INTEGER, "software DPU, 1 thread", ALONE, Summary(10.0, 0.5, 5)),
    Measured(FLOAT, "this machine's CPU", ALONE, Summary(4.0, 0.1, 5), Summary(20.0, 1.0, 5), Summary(0.2, 0.01, 5)),
    Measured(PYNQ, "ZCU104 (simulated)", "image to mask", Summary(70.0, 1.0, 5), board="zcu104"),
    Measured(INTEGER, "KV260 (simulated)", "image to mask", Summary(90.0, 1.0, 5), board="kv260"),
]


def evaluation(task: str, *, wrong: int = 0, seen=None) -> Evaluation:
    names, segmentation = NETWORKS[task].classes, NETWORKS[task].segmentation
    make = SegmentationCounts if segmentation else ClassificationCounts
    found = Evaluation(names, {"INT8": make(len(names)), "FP32": make(len(names))})
    for number in range(8):
        truth = np.full((16, 16), number % len(names), np.uint8) if segmentation else number % len(names)
        guess = (truth + 1) % len(names) if number < wrong else truth
        frame = LabelledFrame(Frame(np.zeros((16, 16), np.int16), Path(f"v{number}.nii.gz"), 0), truth)
        scored = Scored(frame, np.zeros((16, 16, 1), np.float32), truth, {"INT8": guess, "FP32": truth})
        found.add(scored)
        if seen is not None:
            seen(scored)
    return found


def experiment(task: str, seen=None, runs: int = 1) -> Experiment:
    """A stand-in for a trained network, so that the report is tested and not the network."""
    evaluations = [evaluation(task, seen=seen if run == 0 else None, wrong=run) for run in range(runs)]
    return Experiment(task, "made up", "made up", evaluations, list(SPEEDS), PathsReport(0, 3, 99))


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run_task", lambda task, settings, seen, progress: experiment(task, seen))


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_report_has_every_row_and_no_number_that_was_not_measured(tmp_path: Path, made_up: None) -> None:
    report = module.reproduce(["all"], Settings(tmp_path))
    rows = table(tmp_path, "table1")
    assert len(TABLE1) == 4 * (2 + 3 + 1)
    devices = ("ZCU104", "KV260", "Ultra96-V2", "RTX 2060 Mobile", "Tesla V100")
    absent = [row for row in rows if row["device"] in devices]
    assert len(absent) == len(TABLE1), "every row of the paper, and nothing measured on what is not here"
    assert all(row[f"here, {unit}"].startswith(NOT_HERE) for row in absent for unit in ("FPS", "W", "FPS/W"))
    projected = [row for row in absent if "projected" in row["paper, FPS"]]
    assert [row["backend"] for row in projected] == 3 * ["VART, INT8"]
    named = {(row["network"], row["device"], row["backend"]): row for row in absent}
    first = named["U-Net (CT-ORG)", "ZCU104", "PYNQ-DPU, INT8"]
    assert tuple(first[f"paper, {unit}"] for unit in ("FPS", "W", "FPS/W")) == (
        "82.92 ± 0.47",
        "17.59 ± 0.02",
        "4.71 ± 0.01",
    )
    assert first["paper, score %"] == "90.10 ± 0.29"
    simulated = [row for row in rows if "simulated" in row["device"]]
    assert {(row["device"], row["here, FPS"]) for row in simulated} == {
        ("ZCU104 (simulated)", "70.0 ± 1.0 (simulated)"),
        ("KV260 (simulated)", "90.0 ± 1.0 (simulated)"),
    }
    assert {row["here, W"] for row in simulated} == {"n/a"}
    measured = [row for row in rows if row not in absent and row not in simulated]
    assert {(row["here, FPS"], row["here, W"], row["here, FPS/W"]) for row in measured} == {
        ("10.0 ± 0.5", "n/a", "n/a"),
        ("4.0 ± 0.1", "20.00 ± 1.00", "0.20 ± 0.01"),
    }
    page = report.page.read_text()
    for name in ("Table I", "Table II", "Fig. 3", "fig4-ct-org-0.png", "92.05 ± 2.23", "Confusion matrix", "no GPU"):
        assert name in page
    assert {path.name for _, path in report.pictures} >= {"fig3.png", "fig4-ct-org-0.png", "fig4-brats-1.png"}
    assert all(path.stat().st_size > 5_000 for _, path in report.pictures)
    assert "published" in "".join(report.problems), "what was not run is said"
    assert {row["result"] for row in table(tmp_path, "paths")} == {"identical"}


def test_a_gpu_that_is_here_is_a_row_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(task, settings, seen, progress):
        found = experiment(task, seen)
        found.speeds.append(Measured(GPU, "some GPU", ALONE, Summary(99.0, 1.0, 5), Summary(50.0, 1.0, 5), None))
        return found

    monkeypatch.setattr(module, "run_task", run)
    module.reproduce(["table1", "fig3"], Settings(tmp_path), tasks=("bccd",))
    rows = {row["device"]: row for row in table(tmp_path, "table1")}
    assert rows["Tesla V100"]["here, FPS"] == f"{NOT_HERE}: another GPU, below"
    assert rows["some GPU"]["here, W"] == "50.00 ± 1.00"


def test_several_seeds_give_mean_deviation_and_interval() -> None:
    words = score_words(experiment("bccd", runs=3), "INT8")
    assert "accuracy 87.50 ± 12.50 % over 3 seeds [" in words
    assert "eosinophil 66.7 ± 28.9" in words
    words = score_words(experiment("brats"), "INT8")
    assert words.startswith("weighted Dice 100.00 % [100.0, 100.0]")
    assert "enhancing tumour 100.0, whole tumour 100.0, tumour core 100.0" in words
    assert "central gland 100.0, whole prostate 100.0" in score_words(experiment("prostate"), "INT8")


def board_file(folder: Path, name: str, device: str = "board") -> Path:
    row = {"backend": "vart", "device": device, "fps": {"mean": 330.5, "deviation": 0.5, "count": 5}}
    row |= {"watts": {"mean": 10.0, "deviation": None, "count": 1}, "efficiency": None}
    path = folder / name
    path.write_text(json.dumps([{"bundle": "x", "rows": [row]}]))
    return path


def test_results_from_boards_take_their_rows(tmp_path: Path, made_up: None) -> None:
    boards = tmp_path / "boards"
    boards.mkdir()
    board_file(boards, "ct-org-zcu104.json")
    module.reproduce(["table1", "fig3"], Settings(tmp_path, boards=boards))
    rows = [row for row in table(tmp_path, "table1") if row["device"] == "ZCU104" and row["backend"] == INTEGER]
    assert tuple(rows[0][name] for name in ("paper, FPS", "here, FPS", "here, W")) == (
        "335.40 ± 0.34",
        "330.5 ± 0.5",
        "10.00",
    )
    assert rows[1]["here, FPS"].startswith(NOT_HERE), "another network's row"


@pytest.mark.parametrize(
    ("name", "device", "text", "word"),
    [
        ("unet.json", "board", None, "TASK-BOARD"),
        ("ct-org-zcu104.json", "zcu104-sim (simulated)", None, "simulated"),
        ("ct-org-zcu104.json", "softdpu", None, "simulated"),
        ("ct-org-zcu104.json", "board", "not json", "ct-org-zcu104"),
        ("ct-org-zcu104.json", "board", "[1]", "ct-org-zcu104"),
    ],
)
def test_files_that_are_no_results_of_boards(tmp_path: Path, name: str, device: str, text: str, word: str) -> None:
    path = board_file(tmp_path, name, device)
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=word):
        board_results(tmp_path)


def test_only_what_was_asked_for(tmp_path: Path, made_up: None) -> None:
    report = module.reproduce(["table2"], Settings(tmp_path), tasks=("bccd",))
    assert [one.name for one in report.tables] == ["table2", "table2-classes", "confusion1", "paths"]
    row = report.tables[0].rows[0]
    assert row[5].startswith("accuracy 100.00 %")
    assert (row[6], row[7]) == ("+0.00 points", "100.00 %")
    cases = (
        (["table3"], ("bccd",), {}, "table3"),
        (["all"], ("cats",), {}, "cats"),
        (["all"], ("bccd",), {"bccd": (tmp_path / "no.keras",)}, "no.keras"),
        (["all"], ("bccd",), {"dogs": ()}, "dogs"),
    )
    for parts, tasks, weights, word in cases:
        with pytest.raises(ConfigurationError, match=word):
            module.reproduce(parts, Settings(tmp_path, weights=weights), tasks=tasks)
    with pytest.raises(ConfigurationError, match="their folder was not given"):
        module.reproduce(["table2"], Settings(tmp_path, published_only=True))


def test_table1_is_consistent_with_what_the_paper_says_beside_it() -> None:
    """Efficiency is rate over watts, ratios and losses are the text's, and three of VART's rows are 4.04 times."""
    for row in TABLE1:
        assert row.efficiency.mean == pytest.approx(row.fps.mean / row.watts.mean, abs=0.02), row
        assert all(value.deviation is not None for value in (row.fps, row.watts, row.efficiency, row.score))
    assert [(row.task, row.device) for row in TABLE1 if row.projected] == [
        ("brats", "zcu104"),
        ("prostate", "zcu104"),
        ("bccd", "zcu104"),
    ]
    for task in ("brats", "prostate", "bccd"):
        rates = [paper_row(task, backend, "zcu104").fps.mean for backend in ("VART", "PYNQ-DPU")]
        assert rates[0] / rates[1] == pytest.approx(4.04, abs=0.01)
    lost = {"ct-org": 0.13, "brats": 0.55, "prostate": 0.22, "bccd": 0.20}
    for task, points in lost.items():
        integer, floating = paper_row(task, "VART", "zcu104"), paper_row(task, "TensorFlow, FP32", "Tesla V100")
        assert floating.score.mean - integer.score.mean == pytest.approx(points, abs=0.005)
        kv260 = efficiency_ratios(paper_row(task, "PYNQ-DPU", "kv260"))
        assert kv260 == pytest.approx(EFFICIENCY_RATIOS[task], abs=0.015)


def test_the_documentation_has_every_row() -> None:
    text = (REPOSITORY / "docs" / "paper.md").read_text()
    start, end = "<!-- tables: made by nerone.evaluation.paper_tables -->\n", "\n<!-- end of tables -->"
    assert text.split(start)[1].split(end)[0] == paper_markdown()
    assert paper_markdown().count("*projected*") == 3


def test_fig3_has_averages_and_the_ratios_of_the_text() -> None:
    found = efficiency_table([experiment("bccd")], ("ct-org", "brats", "prostate", "bccd"))
    rows = {row[:2]: row[2:] for row in found.rows}
    assert len(rows) == 5 * 4 + 1
    assert rows["PYNQ-DPU on KV260", "average"] == ("11.33", "3.41x", "1.80x", "3.4x and 1.9x")
    assert rows["PYNQ-DPU on KV260", "U-Net (CT-ORG)"] == ("6.06 ± 0.01", "6.59x", "2.44x", "6.59x and 2.44x")
    assert rows["VART on ZCU104", "2D CNN (BCCD)"][0] == "32.55 ± 0.04 (projected)"
    assert rows["here: TensorFlow, FP32, this machine's CPU", "2D CNN (BCCD)"][0] == "0.20 ± 0.01"


def test_seconds_per_scan_and_redeployment() -> None:
    own = experiment("ct-org")
    own.deploy_seconds = 61.2
    rows = scans_table([own], ("ct-org", "brats", "bccd")).rows
    stated = [row for row in rows if row[3] != "-"]
    assert [row[2:5] for row in stated] == [
        ("PYNQ-DPU on ZCU104", "8.4 to 10.9 s on the ZCU104", "8.44 to 10.85"),
        ("PYNQ-DPU on ZCU104", "1.42 s", "1.66"),
    ]
    assert [row[2:] for row in rows if row[5] != "-"] == [
        ("VART, INT8, KV260 (simulated)", "-", "-", "7.78 to 10.00 (simulated)")
    ]
    first, second = redeployment_table([own], ("ct-org", "bccd")).rows
    assert first[2:] == ("less than 20 minutes, 500 images", "61 s, 128 images at most")
    assert second[3].startswith(NOT_HERE)


def test_table2_names_the_literature_and_scores_each_class(tmp_path: Path, made_up: None) -> None:
    module.reproduce(["table2"], Settings(tmp_path), tasks=("brats", "bccd"))
    rows = {row["metric"]: row for row in table(tmp_path, "table2-classes")}
    assert len(rows) == 1 + 3 + 5
    assert rows["weighted Dice"]["paper, V100 FP32"] == "83.44 ± 0.38"
    assert rows["enhancing tumour"]["paper, KV260 INT8"] == "87.28 ± 0.46"
    assert (rows["enhancing tumour"]["literature A"], rows["enhancing tumour"]["literature B"]) == (
        "81.37 [36]",
        "82.20 ± 1.74 [37]",
    )
    assert rows["enhancing tumour"]["here INT8"] == rows["eosinophil"]["here FP32"] == "100.00"
    assert [row.integer.words() for row in TABLE2 if row.metric == "liver"] == ["91.08 ± 0.35"]


def test_a_blood_cell_class_is_scored_against_the_others() -> None:
    """Table II's four class accuracies lose twice what its accuracy loses: each mistake counts for two classes."""
    confusion = np.array([[3, 1, 0, 0], [0, 2, 0, 0], [0, 0, 4, 0], [0, 0, 0, 0]])
    assert one_against_rest(confusion) == pytest.approx([0.9, 0.9, 1.0, 1.0])
    stated = {row.metric: row.integer.mean for row in TABLE2 if row.task == "bccd"}
    accuracy = stated.pop("accuracy")
    assert sum(100 - value for value in stated.values()) == pytest.approx(2 * (100 - accuracy), abs=0.05)


def test_the_published_models_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained, and simulation stands beside the paper's projection."""

    def trained(*given, **named):
        raise AssertionError("a network was trained")

    def published(model, path, settings, *, augmented, seen, progress):
        found = experiment(model.task, seen)
        found.published, found.network = True, f"published with the paper: {path.name}"
        device = "ZCU104 (simulated, timing of the instructions)"
        found.speeds = [Measured(INTEGER, device, ALONE, Summary(704.0, float("nan"), 1), board="zcu104")]
        return found

    monkeypatch.setattr(module, "run_task", trained)
    monkeypatch.setattr(module, "run_published", published)
    (tmp_path / "NERONE4BloodCellsZCU104.xmodel").write_bytes(b"")
    settings = Settings(tmp_path / "out", {"bccd": tmp_path}, published=tmp_path, published_only=True)
    report = module.reproduce(["all"], settings, tasks=("bccd",))
    assert report.page.is_file()
    rows = [row for row in table(tmp_path / "out", "table1") if "published" in row["backend"]]
    assert {(row["paper, FPS"], row["here, FPS"]) for row in rows} == {
        ("912.06 ± 0.34 (projected)", "704.0 (simulated)")
    }
    nothing = Settings(tmp_path / "none", {}, published=tmp_path, published_only=True)
    with pytest.raises(ConfigurationError, match="real data was not given"):
        module.reproduce(["table2"], nothing, tasks=("bccd",))


def test_a_task_that_fails_is_named_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(task, settings, seen, progress):
        if task == "bccd":
            raise ConfigurationError("no network")
        found = experiment(task, seen)
        found.evaluation.skipped.append((Path("bad.nii.gz"), "is cut short"))
        return found

    monkeypatch.setattr(module, "run_task", run)
    report = module.reproduce(["table2"], Settings(tmp_path), tasks=("bccd", "brats"))
    assert any("no network" in problem for problem in report.problems)
    page = report.page.read_text()
    assert "Left out: 1 files" in page
    assert "bad.nii.gz: is cut short" in page
    assert "1 left out" in table(tmp_path, "table2")[0]["scored on"]
    with pytest.raises(ConfigurationError, match="no network"):
        module.reproduce(["table2"], Settings(tmp_path), tasks=("bccd",))


def test_command_line(tmp_path: Path, made_up: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "table2", "-o", str(tmp_path / "a"), "--tasks", "bccd"]) == 0
    assert "report.html" in capsys.readouterr().out
    for words, said in (
        (["--weights", "bccd"], "names no weights"),
        (["--weights", f"bccd={tmp_path}/no.keras"], "no.keras"),
        (["--data", str(tmp_path)], "no data set"),
        (["--published", str(tmp_path / "nowhere")], "nowhere"),
    ):
        assert main(["reproduce", "table2", "-o", str(tmp_path / "b"), *words]) == 2
        assert said in capsys.readouterr().err


def test_data_sets_are_told_by_their_layout(tmp_path: Path) -> None:
    for task in ("ct-org", "prostate", "bccd"):
        write_phantoms(task, tmp_path / f"some {task}", count=1, size=64, slices=2)
    (tmp_path / "empty").mkdir()
    assert find_data(tmp_path) == {task: tmp_path / f"some {task}" for task in ("ct-org", "prostate", "bccd")}
    assert find_data(tmp_path / "some ct-org") == {"ct-org": tmp_path / "some ct-org"}
    write_phantoms("bccd", tmp_path / "twice", count=1, size=64)
    with pytest.raises(ConfigurationError, match="both data of bccd"):
        find_data(tmp_path)
    with pytest.raises(ConfigurationError, match="no data set"):
        find_data(tmp_path / "empty")


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
    frames = list(scored_frames("bccd", tmp_path, skip_bad=False))
    assert len(frames) == 4
    assert all("TEST" in str(item.frame.source) for item in frames)
    assert scored_folder("bccd", tmp_path) == tmp_path / "TEST"
    copies = list(BloodFrames(tmp_path, copies=3, seed=1))
    assert [item.truth for item in copies] == [name for name in bccd.CLASSES for _ in range(3)]
    again = list(BloodFrames(tmp_path, copies=3, seed=1))
    for first, second in zip(copies, again, strict=True):
        np.testing.assert_array_equal(first.frame.image, second.frame.image)
    assert (copies[0].frame.image != copies[1].frame.image).any()
    broken = frames[0].frame.source
    broken.write_bytes(broken.read_bytes()[:300])
    with pytest.raises(ConfigurationError, match=broken.name):
        list(BloodFrames(tmp_path))
    left = BloodFrames(tmp_path, skip_bad=True)
    assert len(list(left)) == 3
    assert [path for path, _ in left.skipped] == [broken]


def test_slices_are_shown_as_radiologists_look_at_them() -> None:
    # A body in millimetres, right-anterior-superior: the liver on the right, the spine behind.
    body = {(40, 10): 1, (0, -30): 2}
    for turn in (np.diag([1, 1]), np.diag([-1, -1]), np.diag([-1, 1]), np.array([[0, -1], [-1, 0]])):
        affine = np.eye(4)
        affine[:2, :2] = turn
        affine[:2, 3] = -turn @ [50, 50]
        image = np.zeros((101, 101), int)
        for place, value in body.items():
            row, column, *_ = np.linalg.inv(affine) @ [*place, 0, 1]
            image[round(row), round(column)] = value
        shown = upright(image, affine)
        assert np.argwhere(shown == 1).tolist() == [[40, 10]], "the patient's right on the left, front up"
        assert np.argwhere(shown == 2).tolist() == [[80, 50]]
    assert upright(image, None) is image


def test_published_files_are_found_by_name(tmp_path: Path) -> None:
    model = next(m for m in PUBLISHED_MODELS if m.task == "bccd")
    assert published_file(model.names, tmp_path) is None
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / model.names[-1]).write_bytes(b"")
    assert published_file(model.names, tmp_path) == tmp_path / "sub" / model.names[-1]
    assert published_file(model.names, None) is None
