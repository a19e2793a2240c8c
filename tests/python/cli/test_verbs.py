"""The verbs do their work: files in, files out, results on stdout."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from nerone.bundle.bundle import Bundle
from nerone.cli.evaluate import scores_of
from nerone.data.pictures import read_picture
from nerone.evaluation.evaluate import Evaluation
from nerone.evaluation.metrics import ClassificationCounts
from nerone.runtime.pipeline import Pipeline
from nerone.runtime.prediction.inference import Inference
from nerone.zoo.shipped import shipped_model
from paths import golden


def test_version_and_help(run):
    code, out, _ = run("--version")
    assert code == 0
    assert out.startswith("nerone ")
    code, out, _ = run("--help")
    assert code == 0
    assert all(verb in out for verb in ("deploy", "run", "evaluate", "inspect", "compile"))
    assert run("run", "--help")[0] == 0


def test_run_keeps_grid_and_affine(run, bundle, volume, tmp_path):
    code, out, _ = run("run", bundle.path, volume, "-o", tmp_path / "out")
    assert code == 0
    mask = nibabel.load(tmp_path / "out" / "volume-7_mask.nii.gz")
    source = nibabel.load(volume)
    assert mask.shape == source.shape
    np.testing.assert_allclose(mask.affine, source.affine)
    assert "volume-7_mask.nii.gz" in out
    inference, values = Inference(bundle), np.asarray(source.dataobj)
    for index in range(3):
        expected = inference.mask(np.ascontiguousarray(values[:, :, index]), spacing_mm=(0.8, 0.9))
        np.testing.assert_array_equal(np.asarray(mask.dataobj)[:, :, index], expected)
    assert set(np.unique(np.asarray(mask.dataobj))) <= {0, 1, 2}


def test_run_takes_the_fields_options(run, bundle, volume, tmp_path):
    code, _, _ = run("run", "-m", bundle.path, "--image_dir", volume.parent, "-o", tmp_path / "a")
    assert code == 0
    assert run("run", "-m", bundle.path, volume.parent, "-o", tmp_path / "b")[0] == 0
    first, second = (nibabel.load(tmp_path / name / "volume-7_mask.nii.gz") for name in "ab")
    np.testing.assert_array_equal(np.asarray(first.dataobj), np.asarray(second.dataobj))


def test_run_with_the_python_loop_gives_the_same_masks(run, bundle, volume, tmp_path):
    for backend in ("vart", "pynq"):
        assert run("run", bundle.path, volume, "-o", tmp_path / backend, "--backend", backend)[0] == 0
    first, second = (nibabel.load(tmp_path / name / "volume-7_mask.nii.gz") for name in ("vart", "pynq"))
    # The C++ and the numpy resize may differ by one step of the input.
    assert np.mean(np.asarray(first.dataobj) != np.asarray(second.dataobj)) < 0.01


def test_run_refuses_an_unknown_backend(refused, bundle, volume, tmp_path):
    assert "vart or pynq" in refused("run", bundle.path, volume, "-o", tmp_path / "out", "--backend", "vrt")


def test_run_one_file_to_one_file(run, bundle, volume, tmp_path):
    target = tmp_path / "mine.nii.gz"
    code, out, _ = run("run", bundle.path, volume, "-o", target, "--json")
    assert code == 0
    results = json.loads(out)["results"]
    assert results[0]["target"] == str(target)
    assert sum(results[0]["counts"].values()) == 20 * 14 * 3
    assert target.is_file()


def test_run_pictures_to_png_masks(run, bundle, tmp_path):
    folder = tmp_path / "pictures"
    (folder / "inner").mkdir(parents=True)
    rng = np.random.default_rng(1)
    for name in ("a.png", "inner/a.png"):
        Image.fromarray(rng.integers(0, 255, (12, 18), np.uint8)).save(folder / name)
    assert run("run", bundle.path, folder, "-o", tmp_path / "out")[0] == 0
    assert len(list((tmp_path / "out").rglob("*.png"))) == 2
    with Pipeline(bundle, result_grid="image") as pipeline:
        for name in ("a", "inner/a"):
            mask = Image.open(tmp_path / "out" / f"{name}_mask.png")
            assert (mask.size, mask.mode) == ((18, 12), "L")
            np.testing.assert_array_equal(mask, pipeline.run(np.asarray(Image.open(folder / f"{name}.png"))))


def test_png_masks_hold_the_ids_for_every_reader(run, bundle, tmp_path):
    """Grey levels are the data set's ids with PIL, OpenCV and our own reader; colours lie beside them."""
    manifest = bundle.path / "bundle.json"
    values = json.loads(manifest.read_text())
    values["output"]["label_ids"] = [0, 4, 9]
    manifest.write_text(json.dumps(values))
    folder, out = tmp_path / "pictures", tmp_path / "out"
    folder.mkdir()
    picture = np.random.default_rng(1).integers(-800, 1200, (12, 18)).astype(np.int16)
    np.save(folder / "a.npy", picture)
    assert run("run", bundle.path, folder, "-o", out, "--colours")[0] == 0
    with Pipeline(bundle, result_grid="image") as pipeline:
        classes = pipeline.run(picture)
    ids = np.array([0, 4, 9], np.uint8)[classes]
    assert len(np.unique(ids)) > 1
    np.testing.assert_array_equal(np.asarray(Image.open(out / "a_mask.png")), ids)
    np.testing.assert_array_equal(read_picture(out / "a_mask.png"), ids)
    coloured = np.asarray(Image.open(out / "a_colour_mask.png"))
    np.testing.assert_array_equal(coloured, np.array(bundle.output.colours, np.uint8)[classes])
    # In the folder of the pictures, neither is taken for a picture.
    assert run("run", bundle.path, folder, "-o", folder, "--colours")[0] == 0
    found = json.loads(run("run", bundle.path, folder, "-o", out, "--json")[1])
    assert [Path(result["source"]).name for result in found["results"]] == ["a.npy"]
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    np.testing.assert_array_equal(cv2.imread(str(out / "a_mask.png"), cv2.IMREAD_UNCHANGED), ids)


