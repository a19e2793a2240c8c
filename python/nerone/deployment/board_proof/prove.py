"""`nerone board prove`: the trials one after the other, each in a process with a time limit, and a report of them."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from nerone import _core
from nerone.compilation.compiler import lower_to_xir
from nerone.compilation.emit.compile import emit_graph
from nerone.compilation.emit.machine import Machine, machine_of, machine_of_target
from nerone.compilation.emit.prove import prove
from nerone.compilation.vendor.arch import Arch, arch_for
from nerone.deployment.board_proof.trials import TRIALS, Trial
from nerone.dpu.boards import Board, find_board
from nerone.dpu.fingerprints import fingerprint_text
from nerone.errors import ConfigurationError
from nerone.runtime.model import Model

__all__ = ["prove_board"]

TIME_LIMIT_S = 20.0


def prove_board(
    board: str,
    *,
    device: str = "board",
    vitis_ai: str | None = None,
    arch: str | Path | None = None,
    only: Sequence[str] = (),
    time_limit_s: float = TIME_LIMIT_S,
    progress: Callable[[Mapping[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Run tiny streams on a board's DPU and compare what comes out with the op graph.

    The trials that change tokens stand last; after one that does not come back, none is started: the DPU may hang.

    Parameters
    ----------
    board : a board of the table
    device : "board", or "softdpu", which runs the op graphs of the files and so tries everything but the DPU
    vitis_ai, arch : version of the overlay, or the board's own arch.json
    only : names of trials; all where not given
    time_limit_s : of each trial
    progress : called with each trial's result

    Returns
    -------
    dict, JSON-ready: "nerone", "machine", "board", "dpu", "fingerprint", "device" and "trials", each with "name",
    "question", "outcome" (equal, different, failed, hung, not tried), "instructions", and what was measured

    Raises
    ------
    ConfigurationError
        for an unknown board or trial, the host, or a time limit that cannot be.
    """
    target = find_board(board)
    if target.is_host:
        raise ConfigurationError("the host has no DPU to prove; name a board: ultra96v2, kv260 or zcu104")
    if not 0 < time_limit_s <= 3600:
        raise ConfigurationError(f"a time limit of {time_limit_s:g} s cannot be; give 1 to 3600 seconds")
    known = {trial.name for trial in TRIALS}
    unknown = [name for name in only if name not in known]
    if unknown:
        raise ConfigurationError(f"there is no trial '{unknown[0]}'; known are {', '.join(sorted(known))}")
    found: Arch = arch_for(target, arch, vitis_ai)
    machine = machine_of_target(found.target) if found.fingerprint is None else machine_of(found.fingerprint)
    results: list[dict[str, Any]] = []
    for trial in TRIALS:
        if only and trial.name not in only:
            continue
        hung = any(result["outcome"] == "hung" for result in results)
        result = {"name": trial.name, "question": trial.question}
        result |= {"outcome": "not tried"} if hung else _run(trial, machine, target, vitis_ai, device, time_limit_s)
        results.append(result)
        if progress is not None:
            progress(result)
    return {
        "nerone": version("nerone"),
        "machine": f"{platform.machine()} {platform.release()}",
        "board": target.name,
        "dpu": machine.name,
        "fingerprint": fingerprint_text(machine.fingerprint),
        "device": device,
        "trials": results,
    }


def _run(
    trial: Trial, machine: Machine, board: Board, vitis_ai: str | None, device: str, time_limit_s: float
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="nerone-") as folder:
        place = Path(folder)
        graph, _, _ = lower_to_xir(trial.model(), board, vitis_ai, uint64=_core.UInt64)
        compiled, (stream,) = emit_graph(graph, machine)
        prove(compiled)
        count = len(stream.instructions)
        if trial.change is not None:
            records = trial.change(stream.instructions, stream.tokens)
            _replace_code(compiled, _core.encode_instructions(records, machine.isa))
        path, data = place / "trial.xmodel", place / "trial.npz"
        _core.write_xmodel(compiled, str(path))
        shape = next(op["output"]["shape"] for op in compiled["ops"] if op["type"] == "data-fix")
        image = np.random.default_rng(5).integers(-128, 128, shape).astype(np.int8)
        with Model.load(path, kernels="portable", until="dpu") as model:
            np.savez(data, image=image, expected=model.run(image))
        return {"instructions": count, **_in_child(path, data, device, trial.repeats, time_limit_s)}


def _replace_code(graph: Mapping[str, Any], code: bytes) -> None:
    for child in graph["root"]["children"]:
        if child["attrs"].get("device") == "DPU":
            child["attrs"]["mc_code"] = code


def _in_child(path: Path, data: Path, device: str, repeats: int, time_limit_s: float) -> dict[str, Any]:
    words = [sys.executable, "-m", "nerone.deployment.board_proof.child", str(path), str(data), device, str(repeats)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=time_limit_s, check=False)
    except subprocess.TimeoutExpired:
        return {"outcome": "hung", "reason": f"did not finish in {time_limit_s:g} s"}
    if done.returncode == 0:
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return {"outcome": "failed", "reason": f"{how}: {lines[-1] if lines else 'it said nothing'}"}
