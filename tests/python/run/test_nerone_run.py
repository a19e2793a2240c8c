"""nerone-run, the program without Python: its masks equal the pipeline's, and bad input is one sentence.

The program is the one of `make test-cpp`, or what NERONE_RUN names: under qemu the one for the boards.
"""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nerone.bundle import Bundle
from nerone.runtime.pipeline import Pipeline
from nerone.runtime.prediction.files import predict_files
from nerone.runtime.presets import PRESETS
from preset_bundles import TASKS, preset_bundle, preset_images

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = shlex.split(os.environ.get("NERONE_RUN", str(ROOT / "build/test/cpp/src/run/nerone-run")))
SECONDS = 240

if not Path(PROGRAM[-1]).is_file():
    pytest.skip("nerone-run is not built; make test-cpp builds it", allow_module_level=True)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    made = {}

    def get(name: str) -> Bundle:
        if name not in made:
            made[name] = preset_bundle(folder, name)
        return made[name]

    return get


def run(*arguments, code=0, data=None):
    done = subprocess.run([*PROGRAM, *map(str, arguments)], input=data, capture_output=True, timeout=SECONDS)
    assert done.returncode == code, done.stderr.decode() + done.stdout.decode()
    return done


def refusal(*arguments, data=None):
    """Return the one line that says why it could not run."""
    done = run(*arguments, code=2, data=data)
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("nerone-run: ")
    return line.removeprefix("nerone-run: ")


def expected(bundle, images):
    with Pipeline(bundle.path, threads=1) as pipeline:
        return list(pipeline.map(list(images)))


@pytest.mark.parametrize("name", TASKS)
def test_bundle_is_read_as_python_reads_it(bundles, name):
    bundle = bundles(name)
    read = json.loads(run(bundle.path, "--describe").stdout)
    output = read["output"]
    assert (read["name"], read["board"], read["preset"]) == (bundle.name, bundle.board, bundle.preset)
    assert Path(read["model"]) == bundle.host_model_path
    assert output["kind"] == bundle.output.kind
    assert tuple(output["class_names"]) == bundle.output.class_names
    assert tuple(map(tuple, output["colours"])) == bundle.output.colours
    assert tuple(output["label_ids"]) == bundle.output.label_ids
    for step, wanted in zip(read["preprocessing"]["steps"], bundle.preprocessing.steps, strict=True):
        fields = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(wanted).items() if key != "names"}
        assert step == {"step": wanted.kind, **fields}


@pytest.mark.parametrize("name", [name for name in TASKS if PRESETS[name].output == "segmentation"])
def test_masks_of_the_network_grid_equal_the_pipelines(bundles, tmp_path, name):
    bundle, images = bundles(name), preset_images(name, 3)
    for number, image in enumerate(images):
        np.save(tmp_path / f"{number}.npy", image)
    run(bundle.path, tmp_path, "-o", tmp_path / "out", "--grid", "network", "--format", "npy", "-t", 2)
    masks = expected(bundle, images)
    assert len({int(m.sum()) for m in masks}) > 1, "the test's images look alike"
    for number, mask in enumerate(masks):
        np.testing.assert_array_equal(np.load(tmp_path / f"out/{number}_mask.npy"), mask)


@pytest.mark.parametrize("name", [name for name in TASKS if PRESETS[name].output == "segmentation"])
def test_a_volume_gives_the_files_of_nerone_run(bundles, tmp_path, name):
    bundle = bundles(name)
    np.save(tmp_path / "scan.npy", preset_images(name, 3))
    run(bundle.path, tmp_path / "scan.npy", "-o", tmp_path / "ours")
    predict_files(bundle, tmp_path / "scan.npy", tmp_path / "theirs")
    theirs = sorted((tmp_path / "theirs").iterdir())
    assert [path.name for path in theirs] == sorted(path.name for path in (tmp_path / "ours").iterdir())
    for path in theirs:
        ours, wanted = Image.open(tmp_path / "ours" / path.name), Image.open(path)
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(wanted))
        assert (ours.mode, wanted.mode) == ("L", "L")


