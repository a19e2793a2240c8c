"""Small Keras models, one per layer kind and setting that importers must understand."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

SHAPE = (13, 17, 6)


def single(build, shape=SHAPE):
    source = layers.Input(shape)
    return keras.Model(source, build(source))


def randomize(model, seed):
    """Give every weight, batch norm statistics too, a value that shows in the output."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if "variance" in variable.name:
            variable.assign(rng.uniform(0.5, 2.0, variable.shape))
        elif "float" in variable.dtype:
            variable.assign(variable.numpy() + rng.normal(0.0, 0.1, variable.shape))
    return model


def windows():
    """Windowed layers; every model has one output per mix of kernel, stride and padding."""

    def every(make):
        mixes = [(k, s, p) for k in (1, 2, 3, 4) for s in (1, 2, 3) for p in ("same", "valid")]
        return lambda x: [make(k, strides=s, padding=p)(x) for k, s, p in mixes]

    yield "conv", every(lambda k, **settings: layers.Conv2D(4, k, **settings))
    yield "transposed", every(lambda k, **settings: layers.Conv2DTranspose(4, k, **settings))
    yield "depthwise", every(lambda k, **settings: layers.DepthwiseConv2D(k, depth_multiplier=2, **settings))
    yield "max", every(layers.MaxPooling2D)
    yield "average", every(layers.AveragePooling2D)


def output_paddings():
    """Transposed convolutions with explicit output padding, where Keras itself can run them."""
    mixes = (
        (3, 2, 0, "same"),
        (3, 2, 1, "same"),
        (4, 3, 1, "same"),
        (4, 3, 2, "same"),
        (3, 2, 1, "valid"),
        (2, 3, 2, "valid"),
        (4, 3, 0, "valid"),
    )
    yield (
        "output_padding",
        lambda x: [layers.Conv2DTranspose(4, k, strides=s, padding=p, output_padding=o)(x) for k, s, o, p in mixes],
    )


def activations():
    """Every activation by name, as a layer and inside a dense layer, and the activation layers."""
    names = ("relu", "relu6", "leaky_relu", "sigmoid", "hard_sigmoid", "silu", "hard_silu", "tanh", "softmax", "linear")
    names += ("elu", "selu", "gelu", "celu", "hard_tanh")
    yield "activation", lambda x: [layers.Activation(name)(x) for name in names]
    yield "dense_activation", lambda x: [layers.Dense(4, activation=name)(x) for name in names]
    own = (
        layers.ReLU(),
        layers.ReLU(6),
        layers.ReLU(negative_slope=0.2),
        layers.LeakyReLU(negative_slope=0.1),
        layers.Softmax(),
        layers.ReLU(0.7),
        layers.ELU(alpha=0.4),
        layers.PReLU(shared_axes=[1, 2]),
        layers.PReLU(shared_axes=[1, 2], alpha_initializer=keras.initializers.RandomUniform(-2, 3)),
        layers.PReLU(shared_axes=[1, 2, 3]),
    )
    yield "activation_layer", lambda x: [layer(x) for layer in own]


