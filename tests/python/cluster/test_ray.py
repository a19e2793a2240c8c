"""nerone.ray on a Ray of this machine with two actors: the bytes of a plain run, whatever fails or is killed."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import bundle, calibrated_from_0_to_3, classifier
from data.files import write_nifti
from nerone.errors import ConfigurationError
from nerone.runtime.pipeline import Pipeline
from nerone.runtime.prediction.files import predict_files
from nerone.runtime.prediction.options import RunOptions
from waiting import wait_for

ray = pytest.importorskip("ray", reason="ray is not installed")
pytest.importorskip("ray.data", reason="ray[data] is not installed")

from nerone.ray import map_images, map_scans  # noqa: E402

__all__ = ["bundle", "classifier"]

AFFINE = np.diag([-0.8, -0.9, 2.5, 1.0])


@pytest.fixture(scope="module")
def cluster():
    # A path of a socket may not be long; a token would be written into the home folder.
    with (
        pytest.MonkeyPatch.context() as patched,
        tempfile.TemporaryDirectory(prefix="nerone-ray-", dir="/tmp") as folder,
    ):
        patched.setenv("RAY_AUTH_MODE", "disabled")
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 << 20,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield
        ray.shutdown()


def write_scans(folder: Path, count: int, slices: int = 3) -> Path:
    for number in range(count):
        values = np.random.default_rng(number).integers(-800, 1200, (20, 14, slices)).astype(np.int16)
        write_nifti(folder / f"part{number % 2}" / f"scan-{number}.nii.gz", values, AFFINE)
    return folder


def masks(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*_mask.nii.gz")}


def test_scans_give_the_bytes_of_a_plain_run_and_errors_are_rows(cluster, bundle, tmp_path):
    scans = write_scans(tmp_path / "scans", 7)
    plain, _ = predict_files(bundle, scans, tmp_path / "plain")
    damaged = scans / "part1" / "scan-9.nii.gz"
    damaged.write_bytes((scans / "part0" / "scan-0.nii.gz").read_bytes()[:1200])
    rows = map_scans(bundle.path, scans, tmp_path / "ray", workers=2).take_all()
    assert masks(tmp_path / "ray") == masks(tmp_path / "plain")
    assert len(rows) == 8
    wrong = [row for row in rows if row["error"]]
    assert [row["source"] for row in wrong] == [str(damaged)]
    assert "damaged" in wrong[0]["error"]
    assert list(wrong[0]["targets"]) == []
    counts = {str(one.source): [one.counts] for one in plain}
    assert {row["source"]: json.loads(row["counts"]) for row in rows if not row["error"]} == counts
    # A plain run goes on where Ray stopped, and Ray where a plain run did.
    damaged.unlink()
    resumed, _ = predict_files(bundle, scans, tmp_path / "ray", options=RunOptions(resume=True))
    assert [one.resumed for one in resumed] == [True] * 7
    (tmp_path / "ray/part1/scan-3_mask.nii.gz").write_bytes(b"half")
    rows = map_scans(bundle.path, scans, tmp_path / "ray", options=RunOptions(resume=True)).take_all()
    assert [row["case"] for row in rows if not row["resumed"]] == ["part1/scan-3.nii.gz"]
    assert masks(tmp_path / "ray") == masks(tmp_path / "plain")


def test_a_scan_unlike_the_calibration_images_has_a_note_in_its_row(cluster, bundle, tmp_path):
    calibrated_from_0_to_3(bundle)
    (row,) = map_scans(bundle.path, write_scans(tmp_path / "scans", 1), tmp_path / "ray", workers=1).take_all()
    assert sum(note.startswith("its values run from ") for note in json.loads(row["notes"])) == 1


def test_a_worker_that_is_killed_loses_nothing(cluster, bundle, tmp_path):
    scans = write_scans(tmp_path / "scans", 12, slices=40)
    predict_files(bundle, scans, tmp_path / "plain")
    output = tmp_path / "ray"
    rows: list = []
    dataset = map_scans(bundle.path, scans, output, workers=2)
    running = threading.Thread(target=lambda: rows.extend(dataset.take_all()))
    running.start()
    try:
        wait_for(lambda: any(path.stat().st_size for path in output.glob("manifest-ray-*.jsonl")) or rows)
        killed = [pid for pid in workers() if kill(pid)]
        assert killed
    finally:
        running.join()
    assert sorted(row["case"] for row in rows) == sorted(
        path[: -len("_mask.nii.gz")] + ".nii.gz" for path in masks(output)
    )
    assert [row["error"] for row in rows] == [""] * 12
    assert masks(output) == masks(tmp_path / "plain")


def workers() -> list[int]:
    """Processes of the actors."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            title = (folder / "cmdline").read_bytes() if folder.name.isdecimal() else b""
        except OSError:
            continue
        if title.startswith(b"ray::") and b"MapBatches(_ScanActor)" in title.replace(b"MapWorker(", b""):
            found.append(int(folder.name))
    return found


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def images(count: int) -> list[np.ndarray]:
    sizes = ((20, 14), (33, 21))
    return [np.random.default_rng(n).integers(-800, 1200, sizes[n % 2]).astype(np.int16) for n in range(count)]


