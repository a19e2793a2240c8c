"""The overlay object of PYNQ-DPU: the real one on a board, one with the same face over the modules here elsewhere."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from nerone import _core
from nerone.backends.pynq import vart, xir
from nerone.errors import ConfigurationError, DeviceError, ModelError

__all__ = ["DpuOverlay", "dpu_subgraphs", "load_overlay"]


def dpu_subgraphs(graph: xir.Graph) -> list[xir.Subgraph]:
    """Return the subgraphs of a model that run on the DPU, in the order in which they run."""
    parts = graph.get_root_subgraph().toposort_child_subgraph()
    return [part for part in parts if part.has_attr("device") and part.get_attr("device").upper() == "DPU"]


class DpuOverlay:
    """The face of ``pynq_dpu.DpuOverlay`` where there is no programmable logic to load.

    Parameters
    ----------
    bitfile_name : name of the overlay's bitstream; kept, and not looked for
    options : the device behind VART; None for the one that `vart.set_device` chose
    """

    def __init__(self, bitfile_name: str = "dpu.bit", options: _core.DeviceOptions | None = None) -> None:
        self.bitfile_name = str(bitfile_name)
        self.graph: xir.Graph | None = None
        self._options = options
        self._runner: vart.Runner | None = None

    @property
    def runner(self) -> vart.Runner:
        """The runner of the loaded model."""
        if self._runner is None:
            raise ConfigurationError("no model is loaded; call load_model first")
        return self._runner

    def load_model(self, model: str | Path) -> None:
        """Load a compiled model that has one DPU subgraph.

        Raises
        ------
        ConfigurationError, ModelError, DeviceError
            where the file, its subgraphs or the device cannot be used.
        """
        graph = xir.Graph.deserialize(model)
        parts = dpu_subgraphs(graph)
        if len(parts) != 1:
            raise ModelError(f"'{model}' has {len(parts)} DPU subgraphs; PYNQ-DPU runs models with exactly one")
        self._runner = vart.Runner(parts[0], self._options)
        self.graph = graph


def load_overlay(bitfile_name: str = "dpu.bit", options: _core.DeviceOptions | None = None) -> Any:
    """Return a board's own overlay for device "board", `DpuOverlay` for any other.

    Raises
    ------
    DeviceError
        where the board's Python packages are absent or cannot load the overlay.
    """
    if options is None or options.device != "board":
        return DpuOverlay(bitfile_name, options)
    try:
        module = importlib.import_module("pynq_dpu")
    except ImportError as error:
        raise DeviceError(
            f"PYNQ-DPU is not installed here ({error}); install pynq-dpu on the board, or use device 'softdpu'"
        ) from error
    try:
        return module.DpuOverlay(bitfile_name)
    except Exception as error:
        raise DeviceError(f"PYNQ-DPU could not load the overlay '{bitfile_name}': {error}") from error