@pytest.mark.parametrize("name", ["bccd", "paper-bccd"])
def test_pictures_give_the_table_of_nerone_run(bundles, tmp_path, name):
    bundle = bundles(name)
    (tmp_path / "cells").mkdir()
    for number, image in enumerate(preset_images(name, 3)):
        Image.fromarray(image).save(tmp_path / f"cells/{number}, stained.png")
    run(bundle.path, tmp_path / "cells", "-o", tmp_path / "ours")
    predict_files(bundle, tmp_path / "cells", tmp_path / "theirs")
    ours, theirs = (
        list(csv.reader((tmp_path / who / "predictions.csv").open(newline=""))) for who in ("ours", "theirs")
    )
    assert len(ours) == 4
    assert ours == theirs


@pytest.mark.parametrize("name", ["=1+1, stained.png", "+.png", "\uff0dcmd.png"])
def test_a_name_is_no_formula_in_either_table(bundles, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(preset_images("bccd", 1)[0]).save(name)
    run(bundles("bccd").path, name, "-o", "ours")
    predict_files(bundles("bccd"), name, "theirs")
    table = Path("ours/predictions.csv").read_bytes()
    assert table == Path("theirs/predictions.csv").read_bytes()
    assert [row[0] for row in csv.reader(table.decode().splitlines())] == ["image", f"'{name}"]


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA", "LA", "I;16"])
def test_png_pixels_are_those_of_nerone_run(bundles, tmp_path, mode):
    name = "bccd" if mode in ("P", "RGB", "RGBA") else "prostate-3t"
    bundle, generator = bundles(name), np.random.default_rng(3)
    shape = (64, 48, 3) if name == "bccd" else (64, 48)
    pixels = generator.integers(0, 256, shape).astype(np.uint8)
    picture = (
        Image.fromarray(pixels).convert(mode) if mode != "I;16" else Image.fromarray(pixels.astype(np.uint16) * 200)
    )
    picture.save(tmp_path / "one.png")
    run(bundle.path, tmp_path / "one.png", "-o", tmp_path / "ours")
    predict_files(bundle, tmp_path / "one.png", tmp_path / "theirs")
    (theirs,) = (tmp_path / "theirs").iterdir()
    if name == "bccd":
        assert (tmp_path / "ours/predictions.csv").read_bytes() == theirs.read_bytes()
    else:
        np.testing.assert_array_equal(
            np.asarray(Image.open(tmp_path / "ours" / theirs.name)), np.asarray(Image.open(theirs))
        )


@pytest.mark.parametrize("dtype", ["i1", "i4", "u4", "i8", "u8", "f8", ">i2", ">f4", "?", "f4", "u2"])
def test_arrays_of_every_type_are_those_of_nerone_run(bundles, tmp_path, dtype):
    bundle = bundles("prostate-3t")
    image = preset_images("prostate-3t", 1)
    np.save(tmp_path / "one.npy", (image % 97).astype(dtype) if dtype != "f8" else image / 7)
    run(bundle.path, tmp_path / "one.npy", "-o", tmp_path / "ours")
    predict_files(bundle, tmp_path / "one.npy", tmp_path / "theirs")
    ours, theirs = (np.asarray(Image.open(tmp_path / who / "one_mask.png")) for who in ("ours", "theirs"))
    np.testing.assert_array_equal(ours, theirs)


def test_spacing_is_used(bundles, tmp_path):
    bundle, image = bundles("prostate-3t"), preset_images("prostate-3t", 1)
    np.save(tmp_path / "one.npy", image)
    run(bundle.path, tmp_path / "one.npy", "-o", tmp_path, "--grid=network", "--format=npy", "--spacing-mm=0.5,0.7")
    with Pipeline(bundle.path, threads=1) as pipeline:
        mask = pipeline.run(image, spacing_mm=(0.5, 0.7))
    np.testing.assert_array_equal(np.load(tmp_path / "one_mask.npy"), mask)


def test_stream_of_raw_frames_gives_a_stream_of_masks(bundles):
    bundle, images = bundles("ct-org"), preset_images("ct-org", 4)
    arguments = (bundle.path, "-", "--raw", "300x280:int16", "-o", "-", "--grid", "network", "--json")
    done = run(*arguments, data=images.tobytes())
    masks = np.frombuffer(done.stdout, np.uint8).reshape(4, 256, 256)
    np.testing.assert_array_equal(masks, expected(bundle, images))
    assert json.loads(done.stderr)["frames"] == 4
    assert refusal(*arguments, data=images.tobytes()[:-5]).startswith("standard input ends within frame 3")


def test_a_mask_comes_before_the_next_frame_is_sent(bundles):
    bundle, images = bundles("ct-org"), preset_images("ct-org", 2)
    command = [*PROGRAM, str(bundle.path), "-", "--raw", "300x280:int16", "-o", "-", "--grid", "network", "-t", "2"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for image in images:
        process.stdin.write(image.tobytes())
        process.stdin.flush()
        assert len(process.stdout.read(256 * 256)) == 256 * 256
    process.stdin.close()
    assert process.wait(SECONDS) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_stream_cleanly(bundles, number):
    bundle, image = bundles("ct-org"), preset_images("ct-org", 1)
    command = [*PROGRAM, str(bundle.path), "-", "--raw", "300x280:int16", "-o", "-", "--json"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(image.tobytes())
    process.stdin.flush()
    os.read(process.stdout.fileno(), 1)  # it is under way
    process.send_signal(number)
    rest, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert len(rest) == 300 * 280 - 1
    assert json.loads(said)["frames"] == 1


def test_a_signal_during_a_folder_is_said(bundles, tmp_path):
    for number, image in enumerate(preset_images("ct-org", 300, (40, 40))):
        np.save(tmp_path / f"{number:03}.npy", image)
    command = [*PROGRAM, str(bundles("ct-org").path), str(tmp_path), "-o", str(tmp_path / "out"), "-t", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while not list((tmp_path / "out").glob("*.png")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "stopped before the end" in said
    assert not list((tmp_path / "out").glob(".*"))


def test_report(bundles, tmp_path):
    np.save(tmp_path / "scan.npy", preset_images("ct-org", 5))
    said = json.loads(run(bundles("ct-org").path, tmp_path / "scan.npy", "--json", "-t", 1, "--frames", 4).stdout)
    assert (said["frames"], said["workers"], said["files"]) == (4, 1, [])
    assert said["fps"] > 0
    assert 0 < said["latency_ms"]["p50"] <= said["latency_ms"]["p99"]
    text = run(bundles("ct-org").path, tmp_path / "scan.npy", "-t", 1).stdout.decode()
    assert text.startswith("5 frames, ")


def test_names_forge_no_lines_and_nothing_left_is_an_error(bundles, tmp_path):
    bundle, scans = bundles("ct-org"), tmp_path / "scans"
    scans.mkdir()
    (scans / "x\nforged\x1b[2J.npy").write_bytes(b"no array")
    said = refusal(bundle.path, scans, "--skip-bad", "-o", tmp_path / "out")
    assert said.isprintable()
    assert "could be run" in said
    np.save(scans / "good.npy", np.zeros((16, 16), np.int16))
    done = run(bundle.path, scans, "--skip-bad", "-o", tmp_path / "out", code=1)
    report, left_out = done.stdout.decode().splitlines()
    assert report.startswith("1 frames")
    assert left_out.isprintable()
    assert left_out.startswith("left out ")
    shown = run(bundle.path, scans, "--skip-bad", "--json", "-o", tmp_path / "out", code=1).stdout
    assert shown.isascii()
    assert "\n" in json.loads(shown)["skipped"][0]["file"]


def test_bad_files_are_left_out_where_that_is_asked_for(bundles, tmp_path):
    np.save(tmp_path / "b.npy", preset_images("ct-org", 1))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    (tmp_path / "c.npy").write_bytes((tmp_path / "b.npy").read_bytes()[:-1])
    np.save(tmp_path / "d.npy", np.zeros((20, 20, 3), np.uint8))
    bundle = bundles("ct-org").path
    assert "a.png' is no PNG picture, or damaged" in refusal(bundle, tmp_path)
    done = run(bundle, tmp_path, "--skip-bad", "--json", "-o", tmp_path / "out", code=1)
    said = json.loads(done.stdout)
    assert sorted(Path(item["file"]).name for item in said["skipped"]) == ["a.png", "c.npy", "d.npy"]
    assert [Path(file).name for file in said["files"]] == ["b_mask.png"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "no bundle was given"),
        (["{bundle}"], "no input was given"),
        (["{bundle}", "a", "b"], "'b' is one argument too many"),
        (["{bundle}", "a", "--nonsense"], "there is no option '--nonsense'"),
        (["{bundle}", "a", "-o"], "--output has no value"),
        (["{bundle}", "a", "--format", "gif"], "--format is 'gif'; expected png or npy"),
        (["{bundle}", "a", "-t", "0"], "--threads is '0'; expected a whole number from 1 to 1024"),
        (["{bundle}", "a", "-t", "99999999999"], "--threads is '99999999999'"),
        (["{bundle}", "a", "--raw", "0x5:int16"], "--raw is '0x5:int16'; expected HEIGHTxWIDTH:DTYPE"),
        (["{bundle}", "a", "--raw", "5x5:int64"], "--raw is '5x5:int64'"),
        (["{bundle}", "a", "--spacing-mm", "-1"], "--spacing-mm is '-1'"),
        (["{bundle}", "-"], "standard input has no format of its own"),
        (["{bundle}", "nowhere"], "there is no file or folder 'nowhere'"),
        (["{bundle}", "/dev/video99"], "the camera '/dev/video99' cannot be opened"),
        (["{bundle}", "/dev/null"], "'/dev/null' is no file and no folder"),
        (["{bundle}", "{empty}"], "the folder '{empty}' has no PNG or NPY files"),
        (["{bundle}", "{text}"], "'{text}' is no PNG or NPY file"),
        (["{bundle}", "{text}", "--raw", "2x2:uint8"], "'{text}' has 5 bytes, no multiple of a frame's 4"),
        (["{bundle}", "{image}", "--device", "nothing"], "unknown device 'nothing'"),
        (["{bundle}", "{image}", "--device", "board"], "subgraph "),
        (["{bundle}", "{image}", "-o", "{text}"], "the output '{text}' is no folder and cannot be made"),
        (["{text}", "{image}"], "'{text}' is a file, a bundle is a folder NAME.nerone"),
        (["{empty}", "{image}"], "'{empty}' is no bundle: it has no bundle.json"),
        (["no-such-bundle", "{image}"], "there is no bundle 'no-such-bundle'"),
    ],
)
def test_bad_arguments_are_one_sentence(bundles, tmp_path, arguments, sentence):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("text\n")
    np.save(tmp_path / "image.npy", preset_images("ct-org", 1))
    names = {"bundle": bundles("ct-org").path, "empty": tmp_path / "empty", "text": tmp_path / "text"}
    names["image"] = tmp_path / "image.npy"
    said = refusal(*(argument.format(**names) for argument in arguments))
    assert said.startswith(sentence.format(**names))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda b: b.pop("preprocessing"), "'preprocessing' is missing, expected an object"),
        (lambda b: b.update(schema=9), "'schema' is 9, expected 1, which this release reads"),
        (lambda b: b["output"].update(kind="boxes"), "'kind' is \"boxes\", expected segmentation or classification"),
        (lambda b: b["output"].update(colours=[[1, 2]]), "'colours' is [[1,2]]"),
        (lambda b: b["output"].update(label_ids=[1000]), "'label_ids' is [1000]"),
        (lambda b: b["preprocessing"]["steps"].append({"step": "melt"}), "'step' is \"melt\""),
        (lambda b: b["preprocessing"]["steps"].append({"step": "window", "low": 1}), "'high' is missing"),
        (lambda b: b["preprocessing"]["steps"].append({"step": "resize", "height": 0, "width": 1}), "'height' is 0"),
        (lambda b: b["preprocessing"]["steps"].append({"step": "clip", "lowest": 0}), "'lowest' is unknown"),
        (lambda b: b["preprocessing"]["steps"].append({"step": "window", "low": 2, "high": 1}), "window.low is 2"),
        (lambda b: b.update(board_model="../other.xmodel"), "names the file '../other.xmodel' outside of itself"),
        (lambda b: b.update(board_model="absent.xmodel"), "absent.xmodel' is missing"),
    ],
)
def test_a_damaged_bundle_is_one_sentence(bundles, tmp_path, change, sentence):
    values = json.loads((bundles("ct-org").path / "bundle.json").read_text())
    change(values)
    folder = tmp_path / "net.nerone"
    folder.mkdir()
    (folder / "model.xmodel").write_bytes(bundles("ct-org").host_model_path.read_bytes())
    (folder / "bundle.json").write_text(json.dumps(values))
    assert sentence in refusal(folder, "--describe")
    (folder / "bundle.json").write_text("[" * 100_000)
    assert "is not valid JSON" in refusal(folder, "--describe")


def test_help_and_version():
    said = run("--help").stdout.decode()
    for word in ("INPUT", "--json", "--threads", "/dev/videoN", "Exit codes"):
        assert word in said
    assert run("--version").stdout.decode().startswith("nerone-run ")
