"""Description of an xmodel or a bundle for `nerone inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nerone.bundle.bundle import Bundle
from nerone.compilation.inspection import inspect_xmodel

__all__ = ["describe"]


def describe(path: str | Path) -> dict[str, Any]:
    """Describe an xmodel file or a bundle as JSON-ready values.

    Returns
    -------
    dict with "model", and for a bundle "bundle" and "report"; layers on the CPU carry the compiler's reason

    Raises
    ------
    ConfigurationError, ModelError
        where the file cannot be used.
    """
    place = Path(path)
    if not place.is_dir():
        return {"model": inspect_xmodel(place)}
    bundle = Bundle.open(place)
    report = bundle.report()
    model = inspect_xmodel(bundle.host_model_path)
    reasons = _reasons(report)
    for row in model["on_cpu"]:
        row["reason"] = reasons.get(row["op"], row["reason"])
    described: dict[str, Any] = {"bundle": _bundle(bundle), "model": model, "report": report}
    if bundle.board_model_path is not None:
        described["board_model"] = inspect_xmodel(bundle.board_model_path)
    return described


def _reasons(report: dict[str, Any]) -> dict[str, str]:
    rows = report.get("compilation", {}).get("layers", [])
    conversions = ("_fix2float", "_float2fix")
    return {
        op: row["reason"]
        for row in rows
        if row.get("device") == "CPU"
        for op in row.get("xir_ops", [])
        if not op.endswith(conversions)
    }


def _bundle(bundle: Bundle) -> dict[str, Any]:
    return {
        "path": str(bundle.path),
        "name": bundle.name,
        "board": bundle.board,
        "preset": bundle.preset,
        "runs": "host compilation on the software DPU; board compilation on the board"
        if bundle.board_model
        else "host compilation on the software DPU",
        "preprocessing": [step.kind for step in bundle.preprocessing.steps],
        "orientation": bundle.preprocessing.orientation or "not declared: volumes as stored",
        "output": bundle.output.kind,
        "class_names": list(bundle.output.class_names),
        "versions": dict(bundle.versions),
    }
