"""Quantization by the vendor's vai_q_tensorflow2, in another Python interpreter or in a container, through files."""

from __future__ import annotations

import json
import logging
import shlex
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nerone.compat import dataclass
from nerone.errors import ConfigurationError, Error, ModelError, TimeoutError
from nerone.graph import Graph
from nerone.graph.keras2_h5 import write_keras2_h5
from nerone.programs import run_program
from nerone.quantization.calibration.images import CalibrationSet
from nerone.quantization.comparison import measure_output_snr_db
from nerone.quantization.model import QuantizedModel
from nerone.quantization.options import QuantizeOptions
from nerone.quantization.vendor.vai_q import load_vai_q

__all__ = ["VendorQuantizer", "quantize_with_vendor"]

_LOG = logging.getLogger("nerone.quantization")

_SCRIPT = "quantize.py"
# Lines at the end of a log that are looked through for the reason of a failure.
_TAIL = 200
_LONGEST_REASON = 500


@dataclass(frozen=True, kw_only=True)
class VendorQuantizer:
    """Where vai_q_tensorflow2 is.

    Attributes
    ----------
    python : path of a Python interpreter that has it
    command : in place of ``python``: words of a command that runs a Python script, such as that of a container;
        "{folder}" in them becomes the folder with the files, and the script's path is appended
    time_limit_s : float, it is stopped after so many seconds
    folder : existing folder for the files to exchange, where a container can see it; a temporary one where not given
    log : called with each line that it writes; they go to the log "nerone.quantization" where not given

    Examples
    --------
    >>> VendorQuantizer(command="docker run --rm -v {folder}:{folder} xilinx/vitis-ai-tensorflow2-cpu python").words
    ('docker', 'run', '--rm', '-v', '{folder}:{folder}', 'xilinx/vitis-ai-tensorflow2-cpu', 'python')
    """

    python: str | Path | None = None
    command: str | Sequence[str] | None = None
    time_limit_s: float = 3600.0
    folder: str | Path | None = None
    log: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        if (self.python is None) == (self.command is None):
            raise ConfigurationError(
                "the vendor's quantizer needs its Python interpreter or a command that runs one; give one of the two"
            )
        if not self.words:
            raise ConfigurationError("the command of the vendor's quantizer is empty; give one that runs Python")
        if not self.time_limit_s > 0:
            raise ConfigurationError(f"the time limit is {self.time_limit_s} s; give more than 0")
        if self.folder is not None and not Path(self.folder).is_dir():
            raise ConfigurationError(f"'{self.folder}' is no folder; make it first")

    @property
    def words(self) -> tuple[str, ...]:
        """The command's words, before the folder is put in."""
        if self.python is not None:
            return (str(self.python),) if str(self.python) else ()
        try:
            return tuple(shlex.split(self.command) if isinstance(self.command, str) else self.command or ())
        except ValueError as error:
            raise ConfigurationError(f"the command of the vendor's quantizer cannot be read: {error}") from error


def quantize_with_vendor(
    graph: Graph, images: CalibrationSet, options: QuantizeOptions, vendor: VendorQuantizer, *, method: str = "ptq"
) -> QuantizedModel:
    """Have the vendor's quantizer do it, and import what it returns.

    Parameters
    ----------
    graph : Graph as imported
    images : CalibrationSet for it
    options : QuantizeOptions; batch_size, equalize, equalize_steps and finetune_epochs reach the vendor's
    vendor : VendorQuantizer
    method : "ptq", or "ffq" for the vendor's fast finetuning

    Raises
    ------
    ConfigurationError
        The quantizer is missing, fails, or leaves no file.
    ModelError
        A layer cannot be given to it, or the file that it returns is not this model, quantized.
    TimeoutError
        It takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="nerone-vai_q-", dir=vendor.folder) as name:
        folder = Path(name)
        # Containers run as another user.
        folder.chmod(0o777)
        settings = _write_files(graph, images, options, method, folder)
        words = [word.replace("{folder}", name) for word in vendor.words]
        _run([*words, str(folder / _SCRIPT)], folder, vendor.time_limit_s, vendor.log or _LOG.info)
        model = _returned(graph, folder / "q_model.h5")
    compared = images.first(options.compare_images) if options.compare_images else None
    ratio_db = None if compared is None else measure_output_snr_db(model, compared, graph)
    report = {
        **model.report,
        "method": method,
        "strategy": "vitis",
        "backend": "vai_q",
        "images": len(images),
        "batch_size": options.batch_size,
        "vendor": settings["options"],
        "output_snr_db": ratio_db,
        "warnings": images.warnings(),
    }
    return replace(model, report=report)


def _write_files(
    graph: Graph, images: CalibrationSet, options: QuantizeOptions, method: str, folder: Path
) -> dict[str, Any]:
    write_keras2_h5(graph, folder / "float.h5")
    arrays: dict[str, Any] = {f"input_{i}": np.asarray(array, np.float32) for i, array in enumerate(images.arrays)}
    np.savez(folder / "calibration.npz", **arrays)
    chosen: dict[str, Any] = {"include_cle": options.equalize, "cle_steps": options.equalize_steps}
    if method == "ffq":
        chosen |= {"include_fast_ft": True, "fast_ft_epochs": options.finetune_epochs}
    settings = {"arrays": list(arrays), "calib_batch_size": options.batch_size, "options": chosen}
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")
    shutil.copyfile(Path(__file__).with_name("script.py"), folder / _SCRIPT)
    return settings


def _run(words: Sequence[str], folder: Path, time_limit_s: float, log: Callable[[str], None]) -> None:
    tail: deque[str] = deque(maxlen=_TAIL)

    def keep(line: str) -> None:
        tail.append(line)
        log(line)

    try:
        code = run_program(words, folder, time_limit_s, keep)
    except OSError as error:
        raise ConfigurationError(
            f"'{words[0]}' cannot be started: {error.strerror}; give the path of the vendor's Python, or a command"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(
            f"'{words[0]}' was stopped after {time_limit_s:g} s; give a longer time limit or fewer images"
        ) from error
    if code != 0:
        ended = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
        # Python's own errors stand last in a trace.
        reason = next((line.strip() for line in reversed(tail) if line.strip()), "it said nothing")
        raise ConfigurationError(f"'{words[0]}' {ended}: {reason[:_LONGEST_REASON]}")


def _returned(graph: Graph, file: Path) -> QuantizedModel:
    if not file.is_file():
        raise ConfigurationError("the vendor's quantizer ended without a q_model.h5; look at its log above")
    try:
        model = load_vai_q(file)
    except Error as error:
        raise ModelError(f"the vendor's quantizer returned a file that cannot be used: {error}") from error
    for what in ("inputs", "outputs"):
        expected, found = ([part[name].shape for name in getattr(part, what)] for part in (graph, model.graph))
        if expected != found:
            raise ModelError(
                f"the vendor's quantizer returned another model: its {what} have shapes {found}, expected {expected}"
            )
    return model
