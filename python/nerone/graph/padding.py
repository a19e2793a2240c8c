"""Explicit padding numbers for the padding rules of TensorFlow and ONNX."""

from __future__ import annotations

__all__ = ["conv_output_length", "same_padding", "transposed_padding"]


def same_padding(length: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return (before, after) of TensorFlow's ``SAME`` rule; the odd pixel goes after.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
    """
    output = -(-length // stride)
    total = max((output - 1) * stride + (kernel - 1) * dilation + 1 - length, 0)
    return total // 2, total - total // 2


def conv_output_length(length: int, kernel: int, stride: int, pad: tuple[int, int], dilation: int = 1) -> int:
    """Return the number of output pixels of a convolution or pooling window in one direction (floor mode)."""
    return (length + pad[0] + pad[1] - (kernel - 1) * dilation - 1) // stride + 1


def transposed_padding(length: int, kernel: int, stride: int, output: int, *, same: bool) -> tuple[int, int, int]:
    """Return (crop before, crop after, rows of zeros to append to the kernel) of a transposed convolution.

    The full output has ``(length - 1) * stride + kernel`` pixels. TensorFlow crops it like the gradient of a
    convolution over ``output`` pixels. Where the full output is too short (stride > kernel, output padding) the
    kernel is extended with zeros, so that no crop is negative.
    """
    full = (length - 1) * stride + kernel
    before = max(full - output, 0) // 2 if same else 0
    after = full - output - before
    return before, max(after, 0), max(-after, 0)
