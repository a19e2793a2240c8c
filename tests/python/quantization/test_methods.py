"""Fast finetuning, quantization-aware training, and the choice between the methods."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "graph"))
import keras_cases
from hard_models import hard_model

from nerone.errors import ConfigurationError, ShapeError
from nerone.graph import from_keras
from nerone.quantization import QuantizeOptions, from_trainable, quantize, to_trainable
from nerone.quantization.executor import Executor, QuantizedExecutor
from nerone.quantization.metrics import accuracy, mean_dice
from nerone.quantization.shifts import violations
from nerone.quantization.tf_ops import import_tensorflow
from nerone.quantization.training import finetune
from nerone.quantization.training.thresholds import fix_point_of, threshold_of, train_through

OPTIONS = QuantizeOptions(finetune_epochs=4, train_epochs=12)


def noise(graph, count, seed):
    shape = graph[graph.inputs[0]].shape
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32)


def snr(model, graph, images):
    exact, rounded = Executor(graph)(images)[0], QuantizedExecutor(model)(images)[0]
    return 10 * np.log10(np.var(exact) / np.mean((exact - rounded) ** 2))


@pytest.fixture(scope="module")
def hard():
    graph = from_keras(hard_model(blocks=1))
    images, unseen = noise(graph, 64, 1), noise(graph, 32, 2)
    models = {name: quantize(graph, images, method=name, options=OPTIONS) for name in ("ptq", "ffq")}
    models["nearest"] = quantize(graph, images, options=replace(OPTIONS, compensate_kernels=False))
    # Corrected biases alone leave training nothing to gain here.
    uncorrected = replace(OPTIONS, correct_biases=False)
    models["uncorrected"] = quantize(graph, images, options=uncorrected)
    models["qat"] = quantize(graph, images, method="qat", options=uncorrected)
    return graph, unseen, models


def test_finetuning_improves_the_hard_model_on_unseen_images(hard):
    graph, unseen, models = hard
    assert snr(models["ffq"], graph, unseen) > snr(models["uncorrected"], graph, unseen) + 9.0
    assert snr(models["ffq"], graph, unseen) > snr(models["ptq"], graph, unseen) + 1.0
    assert models["ffq"].report["finetuning"]["kept"]


def test_training_improves_the_hard_model_on_unseen_images(hard):
    graph, unseen, models = hard
    assert snr(models["qat"], graph, unseen) > snr(models["uncorrected"], graph, unseen) + 3.0
    losses = models["qat"].report["training"]["held_out_loss"]
    assert min(losses) < 0.8 * losses[0]


def test_improved_models_obey_the_dpu(hard):
    _, _, models = hard
    for name in ("ptq", "ffq", "qat"):
        model = models[name]
        assert violations(model.graph, model.fix_points, model.weight_fix_points) == []
        assert model.report["method"] == name
        assert all("device" in row for row in model.report["layers"])


def test_finetuning_starts_from_kernels_rounded_to_nearest_and_keeps_their_fix_points(hard):
    _, _, models = hard
    assert models["ffq"].fix_points == models["nearest"].fix_points
    assert models["ffq"].weight_fix_points == models["nearest"].weight_fix_points
    rows = models["ffq"].report["finetuning"]["layers"]
    assert [row["node"] for row in rows] == list(models["ptq"].weight_fix_points)
    assert all(row["mse_after"] <= row["mse_before"] for row in rows)


def test_finetuning_that_does_not_help_is_dropped():
    graph = from_keras(keras_cases.single(layers.Conv2D(2, 1)))
    images = noise(graph, 4, 0)
    plain = quantize(graph, images)
    tuned = quantize(graph, images, method="ffq", options=QuantizeOptions(finetune_epochs=0))
    assert not tuned.report["finetuning"]["kept"]
    for node in plain.graph:
        for key, array in node.weights.items():
            np.testing.assert_array_equal(tuned.graph[node.name].weights[key], array)


def test_finetuning_holds_no_more_images_than_its_memory(monkeypatch):
    graph = from_keras(keras_cases.unet())
    images = noise(graph, 12, 0)
    monkeypatch.setattr(finetune, "_MEMORY", 5 * finetune._live_bytes(quantize(graph, images[:2]).graph))
    tuned = quantize(graph, images, method="ffq", options=QuantizeOptions(finetune_epochs=1))
    assert tuned.report["finetuning"]["images"] == 5


def test_training_through_fit_gives_a_model_that_computes_the_same():
    graph = from_keras(keras_cases.randomize(keras_cases.unet(), 2))
    images = noise(graph, 8, 0)
    start = quantize(graph, images)
    network = to_trainable(start)
    np.testing.assert_allclose(network.predict(images, verbose=0), QuantizedExecutor(start)(images)[0], atol=1e-4)
    network.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    labels = np.random.default_rng(1).integers(0, 3, (8, 32, 32))
    first = network.evaluate(images, labels, verbose=0)
    network.fit(images, labels, epochs=4, batch_size=4, verbose=0)
    assert network.evaluate(images, labels, verbose=0) < first
    trained = from_trainable(network)
    assert violations(trained.graph, trained.fix_points, trained.weight_fix_points) == []
    np.testing.assert_allclose(network.predict(images, verbose=0), QuantizedExecutor(trained)(images)[0], atol=1e-4)


def test_labels_are_learnt():
    keras.utils.set_random_seed(4)
    source = layers.Input((8, 8, 1))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, activation="relu")(source))
    graph = from_keras(keras.Model(source, layers.Dense(2, activation="softmax")(pooled)))
    labels = np.arange(64) % 2
    images = noise(graph, 64, 0) * np.where(labels, 1.0, 0.2)[:, None, None, None].astype(np.float32)
    options = QuantizeOptions(train_epochs=12, train_rate=3e-2)
    trained = quantize(graph, images, method="qat", labelled=(images, labels), options=options)
    before = accuracy(labels, QuantizedExecutor(quantize(graph, images))(images)[0])
    assert accuracy(labels, QuantizedExecutor(trained)(images)[0]) > before + 0.2
    assert trained.report["training"]["labelled"]


@pytest.mark.parametrize(
    ("classes", "end", "shape"),
    [(2, None, (32,)), (2, "softmax", (32, 1, 1, 1)), (1, "sigmoid", (32,))],
)
def test_class_numbers_fit_every_kind_of_end(classes, end, shape):
    keras.utils.set_random_seed(4)
    source = layers.Input((8, 8, 1))
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(layers.Conv2D(8, 3, activation="relu")(source))
    graph = from_keras(keras.Model(source, layers.Conv2D(classes, 1, activation=end)(pooled)))
    labels = np.arange(32) % 2
    images = noise(graph, 32, 0) * np.where(labels, 1.0, 0.2)[:, None, None, None].astype(np.float32)
    options = QuantizeOptions(train_epochs=4, train_rate=3e-2)
    losses = quantize(graph, images, method="qat", labelled=(images, labels.reshape(shape)), options=options).report
    assert min(losses["training"]["held_out_loss"]) < 0.9 * losses["training"]["held_out_loss"][0]


def test_max_drop_stops_at_the_first_method_within_it(hard):
    graph, _, _ = hard
    images = noise(graph, 24, 1)
    easy = quantize(graph, images, max_drop=0.9, options=OPTIONS)
    assert [step["method"] for step in easy.report["steps"]] == ["ptq"]
    assert easy.report["within"]
    strict = quantize(graph, images, max_drop=0.0, options=QuantizeOptions(finetune_epochs=2))
    assert [step["method"] for step in strict.report["steps"]] == ["ptq", "ffq"]
    assert not strict.report["within"]
    assert any("more than the 0.00 points allowed" in text for text in strict.report["warnings"])
    assert strict.report["float_metric"] == 1.0


def test_max_drop_tries_training_with_labels_and_keeps_the_best():
    graph = from_keras(keras_cases.single(lambda x: layers.Dense(3, activation="softmax")(layers.Flatten()(x))))
    images = noise(graph, 16, 0)
    labels = Executor(graph)(images)[0].argmax(-1)
    model = quantize(
        graph,
        images,
        max_drop=0.0,
        validation=(images, labels),
        metric=lambda truth, scores: -float(np.mean((scores.argmax(-1) != truth) + 1e-3 * scores.std())),
        labelled=(images, labels),
        options=QuantizeOptions(train_epochs=1, finetune_epochs=1),
    )
    drops = {step["method"]: step["drop"] for step in model.report["steps"]}
    assert drops[model.report["method"]] == min(drops.values())


def test_validation_alone_measures_the_method_and_what_it_builds_on():
    graph = from_keras(keras_cases.single(lambda x: layers.Dense(3, activation="softmax")(layers.Flatten()(x))))
    images = noise(graph, 16, 0)
    labels = Executor(graph)(images)[0].argmax(-1)
    options = QuantizeOptions(finetune_epochs=1)
    model = quantize(graph, images, method="ffq", validation=(images, labels), options=options)
    assert model.report["method"] == "ffq"
    assert [step["method"] for step in model.report["steps"]] == ["ptq", "ffq"]
    assert (model.report["metric"], model.report["float_metric"]) == ("accuracy", 1.0)
    assert model.report["validation_images"] == 16
    assert "within" not in model.report
    plain = quantize(graph, images, validation=(images, 2 - labels))
    assert [step["method"] for step in plain.report["steps"]] == ["ptq"]
    assert plain.report["float_metric"] == np.mean(labels == 2 - labels)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"max_drop": -1.0}, ConfigurationError),
        ({"max_drop": 0.1, "metric": "magic"}, ConfigurationError),
        ({"max_drop": 0.1, "validation": ()}, ConfigurationError),
        ({"max_drop": 0.1, "validation": (np.zeros((3, *keras_cases.SHAPE)), np.zeros((3, 2, 2)))}, ShapeError),
        ({"validation": (np.zeros((3, *keras_cases.SHAPE)), np.zeros((2, 13, 17)))}, ShapeError),
        ({"method": "qat", "labelled": np.zeros(3)}, ConfigurationError),
        ({"method": "qat", "labelled": (np.zeros((3, 4, 4, 1)), np.zeros(3))}, ShapeError),
        ({"method": "qat", "labelled": (np.zeros((3, *keras_cases.SHAPE)), np.zeros((2, 13, 17)))}, ShapeError),
        ({"method": "qat", "labelled": (np.zeros((3, *keras_cases.SHAPE)), np.zeros((3, 2, 2)))}, ShapeError),
        ({"method": "qat", "labelled": (np.zeros((1, *keras_cases.SHAPE)), np.zeros((1, 13, 17)))}, ConfigurationError),
    ],
)
def test_bad_settings(changes, error):
    graph = from_keras(keras_cases.single(layers.Conv2D(2, 1)))
    with pytest.raises(error):
        quantize(graph, noise(graph, 2, 0), **changes)


@pytest.mark.parametrize(
    "changes", [{"finetune_images": 0}, {"finetune_rate": 0.0}, {"train_rate": -1.0}, {"train_batch_size": 0}]
)
def test_bad_options(changes):
    with pytest.raises(ConfigurationError):
        QuantizeOptions(**changes)


def test_other_networks_are_not_taken():
    with pytest.raises(ConfigurationError, match="to_trainable"):
        from_trainable(keras_cases.sequential())


def test_thresholds_and_their_gradients():
    tf = import_tensorflow()
    for fix_point in range(-8, 20):
        assert fix_point_of(threshold_of(fix_point)) == fix_point
    value, threshold = tf.constant([0.3, -0.26, 5.0, -9.0]), tf.constant(1.5)
    with tf.GradientTape() as tape:
        tape.watch([value, threshold])
        rounded = train_through(value, threshold, half_up=True)
    step = 2.0**-5
    np.testing.assert_allclose(rounded, [10 * step, -8 * step, 127 * step, -128 * step])
    of_value, of_threshold = tape.gradient(rounded, [value, threshold])
    np.testing.assert_allclose(of_value, [1, 1, 0, 0])
    expected = np.log(2) * step * ((10 - 9.6) + (-8 + 8.32) + 127 - 128)
    np.testing.assert_allclose(of_threshold, expected, rtol=1e-4)


def test_metrics():
    truth = np.array([[[0, 1], [1, 2]]])
    scores = np.eye(3, dtype=np.float32)[[[[0, 1], [2, 2]]]]
    assert accuracy(truth, scores) == 0.75
    assert mean_dice(truth, scores) == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert accuracy(np.array([1, 0]), np.array([[0.9], [0.6]], np.float32)) == 0.5


def by_definition(model, graph, images):
    """Signal over the mean of the outputs' relative errors, in decibels, against the trained network.

    TensorFlow's last float bit may differ from run to run, and with it the rounding of single values.
    """
    pairs = zip(Executor(graph)(images), QuantizedExecutor(model)(images), strict=True)
    errors = [np.sum((exact - rounded) ** 2.0) / np.sum(exact**2.0) for exact, rounded in pairs]
    return -10 * np.log10(np.mean(errors))


def substituted_model():
    """Two outputs; a sigmoid, a pool and a leaky ReLU that the DPU only comes near."""
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 2))
    x = layers.LeakyReLU(negative_slope=0.1)(layers.Conv2D(4, 3, padding="same")(image))
    x = layers.AveragePooling2D(3)(layers.Conv2D(4, 3, padding="same", activation="sigmoid")(x))
    ends = [layers.Conv2D(3, 1, name="scores")(x), layers.Conv2D(2, 1, activation="relu", name="other")(x)]
    return keras_cases.randomize(keras.Model(image, ends), 6)


@pytest.mark.parametrize("method", ["ptq", "ffq", "qat"])
def test_every_report_has_the_outputs_signal_over_error(method):
    options = QuantizeOptions(finetune_epochs=1, train_epochs=1, compare_images=6)
    graph = from_keras(substituted_model())
    images = noise(graph, 6, 3)
    quantized = quantize(graph, images, method=method, options=options)
    assert quantized.report["output_snr_db"] == pytest.approx(by_definition(quantized, graph, images), abs=0.3)


def test_signal_over_error_where_nothing_is_substituted_and_where_nothing_is_compared():
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 2))
    ends = [layers.Conv2D(3, 1)(image), layers.Conv2D(2, 1, activation="relu")(image)]
    graph = from_keras(keras_cases.randomize(keras.Model(image, ends), 6))
    images = noise(graph, 4, 3)
    quantized = quantize(graph, images)
    assert quantized.report["output_snr_db"] == pytest.approx(by_definition(quantized, graph, images), abs=0.3)
    assert quantize(graph, images, options=QuantizeOptions(compare_images=0)).report["output_snr_db"] is None
