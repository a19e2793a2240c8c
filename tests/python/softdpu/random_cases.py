"""Random cases in the schema of ../../data/ops.json: single ops with all their attributes, and small networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from softdpu.case_builder import CONVOLUTIONS, Array, Builder, Rng

SINGLE_OPS = [
    *CONVOLUTIONS,
    "conv2d-fix",
    "conv2d-fix",
    "pool-fix",
    "pool-fix",
    "eltwise-fix",
    "concat-fix",
    "upsample-fix",
    "downsample-fix",
    "pad-fix",
    "tile-fix",
    "tile-fix",
    "reduction_max",
    "reshape-fix",
    "hard-sigmoid-fix",
    "float2fix",
    "fix",
    "fix2float",
]


def random_op(rng: Rng, number: int) -> tuple[dict[str, Any], dict[str, Array]]:
    """One op on random tensors."""
    build = Builder(rng, number)
    kind = build.choose(SINGLE_OPS)
    shape = build.shape()
    match kind:
        case "float2fix" | "fix" | "fix2float":
            build.crossing(kind)
        case "eltwise-fix":
            what = build.choose(["ADD", "ADD", "MUL"])
            others = [shape] * build.pick(1, 2)
            if build.pick(0, 3) == 0:  # XIR broadcasts one of two
                others = [build.choose([[1, 1, 1, shape[3]], [1, *shape[1:3], 1], [1, 1, 1, 1], [1, 1, *shape[2:]]])]
            sources = [build.input(shape), *(build.either(given) for given in others)]
            build.eltwise(sources, what)
        case "concat-fix":
            axis = build.pick(1, 3)
            shapes = [[build.pick(1, 20) if i == axis else extent for i, extent in enumerate(shape)] for _ in range(3)]
            build.concat(
                [build.input(shapes[0]), *(build.either(given) for given in shapes[1 : build.pick(1, 3)])], axis
            )
        case "pool-fix":
            build.pool(build.input(shape))
        case "upsample-fix":
            build.upsample(build.input(shape))
        case "downsample-fix":
            build.downsample(build.input(shape))
        case "pad-fix":
            build.pad(build.input(shape))
        case "tile-fix":
            step = build.pick(1, 3)
            rows, columns, channels = (build.pick(1, 5) for _ in range(3))
            if build.pick(0, 1):
                build.tile(build.input([1, rows, columns, channels * step**2]))
            else:
                build.tile(build.input([1, rows * step, columns * step, channels]))
        case "reduction_max":
            build.reduction_max(build.input(shape))
        case "reshape-fix":
            build.copy(build.input(shape), kind)
        case "hard-sigmoid-fix":
            build.hard_sigmoid(build.input(shape))
        case _:
            build.convolution(build.input(shape), kind)
    return build.case(), build.arrays


def random_graph(rng: Rng, number: int) -> tuple[dict[str, Any], dict[str, Array]]:
    """A network of 3 to 14 ops with branches that meet again, ops read twice, and several outputs."""
    build = Builder(rng, number)
    shape = [1, build.pick(2, 16), build.choose([build.pick(2, 20), 16, 32]), build.choose([1, 3, 4, 8, 16])]
    live = [build.copy(build.input(shape), "upload") if build.pick(0, 1) else build.input(shape)]
    if build.pick(0, 2) == 0:
        live.append(build.input(shape))
    for _ in range(build.pick(3, 14)):
        source = live[-1] if build.pick(0, 2) else build.choose(live)
        alike = [name for name in live if build.shapes[name] == build.shapes[source]]
        joinable = [name for name in live if build.shapes[name][:3] == build.shapes[source][:3]]
        small = np.prod(build.shapes[source]) < 20_000
        match build.pick(0, 11):
            case 0 | 1 | 2 | 3:
                made = build.convolution(source, "conv2d-fix", build.choose([4, 8, 16, 32, 5]))
            case 4:
                made = build.convolution(source, build.choose(CONVOLUTIONS[1:] if small else CONVOLUTIONS[1:2]))
            case 5:
                made = build.pool(source)
            case 6 if small:
                made = build.upsample(source)
            case 7 | 8 if len(joinable) > 1:
                made = build.concat([source, build.choose(joinable)], 3)
            case 9 | 10:
                made = build.eltwise([source, build.choose(alike)], "ADD")
            case _:
                made = build.copy(source, build.choose(["download", "reshape-fix", "upload"]))
        live.append(made)
    build.copy(live[-1], "download")
    return build.case(), build.arrays


def unread(case: dict[str, Any]) -> list[str]:
    """The ops that no other op reads: the case's outputs."""
    read = {name for node in case["nodes"] for names in node["inputs"].values() for name in names}
    return [node["name"] for node in case["nodes"] if node["kind"] == "op" and node["name"] not in read]