def test_run_classification_to_csv(run, classifier, tmp_path):
    folder = tmp_path / "cells"
    folder.mkdir()
    rng = np.random.default_rng(2)
    for number in range(3):
        Image.fromarray(rng.integers(0, 255, (20, 30, 3), np.uint8)).save(folder / f"{number}.png")
    assert run("run", classifier.path, folder, "-o", tmp_path / "out")[0] == 0
    with (tmp_path / "out" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    for row in rows:
        scores = [float(row[name]) for name in "abcd"]
        assert sum(scores) == pytest.approx(1, abs=1e-4)
        assert row["class"] == "abcd"[int(np.argmax(scores))]


def test_raw_arrays(run, bundle, tmp_path):
    rng = np.random.default_rng(3)
    np.save(tmp_path / "in.npy", rng.integers(-128, 128, (2, 16, 16, 1), np.int8))
    for model in (bundle.path, bundle.host_model_path):
        code, _, _ = run("run", model, "--raw-input", tmp_path / "in.npy", "--raw-output", tmp_path / "out.npy")
        assert code == 0
        result = np.load(tmp_path / "out.npy")
        assert result.dtype == np.int8
        assert result.shape == (2, 16, 16, 3)
    np.save(tmp_path / "in.npy", rng.normal(0, 1, (1, 16, 16, 1)).astype(np.float32))
    assert run("run", bundle.path, "--raw-input", tmp_path / "in.npy", "--raw-output", tmp_path / "out.npy")[0] == 0
    np.testing.assert_allclose(np.load(tmp_path / "out.npy").sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    ["nerone_prostate_double", "nerone_prostate_sc", "nerone_BCCD_zcu104", "dpupynq_mnist_old", "prmittal_CNN_zcu104"],
)
def test_golden_models_from_the_command_line(run, tmp_path, name):
    vector = np.load(golden("models", f"{name}.npz"))
    np.save(tmp_path / "in.npy", vector["input"])
    model = golden("models", f"{name}.xmodel")
    assert run("run", model, "--raw-input", tmp_path / "in.npy", "--raw-output", tmp_path / "out.npy")[0] == 0
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), vector["expected"])


