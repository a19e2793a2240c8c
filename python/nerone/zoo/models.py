"""The paper's four networks as Keras models.

``variant="published"`` follows the compiled files that the paper's authors published, layer by layer;
``variant="paper"`` follows the paper's text where the two differ (widths of the U-Net's decoder, kernel of the last
layer, input of the blood cell network). Every model ends in a softmax and takes (N, H, W, C) float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nerone.compat import zip
from nerone.errors import ConfigurationError

__all__ = [
    "NETWORKS",
    "VARIANTS",
    "Network",
    "build",
    "cnn_bccd",
    "mobilenet_fcn_brats",
    "unet_ct_org",
    "vnet_prostate",
]

VARIANTS = ("published", "paper")


def _check_variant(variant: str) -> None:
    if variant not in VARIANTS:
        raise ConfigurationError(f"variant '{variant}' is unknown; use one of {', '.join(VARIANTS)}")


def _conv_block(x: Any, filters: int, name: str, *, kernel: int = 3, strides: int = 1) -> Any:
    """Convolution, batch norm, ReLU."""
    from keras import layers

    x = layers.Conv2D(filters, kernel, strides=strides, padding="same", name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _upsampling_block(x: Any, skip: Any, filters: int, name: str, convolutions: tuple[str, ...]) -> Any:
    """Nearest upsampling by 2, concatenation with the encoder's output of that size, convolutions."""
    from keras import layers

    x = layers.UpSampling2D(2, name=f"{name}_up")(x)
    x = layers.Concatenate(name=f"{name}_concat")([x, skip])
    for convolution in convolutions:
        x = _conv_block(x, filters, f"{name}_{convolution}")
    return x


def unet_ct_org(
    *,
    variant: str = "published",
    input_shape: tuple[int, int, int] = (256, 256, 1),
    classes: int = 6,
    filters: int = 8,
    dropout: float = 0.05,
) -> Any:
    """Build the U-Net of the CT-ORG task.

    Parameters
    ----------
    variant : "published" (decoder of 128, 64, 32, 16 filters) or "paper" (64, 32, 16, 8)
    input_shape : (H, W, C), H and W multiples of 16
    classes : int, background included
    filters : int, filters of the first stack; each stack doubles them
    dropout : float, share of channels' values dropped in training

    Returns
    -------
    keras.Model

    Raises
    ------
    ConfigurationError
        For an unknown variant or a size that four poolings do not divide.
    """
    _check_variant(variant)
    import keras
    from keras import layers

    if input_shape[0] % 16 or input_shape[1] % 16:
        raise ConfigurationError(f"the U-Net's input is {input_shape[0]}x{input_shape[1]}; use multiples of 16")
    image = keras.Input(input_shape, name="image")
    x, skips = image, []
    for level in range(4):
        for half in (1, 2):
            x = _conv_block(x, filters << level, f"encoder{level + 1}_conv{half}")
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"encoder{level + 1}_pool")(x)
        x = layers.Dropout(dropout, name=f"encoder{level + 1}_dropout")(x)
    for half in (1, 2):
        x = _conv_block(x, filters << 4, f"bridge_conv{half}")
    for level in reversed(range(4)):
        width = filters << (level + 1 if variant == "published" else level)
        name = f"decoder{level + 1}"
        x = layers.Conv2DTranspose(width, 3, strides=2, padding="same", name=f"{name}_up")(x)
        x = layers.Concatenate(name=f"{name}_concat")([x, skips[level]])
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
        for half in (1, 2):
            x = _conv_block(x, width, f"{name}_conv{half}")
    x = layers.Conv2D(classes, 3, padding="same", name="logits")(x)
    return keras.Model(image, layers.Softmax(name="probabilities")(x), name="unet_ct_org")


def mobilenet_fcn_brats(
    *, variant: str = "published", input_shape: tuple[int, int, int] = (240, 240, 4), classes: int = 4
) -> Any:
    """Build the fully convolutional network on a MobileNetV2 encoder (width 0.35) of the BraTS task.

    ``variant="published"`` ends in a 1x1 convolution, ``"paper"`` in a 3x3 one. Height and width are multiples of 16.
    """
    _check_variant(variant)
    import keras
    from keras import layers

    if input_shape[0] % 16 or input_shape[1] % 16:
        raise ConfigurationError(f"the BraTS network's input is {input_shape[0]}x{input_shape[1]}; use multiples of 16")
    image = keras.Input(input_shape, name="image")
    encoder = keras.applications.MobileNetV2(input_tensor=image, alpha=0.35, include_top=False, weights=None)
    skips = [encoder.get_layer(f"block_{number}_expand_relu").output for number in (6, 3, 1)]
    x = encoder.get_layer("block_13_expand_relu").output
    for stage, (skip, width) in enumerate(zip([*skips, image], (64, 48, 32, 16), strict=True), 1):
        x = _upsampling_block(x, skip, width, f"decoder{stage}", ("conv1", "conv2"))
    x = layers.Conv2D(classes, 1 if variant == "published" else 3, padding="same", name="logits")(x)
    return keras.Model(image, layers.Softmax(name="probabilities")(x), name="mobilenet_fcn_brats")


