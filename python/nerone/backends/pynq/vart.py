"""A module with the official Python API of ``vart``, bound to the real libvart, where errors are raised.

Arrays are checked, `Runner.wait` lets other threads run, and `RunnerExt.get_inputs` gives the runner's own memory, so
that a script can run without a copy. Runners are made for the device that `set_device` names, or the environment
variable NERONE_DEVICE: "softdpu" (the default), "board", or the path of a runner library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nerone import _core
from nerone.backends.pynq.buffers import Array, TensorBuffer, device_options, plain_arrays, set_device, tensor_of
from nerone.backends.pynq.graph_runner import GraphRunner
from nerone.backends.pynq.xir import Subgraph, Tensor
from nerone.compat import zip
from nerone.errors import ConfigurationError, ShapeError

__all__ = ["Runner", "RunnerExt", "TensorBuffer", "device_options", "set_device"]

Job = tuple[int, int]


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
        _check_mode(mode)
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

    @classmethod
    def create_runner(cls, subgraph: Subgraph, mode: str = "") -> Any:
        """Make a runner, of the root subgraph a `GraphRunner`, which has the same methods and runs the whole model.

        Parameters
        ----------
        subgraph, mode : as for `Runner.create_runner`, or the root

        Raises
        ------
        ConfigurationError, ModelError, DeviceError
            as `Runner.create_runner`.
        """
        _check_mode(mode)
        return GraphRunner.create_graph_runner(subgraph.get_graph()) if subgraph.is_root else cls(subgraph)

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


def _check_mode(mode: str) -> None:
    if mode != "run":
        raise ConfigurationError(f"mode '{mode}' has no runner here, give mode 'run'")
