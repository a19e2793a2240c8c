"""The second suite: standard networks of keras.applications, built with random weights, up to their logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Network:
    """A function of keras.applications and the side of its square RGB image, in pixels."""

    function: str
    side: int = 224

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image, (H, W, C)."""
        return (self.side, self.side, 3)


NETWORKS = {
    "resnet50": Network("ResNet50"),
    "mobilenet": Network("MobileNet"),
    "mobilenetv2": Network("MobileNetV2"),
    "vgg16": Network("VGG16", 128),
    "densenet121": Network("DenseNet121"),
}


def build(name: str, images: NDArray[np.float32]) -> Any:
    """A network whose batch norms know the images' statistics; images are (N, H, W, 3)."""
    import keras

    keras.utils.set_random_seed(3)
    network = NETWORKS[name]
    create = getattr(keras.applications, network.function)
    model = create(weights=None, input_shape=network.shape, classifier_activation=None)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(images, training=True)
    return model
