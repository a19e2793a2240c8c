"""The second suite: standard networks with random weights, up to their logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAKY_SLOPE = 26 / 256  # the DPU's, so that every engine computes the same network

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Network:
    """What builds a Keras model of an input shape (H, W, C)."""

    build: Callable[[Shape], Any]
    side: int = 224
    channels: int = 3

    @property
    def shape(self) -> Shape:
        """Of one image, (H, W, C)."""
        return (self.side, self.side, self.channels)


def _application(function: str) -> Callable[[Shape], Any]:
    def build(shape: Shape) -> Any:
        import keras

        create = getattr(keras.applications, function)
        return create(weights=None, input_shape=shape, classifier_activation=None)

    return build


def _yolov3_tiny(shape: Shape) -> Any:
    """Build the detector of Redmon's yolov3-tiny.cfg: 255 channels at 1/32 and 1/16 of the image's side."""
    import keras
    from keras import layers

    def convolution(x: Any, filters: int, kernel: int = 3) -> Any:
        x = layers.Conv2D(filters, kernel, padding="same", use_bias=False)(x)
        return layers.LeakyReLU(LEAKY_SLOPE)(layers.BatchNormalization()(x))

    image = keras.Input(shape)
    x = image
    for filters in (16, 32, 64, 128):
        x = layers.MaxPooling2D(2)(convolution(x, filters))
    route = convolution(x, 256)
    x = convolution(layers.MaxPooling2D(2)(route), 512)
    x = convolution(layers.MaxPooling2D(2, strides=1, padding="same")(x), 1024)
    neck = convolution(x, 256, 1)
    large = layers.Conv2D(255, 1)(convolution(neck, 512))
    x = layers.Concatenate()([layers.UpSampling2D(2)(convolution(neck, 128, 1)), route])
    small = layers.Conv2D(255, 1)(convolution(x, 256))
    return keras.Model(image, [small, large])


def _unet(shape: Shape) -> Any:
    """Build the published U-Net with 32 filters in its first stack; it ends at the logits."""
    import keras

    from nerone.zoo import models

    model = models.unet_ct_org(input_shape=shape, filters=32)
    return keras.Model(model.inputs, model.layers[-1].input)


NETWORKS = {
    "resnet50": Network(_application("ResNet50")),
    "mobilenet": Network(_application("MobileNet")),
    "mobilenetv2": Network(_application("MobileNetV2")),
    "vgg16": Network(_application("VGG16"), 128),
    "densenet121": Network(_application("DenseNet121")),
    "efficientnetb0": Network(_application("EfficientNetB0")),
    "yolov3-tiny": Network(_yolov3_tiny, 416),
    "unet32": Network(_unet, 512, 1),
}


def build(name: str, images: NDArray[np.float32]) -> Any:
    """A network whose batch norms know the images' statistics; images are (N, H, W, C)."""
    import keras

    keras.utils.set_random_seed(3)
    network = NETWORKS[name]
    model = network.build(network.shape)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(images, training=True)
    return model
