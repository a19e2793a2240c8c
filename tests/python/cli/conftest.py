"""Small bundles, scans and pictures for the command line's tests."""

from __future__ import annotations

import json

import numpy as np
import pytest

from compilation.small_models import Maker
from nerone.bundle.checks import sha256
from nerone.cli.main import main
from nerone.deployment import deploy
from nerone.graph import Op
from nerone.runtime.preprocessing import Channels, Preprocessing, Resize, ScaleOffset, Window

SEGMENTATION = Preprocessing((Channels(1), Resize(16, 16), Window(-500, 1000)))
CLASSIFICATION = Preprocessing((Channels(3), Resize(16, 16), ScaleOffset((1 / 255,))))


def segmentation_model(seed=7):
    maker = Maker(shape=(16, 16, 1), seed=seed).conv("conv", 4, fix_point=5).conv("head", 3, fix_point=4)
    return maker.add("soft", Op.SOFTMAX, (16, 16, 3), reason="the DPU has no softmax").model()


def classification_model():
    maker = Maker(shape=(16, 16, 3), fix_point=6).conv("conv", 2, strides=(2, 2), fix_point=4)
    maker.add("flat", Op.RESHAPE, (128,), attrs={"shape": (128,)})
    weights = {"kernel": maker.rng.normal(0, 0.3, (128, 4)).astype(np.float32)}
    maker.add("dense", Op.DENSE, (4,), weights=weights, fix_point=3)
    return maker.add("soft", Op.SOFTMAX, (4,), reason="the DPU has no softmax").model()


@pytest.fixture
def bundle(tmp_path):
    """A bundle that segments (H, W) images into three classes."""
    return deploy(
        segmentation_model(),
        preprocessing=SEGMENTATION,
        class_names=["background", "liver", "bone"],
        output=tmp_path / "net.nerone",
    )


def calibrated_from_0_to_3(bundle):
    """Let the report of a bundle say that the values of its calibration images were 0 to 3."""
    report, manifest = bundle.path / "report.json", bundle.path / "bundle.json"
    values, declared = json.loads(report.read_text()), json.loads(manifest.read_text())
    values["quantization"] = {"calibration": {"values": {"low": [0, 1], "high": [2, 3]}}}
    report.write_text(json.dumps(values))
    declared["checksums"]["report.json"] = sha256(report)
    manifest.write_text(json.dumps(declared))


@pytest.fixture
def classifier(tmp_path):
    """A bundle that tells four classes of RGB pictures."""
    return deploy(
        classification_model(),
        preprocessing=CLASSIFICATION,
        class_names=list("abcd"),
        output=tmp_path / "cells.nerone",
    )


@pytest.fixture
def volume(tmp_path):
    """A NIfTI volume that is no square and has an affine of its own."""
    import nibabel

    values = np.random.default_rng(0).integers(-800, 1200, (20, 14, 3)).astype(np.int16)
    affine = np.array([[-0.8, 0, 0, 10], [0, 0.9, 0, -20], [0, 0, 2.5, 5], [0, 0, 0, 1]])
    path = tmp_path / "scans" / "volume-7.nii.gz"
    path.parent.mkdir(exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    return path


@pytest.fixture
def run(capsys):
    """Run the command line: (exit code, stdout, stderr)."""

    def call(*words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def refused(run):
    """Run a command that has to fail with one line, and return it."""

    def call(*words):
        code, out, err = run(*words)
        assert code == 2, (out, err)
        lines = [line for line in err.splitlines() if line.strip() and "warning:" not in line]
        assert len(lines) == 1, err
        assert lines[0].startswith("nerone: ")
        assert "Traceback" not in err
        return lines[0]

    return call
