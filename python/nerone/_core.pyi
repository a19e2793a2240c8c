"""The C++ core. Bindings only: `nerone.runtime` has the faces for users."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

from numpy.typing import NDArray

_Path = str | os.PathLike[str]
_Array = NDArray[Any]
_Image = _Array | Sequence[_Array]
_Spacing = float | tuple[float, float] | None
_Statistics = Sequence[Sequence[tuple[float, float]]]

sanitized: bool
"""Whether the core was built with a sanitizer."""

class UInt64(int):
    """An attribute of XIR's type uint64 (dpu_fingerprint, workload)."""

class Float64(float):
    """An attribute of XIR's type double."""

@final
class TensorInfo:
    """What a model or a runner says of one input or output."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def fix_point(self) -> int | None: ...

@final
class SubgraphInfo:
    """One subgraph of a compiled model."""

    @property
    def name(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def ops(self) -> list[str]: ...

@final
class DeviceOptions:
    """What stands behind VART, and how a software device behaves."""

    def __init__(
        self,
        device: str = "softdpu",
        kernels: str = "auto",
        cores: int = 0,
        job_latency_us: int = 0,
        compute: bool = True,
        threads_per_image: int = 1,
    ) -> None: ...
    @property
    def device(self) -> str: ...
    @property
    def kernels(self) -> str: ...
    @property
    def cores(self) -> int: ...
    @property
    def job_latency_us(self) -> int: ...
    @property
    def compute(self) -> bool: ...
    @property
    def threads_per_image(self) -> int: ...

@final
class Model:
    """A compiled model and its runners."""

    def __init__(self, path: _Path, options: DeviceOptions, until_dpu: bool = False) -> None: ...
    @property
    def inputs(self) -> list[TensorInfo]: ...
    @property
    def outputs(self) -> list[TensorInfo]: ...
    @property
    def subgraphs(self) -> list[SubgraphInfo]: ...
    def run(self, inputs: list[_Array], outputs: list[_Array], timeout_ms: int = -1) -> None: ...

@final
class XmodelFile:
    """A checked model file that libxir has deserialized."""

    def __init__(self, path: _Path) -> None: ...
    def graph(self) -> dict[str, Any]: ...
    def constants(self) -> dict[str, tuple[bytes, int | None]]:
        """Constants of the DPU subgraphs by op, with their fix point: as their tensors declare them."""

@final
class Runner:
    """A VART runner of one DPU subgraph."""

    def __init__(self, file: XmodelFile, subgraph: str, options: DeviceOptions) -> None: ...
    @property
    def inputs(self) -> list[TensorInfo]: ...
    @property
    def outputs(self) -> list[TensorInfo]: ...
    def input_arrays(self) -> list[list[_Array]]: ...
    def output_arrays(self) -> list[list[_Array]]: ...
    def start(self) -> int: ...
    def start_on(self, inputs: list[_Array], outputs: list[_Array]) -> int: ...
    def finish(self, job: int, timeout_ms: int = -1) -> None: ...

@final
class Durations:
    """Milliseconds that a stage took."""

    @property
    def mean_ms(self) -> float: ...
    @property
    def p50_ms(self) -> float: ...
    @property
    def p90_ms(self) -> float: ...
    @property
    def p99_ms(self) -> float: ...
    @property
    def max_ms(self) -> float: ...

@final
class PipelineStats:
    """What a pipeline did since it began, or since reset_stats."""

    @property
    def submitted(self) -> int: ...
    @property
    def completed(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def workers_replaced(self) -> int: ...
    @property
    def elapsed_s(self) -> float: ...
    @property
    def fps(self) -> float: ...
    @property
    def latency(self) -> Durations: ...
    @property
    def queue(self) -> Durations: ...
    @property
    def preprocess(self) -> Durations: ...
    @property
    def device(self) -> Durations: ...
    @property
    def postprocess(self) -> Durations: ...

@final
class Ticket:
    """A submitted frame's future; its result is collected once."""

    def ready(self) -> bool: ...
    def wait(self, timeout_ms: int = -1) -> list[_Array]: ...

