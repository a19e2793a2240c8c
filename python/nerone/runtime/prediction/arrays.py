"""Arrays straight through a network: for vectors, comparison and debugging."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.bundle.writing import check_not_read, write_error
from nerone.errors import ConfigurationError, DtypeError, ShapeError
from nerone.runtime.model import Model

__all__ = ["run_raw"]


def run_raw(path: str | Path, source: str | Path, target: str | Path, *, device: str = "softdpu") -> NDArray[Any]:
    """Run the array of a .npy file through a network and save what comes out.

    Parameters
    ----------
    path : xmodel or bundle
    source : .npy of shape (N, H, W, C). int8 values are the DPU's integers: they go through the first DPU subgraph and
        come out as its int8 output. float32 values are real: they go through the whole model.
    target : .npy to write

    Raises
    ------
    ConfigurationError, ShapeError, DtypeError, ModelError
        one sentence with what is wrong.
    """
    model_path = Bundle.open(path).host_model_path if Path(path).is_dir() else Path(path)
    check_not_read(Path(target), [Path(source), model_path])
    images = _load(Path(source))
    if images.dtype == np.int8:
        run: Any = Model.load(model_path, device=device, until="dpu").run
    else:
        run = Model.load(model_path, device=device).run
    results = [np.asarray(run(image[np.newaxis])) for image in images]
    result = np.concatenate(results)
    _save(Path(target), result)
    return result


def _load(path: Path) -> NDArray[Any]:
    if not path.is_file():
        raise ConfigurationError(f"there is no array '{path}'; check the path")
    try:
        images: NDArray[Any] = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ConfigurationError(f"'{path}' is no .npy array ({error}); save one with numpy.save") from error
    if not isinstance(images, np.ndarray):
        raise ConfigurationError(f"'{path}' holds several arrays; save one with numpy.save")
    if images.dtype not in (np.int8, np.float32):
        raise DtypeError(f"'{path}' is {images.dtype}; expected int8 or float32: convert with .astype")
    if images.ndim < 1 or images.shape[0] == 0:
        raise ShapeError(f"'{path}' has shape {images.shape}; expected (N, H, W, C) with at least one image")
    return np.ascontiguousarray(images)


def _save(path: Path, result: NDArray[Any]) -> None:
    data = io.BytesIO()
    np.save(data, result)
    try:
        path.write_bytes(data.getvalue())
    except OSError as error:
        raise write_error(path, error) from error
