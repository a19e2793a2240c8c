"""The declaration: JSON there and back, strict reading, shapes, presets."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nerone.errors import ConfigurationError, ShapeError
from nerone.runtime.preprocessing import (
    Channels,
    Clip,
    CropOrPad,
    Grey,
    Percentile,
    Preprocessing,
    Resample,
    Resize,
    ScaleOffset,
    Window,
    ZScore,
    spacing_pair,
)
from nerone.runtime.preprocessing.numpy_steps import apply
from nerone.runtime.presets import PRESETS, preset

ALL_STEPS = Preprocessing(
    (
        Channels(4, (2, 1, 0), ("a", "b", "c", "d")),
        Grey((1, 0, 0)),
        Clip(low=0),
        Percentile(None, 99.9, (0, 1), "volume", True),
        ZScore("volume", True),
        ScaleOffset((2.0,), (1.0,)),
        Resample(0.557),
        CropOrPad(512, 500, -1024),
        Resize(256, 250, "area"),
        Window(-500, 1000),
        Percentile(1, 99),
        ZScore(),
    )
)


@pytest.mark.parametrize("steps", [ALL_STEPS, *(p.preprocessing for p in PRESETS.values())])
def test_json_there_and_back(steps):
    assert Preprocessing.from_dict(json.loads(json.dumps(steps.to_dict()))) == steps


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": 2}, "version"),
        ({"version": True}, "version"),
        ({"extra": 1}, "extra"),
        ({"steps": None}, "steps"),
        ({"steps": [3]}, r"steps\[0\].step"),
        ({"steps": [{"step": "blur"}]}, r"steps\[0\].step"),
        ({"steps": [{"step": ["resize"]}]}, r"steps\[0\].step"),
        ({"steps": [{"step": "resize", "height": 4}]}, r"steps\[0\].width is missing"),
        ({"steps": [{"step": "resize", "height": 4, "width": 4, "size": 3}]}, "size"),
        ({"steps": [{"step": "resize", "height": 0, "width": 4}]}, "resize.height"),
        ({"steps": [{"step": "resize", "height": 4.5, "width": 4}]}, "resize.height"),
        ({"steps": [{"step": "resize", "height": True, "width": 4}]}, "resize.height"),
        ({"steps": [{"step": "resize", "height": 4, "width": 10**9}]}, "resize.width"),
        ({"steps": [{"step": "resize", "height": 4, "width": 4, "method": "lanczos"}]}, "resize.method"),
        ({"steps": [{"step": "resize", "height": 4, "width": 4, "method": ["area"]}]}, "resize.method"),
        ({"steps": [{"step": "window", "low": 3, "high": 3}]}, "window.low"),
        ({"steps": [{"step": "window", "low": float("nan"), "high": 3}]}, "window.low"),
        ({"steps": [{"step": "window", "low": 0, "high": 1, "to": [1, 0]}]}, "window.to"),
        ({"steps": [{"step": "window", "low": 0, "high": 1, "to": [0, 1, 2]}]}, "window.to"),
        ({"steps": [{"step": "window", "low": 0, "high": 1, "to": "ab"}]}, "window.to"),
        ({"steps": [{"step": "percentile", "low": -1, "high": 99}]}, "percentile.low"),
        ({"steps": [{"step": "percentile", "low": 1, "high": 99, "scope": "patient"}]}, "percentile.scope"),
        ({"steps": [{"step": "percentile", "low": 1, "high": 99, "nonzero": 1}]}, "percentile.nonzero"),
        ({"steps": [{"step": "clip", "low": 2, "high": 1}]}, "clip.low"),
        ({"steps": [{"step": "channels", "count": 3, "order": [3]}]}, "channels.order"),
        ({"steps": [{"step": "channels", "count": 3, "names": ["a"]}]}, "channels.names"),
        ({"steps": [{"step": "scale_offset", "scale": [1, 2], "offset": [1, 2, 3]}]}, "scale_offset.scale"),
        ({"steps": [{"step": "scale_offset", "scale": []}]}, "scale_offset.scale"),
        ({"steps": [{"step": "resample", "spacing_mm": 0}]}, "resample.spacing_mm"),
        (
            {"steps": [{"step": "resize", "height": 4, "width": 4}, {"step": "z_score", "scope": "volume"}]},
            r"steps\[1\]",
        ),
    ],
)
def test_what_cannot_work_is_named(change, field):
    with pytest.raises(ConfigurationError, match=field) as caught:
        Preprocessing.from_dict({"version": 1, "steps": []} | change)
    assert "\n" not in str(caught.value)


def test_not_an_object():
    with pytest.raises(ConfigurationError, match="expected an object"):
        Preprocessing.from_dict([])  # type: ignore[arg-type]


def test_output_shape_checks_channels_and_size():
    with pytest.raises(ShapeError, match="3"):
        ALL_STEPS.output_shape(5, 5, 3)
    with pytest.raises(ShapeError, match="at least one"):
        Preprocessing(()).output_shape(0, 5)
    with pytest.raises(ConfigurationError, match="16384"):
        Preprocessing((Resample(0.01),)).output_shape(512, 512, spacing_mm=1)
    assert ALL_STEPS.output_shape(7, 5, 4) == (256, 250, 1)


@pytest.mark.parametrize("bad", [0, -1, float("nan"), (1, 2, 3), "x", (1, 0), ()])
def test_spacing_must_be_positive(bad):
    with pytest.raises(ConfigurationError, match="spacing_mm"):
        spacing_pair(bad)


@pytest.mark.parametrize(
    ("name", "shape", "result"),
    [
        ("ct-org", (512, 512), (256, 256, 1)),
        ("brats", (240, 240, 4), (240, 240, 4)),
        ("prostate-3t", (320, 320), (256, 256, 1)),
        ("bccd", (240, 320, 3), (240, 320, 3)),
        ("paper-bccd", (240, 320, 3), (200, 250, 3)),
        ("paper-ct-org", (300, 512), (256, 256, 1)),
        ("paper-brats", (155, 240, 4), (240, 240, 4)),
        ("paper-prostate", (384, 384), (256, 256, 1)),
    ],
)
def test_presets_give_their_networks_shape_and_range(name, shape, result):
    chosen = preset(name)
    image = np.random.default_rng(1).integers(0, 200, shape).astype(np.int16)
    got = apply(chosen.preprocessing, image, spacing_mm=0.6)
    assert got.shape == result
    assert -1.0001 <= got.min() < got.max() <= 1.0001
    assert len(chosen.class_names) == len(chosen.colours)
    assert len(set(chosen.colours)) == len(chosen.colours)
    assert chosen.label_ids == () or len(chosen.label_ids) == len(chosen.class_names)


def test_unknown_preset_names_near_ones():
    with pytest.raises(ConfigurationError, match="did you mean ct-org"):
        preset("ct_org")
    with pytest.raises(ConfigurationError, match="paper-bccd"):
        preset("zzzz")


def test_with_output_size():
    assert preset("ct-org").preprocessing.with_output_size(128, 96).output_shape(512, 512) == (128, 96, 1)
    assert Preprocessing((Window(0, 1),)).with_output_size(4, 5).output_shape(9, 9) == (4, 5, 1)
