"""An image on its way into the network, step by step: shapes, ranges, and a picture of what the network sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.bundle.writing import replacing_file
from nerone.data.frame import Frame
from nerone.data.pictures import write_png
from nerone.data.prepared import source_statistics
from nerone.data.sources import find_sources
from nerone.data.value_range import ValueNotes
from nerone.deployment.plan import given_preprocessing
from nerone.deployment.redeploy import deployed_bundle
from nerone.errors import ConfigurationError
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.preprocessing.numpy_steps import enter, quantize, trace
from nerone.runtime.preprocessing.steps import step_to_dict
from nerone.runtime.presets import PRESETS, preset

__all__ = ["NetworkInput", "Stage", "network_input", "step_rows", "steps_of", "write_input_picture"]

_INT8 = (-128, 127)


@dataclass(frozen=True)
class Stage:
    """The image behind one step.

    Attributes
    ----------
    step : str, the step's name; "image" before the first one
    settings : str, of the step
    shape : (H, W, C)
    low, high, mean : float, of all values
    """

    step: str
    settings: str
    shape: tuple[int, ...]
    low: float
    high: float
    mean: float


@dataclass(frozen=True)
class NetworkInput:
    """An image as the network gets it, and how it came to be.

    Attributes
    ----------
    source : Path of the file, or of the folder of a series
    index : int, the slice of a volume or page of a file; None for a picture
    dtype : str, of the stored image
    stages : tuple of Stage, the stored image first
    values : (H, W, C) float32, rounded as the network's input rounds them where its fix point is known
    fix_point : int, of a bundle's input; None where it is not known or the input is float32
    saturated : float, share (0 to 1) of the values beyond what int8 holds at that fix point
    notes : one sentence each
    """

    source: Path
    index: int | None
    dtype: str
    stages: tuple[Stage, ...]
    values: NDArray[np.float32]
    fix_point: int | None = None
    saturated: float = 0.0
    notes: tuple[str, ...] = ()


def steps_of(given: str | Path) -> tuple[Preprocessing, Bundle | None]:
    """Return the preprocessing that a preset's name, a JSON file or a bundle stands for, and the bundle if it is one.

    Raises
    ------
    ConfigurationError
        It is none of them.

    Examples
    --------
    >>> steps_of("rgb-0-1")[0].input_channels
    3
    """
    if (bundle := deployed_bundle(given)) is not None:
        return bundle.preprocessing, bundle
    if str(given) not in PRESETS and Path(given).exists():
        steps = given_preprocessing(given)
        assert steps is not None
        return steps, None
    if Path(given).suffix or len(Path(given).parts) > 1:
        raise ConfigurationError(f"there is no file or bundle '{given}'; check the path, or name a preset")
    return preset(str(given)).preprocessing, None


def step_rows(steps: Preprocessing) -> list[tuple[str, str, str]]:
    """Return name, settings and meaning of each step."""
    return [(step.kind, _settings(step), (type(step).__doc__ or "").split("\n")[0]) for step in steps.steps]


def network_input(
    image: str | Path, steps: Preprocessing, *, bundle: Bundle | None = None, index: int | None = None
) -> NetworkInput:
    """Send an image through a preprocessing and record every step.

    Parameters
    ----------
    image : file or folder as of `nerone.data.frames`; the first volume or picture in it is taken
    steps : Preprocessing
    bundle : Bundle, whose input's fix point and calibration images the values are compared with
    index : int, the slice or page; of a volume the middle one where it is not given

    Raises
    ------
    ConfigurationError, ShapeError, DtypeError
        The image cannot be read, or does not fit the steps.
    """
    source = find_sources(image, steps=steps)[0][0]
    wanted = (source.count // 2 if source.grid else 0) if index is None else index
    if not 0 <= wanted < source.count:
        raise ConfigurationError(
            f"'{source.path}' has {source.count} slices or pages; {wanted} is none of 0 to {source.count - 1}"
        )
    frame = next(one for number, one in enumerate(source.read()) if number == wanted)
    values = enter(frame.image)
    stages = [_stage("image", "", values)]
    statistics = source_statistics(source, steps)
    for step, after in trace(steps, frame.image, spacing_mm=frame.spacing_mm, statistics=statistics):
        values = after
        stages.append(_stage(step.kind, _settings(step), values))
    found = NetworkInput(
        source.path, wanted if source.count > 1 else None, str(frame.image.dtype), tuple(stages), values
    )
    return found if bundle is None else _in_bundle(found, bundle, frame)


def _in_bundle(found: NetworkInput, bundle: Bundle, frame: Frame) -> NetworkInput:
    wanted, shape = bundle.input.shape[1:], found.values.shape
    if shape != wanted:
        raise ConfigurationError(f"the preprocessing makes {shape} of this image, the network expects {wanted}")
    notes = ValueNotes(bundle.calibration_values(), bundle.preprocessing)
    notes.add(replace(frame, index=0))
    said = tuple(note for _, note in notes.all_notes())
    point = bundle.input.fix_point
    if point is None:
        return replace(found, notes=said)
    real = np.floor(found.values * 2.0**point + 0.5)
    return replace(
        found,
        values=quantize(found.values, point).astype(np.float32) * np.float32(2.0**-point),
        fix_point=point,
        saturated=float(np.mean((real < _INT8[0]) | (real > _INT8[1]))),
        notes=said,
    )


def write_input_picture(path: str | Path, values: NDArray[np.float32]) -> tuple[float, float]:
    """Write (H, W, C) values as a picture: three channels as RGB, one as grey, others side by side.

    Returns
    -------
    (black, white), the values that levels 0 and 255 stand for: the lowest and the highest
    """
    place = Path(path)
    if place.suffix.lower() != ".png":
        raise ConfigurationError(f"the picture '{path}' must end in .png")
    low, high = float(values.min()), float(values.max())
    levels = np.rint((values - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
    if levels.shape[2] not in (1, 3):
        levels = np.concatenate(np.split(levels, levels.shape[2], axis=2), axis=1)
    with replacing_file(place) as partial:
        write_png(partial, levels[:, :, 0] if levels.shape[2] == 1 else levels)
    return low, high


def _stage(name: str, settings: str, values: NDArray[np.float32]) -> Stage:
    return Stage(
        name, settings, values.shape, float(values.min()), float(values.max()), float(values.mean(dtype=np.float64))
    )


def _settings(step: Any) -> str:
    values = {key: value for key, value in step_to_dict(step).items() if key != "step" and value not in (None, [])}
    return ", ".join(f"{key} {_text(value)}" for key, value in values.items())


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_text(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
