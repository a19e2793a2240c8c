"""A module with the official Python API of ``vart``, bound to the real libvart, where errors are raised.

Arrays are checked, `Runner.wait` lets other threads run, and `RunnerExt.get_inputs` gives the runner's own memory, so
that a script can run without a copy. Runners are made for the device that `set_device` names, or the environment
variable NERONE_DEVICE: "softdpu" (the default), "board", or the path of a runner library.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone import _core
from nerone.backends.pynq.xir import Subgraph, Tensor
from nerone.compat import zip
from nerone.errors import ConfigurationError, DtypeError, ShapeError

__all__ = ["Runner", "RunnerExt", "TensorBuffer", "device_options", "plain_arrays", "set_device", "tensor_of"]

Array = NDArray[Any]
Job = tuple[int, int]

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


class Runner:
    """Runs one DPU subgraph. Make it with `Runner.create_runner`.

    As with the official module each thread should have its own; threads that share one take turns.
    """

    def __init__(self, subgraph: Subgraph, options: _core.DeviceOptions | None = None) -> None:
        graph = subgraph.get_graph()
        self._core = _core.Runner(graph._file, subgraph.get_name(), options or device_options())
        attrs = {op.get_output_tensor().name: op.get_output_tensor().get_attrs() for op in graph.toposort()}
        self._inputs = [tensor_of(info, attrs) for info in self._core.inputs]
        self._outputs = [tensor_of(info, attrs) for info in self._core.outputs]

    @classmethod
    def create_runner(cls, subgraph: Subgraph, mode: str = "") -> Runner:
        """Make a runner.

        Parameters
        ----------
        subgraph : a child of the root whose device is "DPU"
        mode : "run", the only mode that there is a device for

        Raises
        ------
        ConfigurationError
            for another mode.
        ModelError, DeviceError
            where the subgraph or the device cannot be used.
        """
        if mode != "run":
            raise ConfigurationError(f"mode '{mode}' has no runner here, give mode 'run'")
        return cls(subgraph)

    def get_input_tensors(self) -> list[Tensor]:
        """Return what it reads."""
        return list(self._inputs)

    def get_output_tensors(self) -> list[Tensor]:
        """Return what it writes."""
        return list(self._outputs)

    def execute_async(self, inputs: Sequence[Array | TensorBuffer], outputs: Sequence[Array | TensorBuffer]) -> Job:
        """Start a job.

        Parameters
        ----------
        inputs, outputs : C-contiguous arrays, int8 or float32, with as many elements as the tensors, in the order of
            `get_input_tensors` and `get_output_tensors`; or the runner's own buffers. They must stay as they are until
            `wait`. The device truncates what float32 input has beyond its fix point.

        Returns
        -------
        (job, status), status 0

        Raises
        ------
        ShapeError, DtypeError
            for arrays that do not fit.
        DeviceError
            where the device refuses the job.
        """
        given = plain_arrays(inputs, self._inputs, "input")
        results = plain_arrays(outputs, self._outputs, "output")
        return self._core.start_on(given, results), 0

    def wait(self, job_id: Job | int, timeout_ms: int = -1) -> int:
        """Wait for a job, given as `execute_async` returned it; return 0.

        Raises
        ------
        DeviceError, TimeoutError
            where the device failed or is late.
        """
        self._core.finish(job_id[0] if isinstance(job_id, tuple) else int(job_id), timeout_ms)
        return 0

    def __repr__(self) -> str:
        return f"vart::Runner@{id(self):#x}"


class RunnerExt(Runner):
    """A runner whose own memory can be used: write there, start, wait, read there."""

    def get_inputs(self) -> list[TensorBuffer]:
        """Return its input memory; for a batch of one image."""
        return self._buffers(self._inputs, self._core.input_arrays())

    def get_outputs(self) -> list[TensorBuffer]:
        """Return its output memory; for a batch of one image."""
        return self._buffers(self._outputs, self._core.output_arrays())

    def execute_async(self, inputs: Sequence[Array | TensorBuffer], outputs: Sequence[Array | TensorBuffer]) -> Job:
        """Start a job; without a copy where all buffers are the runner's own."""
        if self._are_own(inputs, self._core.input_arrays()) and self._are_own(outputs, self._core.output_arrays()):
            return self._core.start(), 0
        return super().execute_async(inputs, outputs)

    @staticmethod
    def _buffers(tensors: Sequence[Tensor], arrays: Sequence[Sequence[Array]]) -> list[TensorBuffer]:
        if any(len(images) != 1 for images in arrays):
            raise ShapeError("the device takes several images a job; give execute_async arrays of your own")
        return [TensorBuffer(tensor, images[0]) for tensor, images in zip(tensors, arrays, strict=True)]

    @staticmethod
    def _are_own(buffers: Sequence[Array | TensorBuffer], arrays: Sequence[Sequence[Array]]) -> bool:
        addresses = [np.asarray(buffer).__array_interface__["data"][0] for buffer in buffers]
        return addresses == [images[0].__array_interface__["data"][0] for images in arrays]


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
