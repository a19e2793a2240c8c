"""The vendor's closed compiler: run it, or leave a folder that is ready for it, and check what it made."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nerone.compilation.boards import Board, find_board
from nerone.compilation.compiler import compile as compile_for_host
from nerone.compilation.export import export_quantized_xir
from nerone.errors import ConfigurationError, ModelError
from nerone.quantization.quantized import QuantizedModel

__all__ = ["VendorCompilation", "check_vendor_model", "read_arch", "vendor_compile"]

COMPILER = "vai_c_xir"
_TRIALS = 3


@dataclass(frozen=True)
class VendorCompilation:
    """What came of the vendor's compiler.

    Attributes
    ----------
    folder : Path with the quantized model, arch.json, the script, and what the compiler made
    xmodel : Path, or None where the compiler was not there: then ``script`` makes it inside the vendor's container
    script : Path
    log : str, what the compiler said
    """

    folder: Path
    xmodel: Path | None
    script: Path
    log: str = ""


def read_arch(path: str | Path) -> int | None:
    """Return the fingerprint of an arch.json; None where it names a target instead.

    Raises
    ------
    ConfigurationError
        where the file is missing or is neither ``{"fingerprint": "0x..."}`` nor ``{"target": "..."}``.
    """
    try:
        values = json.loads(Path(path).read_text("utf-8"))
        if isinstance(values, dict) and isinstance(values.get("fingerprint"), str):
            return int(values["fingerprint"], 16)
        if isinstance(values, dict) and isinstance(values.get("target"), str):
            return None
    except OSError as error:
        raise ConfigurationError(f"'{path}' cannot be read: {error.strerror}; give the board's arch.json") from error
    except ValueError as error:
        raise ConfigurationError(f"'{path}' is no arch.json ({error}); take the board's own file") from error
    raise ConfigurationError(f'\'{path}\' is no arch.json: expected {{"fingerprint": "0x..."}} or {{"target": "..."}}')


def vendor_compile(
    quantized: QuantizedModel,
    *,
    board: str,
    output: str | Path,
    name: str = "model",
    arch: str | Path | None = None,
    vitis_ai: str | None = None,
) -> VendorCompilation:
    """Compile a quantized model for a board with ``vai_c_xir`` from PATH, or leave a ready folder.

    Parameters
    ----------
    quantized : QuantizedModel
    board : str, a board of the table, not the host
    output : folder to make or fill
    name : name of the network, as the compiler's -n takes it
    arch : arch.json of the board; written from the board table where not given
    vitis_ai : version of the board's overlay, for the table

    Raises
    ------
    ConfigurationError
        for the host, an unreadable arch.json, or a compiler that fails; its last lines are in the message.
    ModelError
        where the compiled model does not compute what the host compilation computes.
    """
    target = find_board(board)
    if target.is_host:
        raise ConfigurationError("the host needs no vendor compiler; name a board: ultra96v2, kv260 or zcu104")
    fingerprint = read_arch(arch) if arch else target.fingerprint_of(vitis_ai)
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    if arch:
        shutil.copyfile(arch, folder / "arch.json")
    else:
        (folder / "arch.json").write_text(json.dumps({"fingerprint": f"0x{fingerprint:x}"}) + "\n", "utf-8")
    export_quantized_xir(quantized, folder / f"{name}_int.xmodel")
    script = _write_script(folder, name, target)
    if shutil.which(COMPILER) is None:
        return VendorCompilation(folder, None, script)
    log = _run(folder, name)
    made = folder / "compiled" / f"{name}.xmodel"
    check_vendor_model(made, quantized, fingerprint)
    return VendorCompilation(folder, made, script, log)


def _command(name: str) -> list[str]:
    return [COMPILER, "-x", f"{name}_int.xmodel", "-a", "arch.json", "-o", "compiled", "-n", name]


def _write_script(folder: Path, name: str, board: Board) -> Path:
    script = folder / "compile.sh"
    script.write_text(
        "#!/bin/sh\n"
        f"# Compiles {name} for {board.title}. Run it in the Vitis AI container of the board's version, for example\n"
        '#   docker run --rm -v "$PWD":/workspace -w /workspace xilinx/vitis-ai-cpu:latest sh compile.sh\n'
        "set -e\n"
        'cd "$(dirname "$0")"\n'
        f"{' '.join(_command(name))}\n",
        "utf-8",
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return script


def _run(folder: Path, name: str) -> str:
    done = subprocess.run(_command(name), cwd=folder, capture_output=True, text=True, check=False, env=dict(os.environ))
    log = done.stdout + done.stderr
    (folder / "compile.log").write_text(log, "utf-8")
    if done.returncode != 0 or not (folder / "compiled" / f"{name}.xmodel").is_file():
        last = " ".join(log.split()[-40:]) or "it said nothing"
        raise ConfigurationError(
            f"{COMPILER} failed with exit code {done.returncode}: {last}; the whole log is '{folder / 'compile.log'}'"
        )
    return log


def check_vendor_model(xmodel: Path, quantized: QuantizedModel, fingerprint: int | None) -> None:
    """Check that a board's xmodel is for this board and computes what the host compilation computes.

    Raises
    ------
    ModelError
        with the fingerprint that differs, the number of subgraphs, or the first op that differs.
    """
    from nerone import _core

    graph = _core.read_xmodel(str(xmodel))
    parts = [part for part in graph["root"]["children"] if part["attrs"].get("device") == "DPU"]
    if not parts:
        raise ModelError(f"'{xmodel}' has no DPU subgraph; give what the vendor's compiler made")
    found = int(parts[0]["attrs"].get("dpu_fingerprint", 0))
    if fingerprint is not None and found != fingerprint:
        raise ModelError(
            f"'{xmodel}' was compiled for fingerprint 0x{found:x}, the board has 0x{fingerprint:x}; "
            "compile it with the board's arch.json"
        )
    _compare(xmodel, graph, quantized)


def _compare(xmodel: Path, graph: Mapping[str, Any], quantized: QuantizedModel) -> None:
    import tempfile

    from nerone import _core

    with tempfile.TemporaryDirectory(prefix="nerone-") as scratch:
        own = compile_for_host(quantized, output=Path(scratch) / "host.xmodel").path
        other = _core.read_xmodel(str(own))
        mine, theirs = _run_dpu(own, other), _run_dpu(xmodel, graph)
    for trial, (expected, got) in enumerate(zip(mine, theirs, strict=True)):
        if expected.shape != got.shape or not np.array_equal(expected, got):
            raise ModelError(
                f"'{xmodel}' and the host compilation differ on random image {trial}: {_difference(other, graph)}"
            )


def _run_dpu(path: Path, graph: Mapping[str, Any]) -> list[Any]:
    from nerone import _core

    part = next(part for part in graph["root"]["children"] if part["attrs"].get("device") == "DPU")
    runner = _core.Runner(_core.XmodelFile(str(path)), part["name"], _core.DeviceOptions())
    rng = np.random.default_rng(0)
    results = []
    for _ in range(_TRIALS):
        images = [rng.integers(-128, 128, tuple(info.shape), np.int8) for info in runner.inputs]
        outputs = [np.zeros(tuple(info.shape), np.int8) for info in runner.outputs]
        runner.finish(runner.start_on(images, outputs))
        results.append(outputs[0].reshape(-1))
    return results


def _difference(own: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Name the first computing op, in order, whose kind, shape or fix point differs."""

    def computing(graph: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        kinds = ("conv2d-fix", "pool-fix", "eltwise-fix", "concat-fix", "upsample-fix")
        return [op for op in graph["ops"] if op["type"].endswith(kinds)]

    for mine, theirs in zip(computing(own), computing(other), strict=False):
        for what in ("type", "shape", "fix_point"):
            first, second = _fact(mine, what), _fact(theirs, what)
            if first != second:
                return f"{what} of op '{mine['name']}' is {first}, of '{theirs['name']}' {second}"
    return "ops and fix points are alike, so the weights or the padding differ"


def _fact(op: Mapping[str, Any], what: str) -> Any:
    if what == "type":
        return op["type"]
    return op["output"]["shape"] if what == "shape" else op["output"]["attrs"].get("fix_point")