def others():
    yield "dilated", lambda x: layers.Conv2D(4, 3, dilation_rate=2, padding="same")(x)
    yield "grouped", lambda x: layers.Conv2D(4, 3, groups=2, padding="same")(x)
    yield "grouped_depthwise", lambda x: layers.Conv2D(12, 3, groups=6, padding="same")(x)
    yield "rectangular", lambda x: layers.Conv2D(4, (3, 5), strides=(2, 1), padding="same", activation="relu6")(x)
    yield "separable", lambda x: layers.SeparableConv2D(5, 3, padding="same", activation="silu")(x)
    yield "global_average_kept", lambda x: layers.GlobalAveragePooling2D(keepdims=True)(x)
    yield "global_average", lambda x: layers.GlobalAveragePooling2D()(x)
    yield "global_max", lambda x: layers.GlobalMaxPooling2D()(x)
    yield "up_nearest", lambda x: layers.UpSampling2D((2, 3))(x)
    yield "up_bilinear", lambda x: layers.UpSampling2D((2, 3), interpolation="bilinear")(x)
    yield "resizing", lambda x: layers.Resizing(26, 34)(x)
    yield "resizing_nearest", lambda x: layers.Resizing(26, 34, interpolation="nearest")(x)
    yield "zero_padding", lambda x: layers.ZeroPadding2D(((1, 2), (3, 0)))(x)
    yield "cropping", lambda x: layers.Cropping2D(((1, 2), (3, 0)))(x)
    yield "cropping_pair", lambda x: layers.Cropping2D((2, 3))(layers.Cropping2D(1)(x))
    yield "subtract", lambda x: layers.Subtract()([x, layers.Conv2D(1, 1)(x)])
    yield "average", lambda x: layers.Average()([x, layers.Conv2D(6, 1)(x), x])
    yield "maximum", lambda x: layers.Maximum()([x, layers.Conv2D(6, 1)(x), layers.Conv2D(6, 1)(x)])
    yield "minimum", lambda x: layers.Minimum()([x, layers.Conv2D(6, 1)(x), layers.Conv2D(6, 1)(x)])
    yield "permute", lambda x: layers.Permute((2, 3, 1))(x)
    yield "flatten", lambda x: layers.Flatten()(x)
    yield "reshape", lambda x: layers.Reshape((17, -1, 3))(x)
    yield "norm", lambda x: layers.BatchNormalization()(x)
    yield "norm_bare", lambda x: layers.BatchNormalization(scale=False, center=False)(x)
    yield "norm_vector", lambda x: layers.Dense(3)(layers.BatchNormalization()(layers.GlobalAveragePooling2D()(x)))
    yield "rescaling", lambda x: layers.Rescaling(1 / 127.0, offset=-1)(x)
    yield "normalization", lambda x: layers.Normalization(mean=[1.0, 2, 3, 4, 5, 6], variance=[1.0, 2, 3, 4, 5, 6])(x)
    yield "dropouts", lambda x: layers.RandomFlip()(layers.SpatialDropout2D(0.1)(layers.GaussianNoise(0.1)(x)))
    yield "functions", _functions
    yield "function_shapes", _function_shapes
    yield "gate_of_vector", lambda x: layers.Multiply()([layers.Dense(6)(layers.GlobalMaxPooling2D()(x)), x])
    yield "sum_with_vector", lambda x: layers.Subtract()([x, layers.GlobalMaxPooling2D()(x)])
    yield "over_channels", _over_channels
    yield "function_parts", _function_parts
    yield "gate", _gate
    for down in (2, 3, 4, (2, 3)):
        for method in ("nearest", "bilinear"):
            yield f"resizing_down_{method}_{down}", _resized_down(down, method)


def _functions(x):
    ops = keras.ops
    y = layers.Conv2D(4, 3)(x / 255.0)
    y = ops.relu(y) + 1.0
    y = 2.0 - ops.concatenate([y, y * 2.0], -1)
    return ops.mean(y, axis=(1, 2))


def _function_shapes(x):
    ops = keras.ops
    return ops.transpose(ops.reshape(ops.silu(x), (-1, 17, 13, 6)), (0, 2, 1, 3))


def _over_channels(x):
    ops = keras.ops
    spatial = ops.concatenate([ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=[3], keepdims=True)], -1)
    return [x * layers.Conv2D(1, 3, padding="same")(spatial), ops.mean(x, axis=-1)]


def _function_parts(x):
    ops = keras.ops
    y = ops.pad(x[:, 1:-2, 3::2], ((0, 0), (1, 0), (0, 2), (0, 0)))
    y = ops.maximum(ops.clip(y[..., 1:5], -0.5, 0.8), -0.3) - ops.minimum(-y[..., :4], 0.1)
    y = ops.concatenate([ops.square(y), ops.elu(y), ops.gelu(y), ops.gelu(y, approximate=False), ops.selu(y)], -1)
    return ops.image.resize(y, (2 * y.shape[1], 2 * y.shape[2]))


def _resized_down(factor, method):
    height, width = factor if isinstance(factor, tuple) else (factor, factor)

    def build(x):
        return layers.Resizing(2, 3, interpolation=method)(x[:, : 2 * height, : 3 * width])

    return build


