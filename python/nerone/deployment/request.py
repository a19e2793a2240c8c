"""Settings of a deployment, nested, so that each part travels whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Union

from nerone.compat import dataclass
from nerone.errors import check_whole
from nerone.quantization.methods import Method
from nerone.quantization.metrics import Metric
from nerone.quantization.options import QuantizeOptions
from nerone.quantization.ptq.post_training import Strategy
from nerone.quantization.quantize import Backend
from nerone.quantization.vendor.quantizer import VendorQuantizer
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.presets import Preset

__all__ = ["CalibrationDraw", "ClassTargets", "Quantization", "Request", "Surroundings"]

ClassTargets = Mapping[Union[str, int], float]


@dataclass(frozen=True, kw_only=True)
class CalibrationDraw:
    """The draw of calibration images from a source.

    Attributes
    ----------
    images : int, how many at most; 200 where None
    seed : int, of the draw
    class_shares : wanted share (0 to 1) of images that contain a class, by its name or number
    class_factors : factor by which the natural share of a class is raised or lowered

    Raises
    ------
    ConfigurationError
        If the seed is no whole number, 0 or more.
    """

    images: int | None = None
    seed: int = 0
    class_shares: ClassTargets = field(default_factory=dict)
    class_factors: ClassTargets = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_whole("seed", self.seed, 0)


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """How a trained network is quantized; the names are those of `nerone.quantize`.

    Attributes
    ----------
    validation, labelled : labelled images as `calibration_sampling.labelled_arrays` takes them, or None
    metric : "dice", "accuracy" or a function; by default what fits the network
    draw : CalibrationDraw
    """

    method: Method = "ptq"
    strategy: Strategy = "default"
    backend: Backend = "native"
    vendor: VendorQuantizer | None = None
    options: QuantizeOptions = field(default_factory=QuantizeOptions)
    max_drop: float | None = None
    validation: Any = None
    labelled: Any = None
    metric: str | Metric | None = None
    draw: CalibrationDraw = field(default_factory=CalibrationDraw)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The surroundings of a network, as far as they were given.

    Attributes
    ----------
    preset : Preset or its name
    preprocessing : Preprocessing in place of the preset's, or the JSON file or bundle that has one
    orientation : of the slices that the network was trained on, such as "RAS"
    class_names : in place of the preset's, class 0 first
    input_shape : (H, W, C), where the model leaves sizes open
    """

    preset: str | Preset | None = None
    preprocessing: Preprocessing | str | Path | None = None
    orientation: str | None = None
    class_names: Sequence[str] | None = None
    input_shape: tuple[int, int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """Everything that turns a trained model into a quantized one.

    Attributes
    ----------
    calibration : source of images as `calibration_sampling.draw` takes it; None for a model that is quantized
    surroundings : Surroundings
    quantization : Quantization
    """

    calibration: Any = None
    surroundings: Surroundings = field(default_factory=Surroundings)
    quantization: Quantization = field(default_factory=Quantization)
