"""Where the software DPU's time goes, layer by layer, and where that stands against the processor's limits."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerone.compat import zip
from nerone.errors import ConfigurationError, DeviceError, ModelError, check_real

__all__ = ["KERNELS", "LayerProfile", "Profile", "peak_gmacs", "profile"]

KERNELS = ("auto", "jit", "jit-avx-vnni", "jit-avx2", "onednn", "portable", "scalar", "isa")

_LIBRARY = "libnerone_softdpu.so"
_NO_LAYER = "(no layer)"


@dataclass(frozen=True)
class LayerProfile:
    """One step of a plan.

    Attributes
    ----------
    name, kind, kernel : str, the op, what it is and how it is computed
    macs : int, multiply-accumulates of the layer as the model states it
    computed_macs : int, those that the kernel does: fewer where it multiplies pixels before an upsampling repeats them,
        and by Winograd
    peak_ratio : float, what the kernel's products allow, times the products of `Profile.peak_gmacs`: more than 1 where
        byte products are added up in chains
    bytes : int, read and written, weights included
    seconds : float, the fastest of many runs
    """

    name: str
    kind: str
    kernel: str
    macs: int
    computed_macs: int
    peak_ratio: float
    bytes: int
    seconds: float

    @property
    def gmacs(self) -> float:
        """Billions of multiply-accumulates a second."""
        return self.macs / self.seconds / 1e9 if self.seconds > 0 else 0.0

    @property
    def gbs(self) -> float:
        """Billions of bytes a second."""
        return self.bytes / self.seconds / 1e9 if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Profile:
    """The DPU subgraphs of a model on the software DPU, one thread, batch 1.

    Attributes
    ----------
    kernels : str, what "auto" chose
    layers : the steps in the order in which they run
    seconds : float, the fastest whole run
    plan_seconds : float, processor time to choose and generate the kernels
    arena_bytes : int, memory of one runner
    peak_gmacs : float, multiply-accumulates from registers, billions a second; 0 where none exists
    cache_gbs, memory_gbs : float, copying inside the second-level cache and outside the caches, read plus written
    """

    kernels: str
    layers: tuple[LayerProfile, ...]
    seconds: float
    plan_seconds: float
    arena_bytes: int
    peak_gmacs: float
    cache_gbs: float
    memory_gbs: float

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def fraction_of_peak(self) -> float | None:
        """The whole network's MACs as the model states them against the peak; None where there is none.

        Above 1 is possible: see `LayerProfile.computed_macs`.
        """
        return self.macs / self.seconds / 1e9 / self.peak_gmacs if self.peak_gmacs else None

    def limit_seconds(self, layer: LayerProfile) -> float:
        """Return the roofline: what the layer takes at the peak, or at the cache's bandwidth where that is slower."""
        return max(self._compute_seconds(layer), self._copy_seconds(layer))

    def bound_of(self, layer: LayerProfile) -> str:
        """Return what the layer's time goes to: "multiplication", "memory", or else "overhead".

        The first two where the roofline is at least half of the time. Overhead is loads, rounding, the ends of rows and
        the start of the layer.
        """
        if 2 * self.limit_seconds(layer) < layer.seconds:
            return "overhead"
        return "multiplication" if self._compute_seconds(layer) >= self._copy_seconds(layer) else "memory"

    def _compute_seconds(self, layer: LayerProfile) -> float:
        return layer.computed_macs / (layer.peak_ratio * self.peak_gmacs) / 1e9 if self.peak_gmacs else 0.0

    def _copy_seconds(self, layer: LayerProfile) -> float:
        return layer.bytes / self.cache_gbs / 1e9

    def to_dict(self) -> dict[str, Any]:
        """Return everything JSON-ready."""
        rows = [
            {
                **vars(layer),
                "gmacs": layer.gmacs,
                "gbs": layer.gbs,
                "limit_seconds": self.limit_seconds(layer),
                "bound": self.bound_of(layer),
            }
            for layer in self.layers
        ]
        own = {key: value for key, value in vars(self).items() if key != "layers"}
        totals = {"macs": self.macs, "fps": 1 / self.seconds, "fraction_of_peak": self.fraction_of_peak}
        return {**own, **totals, "layers": rows}


