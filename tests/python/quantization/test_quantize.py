"""Models that quantize accepts and refuses, layers that stay in float, and the report."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

sys.path.insert(0, str(Path(__file__).parents[1] / "graph"))
import keras_cases

from nerone.errors import ConfigurationError, DtypeError, ModelError, ShapeError
from nerone.graph import Op, from_keras
from nerone.quantization import CalibrationSet, QuantizeOptions, quantize
from nerone.quantization.executor import Executor, QuantizedExecutor
from nerone.quantization.topology import fix_point_source

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(6, *keras_cases.SHAPE)).astype(np.float32)


def conv(x, name="conv", **settings):
    return layers.Conv2D(4, 3, padding="same", name=name, **settings)(x)


def island(x):
    return layers.Softmax(name="end")(conv(layers.Activation("tanh", name="tanh")(conv(x, "first")), "second"))


def test_float_island_in_the_middle_is_quantized_again():
    model = quantize(keras_cases.single(island), IMAGES)
    assert set(model.float_nodes) == {"tanh", "end"}
    assert "tanh" in model.fix_points
    assert "end" not in model.fix_points
    assert {"first", "second"} <= set(model.fix_points)
    rows = {row["node"]: row for row in model.report["layers"]}
    assert rows["tanh"]["device"] == "CPU"
    assert rows["tanh"]["reason"] == "the DPU has no tanh"
    assert rows["second"]["input_positions"] == [model.fix_points["tanh"]]
    exact = Executor(from_keras(keras_cases.single(island)))(IMAGES)[0]
    assert QuantizedExecutor(model)(IMAGES)[0].shape == exact.shape


def test_reshape_after_a_float_node_stays_in_float():
    def build(x):
        return layers.Flatten(name="flat")(layers.Softmax(name="soft")(conv(x)))

    model = quantize(keras_cases.single(build), IMAGES)
    assert set(model.float_nodes) == {"soft", "flat"}


def test_former_names_of_the_fix_points_still_work():
    model = quantize(keras_cases.single(lambda x: conv(x)), IMAGES)
    assert model.positions == model.fix_points
    assert model.weight_positions == model.weight_fix_points
    assert isinstance(model.report["moved_positions"], dict)


def test_reshape_between_float_and_int8_carries_the_fix_point():
    def build(x):
        flat = layers.Flatten(name="flat")(layers.Activation("tanh", name="tanh")(conv(x)))
        return layers.Dense(2, name="dense")(flat)

    model = quantize(keras_cases.single(build), IMAGES)
    assert "flat" in model.fix_points
    assert "tanh" not in model.fix_points


def test_average_that_leaves_padding_out_stays_in_float():
    model = quantize(keras_cases.single(lambda x: conv(layers.AveragePooling2D(3, 1, "same", name="mean")(x))), IMAGES)
    assert "padding" in model.float_nodes["mean"]
    assert "mean" in model.fix_points


def test_leaky_relu_of_another_slope_stays_in_float():
    def build(x):
        y = layers.LeakyReLU(negative_slope=0.1, name="tenth")(conv(x, "one"))
        return layers.LeakyReLU(negative_slope=0.3, name="third")(conv(y, "two"))

    model = quantize(keras_cases.single(build), IMAGES, options=QuantizeOptions(convert_leaky=False))
    assert set(model.float_nodes) == {"third"}
    assert model.graph["tenth"].attrs["alpha"] == 26 / 256
    assert "one" not in model.fix_points
    assert "two" in model.fix_points


def test_swish_becomes_gate_and_product():
    model = quantize(keras_cases.single(lambda x: layers.Activation("swish", name="act")(conv(x))), IMAGES)
    gate = model.graph["act_sigmoid"]
    assert (gate.op, gate.inputs, model.graph["act"].op) == (Op.HARD_SIGMOID, ("conv",), Op.MULTIPLY)
    assert model.fix_points["act_sigmoid"] >= 7
    assert gate.layer == "act"


def test_sigmoid_may_stay_exact():
    network = keras_cases.single(lambda x: layers.Activation("sigmoid", name="act")(conv(x)))
    assert not quantize(network, IMAGES, strategy="vitis").float_nodes
    options = QuantizeOptions(convert_sigmoid=False)
    assert set(quantize(network, IMAGES, strategy="vitis", options=options).float_nodes) == {"act"}


def test_pool_factor_is_the_dpus():
    model = quantize(keras_cases.single(lambda x: layers.AveragePooling2D(3, name="mean")(conv(x))), IMAGES)
    assert model.graph["mean"].attrs["factor"] == 63 / 64
    model = quantize(keras_cases.single(lambda x: layers.AveragePooling2D((2, 4), name="mean")(conv(x))), IMAGES)
    assert model.graph["mean"].attrs["factor"] == 1.0


def test_two_inputs():
    network = keras_cases.two_inputs_two_outputs()
    first = RNG.normal(size=(4, 8, 8, 3)).astype(np.float32)
    second = RNG.normal(size=(4, 8, 8, 2)).astype(np.float32)
    by_name = quantize(network, {"second": second, "first": first})
    by_order = quantize(network, (first, second))
    by_pairs = quantize(network, [(one, other) for one, other in zip(first, second, strict=True)])
    assert by_name.fix_points == by_order.fix_points == by_pairs.fix_points
    assert {"first", "second"} <= set(by_name.fix_points)


def test_every_form_of_images_gives_the_same_result():
    network = from_keras(keras_cases.single(conv))
    expected = quantize(network, IMAGES).fix_points
    dataset = __import__("tensorflow").data.Dataset.from_tensor_slices((IMAGES, np.zeros(6))).batch(4)
    for form in (
        list(IMAGES),
        (image for image in IMAGES),
        [IMAGES[:4], IMAGES[4:]],
        IMAGES.astype(np.float64),
        dataset,
    ):
        assert quantize(network, form).fix_points == expected


def test_large_generators_go_to_disk(monkeypatch):
    from nerone.quantization.calibration import images as calibration

    monkeypatch.setattr(calibration, "_IN_MEMORY_BYTES", IMAGES[0].nbytes + 1)
    graph = from_keras(keras_cases.single(conv))
    images = CalibrationSet(graph, (image for image in IMAGES))
    np.testing.assert_array_equal(np.concatenate([batch[0] for batch in images.batches(4)]), IMAGES)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (IMAGES[:0], ConfigurationError, "no calibration images"),
        ([], ConfigurationError, "no calibration images"),
        (iter(()), ConfigurationError, "no calibration images"),
        (np.zeros((3, *keras_cases.SHAPE), np.uint8), DtypeError, "uint8.*preprocessed"),
        (IMAGES[..., :3], ShapeError, r"input '.*' takes"),
        ([IMAGES[0], IMAGES[0, :5]], ShapeError, "image 1"),
        (np.where(np.arange(6)[:, None, None, None] == 4, np.nan, IMAGES), ModelError, "NaN"),
        (7, ConfigurationError, "int"),
        ({"other": IMAGES}, ShapeError, "no calibration array for input"),
    ],
)
def test_bad_images(data, error, message):
    with pytest.raises(error, match=message):
        quantize(keras_cases.single(conv), data)


def test_unequal_numbers_of_images():
    first, second = np.zeros((3, 8, 8, 3), np.float32), np.zeros((4, 8, 8, 2), np.float32)
    with pytest.raises(ShapeError, match="3 and 4"):
        quantize(keras_cases.two_inputs_two_outputs(), (first, second))


def test_unsupported_layers_are_all_named():
    def build(x):
        return layers.UnitNormalization(name="one")(layers.LayerNormalization(name="two")(conv(x)))

    with pytest.raises(ModelError, match=r"2 layers.*'two' \(LayerNormalization\).*'one' \(UnitNormalization\)"):
        quantize(keras_cases.single(build), IMAGES)


def test_model_that_overflows_is_named():
    network = keras_cases.single(lambda x: conv(conv(x, "one"), "two"))
    for layer in network.layers[1:]:
        layer.kernel.assign(np.full(layer.kernel.shape, 1e38))
    with pytest.raises(ModelError, match="'one' is NaN or infinite"):
        quantize(network, IMAGES)


@pytest.mark.parametrize("changes", [{"method": "magic"}, {"strategy": "magic"}])
def test_unknown_names(changes):
    with pytest.raises(ConfigurationError, match="unknown"):
        quantize(keras_cases.single(conv), IMAGES, **changes)


@pytest.mark.parametrize("changes", [{"batch_size": 0}, {"equalize_steps": -1}])
def test_bad_options(changes):
    with pytest.raises(ConfigurationError):
        QuantizeOptions(**changes)


def test_report():
    seen = []
    model = quantize(
        keras_cases.single(island),
        IMAGES,
        strategy="vitis",
        options=QuantizeOptions(batch_size=4),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(4, 6), (6, 6)]
    report = json.loads(json.dumps(model.report))
    assert report["method"] == "ptq"
    assert report["images"] == 6
    assert any("6 calibration images" in text for text in report["warnings"])
    rows = {row["node"]: row for row in report["layers"]}
    assert rows["first"]["kernel_position"] == model.weight_fix_points["first"]["kernel"]
    assert 15 < rows["first"]["snr_db"] < 80
    assert rows["first"]["mse"] > 0


def test_images_that_are_all_alike_are_warned_about():
    same = np.repeat(IMAGES[:1], 60, axis=0)
    warnings = quantize(keras_cases.single(conv), same).report["warnings"]
    assert any("images are equal" in text for text in warnings)
    assert any("all zero" in text for text in quantize(keras_cases.single(conv), same * 0).report["warnings"])


def alike(images):
    return [text for text in CalibrationSet(from_keras(keras_cases.single(conv)), images).warnings() if "look" in text]


def test_near_duplicates_are_counted():
    rng = np.random.default_rng(5)
    different = rng.normal(size=(60, *keras_cases.SHAPE)).astype(np.float32)
    assert alike(different) == []
    same = different[:1] + rng.normal(0, 1e-3, different.shape).astype(np.float32)
    assert "all 60 calibration images look alike" in alike(same)[0]
    three = different[np.arange(60) % 3] + rng.normal(0, 1e-3, different.shape).astype(np.float32)
    assert "only 3 of 60 calibration images look different" in alike(three)[0]
    assert alike(np.concatenate([different, different[:50]])) == []


def test_fix_points_are_found_through_transparent_nodes():
    model = quantize(keras_cases.single(lambda x: layers.Permute((2, 1, 3), name="turn")(conv(x))), IMAGES)
    assert "turn" not in model.fix_points
    assert fix_point_source(model.graph.by_name, model.fix_points, "turn") == "conv"


def test_keras_is_not_changed():
    network = keras_cases.single(conv)
    before = [variable.numpy() for variable in network.weights]
    quantize(network, IMAGES)
    for one, other in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(one, keras.ops.convert_to_numpy(other))
