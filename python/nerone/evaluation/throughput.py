"""Rows of Table I that this machine can measure: software DPU, simulated boards, TensorFlow on CPU and GPU; and results
that were brought from boards.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerone import _core
from nerone.bundle.bundle import Bundle
from nerone.compilation.board_time import board_time_of
from nerone.dpu.boards import BOARDS
from nerone.errors import ConfigurationError
from nerone.evaluation.bench import BenchReport, bench
from nerone.evaluation.intervals import Summary
from nerone.evaluation.meters import Meter, NvmlMeter
from nerone.evaluation.paper import BOARD_NAMES, TITLES
from nerone.evaluation.power import open_meter
from nerone.evaluation.settings import Settings
from nerone.evaluation.speed import Speed, float_speed, integer_speed
from nerone.files import short_text

__all__ = [
    "ALONE",
    "FLOAT",
    "GPU",
    "INTEGER",
    "PYNQ",
    "WHOLE",
    "Measured",
    "board_results",
    "measure_network",
    "measure_published",
    "measure_task",
]

INTEGER = "VART, INT8"
PYNQ = "PYNQ-DPU, INT8"
FLOAT = "TensorFlow, FP32"
GPU = "TensorFlow, FP32 on GPU"
WHOLE, ALONE = "image to mask", "network alone"
_NAMES = {"vart": INTEGER, "pynq": PYNQ, "keras": FLOAT}

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Measured:
    """One row: a backend on a device.

    Attributes
    ----------
    backend, device : str, in words; the device of a simulated board says "simulated"
    what : "image to mask", preprocessing and reduction included, or "network alone"
    fps : Summary over independent runs
    watts, efficiency : Summary or None, images per second per watt (the paper's equation 1); None without a sensor
    board : str, of the board table, where the row is a board's, real or simulated
    """

    backend: str
    device: str
    what: str
    fps: Summary
    watts: Summary | None = None
    efficiency: Summary | None = None
    board: str = ""

    @property
    def simulated(self) -> bool:
        """Whether the row is of a board in time only."""
        return "simulated" in self.device


def _rows(report: BenchReport, device: str, board: str = "") -> list[Measured]:
    return [
        Measured(_NAMES[row.backend], device, WHOLE, row.fps, row.watts, row.efficiency, board) for row in report.rows
    ]


def _alone(backend: str, device: str, speed: Speed) -> Measured:
    return Measured(backend, device, ALONE, speed.fps, speed.watts, speed.efficiency)


def measure_network(xmodel: Path, settings: Settings) -> Measured:
    """Measure a compiled network alone on one thread of the software DPU."""
    meter = open_meter(settings.power)
    speed = integer_speed(xmodel, seconds=settings.seconds, runs=settings.runs, meter=meter)
    return _alone(INTEGER, "software DPU, 1 thread", speed)


def measure_published(bundle: Bundle, xmodel: Path, scans: Path, settings: Settings) -> list[Measured]:
    """Measure a published model on the software DPU and on the simulated ZCU104, and time its instructions.

    Parameters
    ----------
    bundle : Bundle, of the model
    xmodel : compiled for the ZCU104
    scans : frames; they are held in memory while timing

    Returns
    -------
    The rows; the instructions' is left out where the file has none for the ZCU104's DPU.
    """
    options: dict[str, Any] = {"runs": settings.runs, "seconds": settings.seconds}
    board, title = "zcu104", BOARD_NAMES["zcu104"]
    report = bench(bundle, scans, backends=("vart",), device=f"{board}-sim", meter=None, **options)
    rows = _rows(report, f"{title} (simulated)", board)
    timed = board_time_of(_core.read_xmodel(str(xmodel)), BOARDS[board])
    if timed is not None:
        device = f"{title} (simulated, timing of the instructions)"
        rows.append(Measured(INTEGER, device, ALONE, Summary(timed.fps, float("nan"), 1), board=board))
    return [*rows, measure_network(xmodel, settings)]


def measure_task(
    bundle: Bundle, scans: Path, settings: Settings, *, trained: Any = None, progress: Progress | None = None
) -> list[Measured]:
    """Measure a bundle on the software DPU and on the simulated boards, and the trained network by TensorFlow.

    Parameters
    ----------
    bundle : Bundle
    scans : frames; they are held in memory while timing
    settings : Settings
    trained : Keras model that the bundle was made from, or None
    progress : called with ("measuring speed", done, total)
    """
    meter, total = open_meter(settings.power), len(BOARD_NAMES) + 1
    rows: list[Measured] = []
    cores = f"this machine's CPU, {os.cpu_count()} cores"
    backends = ("vart", "pynq", "keras") if trained is not None else ("vart", "pynq")
    options: dict[str, Any] = {"runs": settings.runs, "seconds": settings.seconds}
    report = bench(bundle, scans, backends=backends, meter=meter, baseline=trained, **options)
    rows += [row for row in _rows(report, f"software DPU, {cores}") if row.backend != FLOAT]
    rows += [row for row in _rows(report, cores) if row.backend == FLOAT]
    for number, (board, title) in enumerate(BOARD_NAMES.items(), 1):
        if progress is not None:
            progress("measuring speed", number, total)
        # The power of this machine is not a board's, so no meter is read.
        report = bench(bundle, scans, backends=("vart", "pynq"), device=f"{board}-sim", meter=None, **options)
        rows += _rows(report, f"{title} (simulated)", board)
    rows.append(measure_network(bundle.host_model_path, settings))
    if trained is not None:
        rows += _float_rows(trained, settings, meter, cores)
    if progress is not None:
        progress("measuring speed", total, total)
    return rows


def _float_rows(trained: Any, settings: Settings, meter: Meter | None, cores: str) -> list[Measured]:
    import tensorflow as tf

    with tf.device("/CPU:0"):
        speed = float_speed(trained, seconds=settings.seconds, runs=settings.runs, meter=meter)
    rows = [_alone(FLOAT, cores, speed)]
    for gpu in tf.config.list_physical_devices("GPU")[:1]:
        name = tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        with tf.device("/GPU:0"):
            speed = float_speed(trained, seconds=settings.seconds, runs=settings.runs, meter=NvmlMeter.find())
        rows.append(_alone(GPU, str(name), speed))
    return rows


def board_results(folder: Path | None) -> dict[tuple[str, str], list[Measured]]:
    """Read what ``nerone bench --device board --json`` wrote on boards: files TASK-BOARD.json.

    Returns
    -------
    mapping of (task, board) to its rows

    Raises
    ------
    ConfigurationError
        If a file has another name or content, or is a simulation.
    """
    found: dict[tuple[str, str], list[Measured]] = {}
    for path in sorted(folder.glob("*.json")) if folder is not None else ():
        task, _, board = path.stem.rpartition("-")
        if task not in TITLES or board not in BOARD_NAMES:
            raise ConfigurationError(f"'{path}' is no result of a board; expected TASK-BOARD.json, ct-org-zcu104.json")
        try:
            reports = json.loads(short_text(path))
            rows = [_from_json(row, board) for report in reports for row in report["rows"]]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigurationError(
                f"'{path}' cannot be read as the output of nerone bench --json ({error!r}); measure again"
            ) from error
        if any(row.simulated for row in rows):
            raise ConfigurationError(f"'{path}' is of a simulated board; measure with --device board on the board")
        found[task, board] = rows
    return found


def _from_json(row: dict[str, Any], board: str) -> Measured:
    simulated = " (simulated)" if "simulated" in row["device"] or row["device"] != "board" else ""
    values = (_summary(row.get(name)) for name in ("fps", "watts", "efficiency"))
    fps, watts, efficiency = values
    if fps is None:
        raise ValueError("a row has no FPS")
    return Measured(_NAMES[row["backend"]], f"{BOARD_NAMES[board]}{simulated}", WHOLE, fps, watts, efficiency, board)


def _summary(values: dict[str, Any] | None) -> Summary | None:
    if values is None:
        return None
    deviation = values["deviation"]
    return Summary(float(values["mean"]), float("nan" if deviation is None else deviation), int(values["count"]))
