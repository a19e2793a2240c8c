"""Masks on the grid of their images, straight from the pipeline."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from cli.conftest import CLASSIFICATION, classification_model, segmentation_model
from nerone.deployment import deploy
from nerone.errors import ConfigurationError, ShapeError
from nerone.runtime.frame import Frame
from nerone.runtime.pipeline import Pipeline
from nerone.runtime.prediction.inference import Inference
from nerone.runtime.preprocessing import Channels, CropOrPad, Preprocessing, Resample, Resize, Window
from nerone.runtime.preprocessing.image_grid import on_image_grid

# Pixels of 2 mm are made of those of 1 mm, and only the middle 20 are kept, as 16.
STEPS = Preprocessing((Channels(1), Resample(2.0), CropOrPad(20, 20), Resize(16, 16), Window(-500, 1000)))
RNG = np.random.default_rng(5)
IMAGES = [RNG.integers(-800, 1200, shape).astype(np.int16) for shape in ((60, 50), (44, 81), (20, 20))]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    place = tmp_path_factory.mktemp("grid") / "net.nerone"
    return deploy(segmentation_model(), preprocessing=STEPS, class_names=["air", "liver", "bone"], output=place)


@pytest.mark.parametrize("backend", ["vart", "pynq"])
def test_masks_lie_on_their_images(bundle, backend):
    reference = Inference(bundle)
    with (
        Pipeline(bundle, backend=backend, threads=1, result_grid="image") as pipeline,
        Pipeline(str(bundle.path), backend=backend, threads=1) as network,
    ):
        for image in IMAGES:
            found, small = pipeline.run(image, spacing_mm=1.0), network.run(image, spacing_mm=1.0)
            assert (found.shape, found.dtype, small.shape) == (image.shape, np.uint8, (16, 16))
            np.testing.assert_array_equal(found, on_image_grid(STEPS, small, image.shape, spacing_mm=1.0))
            np.testing.assert_array_equal(found, reference.mask(image, spacing_mm=1.0))
        assert not found[:0].any()
        assert not pipeline.run(IMAGES[0], spacing_mm=1.0)[:8].any(), "rows that were cut away are 0"
        given = [Frame(image, 1.0) for image in IMAGES]
        for mask, image in zip(pipeline.map(given), IMAGES, strict=True):
            np.testing.assert_array_equal(mask, reference.mask(image, spacing_mm=1.0))
        for index, mask in pipeline.as_completed(given):
            assert mask.shape == IMAGES[index].shape
        assert asyncio.run(pipeline.run_async(given[1])).shape == IMAGES[1].shape
        bad = pipeline.submit(np.zeros((4, 4, 3), np.int16))
        with pytest.raises(ShapeError):
            bad.result()


def test_a_path_and_a_bundle_know_what_a_mask_covers(bundle, tmp_path):
    import json
    import shutil

    narrow = tmp_path / "narrow.nerone"
    shutil.copytree(bundle.path, narrow)
    values = json.loads((narrow / "bundle.json").read_text())
    values["output"]["covers"] = [8, 8]
    (narrow / "bundle.json").write_text(json.dumps(values))
    with Pipeline(narrow, threads=1, result_grid="image") as pipeline, Pipeline(bundle, threads=1) as network:
        image = IMAGES[0]
        expected = on_image_grid(STEPS, network.run(image), image.shape, covers=(8, 8))
        np.testing.assert_array_equal(pipeline.run(image), expected)
    values["output"]["covers"] = [8]
    (narrow / "bundle.json").write_text(json.dumps(values))
    with pytest.raises(ConfigurationError, match=r"output\.covers is \[8\]"):
        Pipeline(narrow)


def test_classes_of_images_have_no_grid(tmp_path):
    place = tmp_path / "cells.nerone"
    made = deploy(classification_model(), preprocessing=CLASSIFICATION, class_names=list("abcd"), output=place)
    with Pipeline(made, threads=1, result_grid="image") as pipeline:
        assert pipeline.run(np.zeros((20, 30, 3), np.uint8)).shape == ()


def test_only_classes_go_to_the_image(bundle):
    with pytest.raises(ConfigurationError, match="result is 'real'; expected classes"):
        Pipeline(bundle, result="real", result_grid="image")
    with pytest.raises(ConfigurationError, match="result_grid is 'scan'; expected network or image"):
        Pipeline(bundle, result_grid="scan")
