from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nerone.data.phantom_sets import write_phantoms
from nerone.errors import ConfigurationError
from nerone.zoo import models, tasks
from nerone.zoo.augment import affine_warp, augment_blood
from nerone.zoo.samples import Samples, draw_order, write_samples
from nerone.zoo.training import TrainingOptions, class_weights, fit, learning_rate


def small_network(*, variant: str) -> object:
    """A network with all that a checkpoint has to keep: weights, batch statistics, dropout."""
    import keras
    from keras import layers

    image = keras.Input((32, 32, 1))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(image)))
    x = layers.Conv2D(6, 3, padding="same")(layers.Dropout(0.3)(x))
    return keras.Model(image, layers.Softmax()(x))


@pytest.fixture(autouse=True)
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    network = models.NETWORKS["ct-org"]
    monkeypatch.setitem(models.NETWORKS, "ct-org", models.Network(small_network, network.preset, network.classes))


def samples(folder: Path):
    rng = np.random.default_rng(2)

    def draw():
        for number in range(12):
            truth = np.zeros((32, 32), np.uint8)
            truth[8:24, 4 + number : 20 + number] = 1 + number % 5
            yield truth[..., None] / 5 + rng.normal(0, 0.05, (32, 32, 1)), truth, number // 2

    return write_samples(folder, draw())


OPTIONS = TrainingOptions(epochs=3, steps=2, batch_size=4, seed=3, variant="paper", validation_share=0.2)


