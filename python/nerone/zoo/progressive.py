"""Training at half the size first (progressive resizing): four times as many samples in the same time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ConfigurationError
from nerone.zoo.samples import Samples

__all__ = ["copy_weights", "halved"]


def halved(samples: Samples) -> Samples:
    """Return the samples with every 2x2 pixels as their mean; a last odd row or column is left out.

    Parameters
    ----------
    samples : Samples of a classification

    Raises
    ------
    ConfigurationError
        If the truth are masks: their ids have no mean.
    """
    if samples.truth.ndim > 1:
        raise ConfigurationError("half-size epochs train classifications only; leave them out for masks")
    count, height, width, channels = samples.images.shape
    images = np.empty((count, height // 2, width // 2, channels), np.float16)
    for index in range(count):
        even = np.asarray(samples.images[index, : height // 2 * 2, : width // 2 * 2], np.float32)
        images[index] = even.reshape(height // 2, 2, width // 2, 2, channels).mean((1, 3))
    return Samples(images, samples.truth, samples.groups)


def copy_weights(source: Any, target: Any) -> None:
    """Give a network the weights of one for smaller images; a kernel over all that is left is stretched.

    Parameters
    ----------
    source, target : keras.Model with layers of the same names; kernels (H, W, I, O) may differ in H and W
    """
    for layer in target.layers:
        wanted = layer.get_weights()
        given = source.get_layer(layer.name).get_weights() if wanted else []
        layer.set_weights([_stretched(old, new.shape) for old, new in zip(given, wanted, strict=True)])


def _stretched(kernel: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Repeat a kernel's places over a larger one, so that it answers an enlarged image as it did the image."""
    if kernel.shape == shape:
        return kernel
    rows, columns = (np.arange(new) * old // new for old, new in zip(kernel.shape[:2], shape[:2], strict=True))
    copies = np.outer(np.bincount(rows)[rows], np.bincount(columns)[columns])
    return np.asarray(kernel[rows][:, columns] / copies[..., None, None], np.float32)
