"""Training of the paper's networks: Adam, step decay, checkpoints, resume, a log; the same seed gives the same
weights.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ConfigurationError, check_real, check_whole
from nerone.graph.trained import load_keras_model
from nerone.zoo.augment import augment_blood, augment_segmentation
from nerone.zoo.models import NETWORKS
from nerone.zoo.progressive import copy_weights, halved
from nerone.zoo.run_files import RunFiles
from nerone.zoo.samples import Augment, Samples, batches

_LOG = logging.getLogger("nerone.zoo")
DRAWS = 10_000  # an epoch of a classification: 2,500 draws of each of the paper's four classes

__all__ = ["DRAWS", "TrainingOptions", "TrainingResult", "class_weights", "fit", "learning_rate"]


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Attributes
    ----------
    epochs : int
    steps : int or None, batches per epoch; None takes every sample once
    batch_size : int
    seed : int, of weights, order, dropout and augmentation
    variant : "published" or "paper"
    first_rate, last_rate : float, Adam's learning rate in the first and last epoch
    decay : int, number of equal steps in which the rate falls
    validation_share : float, share of patients or original images held out
    augment : bool
    threads : int, TensorFlow threads; the same number is needed for the same bits
    balance : float, segmentation: share of the samples drawn class by class, so that rare organs are seen as often
    count_absent : bool, segmentation: whether classes absent from a batch count in the loss
    start : str, .keras file whose weights training starts from; "" for new ones
    stop_after : int or None, epochs after which training ends early; rates are those of all ``epochs``
    half_size_epochs : int, classification: first epochs that see the images at half the size, four times as fast
    frozen_epochs : int, last epochs in which batch norms use the statistics they have learned, as they do in use
    plain : float, classification: share of the augmented copies that are only flipped

    Raises
    ------
    ConfigurationError
        If a number cannot be.
    """

    epochs: int = 30
    steps: int | None = None
    batch_size: int = 8
    seed: int = 0
    variant: str = "published"
    first_rate: float = 1e-3
    last_rate: float = 1e-6
    decay: int = 10
    validation_share: float = 0.1
    augment: bool = True
    threads: int = 1
    balance: float = 0.0
    count_absent: bool = False
    start: str = ""
    stop_after: int | None = None
    half_size_epochs: int = 0
    frozen_epochs: int = 0
    plain: float = 0.0

    def __post_init__(self) -> None:
        for name, value, least in (
            ("epochs", self.epochs, 1),
            ("batch size", self.batch_size, 1),
            ("steps", 1 if self.steps is None else self.steps, 1),
            ("stop after", 1 if self.stop_after is None else self.stop_after, 1),
            ("decay", self.decay, 0),
            ("threads", self.threads, 0),
        ):
            check_whole(name, value, least)
        check_whole("seed", self.seed, 0, 2**32 - 1)
        for name, rate in (("first rate", self.first_rate), ("last rate", self.last_rate)):
            check_real(name, rate, 0, 1e6, above=True)
        for name, share in (("validation share", self.validation_share), ("balance", self.balance)):
            check_real(name, share, 0, 1)
        check_real("the share of plain copies", self.plain, 0, 1)
        half, frozen, epochs = self.half_size_epochs, self.frozen_epochs, self.epochs
        if half < 0 or not 0 <= frozen <= epochs or (half and half + frozen >= epochs):
            raise ConfigurationError(
                f"half-size epochs are {half} and frozen ones {frozen} of {epochs}; leave at least one between them"
            )
        if half and self.start:
            raise ConfigurationError("half-size epochs start from new weights; leave out one of the two options")


@dataclass(frozen=True)
class TrainingResult:
    """Where the best weights are, and their score on the validation samples."""

    model: Path
    best_epoch: int
    best_score: float
    log: Path