@pytest.mark.parametrize("result", ["classes", "probabilities"])
def test_images_give_the_bits_of_a_pipeline(cluster, bundle, result):
    given = images(9)
    with Pipeline(bundle.path, result=result) as pipeline:
        wanted = list(pipeline.map(given))
    items = [{"image": image, "number": number} for number, image in enumerate(given)]
    items.append({"image": np.zeros((3, 4, 5), np.int16), "number": 9})
    # Ray gives images of one batch the same number of axes.
    rows = map_images(bundle.path, ray.data.from_items(items), result=result, batch_size=3).take_all()
    found = {row["number"]: row for row in rows}
    assert sorted(found) == list(range(10))
    assert "channel" in found[9]["error"]
    assert found[9]["result"].size == 0
    for number, one in enumerate(wanted):
        assert found[number]["error"] == ""
        assert found[number]["result"].dtype == one.dtype
        np.testing.assert_array_equal(found[number]["result"], one)
    assert set(rows[0]) == {"number", "result", "error"}


def test_pictures_of_a_classifier(cluster, classifier):
    given = [np.random.default_rng(n).integers(0, 255, (20, 20, 3)).astype(np.uint8) for n in range(4)]
    with Pipeline(classifier.path) as pipeline:
        wanted = [int(one) for one in pipeline.map(given)]
    items = [{"image": image, "number": number} for number, image in enumerate(given)]
    items.append({"image": np.zeros((20, 20, 5), np.uint8), "number": 4})
    rows = map_images(classifier.path, ray.data.from_items(items), workers=1).take_all()
    found = sorted(rows, key=lambda row: row["number"])
    assert [row["result"] for row in found[:4]] == wanted
    assert found[4]["result"] is None
    assert found[4]["error"]


def test_wrong_arguments_are_one_sentence(cluster, bundle, classifier, tmp_path):
    scans = write_scans(tmp_path / "scans", 1)
    with pytest.raises(ConfigurationError, match="use map_images"):
        map_scans(classifier.path, scans, tmp_path / "o")
    with pytest.raises(ConfigurationError, match="does not exist"):
        map_scans(bundle.path, tmp_path / "nothing", tmp_path / "o")
    with pytest.raises(ConfigurationError, match="workers is 0"):
        map_scans(bundle.path, scans, tmp_path / "o", workers=0)
    with pytest.raises(ConfigurationError, match="batch_size is 0"):
        map_images(bundle.path, ray.data.range(1), batch_size=0)
    with pytest.raises(Exception, match="no column 'image'; it has id"):
        map_images(bundle.path, ray.data.from_items([{"id": 0}]), workers=1).take_all()