def _gate(x):
    gate = layers.Conv2D(6, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return x * gate


def shared_layer():
    source = layers.Input((8, 8, 3))
    conv = layers.Conv2D(3, 3, padding="same")
    return keras.Model(source, layers.Add()([conv(conv(source)), source, conv(source)]))


def two_inputs_two_outputs():
    first, second = layers.Input((8, 8, 3), name="first"), layers.Input((8, 8, 2), name="second")
    product = layers.Multiply()([layers.Conv2D(2, 1)(first), second])
    return keras.Model([first, second], [layers.Concatenate()([first, second]), product])


def nested_sequential():
    inner = keras.Sequential(
        [layers.Input((8, 8, 3)), layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization(), layers.ReLU()]
    )
    source = layers.Input((8, 8, 3))
    return keras.Model(source, layers.Conv2D(2, 1)(inner(source)))


def nested_twice():
    inside = layers.Input((8, 8, 3))
    inner = keras.Model(inside, layers.Conv2D(3, 3, padding="same", activation="relu")(inside), name="block")
    source = layers.Input((8, 8, 3))
    return keras.Model(source, inner(inner(source)))


def sequential():
    return keras.Sequential(
        [layers.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3, activation="softmax")]
    )


def unet(filters=4, size=32, channels=1, classes=3):
    """Build the shape of the paper's U-Net."""
    source = layers.Input((size, size, channels))
    value, skips = source, []
    for level in range(3):
        value = _conv_norm_relu(value, filters << level)
        skips.append(value)
        value = layers.Dropout(0.05)(layers.MaxPooling2D()(value))
    value = _conv_norm_relu(value, filters << 3)
    for level in (2, 1, 0):
        value = layers.Conv2DTranspose(filters << level, 3, strides=2, padding="same")(value)
        value = _conv_norm_relu(layers.Concatenate()([value, skips[level]]), filters << level)
    return keras.Model(source, layers.Conv2D(classes, 3, padding="same", activation="softmax")(value))


def valid_unet(filters=4, size=44):
    """Build the original U-Net's shape: convolutions without padding, skips cropped to what they join."""
    source = layers.Input((size, size, 1))
    value, skips = source, []
    for level in range(2):
        value = layers.Conv2D(filters << level, 3, activation="relu")(value)
        skips.append(value)
        value = layers.MaxPooling2D()(value)
    value = layers.Conv2D(filters << 2, 3, activation="relu")(value)
    for level in (1, 0):
        value = layers.Conv2DTranspose(filters << level, 2, strides=2)(value)
        extra = [skips[level].shape[axis] - value.shape[axis] for axis in (1, 2)]
        cropped = layers.Cropping2D([(size // 2, size - size // 2) for size in extra])(skips[level])
        value = layers.Conv2D(filters << level, 3, activation="relu")(layers.Concatenate()([cropped, value]))
    return keras.Model(source, layers.Conv2D(3, 1, activation="softmax")(value))


def inverted_residuals(size=32):
    """Build the shape of the paper's MobileNetV2 network."""
    source = layers.Input((size, size, 4))
    value = skip = layers.ReLU(6)(layers.BatchNormalization()(layers.Conv2D(8, 3, 2, padding="same")(source)))
    for filters, stride in ((8, 1), (12, 2), (12, 1)):
        inner = layers.ReLU(6)(layers.BatchNormalization()(layers.Conv2D(24, 1, use_bias=False)(value)))
        if stride == 2:
            inner = layers.ZeroPadding2D(((0, 1), (0, 1)))(inner)
        inner = layers.DepthwiseConv2D(3, stride, padding="same" if stride == 1 else "valid", use_bias=False)(inner)
        inner = layers.ReLU(6)(layers.BatchNormalization()(inner))
        inner = layers.BatchNormalization()(layers.Conv2D(filters, 1, use_bias=False)(inner))
        value = layers.Add()([value, inner]) if stride == 1 and value.shape[-1] == filters else inner
    value = layers.Concatenate()([layers.UpSampling2D()(value), skip])
    return keras.Model(source, layers.Conv2D(4, 3, padding="same", activation="softmax")(_conv_norm_relu(value, 8)))


def residual_stack(size=32):
    """Build the shape of the paper's blood cell network."""
    source = layers.Input((size, size, 3))
    value = source
    for filters in (8, 16):
        skip = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same")(value))
        inner = _conv_norm_relu(_conv_norm_relu(value, filters), filters)
        value = layers.ReLU()(layers.Add()([skip, inner]))
        value = layers.Dropout(0.2)(layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(value))
    value = layers.Conv2D(4, value.shape[1:3])(value)
    return keras.Model(source, layers.Softmax()(layers.Flatten()(value)))


def _conv_norm_relu(value, filters):
    return layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same")(value)))


WHOLE_MODELS = {
    build.__name__: build
    for build in (
        shared_layer,
        two_inputs_two_outputs,
        nested_sequential,
        nested_twice,
        sequential,
        unet,
        valid_unet,
        inverted_residuals,
        residual_stack,
    )
}
