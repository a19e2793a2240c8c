"""Runs whole models, their CPU subgraphs too, by the methods of the official ``GraphRunner`` and ``RunnerExt``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone import _core
from nerone.backends.pynq.buffers import TensorBuffer, device_options, plain_arrays, tensor_of
from nerone.backends.pynq.xir import Graph, Tensor

__all__ = ["GraphRunner"]


class GraphRunner:
    """Runs a whole model. Make it with `GraphRunner.create_graph_runner`.

    A job runs inside `execute_async`, and `wait` returns at once; threads that share a runner take turns.
    """

    def __init__(self, graph: Graph, options: _core.DeviceOptions | None = None) -> None:
        self._core = _core.Model(graph.path, options or device_options())
        attrs = {op.get_output_tensor().name: op.get_output_tensor().get_attrs() for op in graph.toposort()}
        self._inputs = [tensor_of(info, attrs) for info in self._core.inputs]
        self._outputs = [tensor_of(info, attrs) for info in self._core.outputs]
        self._input_buffers = [_buffer(tensor) for tensor in self._inputs]
        self._output_buffers = [_buffer(tensor) for tensor in self._outputs]

    @classmethod
    def create_graph_runner(cls, graph: Graph) -> GraphRunner:
        """Make a runner of a model file.

        Raises
        ------
        ModelError, DeviceError
            where the model or the device cannot be used.
        """
        return cls(graph)

    def get_inputs(self) -> list[TensorBuffer]:
        """Return its input memory."""
        return list(self._input_buffers)

    def get_outputs(self) -> list[TensorBuffer]:
        """Return its output memory."""
        return list(self._output_buffers)

    def get_input_tensors(self) -> list[Tensor]:
        """Return what it reads."""
        return list(self._inputs)

    def get_output_tensors(self) -> list[Tensor]:
        """Return what it writes."""
        return list(self._outputs)

    def execute_async(self, inputs: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]]) -> tuple[int, int]:
        """Run a job to its end.

        Parameters
        ----------
        inputs, outputs : the runner's buffers, or C-contiguous arrays of the tensors' dims

        Returns
        -------
        (job, status), status 0

        Raises
        ------
        ShapeError, DtypeError, DeviceError
            for arrays that do not fit, and where the device fails.
        """
        given = plain_arrays(inputs, self._inputs, "input")
        results = plain_arrays(outputs, self._outputs, "output")
        self._core.run([np.asarray(array) for array in given], [np.asarray(array) for array in results])
        return 0, 0

    def wait(self, job_id: tuple[int, int] | int, timeout_ms: int = -1) -> int:
        """Return 0: the job is done."""
        return 0


def _buffer(tensor: Tensor) -> TensorBuffer:
    return TensorBuffer(tensor, np.zeros(tensor.dims, tensor.dtype.removeprefix("x")))
