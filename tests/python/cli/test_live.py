"""nerone live on a real bundle: the page's address, the terminal, bad words."""

from __future__ import annotations

import time

import numpy as np
import pytest

from nerone.live.view import open_session


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.01)


@pytest.mark.parametrize("backend", ["vart", "pynq"])
def test_masks_equal_those_of_nerone_run(bundle, volume, backend):
    from nerone.data.sources import frames
    from nerone.deployment.inference import Inference

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


def test_the_terminal_shows_numbers(bundle, volume, run):
    code, out, err = run("live", bundle.path, volume, "--terminal", "--seconds", 1)
    assert code == 0, err
    assert "FPS" in out
    assert "n/a" in out


def test_bad_words_are_told(bundle, volume, refused, tmp_path):
    assert "no source" in refused("live", bundle.path)
    assert "does not exist" in refused("live", bundle.path, tmp_path / "none")
    assert "no folder" in refused("live", bundle.path, volume, "--watch")
    assert "port" in refused("live", bundle.path, volume, "--port", 99999)
    assert "threads" in refused("live", bundle.path, volume, "--threads", 9999)
