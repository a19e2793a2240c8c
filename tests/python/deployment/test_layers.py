"""Networks of the layers that users bring, from Keras to masks: near FP32, and the same bits on every engine."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="TensorFlow is not installed")
from keras import layers  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent.parent / "graph"))
import keras_cases  # noqa: E402

import nerone  # noqa: E402
from nerone.compilation.export import export_quantized_xir  # noqa: E402
from nerone.compilation.quantized_xir import load_quantized_xir  # noqa: E402
from nerone.errors import ModelError  # noqa: E402
from nerone.quantization import QuantizeOptions, quantize  # noqa: E402
from nerone.runtime.preprocessing import Channels, Preprocessing  # noqa: E402
from softdpu.engines import ENGINES  # noqa: E402

FAST = QuantizeOptions(compare_images=0)


def filled(model, seed=0):
    """Give every weight a value that keeps activations near one."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        shape, name = variable.shape, variable.name
        if "kernel" in name:
            fan = np.prod(shape[:2] if "depthwise" in name else shape[:-1])
            variable.assign(rng.normal(0, 1.3 / np.sqrt(fan), shape))
        elif name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.4, 1.6, shape))
        else:
            variable.assign(rng.normal(0, 0.2, shape))
    return model


def images_for(model, count=12, seed=1):
    """Smooth noise: neighbours agree, as in scans."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(count, *model.inputs[0].shape[1:])).astype(np.float32)
    for axis in (1, 2):
        raw = sum(np.roll(raw, shift, axis) for shift in (-1, 0, 1)) / np.sqrt(3)
    return raw.astype(np.float32)


def ratio_db(exact, got):
    noise = np.mean(np.square(exact - got, dtype=np.float64))
    return 10 * np.log10(np.mean(np.square(exact, dtype=np.float64)) / max(noise, 1e-30))


def raw_results(path, image):
    """Run a network on every engine, check that all agree, and return the scores."""
    results = []
    for kernels in ENGINES:
        with nerone.Model.load(path, kernels=kernels) as model:
            results.append(np.asarray(model.run(image[None]), np.float32))
    for kernels, result in zip(ENGINES, results, strict=True):
        np.testing.assert_array_equal(result, results[0], err_msg=kernels)
    return results[0]


@pytest.fixture(scope="module")
def valid_unet():
    return filled(keras_cases.valid_unet())


def test_unet_with_valid_padding_from_keras_to_masks(valid_unet, tmp_path):
    images = images_for(valid_unet)
    steps = Preprocessing((Channels(1),))
    bundle = nerone.deploy(
        valid_unet, calibration=images, preprocessing=steps, output=tmp_path / "u.nerone", options=FAST
    )
    rows = {row["op"]: row for row in bundle.report()["compilation"]["layers"]}
    assert rows["crop"]["device"] == "CPU"
    assert "no cropping" in rows["crop"]["reason"]
    assert [part["device"] for part in bundle.report()["compilation"]["subgraphs"]] == [
        "USER", "DPU", "CPU", "DPU", "CPU",
    ]  # fmt: skip
    exact = np.asarray(valid_unet(images))
    scores = np.concatenate([raw_results(bundle.path, image) for image in images[:3]])
    assert ratio_db(exact[:3], scores) > 20
    with nerone.Pipeline(bundle.path, threads=2) as pipeline:
        masks = list(pipeline.map(images))
    assert masks[0].shape == (22, 22)
    np.testing.assert_array_equal(np.stack(masks[:3]), scores.argmax(-1))
    assert np.mean(np.stack(masks) == exact.argmax(-1)) > 0.9
    with pytest.raises(ModelError, match="2 DPU subgraphs"):
        nerone.Pipeline(bundle.path, backend="pynq")


def test_the_vendors_form_of_a_cropping_network_says_the_same(valid_unet, tmp_path):
    images = images_for(valid_unet)
    quantized = quantize(valid_unet, images, options=FAST)
    again = load_quantized_xir(export_quantized_xir(quantized, tmp_path / "net_int.xmodel"))
    crops = [name for name in again.fix_points if "cropping" in name]
    assert len(crops) == 2
    paths = [
        nerone.compile(model, output=tmp_path / f"{number}.xmodel").path
        for number, model in enumerate((quantized, again))
    ]
    first, second = (nerone.Model.load(path).run(images[:1]) for path in paths)
    np.testing.assert_array_equal(first, second)


def composed(x):
    """Chain what the DPU has no op for, every part in a branch of its own."""
    base = layers.Conv2D(6, 3, padding="same")(layers.BatchNormalization()(x))
    other = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    branches = [
        layers.PReLU(shared_axes=[1, 2])(base),
        layers.LeakyReLU(negative_slope=0.01)(base),
        layers.LeakyReLU(negative_slope=0.3)(base),
        layers.ReLU(max_value=1.0)(base),
        layers.Subtract()([base, other]),
        layers.Average()([base, other]),
        layers.Maximum()([base, other]),
        layers.Minimum()([base, other]),
        keras.ops.clip(base, -0.5, 0.75),
        base[..., 1:4],
        layers.UpSampling2D(2)(layers.Resizing(8, 8)(base)),
    ]
    return layers.Conv2D(4, 1)(layers.Concatenate()(branches))


def on_the_cpu(x):
    """Chain activations that stay in float."""
    value = layers.Conv2D(6, 3, padding="same")(x)
    for name in ("elu", "gelu", "selu"):
        value = layers.Conv2D(6, 3, padding="same", activation=name)(value)
    return layers.Cropping2D(((1, 2), (3, 0)))(layers.Conv2D(3, 1)(value[:, ::2, 1:-1]))


@pytest.mark.parametrize(("build", "device"), [(composed, "DPU"), (on_the_cpu, "CPU")])
def test_layers_without_an_op_of_their_own(build, device, tmp_path):
    source = layers.Input((16, 16, 3))
    model = filled(keras.Model(source, build(source)))
    images = images_for(model)
    compiled = nerone.compile(quantize(model, images, options=FAST), output=tmp_path / "net.xmodel")
    used = {row["device"] for row in compiled.report["layers"]}
    assert ("CPU" in used) == (device == "CPU")
    exact = np.asarray(model(images[:2]))
    got = np.concatenate([raw_results(compiled.path, image) for image in images[:2]])
    assert ratio_db(exact, got) > 20