@final
class Pipeline:
    """Frames through worker threads that own runners."""

    def __init__(
        self,
        model: _Path,
        declarations: list[dict[str, Any]],
        result: str,
        device: DeviceOptions,
        workers: int,
        queue_size: int,
        device_timeout_ms: int,
        pin_to: list[int],
    ) -> None: ...
    def submit(
        self, images: tuple[Any, ...], spacing_mm: Any = None, statistics: Any = None, timeout_ms: int = -1
    ) -> Ticket: ...
    def done(self) -> int: ...
    def wait_past(self, seen: int, timeout_ms: int = -1) -> bool: ...
    def drain(self, timeout_ms: int = -1) -> None: ...
    def close(self, finish: bool = True, timeout_ms: int = -1) -> None: ...
    @property
    def inputs(self) -> list[TensorInfo]: ...
    @property
    def results(self) -> list[TensorInfo]: ...
    @property
    def in_flight_limit(self) -> int: ...
    def stats(self) -> PipelineStats: ...
    def reset_stats(self) -> None: ...

def vart_installation() -> tuple[str, str, bool]: ...
def simd_target() -> str:
    """Name the vector instructions that the kernels take on this processor, as Highway does."""

def usable_cores(root: _Path = "/") -> int:
    """Count the CPU cores that this process may use: its affinity, and the quotas of its control groups."""

def default_workers(device: DeviceOptions) -> int: ...
def read_xmodel(path: _Path, any_family: bool = False) -> dict[str, Any]: ...
def write_xmodel(graph: dict[str, Any], path: _Path) -> None: ...
def decode_instructions(code: bytes, version: int) -> list[tuple[str, dict[str, int], int, int, int]]:
    """Decode mc_code to (name, fields, dpdon, dpdby, offset)."""

def encode_instructions(instructions: Sequence[tuple[str, Mapping[str, int], int, int]], version: int) -> bytes:
    """Encode (name, fields, dpdon, dpdby); a field left out takes its smallest value."""

def instruction_formats(version: int) -> list[dict[str, Any]]:
    """List the words and fields of each instruction of a version of the instruction set."""

def dpu_machine(fingerprint: int, dpu_name: str = "") -> dict[str, Any]:
    """Read size and banks of a DPU from its fingerprint."""

def run_instructions(
    code: bytes, fingerprint: int, registers: Mapping[int, bytes], dpu_name: str = ""
) -> dict[int, bytes]:
    """Run mc_code on copies of the registers' contents; return these."""

def check_instructions(
    code: bytes,
    fingerprint: int,
    dpu_name: str = "",
    register_bytes: Mapping[int, int] = {},
    order: bool = True,
    tokens: bool = True,
    unwritten: bool = True,
    most_findings: int = 100,
) -> dict[str, Any]:
    """Check mc_code without running it."""

def instruction_sources(code: bytes, fingerprint: int, dpu_name: str = "") -> list[list[int]]:
    """Find, for each instruction, the earlier ones that wrote the rows that it reads."""

def volume_statistics(declaration: dict[str, Any], slices: Iterable[_Image]) -> _Statistics: ...

@final
class Preprocess:
    """Executes the steps of a Preprocessing."""

    def __init__(self, declaration: dict[str, Any]) -> None: ...
    def output_shape(self, image: _Image, spacing_mm: _Spacing = None) -> tuple[int, int, int]: ...
    def run(
        self,
        image: _Image,
        fix_point: int,
        destination: _Array,
        *,
        spacing_mm: _Spacing = None,
        statistics: _Statistics | None = None,
    ) -> None: ...

@final
class Postprocess:
    """Reduces a network's output: classes, probabilities, real values."""

    def __init__(self, kind: str, like: _Array, fix_point: int | None = None) -> None: ...
    @property
    def result(self) -> TensorInfo: ...
    def run(self, output: _Array, result: _Array) -> None: ...
