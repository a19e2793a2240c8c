#!/usr/bin/env python3
"""What a board's Cortex-A53 spends on each frame besides the DPU, estimated without a board.

    make arm64
    .venv/bin/python benchmarks/a53/estimate.py [--program build/arm64/benchmarks/a53/a53_stages] [--json FILE]

Method. qemu executes a53_stages for two numbers of frames and logs each block of instructions that it enters; the
difference of the two runs is what further frames cost. Instructions are counted exactly. Cycles are the executions of
each block times the cycles that llvm-mca gives a block that follows itself on its model of the Cortex-A53: in order,
two instructions at a time, every load a hit in the first-level cache, every branch predicted. Not counted: cache
misses, the kernel (futex, VART's driver), VART itself.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerone.runtime.presets import preset

ROOT = Path(__file__).resolve().parents[2]
SYSROOT = ROOT / "build/arm64-sysroot"
CLOCK_HZ = 1.2e9  # ZCU104: the quad-core A53 of the XCZU7EV
CORES = 4
FEW, MORE = 1, 2
PIPELINE_FRAMES = 100
COVERED = 0.999  # of the executed instructions; the rest is taken at the mean of these


@dataclass(frozen=True)
class Task:
    """A preset's frame on a ZCU104: its stored image, the network's output, and frames per second of two DPU cores.

    CT-ORG's rate is the paper's Table I. The others are two cores over the time of the vendor's xmodel by the timing
    model of `nerone.instructions`, which docs/boards.md lists.
    """

    preset: str
    image: str
    output: str
    spacing_mm: float
    fps: float
    note: str


TASKS = (
    Task("ct-org", "512x512x1", "256x256x6", 0.0, 335.4, "slices on the network's spacing"),
    Task("ct-org", "512x512x1", "256x256x6", 0.78, 335.4, "slices of 0.78 mm, resampled"),
    Task("brats", "240x240x4", "240x240x4", 0.0, 2e6 / 5630, "four contrasts"),
    Task("prostate-3t", "320x320x1", "256x256x3", 0.6, 2e6 / 2301, "slices of 0.6 mm, resampled"),
    Task("bccd", "240x320x3", "1x1x4", 0.0, 2e6 / 2842, "pictures of the network's size"),
)


@dataclass
class Cost:
    """Of one frame: instructions and cycles, and the cycles by function."""

    instructions: float
    cycles: float
    functions: dict[str, float]


def main() -> None:
    """Measure each stage and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--program", type=Path, default=ROOT / "build/arm64/benchmarks/a53/a53_stages")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if not arguments.program.is_file():
        raise SystemExit(f"estimate.py: there is no '{arguments.program}'; make arm64 builds it")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for task in TASKS:
            bundle = _bundle(Path(scratch), task)
            for stage in ("preprocess", "postprocess", "pipeline"):
                rows.append((task, stage, stage_cost(arguments.program, stage, bundle, task)))
                print(f"{task.preset} {stage} done", file=sys.stderr)
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps([_plain(row) for row in rows], indent=1) + "\n")


def _plain(row: tuple[Task, str, Cost]) -> dict[str, Any]:
    task, stage, cost = row
    return {**task.__dict__, "stage": stage, **cost.__dict__}


def _bundle(folder: Path, task: Task) -> Path:
    """Write what a53_stages reads of a bundle; the model is never opened."""
    path = folder / f"{task.preset}.nerone"
    path.mkdir(exist_ok=True)
    known = preset(task.preset)
    output = {
        "kind": known.output,
        "class_names": list(known.class_names),
        "colours": [list(colour) for colour in known.colours],
        "label_ids": list(known.label_ids),
    }
    texts = {"name": task.preset, "board": "zcu104", "preset": task.preset, "board_model": ""}
    values = {"schema": 1, **texts, "preprocessing": known.preprocessing.to_dict(), "output": output}
    (path / "bundle.json").write_text(json.dumps(values))
    (path / "model.xmodel").touch()
    return path


def stage_cost(program: Path, stage: str, bundle: Path, task: Task) -> Cost:
    """Return what one more frame costs."""
    scale = PIPELINE_FRAMES if stage == "pipeline" else 1
    blocks: dict[int, list[str]] = {}
    few, more = (executions(program, stage, bundle, task, n * scale, blocks) for n in (FEW, MORE))
    extra = (MORE - FEW) * scale
    per_frame = {place: (more[place] - few[place]) / extra for place in more if more[place] > few[place]}
    cycles = block_cycles({place[0]: blocks[place[0]] for place in _covering(per_frame, blocks)})
    instructions = sum(count * len(blocks[place[0]]) for place, count in per_frame.items())
    known = {place: count for place, count in per_frame.items() if place[0] in cycles}
    known_instructions = sum(count * len(blocks[place[0]]) for place, count in known.items())
    functions: Counter[str] = Counter()
    for place, count in known.items():
        functions[place[1]] += count * cycles[place[0]]
    total = sum(functions.values()) * (instructions / known_instructions)
    return Cost(instructions, total, dict(functions.most_common(6)))


