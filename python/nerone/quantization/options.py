"""Settings of the quantizer."""

from __future__ import annotations

from dataclasses import dataclass

from nerone.errors import ConfigurationError

__all__ = ["QuantizeOptions"]


@dataclass(frozen=True, kw_only=True)
class QuantizeOptions:
    """What :func:`nerone.quantize` may be told beside method and strategy.

    Attributes
    ----------
    batch_size : int, images per calibration batch; strategy "vitis" takes one vote per batch, others do not depend on
        it
    equalize : bool, cross-layer equalization
    equalize_steps : int, passes of it
    convert_sigmoid : bool, sigmoid becomes the DPU's hard sigmoid; it stays in float on the CPU otherwise. Strategy
        "default" leaves a sigmoid that ends the model in float all the same
    convert_swish : bool, swish becomes x times that
    correct_biases : bool, strategy "default" gives the int8 layers the mean of the float ones
    compare_images : int, images on which the report compares int8 with float, layer by layer; 0 leaves that out
    """

    batch_size: int = 32
    equalize: bool = True
    equalize_steps: int = 10
    convert_sigmoid: bool = True
    convert_swish: bool = True
    correct_biases: bool = True
    compare_images: int = 16

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigurationError(f"batch_size is {self.batch_size}; it must be at least 1")
        if self.equalize_steps < 0 or self.compare_images < 0:
            raise ConfigurationError("equalize_steps and compare_images must not be negative")
