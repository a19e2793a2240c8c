"""What the runners of this package share: the device they are made for, their tensors and their memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone import _core
from nerone.backends.pynq.xir import Tensor
from nerone.compat import zip
from nerone.errors import ConfigurationError, DtypeError, ShapeError

__all__ = ["Array", "TensorBuffer", "device_options", "plain_arrays", "set_device", "tensor_of"]

Array = NDArray[Any]

_device: _core.DeviceOptions | None = None


def set_device(options: _core.DeviceOptions | str | None) -> None:
    """Choose the device of the runners that are made from now on; None for the default."""
    global _device
    _device = _core.DeviceOptions(options) if isinstance(options, str) else options


def device_options() -> _core.DeviceOptions:
    """Return the device of runners that name none."""
    return _device or _core.DeviceOptions(os.environ.get("NERONE_DEVICE") or "softdpu")


class TensorBuffer(np.ndarray[Any, Any]):
    """Memory of a runner, as an array without a copy: it obeys the buffer protocol and slices like numpy's.

    Slices and results of arithmetic are arrays alone: they hold no tensor.
    """

    _tensor: Tensor | None

    def __new__(cls, tensor: Tensor, array: Array) -> TensorBuffer:
        """Give the memory of an array the name and attributes of a tensor."""
        buffer = array.view(cls)
        buffer._tensor = tensor
        return buffer

    def __array_finalize__(self, parent: Any) -> None:
        self._tensor = None

    def get_tensor(self) -> Tensor:
        """Return the tensor that the memory holds.

        Raises
        ------
        ConfigurationError
            for a slice or a result of arithmetic.
        """
        if self._tensor is None:
            raise ConfigurationError(
                f"an array of shape {self.shape} made from a runner's buffer has no tensor; ask the buffer itself"
            )
        return self._tensor

    def __str__(self) -> str:
        return super().__str__() if self._tensor is None else f"TensorBuffer{{{self._tensor}}}"


def tensor_of(info: _core.TensorInfo, attrs: dict[str, Any]) -> Tensor:
    """Return a runner's tensor with the attributes that the model gives the tensor of its name."""
    kinds = {"int8": "XINT8", "uint8": "XUINT8", "int16": "XINT16", "int32": "XINT32", "float32": "FLOAT32"}
    own = dict(attrs.get(info.name, {}))
    if info.fix_point is not None:
        own["fix_point"] = info.fix_point
    kind = kinds.get(info.dtype, info.dtype.upper())
    return Tensor({"name": info.name, "shape": list(info.shape), "data_type": kind, "attrs": own})


def plain_arrays(buffers: Sequence[Array | TensorBuffer], tensors: Sequence[Tensor], kind: str) -> list[Array]:
    """Return one checked array per tensor."""
    if len(buffers) != len(tensors):
        raise ShapeError(f"{len(buffers)} {kind} arrays, the runner has {len(tensors)}")
    return [_array(buffer, tensor, kind) for buffer, tensor in zip(buffers, tensors, strict=True)]


def _array(buffer: Array | TensorBuffer, tensor: Tensor, kind: str) -> Array:
    array = np.asarray(buffer) if isinstance(buffer, TensorBuffer) else buffer  # as a plain array
    if not isinstance(array, np.ndarray):
        raise DtypeError(f"{kind} '{tensor.name}' is a {type(array).__name__}, expected a numpy array")
    if array.size != tensor.get_element_num() or not array.flags.c_contiguous:
        raise ShapeError(
            f"{kind} '{tensor.name}' has shape {array.shape}{'' if array.flags.c_contiguous else ' and is strided'}, "
            f"expected a C-contiguous array of shape {tuple(tensor.dims)}"
        )
    return array.reshape(tensor.dims)
