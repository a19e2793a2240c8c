"""PyTorch models, through the ONNX exporter of PyTorch."""

from __future__ import annotations

import json
import logging
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nerone.archives import DAMAGED_ZIP
from nerone.compat import zip
from nerone.errors import ConfigurationError, Error, ModelError
from nerone.graph.graph import Graph
from nerone.graph.h5_arrays import MOST_BYTES
from nerone.graph.input_shapes import InputShape
from nerone.graph.onnx_model import from_onnx
from nerone.graph.pickles import foreign_names

__all__ = ["CHECKPOINTS", "CHECKPOINT_ADVICE", "from_pt2", "from_pytorch", "is_pytorch"]

CHECKPOINTS = (".pt", ".pth", ".ckpt", ".safetensors")
CHECKPOINT_ADVICE = (
    "a PyTorch checkpoint holds numbers but no layers; load it into your module and type "
    "`model.eval()`, `program = torch.export.export(model, (torch.zeros(1, 3, 256, 256),))` and "
    "`torch.export.save(program, 'model.pt2')` with your input's size, then give model.pt2"
)
_OPSET = 18
# Functions that a program may call; torch itself would look up any other name.
_TARGET = re.compile(r"(torch\.ops\.aten\.\w+\.\w+|_operator\.\w+|math\.\w+|torch\.sym_\w+)")
_EXPRESSION = re.compile(r"[A-Za-z0-9_ +*/(),<>=-]*")


def is_pytorch(model: Any) -> bool:
    """Whether an object is a module or an exported program of PyTorch, which is imported for neither."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "nn"):
        return False
    program = getattr(getattr(torch, "export", None), "ExportedProgram", ())
    return isinstance(model, (torch.nn.Module, *([program] if program else [])))


def from_pytorch(model: Any, *, input_shape: InputShape = None) -> Graph:
    """Import a PyTorch model; images are channels last in the graph.

    Parameters
    ----------
    model : torch.nn.Module of one input, or torch.export.ExportedProgram
    input_shape : (H, W, C) of one image; needed for a module, which does not say

    Raises
    ------
    ConfigurationError
        The shape is not given, or a package is missing.
    ModelError
        PyTorch cannot export the model, or one of its nodes cannot be imported.
    """
    torch = _packages()
    if not isinstance(model, torch.nn.Module):
        return _exported(torch, model, None, input_shape)
    if input_shape is None or isinstance(input_shape, Mapping) or len(input_shape) != 3:
        raise ConfigurationError(
            "a PyTorch module does not say how large its images are; pass input_shape=(height, width, channels)"
        )
    height, width, channels = (int(size) for size in input_shape)
    training = [part for part in model.modules() if part.training]
    model.eval()
    try:
        return _exported(torch, model, (torch.zeros(1, channels, height, width),), input_shape)
    finally:
        for part in training:
            part.training = True


def from_pt2(path: str | Path, *, input_shape: InputShape = None) -> Graph:
    """Import a ``.pt2`` file of ``torch.export.save``.

    PyTorch unpickles parts of such files and evaluates expressions in them; they are read first, and refused where
    they name anything but tensors and the operators of PyTorch.

    Parameters
    ----------
    path : .pt2 file
    input_shape : (H, W, C), where the model leaves sizes open

    Raises
    ------
    ConfigurationError
        A package is missing.
    ModelError
        The file is damaged or holds code, or one of its nodes cannot be imported.
    """
    file = Path(path)
    _check_program(file)
    torch = _packages()
    try:
        with _quiet():
            program = torch.export.load(str(file))
    except Exception as error:
        raise ModelError(f"PyTorch {torch.__version__} cannot load '{file}': {_first_line(error)}") from error
    return _exported(torch, program, None, input_shape)


def _packages() -> Any:
    try:
        import onnxscript  # noqa: F401  # PyTorch's exporter needs it
        import torch
    except ImportError as error:
        raise ConfigurationError(
            f"PyTorch models need the package {error.name}; install it with pip install 'nerone[torch]'"
        ) from error
    return torch


def _exported(torch: Any, model: Any, inputs: Sequence[Any] | None, input_shape: InputShape) -> Graph:
    with tempfile.TemporaryDirectory(prefix="nerone-torch-") as folder, _quiet():
        path = Path(folder) / "model.onnx"
        try:
            program = torch.onnx.export(model, inputs or (), dynamo=True, opset_version=_OPSET, verbose=False)
            program.save(str(path))
        except Exception as error:
            raise ModelError(f"PyTorch cannot export {type(model).__name__} to ONNX: {_first_line(error)}") from error
        return from_onnx(path, input_shape=input_shape)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep PyTorch's remarks on packages that nobody asked for to itself."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.utils.flop_counter")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _check_program(file: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(item.file_size for item in archive.infolist()) > MOST_BYTES:
                raise ModelError(f"'{file}' unpacks to more than {MOST_BYTES >> 30} GiB")
            for name in archive.namelist():
                if name.endswith(".json"):
                    _check_json(json.loads(archive.read(name)), file)
                elif "/weights/" not in name:
                    _check_pickle(archive.read(name), name, file)
    except (OSError, *DAMAGED_ZIP) as error:
        if isinstance(error, Error):
            raise
        raise ModelError(f"'{file}' is no program of torch.export.save: {_first_line(error)}") from error


def _check_json(value: Any, file: Path) -> None:
    if isinstance(value, Mapping):
        target, expression = value.get("target"), value.get("expr_str")
        if isinstance(target, str) and not _TARGET.fullmatch(target):
            raise ModelError(f"'{file}' calls '{target}', expected an operator of PyTorch (aten); export it again")
        if isinstance(expression, str) and (not _EXPRESSION.fullmatch(expression) or "__" in expression):
            raise ModelError(f"'{file}' has the size '{expression[:80]}', which is no arithmetic; export it again")
        for item in value.values():
            _check_json(item, file)
    elif isinstance(value, list):
        for item in value:
            _check_json(item, file)


def _check_pickle(content: bytes, name: str, file: Path) -> None:
    odd = foreign_names(content)
    if odd:
        raise ModelError(f"'{file}' would run {odd[0]} ({name}); it is no plain program of torch.export.save")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
