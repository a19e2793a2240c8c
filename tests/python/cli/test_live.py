"""nerone live on a real bundle: the page's address, the terminal, bad words."""

from __future__ import annotations

import numpy as np
import pytest

from nerone.live.view import open_session
from waiting import wait_for

SCAN = np.zeros((2, 20, 14), np.int16)


@pytest.mark.parametrize("backend", ["vart", "pynq"])
def test_masks_equal_those_of_nerone_run(bundle, volume, backend):
    from nerone.data.sources import frames
    from nerone.runtime.prediction.inference import Inference

    inference = Inference(bundle)
    expected = {
        number: inference.mask(frame.image, spacing_mm=frame.spacing_mm) for number, frame in enumerate(frames(volume))
    }
    session = open_session(bundle, volume, threads=2)
    try:
        session.use_engine(backend, 1)
        wait_for(lambda: session.backend == backend)
        wait_for(lambda: len(session.collected_masks()) == len(expected))
        assert session.error == ""
        for number, mask in session.collected_masks().items():
            share = np.mean(mask != expected[number])
            assert share <= 0.01, f"frame {number} differs in {share:.2%}"  # 1 LSB of the resized input at most
    finally:
        session.close()


def test_classifications_have_probabilities(classifier, tmp_path):
    from PIL import Image

    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in "ab":
        values = np.random.default_rng(ord(name)).integers(0, 255, (20, 20, 3)).astype(np.uint8)
        Image.fromarray(values).save(pictures / f"{name}.png")
    session = open_session(classifier, pictures, threads=1)
    try:
        wait_for(lambda: session.shown is not None)
        assert session.shown.result.probabilities.shape == (4,)
        assert session.shown.result.probabilities.sum() == pytest.approx(1, abs=1e-3)
    finally:
        session.close()


def test_the_page_is_served(bundle, volume, run):
    code, out, err = run("live", bundle.path, volume, "--port", 0, "--seconds", 0.5)
    assert code == 0, err
    assert "http://127.0.0.1:" in out


def test_the_terminal_shows_numbers_and_classes(bundle, classifier, volume, run, tmp_path):
    code, out, err = run("live", bundle.path, volume, "--terminal", "--seconds", 3, "--power", "constant:4")
    assert code == 0, err
    assert "FPS" in out
    assert "4.0" in out
    assert "liver" in out or "bone" in out or "background" in out
    np.save(tmp_path / "cell.npy", np.zeros((20, 20, 3), np.uint8))
    code, out, err = run(
        "live", classifier.path, tmp_path / "cell.npy", "--terminal", "--seconds", 3, "--power", "none"
    )
    assert code == 0, err
    assert "n/a" in out
    assert "%" in out


def test_a_video_is_turned_grey_for_a_network_of_one_channel(bundle, tmp_path):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    for level in range(5):
        writer.write(np.full((48, 64, 3), 40 * level, np.uint8))
    writer.release()
    session = open_session(bundle, path, threads=1)
    try:
        wait_for(lambda: len(session.collected_masks()) == 5)
        assert session.error == ""
        assert session.collected_masks()[0].shape == (48, 64)
    finally:
        session.close()


def test_phantoms_are_drawn_where_no_file_is_called_so(bundle, tmp_path, monkeypatch, refused):
    import dataclasses

    monkeypatch.chdir(tmp_path)
    assert "no preset with phantoms" in refused("live", bundle.path, "phantoms")
    monkeypatch.setattr("nerone.live.view.write_phantoms", lambda task, folder, **_: np.save(f"{folder}/a.npy", SCAN))
    session = open_session(dataclasses.replace(bundle, preset="ct-org"), "phantoms", threads=1)
    try:
        assert session.source.name == "ct-org phantoms"
        wait_for(lambda: session.shown is not None)
    finally:
        session.close()


def test_a_simulated_board_says_so(bundle, volume):
    from nerone.evaluation.devices import find_device
    from nerone.live.engines import labels_of

    session = open_session(bundle, volume, device="zcu104-sim", threads=2)
    try:
        wait_for(lambda: session.shown is not None)
        device = find_device("zcu104-sim", bundle.host_model_path)
        assert "simulated" in labels_of(bundle, device).device
        wait_for(lambda: session.statistics()["stages_ms"].get("device", 0) > 0)
        assert session.statistics()["stages_ms"]["device"] >= device.job_latency_us / 1e3 * 0.9
    finally:
        session.close()


def test_the_first_picture_comes_soon(bundle, volume):
    """Generous, for loaded machines; `python -m benchmarks.live start` measures it."""
    from benchmarks.live import measure_start

    assert measure_start(str(bundle.path), str(volume)) < 60


def test_memory_is_flat_over_fifty_thousand_frames(bundle):
    from benchmarks.live import measure_memory

    for _ in range(3):  # what other tests left running in this process may grow, too
        warm, end, _ = measure_memory(bundle, 50_000)
        if end - warm < 16 << 20:
            break
    assert end - warm < 16 << 20, f"{warm >> 20} MiB grew to {end >> 20} MiB"


def test_bad_words_are_told(bundle, volume, refused, tmp_path):
    assert "no source" in refused("live", bundle.path)
    assert "does not exist" in refused("live", bundle.path, tmp_path / "none")
    assert "no folder" in refused("live", bundle.path, volume, "--watch")
    assert "port" in refused("live", bundle.path, volume, "--port", 99999)
    assert "threads" in refused("live", bundle.path, volume, "--threads", 9999)
    assert "no model" in refused("live", bundle.path, volume, "--float", tmp_path / "none.keras")
    assert "no device" in refused("live", bundle.path, volume, "--device", "zcu105-sim")
    assert "no power meter" in refused("live", bundle.path, volume, "--power", "guess")
    assert "camera:63" in refused("live", bundle.path, "camera:63")