def learning_rate(options: TrainingOptions, epoch: int) -> float:
    """Return the rate of an epoch (from 0): equal steps on a logarithmic scale."""
    step = min(epoch * (options.decay + 1) // max(options.epochs, 1), options.decay)
    return float(options.first_rate * (options.last_rate / options.first_rate) ** (step / max(options.decay, 1)))


def class_weights(truth: NDArray[np.uint8], classes: int) -> tuple[float, ...]:
    """Return weights that fall with the square root of a class's frequency, of mean 1.

    Raises
    ------
    ConfigurationError
        If the truth holds ids the network has no class for.
    """
    counts = np.bincount(np.asarray(truth[:: max(1, len(truth) // 512)]).ravel(), minlength=classes)
    if len(counts) > classes:
        raise ConfigurationError(
            f"the labels hold id {len(counts) - 1}; the network has {classes} classes, ids 0 to {classes - 1}"
        )
    weights = 1 / np.sqrt(np.maximum(counts / counts.sum(), 1e-3))
    return tuple(float(w) for w in weights / weights.mean())


def _set_up(options: TrainingOptions) -> None:
    import keras
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # TensorFlow is already running with other threads
        if tf.config.threading.get_intra_op_parallelism_threads() != options.threads:
            _LOG.warning("TensorFlow was started before; its number of threads stays")
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(options.seed)


def _score(model: Any, samples: Samples, indices: NDArray[np.intp], classes: int) -> float:
    """Return the mean Dice of the classes present (background excluded), or the mean of the classes' accuracies.

    Each image of a classification is seen four times, flipped every way, because few are held out.
    """
    segmentation = samples.truth.ndim > 1
    both, total = np.zeros(classes), np.zeros(classes)
    flips = [()] if segmentation else [(), (1,), (2,), (1, 2)]
    for start in range(0, len(indices), 16):
        chosen = indices[start : start + 16]
        images, truth = np.asarray(samples.images[chosen], np.float32), np.asarray(samples.truth[chosen])
        for flip in flips:
            guess = np.argmax(model.predict_on_batch(np.flip(images, flip)), axis=-1)
            for c in range(classes):
                both[c] += np.sum((guess == c) & (truth == c))
                total[c] += np.sum(truth == c) + (np.sum(guess == c) if segmentation else 0)
    present = total > 0
    if segmentation:
        present[0] = False
        both = 2 * both
    return float((both[present] / total[present]).mean()) if present.any() else 0.0


def _network(task: str, options: TrainingOptions, samples: Samples, state: RunFiles, epoch: int) -> Any:
    """Return a network with new weights, or with those of the half-size epochs where these are over."""
    half = epoch < options.half_size_epochs
    shape = {"input_shape": samples.images.shape[1:]} if half else {}
    model = NETWORKS[task].build(variant=options.variant, **shape)
    if tuple(samples.images.shape[1:]) != tuple(model.input_shape[1:]):
        raise ConfigurationError(
            f"the samples are {samples.images.shape[1:]}, the network takes {tuple(model.input_shape[1:])}"
        )
    if 0 < options.half_size_epochs == epoch:
        copy_weights(load_keras_model(state.last), model)
    elif options.start and not half:
        model.set_weights(load_keras_model(options.start).get_weights())
    return model


def _compiled(
    task: str, options: TrainingOptions, samples: Samples, train: NDArray[np.intp], state: RunFiles, epoch: int
) -> Any:
    """Return the network as it is before an epoch, from the files of the epoch before where there is one."""
    import keras

    from nerone.zoo.losses import focal_tversky

    goes_on = epoch not in (0, options.half_size_epochs, _first_frozen(options))
    keras.utils.set_random_seed(options.seed)
    if epoch in (0, options.half_size_epochs):
        model = _network(task, options, samples, state, epoch)
    else:
        model = load_keras_model(state.last)
    if epoch >= _first_frozen(options):
        for layer in model.layers:
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    loss: Any = "sparse_categorical_crossentropy"
    if NETWORKS[task].segmentation:
        weights = class_weights(samples.truth[train[:: max(1, len(train) // 512)]], len(NETWORKS[task].classes))
        loss = focal_tversky(weights, count_absent=options.count_absent)
    model.compile(keras.optimizers.Adam(options.first_rate), loss=loss)
    if goes_on:
        state.restore(model)
    return model


def _first_frozen(options: TrainingOptions) -> int:
    return options.epochs - options.frozen_epochs


def _augmentation(task: str, options: TrainingOptions) -> Augment | None:
    if not options.augment:
        return None
    return augment_segmentation if NETWORKS[task].segmentation else partial(augment_blood, plain=options.plain)


def fit(
    task: str, samples: Samples, output: Path | str, options: TrainingOptions, *, augment: Augment | None = None
) -> TrainingResult:
    """Train a network on prepared samples, or go on where a run in ``output`` stopped.

    Parameters
    ----------
    task : "ct-org", "brats", "prostate" or "bccd"
    samples : Samples
    output : folder for best.keras, last.keras, log.csv, curve.png
    options : TrainingOptions
    augment : function of image, truth and generator, or None for flips and small changes of gain (segmentation)

    Raises
    ------
    ConfigurationError
        If the samples do not fit the network, or ``output`` holds a run with other options.
    """
    _set_up(options)
    network, state = NETWORKS[task], RunFiles(Path(output))
    state.output.mkdir(parents=True, exist_ok=True)
    progress = state.progress_of(asdict(options))
    train, validation = samples.split(options.validation_share, options.seed)
    steps = options.steps
    if steps is None:
        steps = -(-(len(train) if network.segmentation else DRAWS) // options.batch_size)
    first, best = (
        (progress["epoch"] + 1, (progress["best_epoch"], progress["best_score"])) if progress else (0, (-1, -1.0))
    )
    augment = augment if augment and options.augment else _augmentation(task, options)
    small = halved(samples) if first < options.half_size_epochs else samples
    model: Any = None
    last = options.epochs if options.stop_after is None else min(options.epochs, options.stop_after)
    for epoch in range(first, last):
        seen = small if epoch < options.half_size_epochs else samples
        if model is None or epoch in (options.half_size_epochs, _first_frozen(options)):
            model = _compiled(task, options, seen, train, state, epoch)
            best = best if epoch != options.half_size_epochs else (-1, -1.0)
        rate = learning_rate(options, epoch)
        model.optimizer.learning_rate.assign(rate)
        losses = [
            float(model.train_on_batch(x, y))
            for x, y in batches(seen, train, options.batch_size, steps, (options.seed, epoch), augment)
        ]
        score = _score(model, seen, validation, len(network.classes))
        if score > best[1]:
            best = (epoch, score)
            model.save(state.best)
        row = {"epoch": epoch, "learning_rate": rate, "loss": float(np.mean(losses)), "validation_score": score}
        state.save(model, asdict(options), epoch, row, best)
        told = (epoch + 1, options.epochs, rate, row["loss"], score)
        _LOG.info("epoch %d/%d  rate %.1e  loss %.4f  score %.4f", *told)
    return TrainingResult(state.best, best[0], best[1], state.log)
