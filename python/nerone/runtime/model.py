"""The raw network: arrays in, arrays out, through VART."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nerone import _core
from nerone.backends.options import check_threads_per_image, milliseconds
from nerone.compat import zip
from nerone.errors import ConfigurationError, DeviceError, DtypeError, ShapeError

__all__ = ["Model", "Subgraph", "TensorInfo", "model_path"]

Array = NDArray[Any]
BUNDLE_MODEL = "model.xmodel"


@dataclass(frozen=True)
class TensorInfo:
    """Name, shape and scale of one of a model's inputs or outputs.

    Attributes
    ----------
    name : str
    shape : tuple of int, with the batch axis; (N, H, W, C) for images
    dtype : str, numpy's name of the dtype it has inside the model: "int8" or "float32", mostly
    fix_point : int, fractional bits of a fixed-point tensor; None where it is float
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    fix_point: int | None = None

    @property
    def scale(self) -> float:
        """Real value of one integer step, ``2 ** -fix_point``; 1.0 where the tensor is float."""
        return 1.0 if self.fix_point is None else 2.0**-self.fix_point


@dataclass(frozen=True)
class Subgraph:
    """One part of a compiled model, which runs on one device.

    Attributes
    ----------
    name : str
    device : str, "USER" (the inputs), "DPU" or "CPU"
    ops : tuple of str, names of its ops in the order in which they run
    """

    name: str
    device: str
    ops: tuple[str, ...]


def model_path(path: str | Path) -> Path:
    """Return the model file of a path that is one, or that is a bundle's folder.

    Raises
    ------
    ConfigurationError
        where there is none.
    """
    found = Path(path)
    if found.is_dir():
        found /= BUNDLE_MODEL
    if not found.is_file():
        raise ConfigurationError(f"no model file '{found}'; give the path of a .xmodel file or of a bundle's folder")
    return found


