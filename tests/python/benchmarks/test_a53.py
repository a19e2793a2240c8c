"""The estimate of what a frame costs the boards' Cortex-A53: its counts, its cycles and its table."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from paths import REPOSITORY

LOG = """\
----------------
IN: first
0x00400a00:  91000400  add      x0, x0, #1
0x00400a04:  d503201f  nop

Trace 0: 0x7f0 [00000000/0000000000400a00/00000000/ff000000] first
----------------
IN: second
0x00400b00:  d65f03c0  ret

Trace 0: 0x7f1 [00000000/0000000000400b00/00000000/ff000000] second
a line of the program's own: 0x00400c00:  d503201f  nop
"""
AGAIN = "Trace 0: 0x7f0 [00000000/0000000000400a00/00000000/ff000000] first\n"


@pytest.fixture(scope="module")
def estimate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("a53_estimate", REPOSITORY / "benchmarks" / "a53" / "estimate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_log_gives_entries_and_instructions(estimate: ModuleType) -> None:
    blocks: dict[int, list[str]] = {}
    counts = estimate.read_log((LOG + 2 * AGAIN).splitlines(keepends=True), blocks)
    assert counts == {(0x400A00, "first"): 3, (0x400B00, "second"): 1}
    assert blocks == {0x400A00: ["91000400", "d503201f"], 0x400B00: ["d65f03c0"]}


def test_a_frame_costs_what_further_frames_add(
    estimate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log").write_text(LOG)
    (tmp_path / "again").write_text(AGAIN)
    qemu = tmp_path / "qemu-aarch64-static"
    # The third word behind the program is the number of frames: each enters the first block three times.
    qemu.write_text(
        "#!/bin/sh\nwhile [ $1 != program ]; do shift; done\n"
        f"cat {tmp_path}/log >&2; for i in $(seq $((3 * $4))); do cat {tmp_path}/again >&2; done\n"
    )
    qemu.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(estimate, "block_cycles", lambda blocks: dict.fromkeys(blocks, 1.5))
    for stage in ("preprocess", "pipeline"):
        cost = estimate.stage_cost(Path("program"), stage, tmp_path, estimate.TASKS[0])
        assert cost.instructions == 6
        assert cost.cycles == 4.5
        assert cost.functions == {"first": 4.5}


def test_a_run_that_fails_is_named(estimate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    qemu = tmp_path / "qemu-aarch64-static"
    qemu.write_text("#!/bin/sh\nexit 3\n")
    qemu.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(SystemExit, match="ended with 3"):
        estimate.executions(Path("program"), "preprocess", tmp_path, estimate.TASKS[0], 1, {})


def test_cycles_are_of_a_core_in_order(estimate: ModuleType) -> None:
    for program in ("llvm-mc", "llvm-mca"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian's package llvm)")
    in_turn = ["4e21d400"] * 4  # fadd v0.4s, v0.4s, v1.4s
    apart = ["4e21d400", "4e21d442", "4e21d484", "4e21d4c6"]
    cycles = estimate.block_cycles({0x1000: in_turn, 0x2000: apart, 0x3000: ["91000400"], 0x4000: ["d65f03c0"]})
    assert cycles[0x1000] >= 3 * cycles[0x3000]
    assert cycles[0x1000] >= 2 * cycles[0x2000]
    assert 0 < cycles[0x4000] < 3


def test_the_table_is_cycles_at_the_clock_and_the_rate(estimate: ModuleType) -> None:
    task = estimate.TASKS[0]
    rows = [
        (task, "preprocess", estimate.Cost(1000.4, 1_200_000, {})),
        (task, "postprocess", estimate.Cost(2000, 600_000, {})),
    ]
    lines = [line for line in estimate.table(rows).splitlines() if "preprocess" in line or "postprocess" in line]
    assert lines[0].endswith("| preprocess | 1,000 | 1,200,000 | 1.000 | 0.34 |")
    assert lines[1].endswith("| postprocess | 2,000 | 600,000 | 0.500 | 0.17 |")
    assert "|  | all, 335 frames/s | 3,000 | 1,800,000 | 1.500 | 0.50 |" in estimate.table(rows).splitlines()


def test_the_table_of_the_page_adds_up(estimate: ModuleType) -> None:
    text = (REPOSITORY / "docs" / "boards.md").read_text()
    for task in estimate.TASKS:
        start = text.index(f"| {task.preset}, {task.note} | preprocess |")
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text[start:].splitlines()[:4]]
        assert [row[1] for row in rows[:3]] == ["preprocess", "postprocess", "pipeline"]
        assert rows[3][1] == f"all, {task.fps:.0f} frames/s"
        for column in (2, 3):
            numbers = [int(row[column].replace(",", "")) for row in rows]
            assert abs(numbers[3] - sum(numbers[:3])) <= 2
        for row in rows:
            seconds = int(row[3].replace(",", "")) / estimate.CLOCK_HZ
            assert float(row[4]) == pytest.approx(1e3 * seconds, abs=6e-4)
            assert float(row[5]) == pytest.approx(seconds * task.fps, abs=6e-3)