def test_inspect_a_bundle_and_a_model(run, bundle):
    code, out, _ = run("inspect", bundle.path, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["model"]["macs"] == 16 * 16 * 9 * (4 + 4 * 3)
    assert [part["device"] for part in found["model"]["subgraphs"]] == ["USER", "DPU", "CPU"]
    assert {row["op"]: row["reason"] for row in found["model"]["on_cpu"]}["soft"] == "the DPU has no softmax"
    code, out, _ = run("inspect", bundle.host_model_path, "--ops")
    assert code == 0
    assert "conv2d-fix" in out
    assert "software DPU" in out


def test_inspect_a_vendor_model(run):
    code, out, _ = run("inspect", golden("models", "nerone_prostate_double.xmodel"), "--json")
    assert code == 0
    found = json.loads(out)["model"]
    assert found["fingerprint"] == "0x1000020f6014407"
    assert any("zcu104" in board for board in found["boards"])
    assert found["macs"] == 154140672


def test_compile_a_quantized_model(run, tmp_path):
    source = golden("quantized", "prmittal_CNN_int.xmodel")
    code, out, _ = run("compile", source, "--board", "kv260", "-o", tmp_path / "net.xmodel", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["dpu"] == "B4096"
    assert report["on_dpu"] == 1.0
    assert all(row["reason"] for row in report["layers"])
    assert run("inspect", tmp_path / "net.xmodel")[0] == 0


def test_deploy_a_model_quantized_by_the_vendor(run, tmp_path):
    source = golden("h5", "prostate_double_q.h5")
    code, out, _ = run("deploy", source, "--preset", "paper-prostate", "--board", "zcu104", "-o", tmp_path / "p.nerone")
    assert code == 0
    assert "0.154 GMAC" in out
    bundle = Bundle.open(tmp_path / "p.nerone")
    assert bundle.fingerprint == 0x101000016010407
    assert bundle.preset == "paper-prostate"


def test_evaluate(run, bundle, volume, tmp_path):
    source = nibabel.load(volume)
    labels = np.random.default_rng(5).integers(0, 3, source.shape).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(labels, source.affine), volume.with_name("labels-7.nii.gz"))
    code, out, _ = run("evaluate", bundle.path, "--data", volume.parent, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["frames"] == 3
    assert set(found["scores"]["INT8"]["classes"]) == {"liver", "bone"}
    assert run("evaluate", bundle.path, "--data", volume.parent, "--minimum", 99)[0] == 1
    table = tmp_path / "scores.csv"
    assert "liver" in run("evaluate", bundle.path, "--data", volume.parent, "--csv", table)[1]
    header, *rows = csv.reader(table.read_text().splitlines())
    assert header == ["network", "measure", "class", "score", "case"]
    rows, of_case = rows[:4], rows[4:]  # one volume is the one case
    assert [row[:4] for row in of_case] == [row[:4] for row in rows]
    assert ({row[4] for row in rows}, {row[4] for row in of_case}) == ({""}, {str(volume)})
    assert {row[2]: float(row[3]) for row in rows[:2]} == found["scores"]["INT8"]["classes"]
    assert [row[1:3] for row in rows[2:]] == [["mean Dice", ""], ["weighted Dice", ""]]
    assert [float(row[3]) for row in rows[2:]] == [found["scores"]["INT8"][key] for key in ("mean_dice", "score")]
    out = run("evaluate", bundle.path, "--data", volume.parent)[1]
    shown = dict(re.findall(r"│ (liver|bone|mean Dice|weighted Dice) *│ *([0-9.]+) ", out))
    whole = found["scores"]["INT8"]
    shares = {**whole["classes"], "mean Dice": whole["mean_dice"], "weighted Dice": whole["score"]}
    assert shown == {name: f"{100 * share:.2f}" for name, share in shares.items()}
    code, _, said = run("evaluate", bundle.path, "--data", volume.parent, "--csv", volume / "scores.csv")
    assert code == 2
    assert f"cannot write '{volume / 'scores.csv'}'" in said


def test_cases_are_scored_alone_and_pooled(run, bundle, volume, tmp_path):
    """The pooled score counts all voxels; the mean of cases counts each scan alike, however large."""
    source, rng = nibabel.load(volume), np.random.default_rng(6)
    for number, slices in ((7, 3), (8, 1)):
        part = np.asarray(source.dataobj)[:, :, :slices]
        labels = rng.integers(0, 3 - (number == 8), part.shape).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(part, source.affine), volume.with_name(f"volume-{number}.nii.gz"))
        nibabel.save(nibabel.Nifti1Image(labels, source.affine), volume.with_name(f"labels-{number}.nii.gz"))
    words = ("evaluate", bundle.path, "--data", volume.parent)
    found = json.loads(run(*words, "--json")[1])
    cases = {Path(case).name: one["INT8"] for case, one in found["cases"].items()}
    assert sorted(cases) == ["volume-7.nii.gz", "volume-8.nii.gz"]
    for name, expected in cases.items():
        alone = tmp_path / "alone" / name.split(".")[0]
        for file in (name, name.replace("volume", "labels")):
            alone.mkdir(parents=True, exist_ok=True)
            (alone / file).write_bytes((volume.parent / file).read_bytes())
        assert json.loads(run("evaluate", bundle.path, "--data", alone, "--json")[1])["scores"]["INT8"] == expected
    shown = dict(re.findall(r"│ ([a-zA-Z ]+), mean of 2 cases *│ *([0-9.]+) ", run(*words)[1]))
    for name, key in (("mean Dice", "mean_dice"), ("weighted Dice", "score")):
        assert shown[name] == f"{50 * sum(one[key] for one in cases.values()):.2f}"


def test_classification_is_scored_by_class():
    counts = ClassificationCounts(3)
    for guess, truth in ((0, 0), (1, 0), (1, 1)):
        counts.add(guess, truth)
    found = scores_of(Evaluation(("cat", "dog", "cow"), {"INT8": counts}), "INT8", segmentation=False)
    assert found["score"] == pytest.approx(2 / 3)
    assert found["classes"] == pytest.approx({"cat": 0.5, "dog": 1.0, "cow": float("nan")}, nan_ok=True)


def test_the_command_is_a_process(bundle, tmp_path):
    """The installed entry point: exit code, nothing on stdout but the result."""
    command = [sys.executable, "-m", "nerone.cli.main", "inspect"]
    options = {"capture_output": True, "text": True, "timeout": 300, "check": False}
    done = subprocess.run([*command, bundle.path, "--json"], **options)
    assert done.returncode == 0
    assert json.loads(done.stdout)["bundle"]["board"] == "host"
    assert done.stderr == ""
    done = subprocess.run([*command, tmp_path / "no"], **options)
    assert done.returncode == 2
    assert done.stdout == ""


def test_zoo_lists_and_copies_the_shipped_networks(run, refused, tmp_path):
    code, out, _ = run("zoo", "list", "--json")
    assert code == 0
    assert json.loads(out)["ct-org"]["preset"] == "ct-org"
    code, out, _ = run("zoo", "get", "bccd", "-o", tmp_path / "cells.keras")
    assert code == 0
    assert (tmp_path / "cells.keras").read_bytes() == shipped_model("bccd").read_bytes()
    assert "--preset paper-bccd" in out
    assert "the names are ct-org, bccd" in refused("zoo", "get", "resnet")
    assert "must end in .keras" in refused("zoo", "get", "bccd", "-o", tmp_path / "cells.h5")


def test_package_tells_its_version(run):
    import nerone

    assert run("--version")[1] == f"nerone {nerone.__version__}\n"
