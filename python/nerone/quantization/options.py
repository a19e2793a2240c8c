"""Settings of the quantizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from nerone.compat import dataclass
from nerone.errors import ConfigurationError

__all__ = ["QuantizeOptions"]


@dataclass(frozen=True, kw_only=True)
class QuantizeOptions:
    """Settings of :func:`nerone.quantize` beside method and strategy.

    Attributes
    ----------
    batch_size : int, images per calibration batch; strategy "vitis" takes one vote per batch, others do not depend on
        it
    equalize : bool, cross-layer equalization
    equalize_steps : int, passes of it
    convert_sigmoid : bool, sigmoid becomes the DPU's hard sigmoid; it stays in float on the CPU otherwise. Strategy
        "default" leaves a sigmoid that ends the model in float all the same
    convert_swish : bool, swish becomes x times that
    convert_leaky : bool, strategy "default" makes a leaky ReLU whose slope is not the DPU's 26/256 of two scaled
        branches and their sum, which stay on the DPU; it stays in float on the CPU otherwise
    compensate_kernels : bool, strategy "default" rounds kernels so that their errors cancel on the calibration images;
        each value to its nearest step otherwise
    correct_biases : bool, strategy "default" chooses int8 biases that bring layers closer to float, as the network's
        outputs show
    compare_images : int, images on which the report compares int8 with float, layer by layer; 0 leaves that out
    finetune_images : int, images at most that method "ffq" finetunes on; memory may allow fewer
    finetune_epochs : int, passes over them at most, per layer
    finetune_rate : float, first step size in int8 steps of each weight
    finetune_batch_size : int, images per step
    train_epochs : int, epochs of method "qat"
    train_rate : float, first learning rate of Adam; it falls to zero
    train_batch_size : int, images per step
    """

    batch_size: int = 32
    equalize: bool = True
    equalize_steps: int = 10
    convert_sigmoid: bool = True
    convert_swish: bool = True
    convert_leaky: bool = True
    compensate_kernels: bool = True
    correct_biases: bool = True
    compare_images: int = 16
    finetune_images: int = 64
    finetune_epochs: int = 10
    finetune_rate: float = 0.1
    finetune_batch_size: int = 4
    train_epochs: int = 10
    train_rate: float = 3e-4
    train_batch_size: int = 8

    @classmethod
    def read(cls, texts: Mapping[str, str]) -> QuantizeOptions:
        """Return options from their names and values as text; "true" and "false" for yes and no.

        Raises
        ------
        ConfigurationError
            An unknown name, or a value of another kind.
        """
        defaults = {field.name: field.default for field in fields(cls)}
        unknown = [name for name in texts if name not in defaults]
        if unknown:
            raise ConfigurationError(f"there is no option '{unknown[0]}'; choose from {', '.join(defaults)}")
        return cls(**{name: _value(name, text, type(defaults[name])) for name, text in texts.items()})

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigurationError(f"batch_size is {self.batch_size}; it must be at least 1")
        if self.equalize_steps < 0 or self.compare_images < 0:
            raise ConfigurationError("equalize_steps and compare_images must not be negative")
        if min(self.finetune_images, self.finetune_batch_size) < 1 or self.finetune_epochs < 0:
            raise ConfigurationError(
                "finetune_images and finetune_batch_size must be at least 1, finetune_epochs 0 or more"
            )
        if self.train_batch_size < 1 or self.train_epochs < 0:
            raise ConfigurationError("train_batch_size must be 1 or more, train_epochs 0 or more")
        if not (self.finetune_rate > 0 and self.train_rate > 0):
            raise ConfigurationError("finetune_rate and train_rate must be above 0")


def _value(name: str, text: str, kind: type) -> Any:
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return kind(text)
    except (KeyError, ValueError) as error:
        expected = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise ConfigurationError(f"option '{name}' is '{text}'; expected {expected}") from error
