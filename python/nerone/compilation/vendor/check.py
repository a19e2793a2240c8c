"""Checks that an xmodel of the vendor's compiler is for this board and equals the host compilation."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerone.compat import zip
from nerone.compilation.compiler import CompiledModel
from nerone.compilation.compiler import compile as compile_for_host
from nerone.compilation.vendor.arch import Arch
from nerone.compilation.vendor.constants import read_declared, with_rescaled_biases
from nerone.compilation.vendor.difference import first_difference, op_pairs
from nerone.compilation.vendor.run import Feed, paired, random_feeds, run_model
from nerone.compilation.verify import require_equal
from nerone.errors import ConfigurationError, ModelError
from nerone.quantization.model import QuantizedModel

__all__ = ["VendorCheck", "check_vendor_model"]


@dataclass(frozen=True)
class VendorCheck:
    """Facts of an xmodel that equals the host compilation.

    Attributes
    ----------
    fingerprint : int, of its DPU subgraphs
    dpu_subgraphs, host_dpu_subgraphs : int, in this file and in the host compilation
    images : int, on how many images the results were compared, bit for bit
    rescaled : tuple of str, convolutions whose bias the vendor's compiler had to round to the fix point of their sum
    """

    fingerprint: int
    dpu_subgraphs: int
    host_dpu_subgraphs: int
    images: int
    rescaled: tuple[str, ...] = ()

    def notes(self) -> tuple[str, ...]:
        """Return one sentence for each thing worth knowing."""
        notes = []
        if self.dpu_subgraphs != self.host_dpu_subgraphs:
            notes.append(
                f"the vendor's compiler made {self.dpu_subgraphs} DPU subgraphs, the host compilation has "
                f"{self.host_dpu_subgraphs}; each further one costs a round trip between DPU and CPU"
            )
        if self.rescaled:
            notes.append(
                f"the vendor's compiler rounded the biases of {', '.join(self.rescaled)}, which are finer than the "
                "sums that they are added to; the software DPU adds them unrounded until it runs the vendor's file"
            )
        return tuple(notes)


def check_vendor_model(
    xmodel: Path,
    quantized: QuantizedModel,
    fingerprint: int | None,
    *,
    board: str = "host",
    vitis_ai: str | None = None,
    target: str = "",
    images: Sequence[Sequence[Feed]] = (),
    title: str = "",
) -> VendorCheck:
    """Check an xmodel that the vendor's compiler made of a quantized model.

    Parameters
    ----------
    fingerprint : of the board's DPU; None where it is not known
    board, vitis_ai : whose limits the host compilation respects
    target : name of the DPU in arch.json, where it has no fingerprint
    images : each one `Feed` per input of the model; random ones are taken in any case
    title : what to call the file in messages; its path where not given

    Raises
    ------
    ConfigurationError
        where there is no such file.
    ModelError
        with the fingerprint that differs, the lack of a DPU subgraph, or the first layer that differs and by how much,
        in the op graph or in the instructions.
    """
    from nerone import _core

    if not xmodel.is_file():
        raise ConfigurationError(f"there is no xmodel '{xmodel}'; check the path")
    name = title or f"'{xmodel}'"
    parts = _dpu_parts(_core.read_xmodel(str(xmodel)))
    if not parts:
        raise ModelError(f"{name} has no DPU subgraph; give what the vendor's compiler made")
    found = _check_dpu(name, parts, Arch(fingerprint, target))
    with tempfile.TemporaryDirectory(prefix="nerone-") as scratch:
        own = compile_for_host(quantized, board=board, output=Path(scratch) / "host.xmodel", vitis_ai=vitis_ai)
        count, rescaled = _compare(name, xmodel, own, images)
        host_parts = len(_dpu_parts(_core.read_xmodel(str(own.path))))
    require_equal(xmodel, name)
    return VendorCheck(found, len(parts), host_parts, count, rescaled)


def _dpu_parts(graph: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [part for part in graph["root"]["children"] if part["attrs"].get("device") == "DPU"]


def _check_dpu(title: str, parts: Sequence[Mapping[str, Any]], arch: Arch) -> int:
    for part in parts:
        found = int(part["attrs"].get("dpu_fingerprint", 0))
        if arch.fingerprint is not None and found != arch.fingerprint:
            raise ModelError(
                f"{title} was compiled for fingerprint 0x{found:x}, the board has 0x{arch.fingerprint:x}; "
                "compile it with the board's arch.json"
            )
        dpu = str(part["attrs"].get("dpu_name", ""))
        if arch.target and not (dpu and (arch.target.startswith(dpu) or dpu.startswith(arch.target))):
            raise ModelError(
                f"{title} was compiled for the DPU '{dpu}', arch.json names '{arch.target}'; compile it with the "
                "board's arch.json"
            )
    return int(parts[0]["attrs"].get("dpu_fingerprint", 0))


def _compare(
    title: str, xmodel: Path, own: CompiledModel, images: Sequence[Sequence[Feed]]
) -> tuple[int, tuple[str, ...]]:
    """Run both files on the given and on random images; return on how many they agreed, and the rounded biases."""
    from nerone import _core

    made = read_declared(xmodel)
    graph = read_declared(own.path)
    graph, rescaled = with_rescaled_biases(graph, made, op_pairs(graph, made))
    if rescaled:
        _core.write_xmodel(graph, str(own.path))
    until_dpu = False
    try:
        theirs = _core.Model(str(xmodel), _core.DeviceOptions())
    except ModelError:
        # A CPU subgraph with an op of the vendor's own: what the DPU computes can be compared all the same.
        until_dpu = True
        theirs = _core.Model(str(xmodel), _core.DeviceOptions(), until_dpu)
    mine = _core.Model(str(own.path), _core.DeviceOptions(), until_dpu)
    _check_interface(title, mine, theirs)
    trials = [*images, *random_feeds(mine.inputs)]
    for number, feeds in enumerate(trials):
        expected, results = run_model(mine, feeds), run_model(theirs, feeds)
        got = paired(list(expected), results)
        if any(first.tobytes() != second.tobytes() for first, second in zip(expected.values(), got, strict=True)):
            rows = [row for row in own.report["layers"] if not row["fused_into"]]
            layers = {op: str(row["layer"]) for row in rows for op in row["xir_ops"]}
            kind = f"image {number}" if number < len(images) else f"random image {number - len(images)}"
            raise ModelError(
                f"{title} and the host compilation differ on {kind}: {first_difference(graph, made, layers, feeds)}"
            )
    return len(trials), rescaled


def _check_interface(title: str, mine: Any, theirs: Any) -> None:
    for what in ("inputs", "outputs"):
        own = {info.name: info for info in getattr(mine, what)}
        other = {info.name: info for info in getattr(theirs, what)}
        found = paired(list(own), other)
        sizes = [[math.prod(info.shape) for info in infos] for infos in (found, own.values())]
        if sizes[0] != sizes[1]:
            shapes = [[tuple(info.shape) for info in infos.values()] for infos in (other, own)]
            raise ModelError(
                f"{title} has {what} of shapes {shapes[0]}, the model {shapes[1]}; it was made of another model"
            )
        for info, expected in zip(found, own.values(), strict=True):
            known = None not in (info.fix_point, expected.fix_point)
            if what == "inputs" and known and info.fix_point != expected.fix_point:
                raise ModelError(
                    f"input '{info.name}' of {title} has fix point {info.fix_point}, the model's has "
                    f"{expected.fix_point}; it was made of another quantization"
                )