class Model:
    """A compiled model, ready to run on one device. Make it with `Model.load`.

    Any number of threads may call `run`; they take turns. For parallel work load one model per thread, or use
    `nerone.Pipeline`.
    """

    def __init__(self, core: _core.Model, path: Path, device: str) -> None:
        self._core: _core.Model | None = core
        self._inputs = tuple(_tensor_info(info) for info in core.inputs)
        self._outputs = tuple(_tensor_info(info) for info in core.outputs)
        self._subgraphs = tuple(Subgraph(part.name, part.device, tuple(part.ops)) for part in core.subgraphs)
        self.path = path
        self.device = device

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        device: str = "softdpu",
        kernels: str = "auto",
        cores: int = 0,
        job_latency_us: int = 0,
        compute: bool = True,
        threads_per_image: int = 1,
        until: Literal["end", "dpu"] = "end",
    ) -> Model:
        """Load a compiled model.

        Parameters
        ----------
        path : .xmodel file, compiled by the vendor or by NERONE, or folder of a bundle
        device : "softdpu", "board" (the vendor's runner that the model names), or path of a VART runner library
        kernels : of the software DPU: "auto" (the fastest here), "jit", "jit-avx-vnni", "jit-avx2", "onednn",
            "portable" or "scalar" (the reference); all give the same bits; "isa" runs a board's instructions
        cores : of a simulated board: jobs that run at once; 0 for no limit
        job_latency_us : of a simulated board: microseconds that a job occupies its core; 0 for as long as it takes
        compute : of a simulated board: False where jobs only take their time and leave outputs as they are
        threads_per_image : of the software DPU's jit kernels: 1 to 64 threads that share the work on one image, for a
            short time per image; for many images a second load the models of several threads instead
        until : "end", or "dpu" to run only through the first DPU subgraph, whose int8 outputs are then the model's

        Raises
        ------
        ConfigurationError
            where there is no such file, or an option has no such value.
        ModelError
            where the file is damaged, of another DPU family, or has an op that is missing.
        DeviceError
            where the device or its library cannot be used.

        Examples
        --------
        >>> from nerone import Model
        >>> with Model.load(tiny_xmodel) as model:
        ...     model.run(np.full((1, 2, 2, 1), 0.5, np.float32), dtype="float32").ravel()
        array([1., 1., 1., 1.], dtype=float32)
        """
        if until not in ("end", "dpu"):
            raise ConfigurationError(f"until is '{until}', expected 'end' or 'dpu'")
        if cores < 0 or job_latency_us < 0:
            raise ConfigurationError(f"cores {cores} and job_latency_us {job_latency_us} cannot be negative")
        file = model_path(path)
        check_threads_per_image(threads_per_image)
        options = _core.DeviceOptions(device, kernels, cores, job_latency_us, compute, threads_per_image)
        return cls(_core.Model(str(file), options, until == "dpu"), file, device)

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The tensors to give, in the order of the file."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The tensors that come out: those that no op of the model reads."""
        return self._outputs

    @property
    def subgraphs(self) -> tuple[Subgraph, ...]:
        """The parts of the model in the order in which they run."""
        return self._subgraphs

    def run(
        self,
        inputs: Array | Mapping[str, Array],
        *,
        dtype: str | None = None,
        out: Array | Mapping[str, Array] | None = None,
        timeout_ms: int | None = None,
    ) -> Any:
        """Run the network once.

        Parameters
        ----------
        inputs : array of the input's shape, or mapping of name to array where there are several; C-contiguous, taken as
            it is. For an int8 input either int8, the DPU's integers, or float32, real values, which are rounded to the
            nearest step (halves up) and saturated.
        dtype : "int8" or "float32" for outputs that are int8 inside the model; None leaves them as they are
        out : array or mapping of arrays to write to, instead of new ones
        timeout_ms : how long one job of the device may take; None for ever

        Returns
        -------
        array, or dict of name to array where the model has several outputs

        Raises
        ------
        ShapeError, DtypeError
            where an array is not what is expected.
        DeviceError, TimeoutError
            where the device fails or is late.

        Examples
        --------
        >>> from nerone import Model
        >>> model = Model.load(tiny_xmodel)
        >>> model.run(np.full((1, 2, 2, 1), 8, np.int8)).ravel()
        array([16, 16, 16, 16], dtype=int8)
        """
        if self._core is None:
            raise DeviceError(f"the model '{self.path.name}' is closed; load it again")
        given = _named("input", inputs, self._inputs)
        results = self._new_outputs(dtype) if out is None else _named("output", out, self._outputs)
        self._core.run(given, results, milliseconds(timeout_ms))
        if len(results) == 1:
            return results[0]
        return {info.name: array for info, array in zip(self._outputs, results, strict=True)}

    def _new_outputs(self, dtype: str | None) -> list[Array]:
        if dtype not in (None, "int8", "float32"):
            raise DtypeError(f"dtype is '{dtype}', expected 'int8', 'float32' or None")
        arrays = []
        for info in self._outputs:
            wanted = info.dtype
            if info.fix_point is not None and info.dtype == "int8" and dtype is not None:
                wanted = dtype
            elif dtype == "int8":
                raise DtypeError(f"output '{info.name}' is {info.dtype} and has no int8 form; leave dtype None")
            arrays.append(np.empty(info.shape, wanted))
        return arrays

    def close(self) -> None:
        """Give the device back. The model cannot be run afterwards; closing it again does nothing."""
        self._core = None

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        def text(infos: Sequence[TensorInfo]) -> str:
            return ", ".join(f"{info.name} {info.shape} {info.dtype}" for info in infos)

        state = "" if self._core is not None else ", closed"
        return f"<nerone.Model {self.path.name} on {self.device}{state}: {text(self._inputs)} -> {text(self._outputs)}>"


def _tensor_info(info: _core.TensorInfo) -> TensorInfo:
    return TensorInfo(info.name, tuple(info.shape), info.dtype, info.fix_point)


def _named(kind: str, given: Array | Mapping[str, Array], infos: Sequence[TensorInfo]) -> list[Array]:
    names = [info.name for info in infos]
    if isinstance(given, Mapping):
        if set(given) != set(names):
            raise ShapeError(f"{kind}s named {sorted(given)}, expected {sorted(names)}")
        arrays = [given[name] for name in names]
    elif len(names) == 1:
        arrays = [given]
    else:
        raise ShapeError(f"one array, but the model has {len(names)} {kind}s; give a dict with the names {names}")
    for name, array in zip(names, arrays, strict=True):
        if not isinstance(array, np.ndarray):
            raise DtypeError(f"{kind} '{name}' is a {type(array).__name__}, expected a numpy array")
    return arrays