def vnet_prostate(
    *,
    variant: str = "published",
    input_shape: tuple[int, int, int] = (256, 256, 1),
    classes: int = 3,
    filters: int = 4,
    dropout: float = 0.01,
) -> Any:
    """Build the V-Net of the Prostate-3T task: 3 classes (zones) or 2 (whole gland).

    ``variant="published"`` ends in a 1x1 convolution, ``"paper"`` in a 3x3 one. Height and width are multiples of 32.
    """
    _check_variant(variant)
    import keras
    from keras import layers

    if input_shape[0] % 32 or input_shape[1] % 32:
        raise ConfigurationError(f"the V-Net's input is {input_shape[0]}x{input_shape[1]}; use multiples of 32")
    image = keras.Input(input_shape, name="image")
    x, skips = image, []
    for level in range(5):
        x = _conv_block(x, filters << level, f"encoder{level + 1}_conv")
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"encoder{level + 1}_pool")(x)
        x = layers.Dropout(dropout, name=f"encoder{level + 1}_dropout")(x)
    for level in reversed(range(5)):
        x = _upsampling_block(x, skips[level], filters << level, f"decoder{level + 1}", ("conv",))
    x = layers.Conv2D(classes, 1 if variant == "published" else 3, padding="same", name="logits")(x)
    return keras.Model(image, layers.Softmax(name="probabilities")(x), name="vnet_prostate")


def cnn_bccd(
    *,
    variant: str = "published",
    input_shape: tuple[int, int, int] | None = None,
    classes: int = 4,
    filters: int = 8,
    dropout: float = 0.2,
) -> Any:
    """Build the residual network of the blood cell task.

    Five stacks of ``filters`` doubling to 16 times as many, and one of 30: three convolutions in a row, one from the
    stack's input beside them, their sum, and a fifth with stride 2; then a convolution over all that is left.

    Parameters
    ----------
    variant : "published" (input 200 x 250 x 3 by default) or "paper" (240 x 320 x 3)
    """
    _check_variant(variant)
    import keras
    from keras import layers

    shape = input_shape or ((200, 250, 3) if variant == "published" else (240, 320, 3))
    if min(shape[:2]) < 64:
        raise ConfigurationError(
            f"the blood cell network's input is {shape[0]}x{shape[1]}; it halves six times, use at least 64x64"
        )
    image = keras.Input(shape, name="image")
    x = image
    for stack, width in enumerate((*(filters << level for level in range(5)), 30), 1):
        skip = _conv_block(x, width, f"stack{stack}_skip")
        for number in (1, 2, 3):
            x = _conv_block(x, width, f"stack{stack}_conv{number}")
        x = layers.Add(name=f"stack{stack}_add")([x, skip])
        x = _conv_block(x, width, f"stack{stack}_down", strides=2)
        x = layers.Dropout(dropout, name=f"stack{stack}_dropout")(x)
    x = layers.Conv2D(classes, (x.shape[1], x.shape[2]), name="logits")(x)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(image, layers.Softmax(name="probabilities")(x), name="cnn_bccd")


@dataclass(frozen=True)
class Network:
    """A network of the paper: how it is built, the presets of its variants and its class names."""

    build: Callable[..., Any]
    preset: str
    classes: tuple[str, ...]
    segmentation: bool = True
    published_preset: str = ""

    def preset_of(self, variant: str) -> str:
        """Return the name of the preset that fits a variant."""
        return self.published_preset if variant == "published" and self.published_preset else self.preset


NETWORKS: dict[str, Network] = {
    "ct-org": Network(unet_ct_org, "ct-org", ("background", "liver", "bladder", "lungs", "kidneys", "bone")),
    "brats": Network(mobilenet_fcn_brats, "brats", ("background", "necrotic core", "oedema", "enhancing tumour")),
    "prostate": Network(vnet_prostate, "prostate-3t", ("background", "peripheral zone", "central gland")),
    "bccd": Network(cnn_bccd, "bccd", ("eosinophil", "lymphocyte", "monocyte", "neutrophil"), False, "paper-bccd"),
}


def build(task: str, *, variant: str = "published") -> Any:
    """Build the network of a task with untrained weights.

    Parameters
    ----------
    task : "ct-org", "brats", "prostate" or "bccd"
    variant : "published" or "paper"

    Raises
    ------
    ConfigurationError
        For an unknown task or variant.
    """
    if task not in NETWORKS:
        raise ConfigurationError(f"task '{task}' is unknown; use one of {', '.join(NETWORKS)}")
    return NETWORKS[task].build(variant=variant)