def _covering(per_frame: dict[tuple[int, str], float], blocks: dict[int, list[str]]) -> list[tuple[int, str]]:
    weights = {place: count * len(blocks[place[0]]) for place, count in per_frame.items()}
    chosen, done, whole = [], 0.0, sum(weights.values())
    for place in sorted(weights, key=lambda one: -weights[one]):
        chosen.append(place)
        done += weights[place]
        if done >= COVERED * whole:
            break
    return chosen


def executions(
    program: Path, stage: str, bundle: Path, task: Task, frames: int, blocks: dict[int, list[str]]
) -> Counter[tuple[int, str]]:
    """Run a stage and count how often each (block's address, function) is entered; add the blocks' instructions."""
    command = [
        *(
            "qemu-aarch64-static",
            "-cpu",
            "cortex-a53",
            "-L",
            str(SYSROOT),
            "-d",
            "in_asm,exec,nochain",
            "-D",
            "/dev/stderr",
            str(program),
        ),
        *(stage, str(bundle), str(frames), task.image, task.output, str(task.spacing_mm)),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace")
    assert process.stderr is not None
    counts = read_log(process.stderr, blocks)
    if process.wait() != 0:
        raise SystemExit(f"estimate.py: '{' '.join(command)}' ended with {process.returncode}")
    return counts


_ENTERED = re.compile(r"Trace \d+: 0x[0-9a-f]+ \[[0-9a-f]+/([0-9a-f]+)/[0-9a-f]+/[0-9a-f]+\] ?(.*)")
_INSTRUCTION = re.compile(r"0x([0-9a-f]+):  ([0-9a-f]{8}) ")


def read_log(lines: Iterable[str], blocks: dict[int, list[str]]) -> Counter[tuple[int, str]]:
    """Count how often qemu's log enters each (block's address, function); add the blocks' instructions."""
    counts: Counter[tuple[int, str]] = Counter()
    block: list[str] | None = None
    for line in lines:
        if found := _ENTERED.match(line):
            counts[int(found[1], 16), found[2]] += 1
        elif line.startswith("IN:"):
            block = []
        elif block is not None and (found := _INSTRUCTION.match(line)):
            if not block:
                blocks[int(found[1], 16)] = block
            block.append(found[2])
        else:
            block = None
    return counts


def block_cycles(blocks: dict[int, list[str]]) -> dict[int, float]:
    """Return llvm-mca's cycles of each block that follows itself."""
    rounds = 100
    words = "\n".join(
        " ".join(f"0x{word[i : i + 2]}" for i in (6, 4, 2, 0)) for block in blocks.values() for word in block
    )
    disassembled = _run(["llvm-mc", "--disassemble", "--triple=aarch64", "--mattr=+v8a,+crc,+crypto"], words)
    lines = [line for line in disassembled.splitlines() if line.startswith("\t") and not line.startswith("\t.")]
    if len(lines) != sum(map(len, blocks.values())):
        raise SystemExit("estimate.py: llvm-mc did not disassemble every instruction")
    text, at = [], 0
    for address, block in blocks.items():
        text.append(f"# LLVM-MCA-BEGIN {address:x}")
        # A call or a return would end the analysis; here it is a branch like another.
        text += [re.sub(r"^\t(bl|b|blr|br|ret)\b.*", "\tb #8", line) for line in lines[at : at + len(block)]]
        text.append(f"# LLVM-MCA-END {address:x}")
        at += len(block)
    options = ["--mtriple=aarch64", "-mcpu=cortex-a53", f"--iterations={rounds}", "--instruction-info=false"]
    said = _run(["llvm-mca", *options, "--resource-pressure=false"], "\n".join(text) + "\n")
    found = re.findall(r"\[\d+\] Code Region - ([0-9a-f]+).*?Total Cycles: +(\d+)", said, re.DOTALL)
    return {int(address, 16): int(cycles) / rounds for address, cycles in found}


def _run(command: list[str], given: str) -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"estimate.py: {command[0]} failed: {done.stderr.strip().splitlines()[:1]}")
    return done.stdout


def table(rows: list[tuple[Task, str, Cost]]) -> str:
    """Return Markdown: a line per stage, and per task the cores that all of it needs."""
    lines = [
        "| task | stage | instructions a frame | cycles a frame | ms a frame | cores at the DPU's rate |",
        "|---|---|---|---|---|---|",
    ]
    for task in dict.fromkeys(known for known, _, _ in rows):
        mine = [(stage, cost) for known, stage, cost in rows if known == task]
        for stage, cost in mine:
            lines.append(_line(f"{task.preset}, {task.note}", stage, cost.instructions, cost.cycles, task.fps))
        instructions, cycles = (sum(getattr(cost, name) for _, cost in mine) for name in ("instructions", "cycles"))
        lines.append(_line("", f"all, {task.fps:.0f} frames/s", instructions, cycles, task.fps))
    return "\n".join(lines)


def _line(task: str, stage: str, instructions: float, cycles: float, fps: float) -> str:
    seconds = cycles / CLOCK_HZ
    return f"| {task} | {stage} | {instructions:,.0f} | {cycles:,.0f} | {1e3 * seconds:.3f} | {seconds * fps:.2f} |"


if __name__ == "__main__":
    main()
