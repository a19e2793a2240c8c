"""The largest sizes the DPUCZDX8G takes, as reasons why a layer cannot run there.

Every function returns one sentence for the mapping report, or None where the layer fits. Source: AMD UG1414, table
"Currently Supported Operators", column DPUCZDX8G. Sizes are (height, width); pads are (top, bottom, left, right).
"""

from __future__ import annotations

import math

from nerone.dpu.boards import Dpu

__all__ = [
    "channel_limit",
    "convolution_limit",
    "depthwise_limit",
    "dpu_limits",
    "padding_fits",
    "pool_limit",
    "transposed_limit",
]

Pair = tuple[int, int]
Pads = tuple[int, int, int, int]

MAX_KERNEL = 16
MAX_STRIDE = 8
MAX_WINDOW = 256  # pools and depthwise convolutions
# Version 0 of the instruction set: fields of DPTWISE, which computes averages too, and of POOL.
OLD_MAX_DEPTHWISE = 16
OLD_MAX_POOL_STRIDE = 8


def dpu_limits(dpu: Dpu) -> dict[str, int]:
    """Return the largest sizes that a DPU takes, for the mapping report."""
    return {
        "kernel": MAX_KERNEL,
        "stride": MAX_STRIDE,
        "window": MAX_WINDOW,
        "channels": dpu.max_channels,
        "bank_words": dpu.bank_depth,
    }


def _outside(what: str, sizes: Pair, low: int, high: int) -> str | None:
    if all(low <= size <= high for size in sizes):
        return None
    return f"{what} {sizes[0]}x{sizes[1]} is outside {low} to {high}"


def _reach(kernel: Pair, dilation: Pair) -> Pair:
    return (kernel[0] - 1) * dilation[0], (kernel[1] - 1) * dilation[1]


def padding_fits(pad: Pads, kernel: Pair, dilation: Pair) -> bool:
    """Return whether no window lies in the padding alone, which is beyond what the convolution engine takes."""
    rows, columns = _reach(kernel, dilation)
    return max(pad[:2]) <= rows and max(pad[2:]) <= columns


def _pad_limit(pad: Pads, kernel: Pair, dilation: Pair) -> str | None:
    if min(pad) < 0:
        return f"padding {pad} is negative"
    if not padding_fits(pad, kernel, dilation):
        return f"padding {pad} is more than (kernel - 1) * dilation = {_reach(kernel, dilation)}"
    return None


def channel_limit(dpu: Dpu, channels: int, what: str) -> str | None:
    """Check a number of input or output channels."""
    if channels <= dpu.max_channels:
        return None
    return f"{channels} {what} channels are more than the {dpu.max_channels} of a {dpu.name}"


def _bank_limit(dpu: Dpu, kernel: Pair, channels: int) -> str | None:
    words = kernel[0] * kernel[1] * math.ceil(channels / dpu.channel_parallel)
    if words <= dpu.bank_depth:
        return None
    return (
        f"a {kernel[0]}x{kernel[1]} kernel over {channels} channels needs {words} words of a weight bank, "
        f"a {dpu.name} has {dpu.bank_depth}"
    )


def _dilation_limit(dpu: Dpu, dilation: Pair, channels: int) -> str | None:
    reach = max(dilation) * channels
    return f"dilation * input channels = {reach} is more than {dpu.max_channels}" if reach > dpu.max_channels else None


def convolution_limit(
    dpu: Dpu, kernel: Pair, strides: Pair, dilation: Pair, pad: Pads, channels_in: int, channels_out: int
) -> str | None:
    """Check a convolution."""
    return (
        _outside("kernel", kernel, 1, MAX_KERNEL)
        or _outside("stride", strides, 1, MAX_STRIDE)
        or _dilation_limit(dpu, dilation, channels_in)
        or _pad_limit(pad, kernel, dilation)
        or channel_limit(dpu, channels_in, "input")
        or channel_limit(dpu, channels_out, "output")
        or _bank_limit(dpu, kernel, channels_in)
    )


def depthwise_limit(dpu: Dpu, kernel: Pair, strides: Pair, dilation: Pair, pad: Pads, channels_in: int) -> str | None:
    """Check a depthwise convolution."""
    most = MAX_WINDOW if dpu.version else OLD_MAX_DEPTHWISE
    return (
        _outside("kernel", kernel, 1, most)
        or _outside("stride", strides, 1, most)
        or _dilation_limit(dpu, dilation, channels_in)
        or _pad_limit(pad, kernel, dilation)
        or channel_limit(dpu, channels_in, "input")
        or _bank_limit(dpu, kernel, channels_in)
    )


def transposed_limit(
    dpu: Dpu, kernel: Pair, strides: Pair, pad: Pads, channels_in: int, channels_out: int
) -> str | None:
    """Check a transposed convolution; its kernel / stride is what the DPU sees as the kernel."""
    steps = (math.ceil(kernel[0] / strides[0]), math.ceil(kernel[1] / strides[1]))
    return (
        _outside("kernel / stride", steps, 1, MAX_KERNEL)
        or _pad_limit(pad, kernel, (1, 1))
        or channel_limit(dpu, channels_in, "input")
        or channel_limit(dpu, channels_out, "output")
        or _bank_limit(dpu, steps, channels_in)
    )


def pool_limit(
    dpu: Dpu, kernel: Pair, strides: Pair, pad: Pads, channels: int, *, is_average: bool = False
) -> str | None:
    """Check a max or average pool."""
    window = stride = MAX_WINDOW
    if not dpu.version:
        window, stride = (OLD_MAX_DEPTHWISE,) * 2 if is_average else (MAX_WINDOW, OLD_MAX_POOL_STRIDE)
    return (
        _outside("window", kernel, 1, window)
        or _outside("stride", strides, 1, stride)
        or _pad_limit(pad, kernel, (1, 1))
        or channel_limit(dpu, channels, "input")
    )
