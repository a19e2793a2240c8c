"""Networks that end in one sigmoid channel, and those that tell of the middle of their input only."""

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
from nerone.deployment.network_output import covered, with_two_classes  # noqa: E402
from nerone.errors import ConfigurationError  # noqa: E402
from nerone.evaluation.evaluate import KerasNetwork, evaluate_bundle  # noqa: E402
from nerone.graph import Op, from_keras  # noqa: E402
from nerone.quantization import QuantizeOptions  # noqa: E402
from nerone.quantization.executor import Executor  # noqa: E402
from nerone.runtime.preprocessing import Channels, Preprocessing  # noqa: E402

FAST = QuantizeOptions(compare_images=0)


def image_model(end, size=24):
    source = layers.Input((size, size, 1))
    return keras.Model(source, end(layers.Conv2D(6, 3, padding="same", activation="relu")(source)))


ONE_CHANNEL = {
    "conv": lambda x: layers.Conv2D(1, 1, activation="sigmoid")(x),
    "norm": lambda x: layers.Activation("sigmoid")(layers.BatchNormalization()(layers.Conv2D(1, 3)(x))),
    "pool": lambda x: layers.Activation("sigmoid")(layers.MaxPooling2D()(layers.Conv2D(1, 3)(x))),
    "dense": lambda x: layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling2D()(x)),
    "vector": lambda x: layers.Activation("sigmoid")(layers.GlobalMaxPooling2D()(layers.Conv2D(1, 3)(x))),
}


@pytest.mark.parametrize("kind", ONE_CHANNEL)
def test_one_sigmoid_channel_equals_two_classes(kind):
    model = keras_cases.randomize(image_model(ONE_CHANNEL[kind]), 3)
    images = np.random.default_rng(3).normal(size=(4, 24, 24, 1)).astype(np.float32)
    graph = with_two_classes(from_keras(model))
    exact, (found,) = np.asarray(model(images)), Executor(graph)(images)
    assert graph[graph.outputs[0]].op is Op.SOFTMAX
    np.testing.assert_allclose(found, np.concatenate([1 - exact, exact], -1), atol=1e-6)
    np.testing.assert_allclose(KerasNetwork(model).scores(images[0]), found[0], atol=1e-6)


def test_other_outputs_stay_and_one_bare_channel_is_refused():
    graph = from_keras(image_model(lambda x: layers.Conv2D(3, 1, activation="sigmoid")(x)))
    assert with_two_classes(graph) is graph
    with pytest.raises(ConfigurationError, match=r"one channel.*end the model with a sigmoid"):
        with_two_classes(from_keras(image_model(lambda x: layers.Conv2D(1, 1)(x))))


COVERED = {
    "same": (lambda x: layers.Conv2D(2, 3, padding="same")(x), ()),
    "valid": (lambda x: layers.Conv2D(2, 5)(x), (20, 20)),
    "coarser": (lambda x: layers.Conv2D(2, 3, strides=2, padding="same")(x), ()),
    "coarser_valid": (lambda x: layers.Conv2D(2, 4, strides=2)(layers.Conv2D(2, 3)(x)), (20, 20)),
    "there_and_back": (lambda x: layers.Conv2DTranspose(2, 2, strides=2)(layers.MaxPooling2D()(x)), ()),
    "up_valid": (lambda x: layers.UpSampling2D()(layers.Conv2D(2, 3)(layers.MaxPooling2D()(x))), (20, 20)),
    "vector": (lambda x: layers.GlobalAveragePooling2D()(x), ()),
    "cropped": (lambda x: layers.Cropping2D(((2, 3), (0, 4)))(x), (19, 20)),
}


@pytest.mark.parametrize("kind", COVERED)
def test_the_part_that_the_output_tells_of(kind):
    build, expected = COVERED[kind]
    assert covered(from_keras(image_model(build))) == expected


def rings(count, size, seed):
    """Discs in the middle on a noisy ground, and which pixels are theirs."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    middles = rng.uniform(0.4 * size, 0.6 * size, (count, 2))
    truth = [np.hypot(y - a, x - b) < rng.uniform(4, 8) for a, b in middles]
    return [disc + rng.normal(0, 0.1, disc.shape).astype(np.float32) for disc in truth], [disc * 1 for disc in truth]


def test_a_binary_network_without_padding_from_deploy_to_score(tmp_path):
    source = layers.Input((36, 36, 1))
    value = layers.Conv2D(4, 3, activation="relu")(source)
    model = keras.Model(source, layers.Conv2D(1, 5, activation="sigmoid")(value))
    for layer in model.layers[1:]:
        kernel, bias = layer.get_weights()
        layer.set_weights([np.full_like(kernel, 1 / kernel[..., 0].size), bias])
    model.layers[-1].set_weights([model.layers[-1].get_weights()[0] * 30, np.array([-15.0], np.float32)])
    images, truth = rings(6, 36, 5)
    bundle = nerone.deploy(
        model,
        calibration=images,
        validation=(images, [mask.astype(np.uint8) for mask in truth]),
        preprocessing=Preprocessing((Channels(1),)),
        class_names=("cell",),
        output=tmp_path / "cells.nerone",
        options=FAST,
    )
    assert bundle.output.class_names == ("background", "cell")
    assert bundle.output.covers == (30, 30)
    assert nerone.Bundle.open(bundle.path).output == bundle.output
    with nerone.Pipeline(bundle.path) as pipeline:
        masks = list(pipeline.map(images))
    exact = np.asarray(model(np.stack(images)[..., None]))[..., 0] > 0.5
    assert np.mean(np.stack(masks) == exact) > 0.98
    assert 0.02 < np.mean(exact) < 0.5
    report = bundle.report()["quantization"]
    assert np.mean([np.mean(mask == inner[3:-3, 3:-3]) for mask, inner in zip(masks, truth, strict=True)]) > 0.9
    assert "drop" in str(report)
    from nerone.data.frame import Frame
    from nerone.data.labelled import LabelledFrame

    found = [
        LabelledFrame(Frame(image, Path(f"{number}.png")), mask.astype(np.uint8))
        for number, (image, mask) in enumerate(zip(images, truth, strict=True))
    ]
    evaluation = evaluate_bundle(bundle, found, baseline=model)
    assert evaluation.frames == 6
    assert evaluation.agreement["FP32"] > 0.98
    from nerone.runtime.prediction.inference import Inference

    whole = Inference(bundle).mask(images[0])
    assert whole.shape == (36, 36)
    np.testing.assert_array_equal(whole[3:-3, 3:-3], masks[0])
    assert not whole[:3].any()
