"""The vendor's compiled files beside what NERONE's own compiler makes of the same op graphs.

The op graph of a compiled file with the constants of its registers in their declared form is a lowered graph, so that
each sample is compiled again. Run by itself it writes the tables of docs/boards.md; cycles are simulated.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerone import _core
from nerone.compilation.emit.compile import emit_graph
from nerone.compilation.emit.machine import machine_of
from nerone.compilation.emit.prove import prove
from nerone.instructions import programs_of
from nerone.instructions.timing import simulate
from nerone.instructions.work import work_of

__all__ = ["EXPLAINED", "Figures", "Pair", "attributes", "compare", "figures_of", "lowered_again", "pair_of"]

_TENSOR = ("fix_point", "bit_width", "if_signed", "round_mode")
_OWN = ("device", "workload")
"""Attributes of a DPU subgraph that a lowered graph has; all others come from the compiler."""

EXPLAINED = {
    "mc_code": "the instructions are ours",
    "reg_id_to_parameter_value": "weights in our order, and constants that our tasks add",
    "reg_id_to_size": "REG_0 and REG_1 follow our layout; the vendor leaves up to a line of pixels behind inputs",
    "dpu_name": "the vendor's later versions append the fingerprint; the runtime compares the fingerprint",
    "debug_mode": "the vendor writes `function` or `null` by its own options; ours is `null`",
    "if_prefetch": "the vendor's is true in three small files, whose preload code is empty all the same",
    "workload_on_arch": "an estimate; the vendor's counts copies and first layers otherwise, and 1.4 leaves it out",
}
"""Why an attribute of a DPU subgraph may differ from the vendor's; all others are equal."""


@dataclass(frozen=True)
class Pair:
    """A vendor's graph, ours of the same ops, and how long ours took.

    Attributes
    ----------
    vendor, own : as `nerone._core.read_xmodel` gives them
    compile_s, prove_s : float, seconds
    """

    vendor: Mapping[str, Any]
    own: Mapping[str, Any]
    compile_s: float
    prove_s: float


@dataclass(frozen=True)
class Figures:
    """What a file takes, all DPU subgraphs together; two cores at 300 MHz, simulated."""

    image_us: float
    instructions: int
    moved_bytes: int
    workspace_bytes: int


def lowered_again(path: Path) -> dict[str, Any]:
    """Return the op graph of a compiled file with its constants, and nothing of what the vendor's compiler added."""
    graph, constants = _core.read_xmodel(path), _core.XmodelFile(path).constants()
    ops = []
    for op in graph["ops"]:
        tensor = {key: value for key, value in op["output"]["attrs"].items() if key in _TENSOR}
        attrs = dict(op["attrs"])
        if op["name"] in constants:
            attrs["data"], fix_point = constants[op["name"]]
            tensor |= {} if fix_point is None else {"fix_point": fix_point}
        ops.append({**op, "attrs": attrs, "output": {**op["output"], "attrs": tensor}})
    children = [
        _stripped(child) if child["attrs"].get("device") == "DPU" else child for child in graph["root"]["children"]
    ]
    return {**graph, "ops": ops, "root": {**graph["root"], "children": children}}


def _stripped(child: Mapping[str, Any]) -> dict[str, Any]:
    attrs = {key: value for key, value in child["attrs"].items() if key in _OWN}
    inner = [{**part, "attrs": {"workload": part["attrs"].get("workload", 0)}} for part in child["children"]]
    attrs["children_topological_sort"] = [part["name"] for part in inner]
    return {**child, "attrs": attrs, "children": inner}


def pair_of(path: Path, *, is_proved: bool = True) -> Pair:
    """Compile a sample again, and prove it."""
    vendor = _core.read_xmodel(path)
    first = next(child for child in vendor["root"]["children"] if child["attrs"].get("mc_code"))
    graph = lowered_again(path)
    before = time.perf_counter()
    own, _ = emit_graph(graph, machine_of(int(first["attrs"]["dpu_fingerprint"])))
    compiled = time.perf_counter()
    if is_proved:
        prove(own)
    return Pair(vendor, own, compiled - before, time.perf_counter() - compiled)


def figures_of(graph: Mapping[str, Any]) -> Figures:
    """Return what a compiled graph takes."""
    image_us = instructions = moved = workspace = 0.0
    for program in programs_of(graph):
        works = work_of(program)
        image_us += simulate(works, clock_mhz=300.0, memory_gb_s=19.2, cores=2).image_us
        instructions += len(works)
        moved += sum(work.moved_bytes for work in works)
        workspace += program.register_bytes.get(1, 0)
    return Figures(image_us, int(instructions), int(moved), int(workspace))


def attributes(graph: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the attributes of each DPU subgraph."""
    return [child["attrs"] for child in graph["root"]["children"] if child["attrs"].get("device") == "DPU"]


def compare(pair: Pair) -> dict[str, str]:
    """Return "equal", "differs", "only the vendor's" or "only ours" for each attribute of the DPU subgraphs."""
    found: dict[str, str] = {}
    for theirs, ours in zip(attributes(pair.vendor), attributes(pair.own), strict=True):
        for key in sorted({*theirs, *ours}):
            if key not in ours or key not in theirs:
                state = "only ours" if key in ours else "only the vendor's"
            else:
                state = "equal" if theirs[key] == ours[key] else "differs"
            if found.get(key, "equal") == "equal":
                found[key] = state
    return found


def _files(folder: Path) -> Iterator[Path]:
    for part in ("compiled", "models"):
        yield from sorted((folder / part).glob("*.xmodel"))


def main(folder: Path, words: list[str]) -> None:
    """Write both tables."""
    states: dict[str, dict[str, list[str]]] = {}
    print(
        "| file | ours, us an image | the vendor's | speed | instructions | MB moved | MB workspace | compile | proof |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for path in _files(folder):
        if words and not any(word in path.stem for word in words):
            continue
        pair = pair_of(path)
        theirs, ours = figures_of(pair.vendor), figures_of(pair.own)
        print(
            f"| {path.stem} | {ours.image_us:.0f} | {theirs.image_us:.0f} | {theirs.image_us / ours.image_us:.2f} "
            f"| {ours.instructions} / {theirs.instructions} "
            f"| {ours.moved_bytes / 1e6:.2f} / {theirs.moved_bytes / 1e6:.2f} "
            f"| {ours.workspace_bytes / 1e6:.2f} / {theirs.workspace_bytes / 1e6:.2f} "
            f"| {pair.compile_s:.1f} s | {pair.prove_s:.1f} s |",
            flush=True,
        )
        for key, state in compare(pair).items():
            states.setdefault(key, {}).setdefault(state, []).append(path.stem)
    print("\n| attribute | in how many files | why |\n|---|---|---|")
    for key, found in sorted(states.items()):
        counts = ", ".join(f"{state} {len(names)}" for state, names in sorted(found.items()))
        print(f"| `{key}` | {counts} | {EXPLAINED.get(key, '')} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