def profile(path: str | Path, *, kernels: str = "auto", seconds: float = 2.0) -> Profile:
    """Time each layer of a model on the software DPU.

    With the kernels "isa", a layer's time is that of its instructions, its bytes are those that they move, and its
    multiply-accumulates include those of padding.

    Parameters
    ----------
    path : an xmodel or a bundle
    kernels : one of `KERNELS`
    seconds : float, how long each DPU subgraph is run; the fastest run of each step counts

    Raises
    ------
    ConfigurationError
        For unknown kernels, or a time that is not positive.
    ModelError
        Where the model cannot be run, or has no DPU subgraph.

    Examples
    --------
    >>> profile("unet.nerone").fraction_of_peak  # doctest: +SKIP
    """
    if kernels not in KERNELS:
        raise ConfigurationError(f"kernels '{kernels}' are unknown; use one of {', '.join(KERNELS)}")
    check_real("seconds", seconds, 1e-3, 3600)
    file = _xmodel_of(Path(path))
    measured = _measure(file, kernels, seconds)
    subgraphs = measured["subgraphs"]
    if not subgraphs:
        raise ModelError(f"'{path}' has no DPU subgraph; compile it first")
    layers = tuple(LayerProfile(**layer) for subgraph in subgraphs for layer in subgraph["layers"])
    if kernels == "isa":
        layers = _layers_of_instructions(file, layers)
    return Profile(
        kernels=subgraphs[0]["kernels"],
        layers=layers,
        seconds=sum(subgraph["seconds"] for subgraph in subgraphs),
        plan_seconds=sum(subgraph["plan_seconds"] for subgraph in subgraphs),
        arena_bytes=sum(subgraph["arena_bytes"] for subgraph in subgraphs),
        **{key: measured[key] for key in ("peak_gmacs", "cache_gbs", "memory_gbs")},
    )


def _layers_of_instructions(file: Path, steps: tuple[LayerProfile, ...]) -> tuple[LayerProfile, ...]:
    """Add up instructions that belong to one layer; a step is one instruction, in the order of the file's programs."""
    from nerone import _core
    from nerone.instructions.layers import layers_of
    from nerone.instructions.program import dpu_subgraphs
    from nerone.instructions.work import work_of

    graph = _core.read_xmodel(file)
    kinds = {op["name"]: op["type"] for op in graph["ops"]}
    found: dict[str, list[float]] = {}
    left = iter(steps)
    for program, child in dpu_subgraphs(graph):
        instructions = program.instructions()
        names = layers_of(program, instructions, graph, child["ops"])
        for name, work in zip(names, work_of(program, instructions), strict=True):
            sums = found.setdefault(name or _NO_LAYER, [0, 0, 0.0])
            sums[0] += work.macs
            sums[1] += work.moved_bytes
            sums[2] += next(left).seconds
    return tuple(
        LayerProfile(name, kinds.get(name, ""), "isa", int(macs), int(macs), 1.0, int(moved), seconds)
        for name, (macs, moved, seconds) in found.items()
    )


def peak_gmacs(seconds: float = 0.05) -> float:
    """Measure the processor's int8 dot products from registers, billions of multiply-accumulates a second.

    Returns
    -------
    float, the fastest of the loops that fit the time; 0 where no code is generated
    """
    return float(_library().nerone_softdpu_peak_gmacs(seconds))


def _xmodel_of(path: Path) -> Path:
    if not path.is_dir():
        return path
    from nerone.bundle.bundle import Bundle

    return Bundle.open(path).host_model_path


def _library() -> Any:
    from nerone import _core

    file = Path(str(_core.__file__)).with_name(_LIBRARY)
    try:
        library = ctypes.CDLL(str(file))
    except OSError as error:
        raise DeviceError(f"the software DPU cannot be loaded ({error}); install nerone again") from error
    library.nerone_softdpu_profile.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_double]
    library.nerone_softdpu_profile.restype = ctypes.c_void_p
    library.nerone_softdpu_free.argtypes = [ctypes.c_void_p]
    library.nerone_softdpu_free.restype = None
    library.nerone_softdpu_peak_gmacs.argtypes = [ctypes.c_double]
    library.nerone_softdpu_peak_gmacs.restype = ctypes.c_double
    return library


def _measure(file: Path, kernels: str, seconds: float) -> Mapping[str, Any]:
    library = _library()
    text = library.nerone_softdpu_profile(str(file).encode(), kernels.encode(), seconds)
    if not text:
        raise MemoryError
    try:
        found: dict[str, Any] = json.loads(ctypes.string_at(text).decode(errors="replace"))
    finally:
        library.nerone_softdpu_free(text)
    if "error" in found:
        raise ModelError(found["error"])
    return found