def test_stopping_and_going_on_gives_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    from nerone.zoo import training

    data = samples(tmp_path / "samples")
    straight = fit("ct-org", data, tmp_path / "straight", OPTIONS)
    real = training.learning_rate

    def stop_after_one(options: TrainingOptions, epoch: int) -> float:
        if epoch == 1:
            raise KeyboardInterrupt
        return real(options, epoch)

    monkeypatch.setattr(training, "learning_rate", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        fit("ct-org", data, tmp_path / "broken", OPTIONS)
    monkeypatch.setattr(training, "learning_rate", real)
    resumed = fit("ct-org", data, tmp_path / "broken", OPTIONS)
    assert resumed.best_score == straight.best_score
    models_ = [keras.models.load_model(tmp_path / run / "last.keras", compile=False) for run in ("straight", "broken")]
    for first, second in zip(*(model.get_weights() for model in models_), strict=True):
        np.testing.assert_array_equal(first, second)
    log = (tmp_path / "broken" / "log.csv").read_text().splitlines()
    assert len(log) == 4
    assert log[0].startswith("epoch,learning_rate,loss")
    assert (tmp_path / "broken" / "curve.png").stat().st_size > 1000


def test_other_options_do_not_mix_with_an_old_run(tmp_path: Path) -> None:
    data = samples(tmp_path / "samples")
    once = TrainingOptions(epochs=1, steps=1, batch_size=2, variant="paper")
    fit("ct-org", data, tmp_path / "run", once)
    with pytest.raises(ConfigurationError, match="other options"):
        fit("ct-org", data, tmp_path / "run", TrainingOptions(epochs=2, steps=1, batch_size=2, variant="paper"))


def test_rate_falls_in_steps_from_first_to_last() -> None:
    options = TrainingOptions(epochs=33)
    rates = [learning_rate(options, epoch) for epoch in range(33)]
    assert rates[0] == 1e-3
    assert rates[-1] == pytest.approx(1e-6)
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == 11


def test_rare_classes_weigh_more_and_unknown_ids_are_refused() -> None:
    truth = np.zeros((4, 10, 10), np.uint8)
    truth[:, :2] = 1
    weights = class_weights(truth, 2)
    assert weights[1] == pytest.approx(2 * weights[0])
    with pytest.raises(ConfigurationError, match="id 1"):
        class_weights(truth, 1)


def test_split_keeps_patients_apart(tmp_path: Path) -> None:
    data = samples(tmp_path)
    train, validation = data.split(0.34, 7)
    assert set(data.groups[train]).isdisjoint(data.groups[validation])
    assert len(train) + len(validation) == len(data)


def test_classes_are_drawn_equally_often() -> None:
    truth = np.array([0] * 50 + [1] * 3 + [2] * 7, np.uint8)
    order = draw_order(truth, np.arange(60), 300, np.random.default_rng(0))
    assert np.bincount(truth[order]).tolist() == [100, 100, 100]


def test_warp_identity_shift_and_quarter_turn() -> None:
    image = np.random.default_rng(1).random((6, 6, 2)).astype(np.float32)
    np.testing.assert_allclose(affine_warp(image, np.eye(3)[:2]), image, atol=1e-6)
    shifted = affine_warp(image, np.array([[1, 0, 2], [0, 1, 0]]))
    np.testing.assert_allclose(shifted[:4], image[2:], atol=1e-6)
    assert not shifted[4:].any(), "black comes in from outside"
    turned = affine_warp(image, np.array([[0, 1, 0], [-1, 0, 0]], np.float64))
    np.testing.assert_allclose(turned, np.rot90(image), atol=1e-6)


def test_blood_augmentation_is_of_the_published_size() -> None:
    yes = np.zeros((80, 100, 3), np.float32)
    yes[38:42, 48:52] = 1
    places = []
    for seed in range(200):
        moved, truth = augment_blood(yes, np.uint8(2), np.random.default_rng(seed))
        assert truth == 2
        rows, columns = np.nonzero(moved[:, :, 0] > 0.3)
        places.append((rows.mean() - 39.5, columns.mean() - 49.5))
    reach = np.abs(places).max(axis=0)
    assert 6 < reach[0] <= 9.5
    assert 7.5 < reach[1] <= 11.5


def test_samples_come_through_the_deployed_preprocessing(tmp_path: Path) -> None:
    from nerone.data import labelled_frames
    from nerone.runtime.preprocessing.numpy_steps import apply
    from nerone.runtime.presets import preset

    write_phantoms("ct-org", tmp_path / "ct", count=2, size=64, slices=3)
    data = tasks.prepare("ct-org", tmp_path / "ct", tmp_path / "samples", variant="paper")
    assert data.images.shape == (6, 256, 256, 1)
    assert data.groups.tolist() == [0, 0, 0, 1, 1, 1]
    preprocessing = preset("ct-org").preprocessing
    last = list(labelled_frames(tmp_path / "ct", steps=preprocessing))[-1].frame
    expected = apply(preprocessing, last.image, spacing_mm=last.spacing_mm)
    np.testing.assert_allclose(data.images[5], expected, atol=1e-3)


def test_blood_samples_leave_the_test_folder_out(tmp_path: Path) -> None:
    write_phantoms("bccd", tmp_path / "TRAIN", count=2)
    write_phantoms("bccd", tmp_path / "more", count=1, seed=50)
    (tmp_path / "more").rename(tmp_path / "TEST")
    for path in (tmp_path / "TEST").rglob("*.jpg"):
        path.rename(path.with_name(f"BloodImage_9{path.name[-8:]}"))
    data = tasks.prepare("bccd", tmp_path, tmp_path / "samples")
    assert data.images.shape == (8, 200, 250, 3)
    assert sorted(data.truth.tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_an_original_on_both_sides_is_refused(tmp_path: Path) -> None:
    for part in ("TRAIN", "TEST"):
        write_phantoms("bccd", tmp_path / part, count=1)
    with pytest.raises(ConfigurationError, match="train and in test"):
        tasks.prepare("bccd", tmp_path, tmp_path / "samples")


def small_classifier(*, variant: str, input_shape: tuple[int, int, int] = (32, 32, 1)) -> object:
    import keras
    from keras import layers

    image = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, strides=4, padding="same", activation="relu", name="conv")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Conv2D(4, (x.shape[1], x.shape[2]), name="logits")(layers.Dropout(0.2, name="dropout")(x))
    return keras.Model(image, layers.Softmax()(layers.Flatten()(x)))


def test_half_size_epochs_come_first_and_can_be_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.setitem(models.NETWORKS, "bccd", models.Network(small_classifier, "bccd", ("a", "b", "c", "d"), False))
    rng = np.random.default_rng(4)
    drawn = [(rng.normal(size=(32, 32, 1)) + number % 4, number % 4, number) for number in range(24)]
    data = write_samples(tmp_path / "samples", iter(drawn))
    options = TrainingOptions(epochs=4, steps=3, batch_size=4, half_size_epochs=2, frozen_epochs=1, plain=0.5)
    straight = fit("bccd", data, tmp_path / "straight", options)
    statistics = []
    for epochs in (1, 2, 3, 4):
        progress = tmp_path / "broken" / "progress.json"
        if progress.is_file():
            progress.write_text(progress.read_text().replace(f'"stop_after": {epochs - 1}', f'"stop_after": {epochs}'))
        fit("bccd", data, tmp_path / "broken", TrainingOptions(**{**options.__dict__, "stop_after": epochs}))
        model = keras.models.load_model(tmp_path / "broken" / "last.keras", compile=False)
        assert model.input_shape[1] == (16 if epochs <= 2 else 32)
        statistics.append(model.get_layer("norm").get_weights()[2:])
    for third, fourth in zip(*statistics[2:], strict=True):
        np.testing.assert_array_equal(third, fourth)  # frozen
    assert not np.array_equal(statistics[1][0], statistics[2][0])
    assert keras.models.load_model(straight.model, compile=False).input_shape[1] == 32
    assert straight.best_epoch >= 2
    ends = [keras.models.load_model(tmp_path / run / "last.keras", compile=False) for run in ("straight", "broken")]
    for first, second in zip(*(model.get_weights() for model in ends), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_stretched_kernel_answers_an_enlarged_image_as_it_did_the_image() -> None:
    import keras

    from nerone.zoo.progressive import copy_weights, halved

    def whole_kernel(size: int) -> object:
        image = keras.Input((size, size, 2))
        return keras.Model(image, keras.layers.Conv2D(3, size, name="logits")(image))

    small, large = whole_kernel(4), whole_kernel(8)
    copy_weights(small, large)
    image = np.random.default_rng(5).normal(size=(1, 4, 4, 2)).astype(np.float16)
    twice = image.repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(large.predict_on_batch(twice), small.predict_on_batch(image), rtol=1e-4, atol=1e-5)
    labels = Samples(twice, np.zeros(1, np.uint8), np.zeros(1, np.int64))
    np.testing.assert_array_equal(halved(labels).images, image)
    with pytest.raises(ConfigurationError, match="masks"):
        halved(Samples(twice, np.zeros((1, 8, 8), np.uint8), np.zeros(1, np.int64)))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"epochs": 2, "half_size_epochs": 2}, "half-size epochs"),
        ({"epochs": 3, "half_size_epochs": 2, "frozen_epochs": 1}, "half-size epochs"),
        ({"half_size_epochs": 1, "start": "x.keras"}, "half-size epochs"),
        ({"plain": 1.5}, "plain copies"),
        ({"plain": float("nan")}, "plain copies"),
        ({"steps": 0}, "steps is 0"),
        ({"stop_after": 0}, "stop after is 0"),
        ({"batch_size": 0}, "batch size is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "seed is 4294967296"),
        ({"first_rate": 0.0}, "first rate is 0"),
        ({"last_rate": float("inf")}, "last rate is inf"),
        ({"validation_share": 1.5}, "validation share"),
        ({"balance": -1.0}, "balance"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: dict, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        fit("ct-org", samples(tmp_path / "samples"), tmp_path / "run", TrainingOptions(**options))


def test_plain_copies_are_only_flipped() -> None:
    image = np.arange(24, dtype=np.float32).reshape(2, 4, 3) + 1
    rng = np.random.default_rng(6)
    copies = [augment_blood(image, np.uint8(1), rng, plain=0.5)[0] for _ in range(200)]
    whole = sum(np.array_equal(np.sort(copy.ravel()), np.sort(image.ravel())) for copy in copies)
    assert 70 <= whole <= 130
