"""Scores a bundle on labelled data, beside the FP32 network it was made from where that is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Union

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.data import bccd, brats, prostate_3t
from nerone.data.geometry import GeometryNotes
from nerone.data.labelled import LabelledFrame, LabelledFrames, labelled_frames
from nerone.data.prepared import prepared_frames
from nerone.data.reading import nothing_left
from nerone.data.value_range import ValueNotes
from nerone.errors import ConfigurationError
from nerone.evaluation.float_model import float_model
from nerone.evaluation.metrics import ClassificationCounts, SegmentationCounts
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.presets import PRESETS

__all__ = [
    "Evaluation",
    "KerasNetwork",
    "Network",
    "Scored",
    "XmodelNetwork",
    "evaluate",
    "evaluate_bundle",
]

Counts = Union[SegmentationCounts, ClassificationCounts]
Progress = Callable[[str, int, int], None]


class Network(Protocol):
    """Something that turns prepared images into scores."""

    def scores(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (..., classes) scores of one prepared image (H, W, C)."""


class XmodelNetwork:
    """A compiled network on a device; see `nerone.Model.load`."""

    def __init__(self, path: Path, *, device: str = "softdpu") -> None:
        from nerone.runtime.model import Model

        self._model = Model.load(path, device=device)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(H, W, C)."""
        return self._model.inputs[0].shape[1:]

    @property
    def fix_point(self) -> int:
        """Fractional bits of the int8 input; 0 where the input is float."""
        return self._model.inputs[0].fix_point or 0

    def scores(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the network's output for one prepared image."""
        output = self._model.run(np.ascontiguousarray(values[np.newaxis], np.float32))
        return np.asarray(output[0], np.float32)


class KerasNetwork:
    """A trained model, run in float32 by TensorFlow.

    Parameters
    ----------
    model : path of a .keras, .h5, .onnx or .pt2 file, or a Keras model
    """

    def __init__(self, model: Any) -> None:
        if isinstance(model, (str, Path)):
            if not Path(model).is_file():
                raise ConfigurationError(f"there is no model '{model}'; check the path")
            self._predict = float_model(model)
        else:
            self._predict = model.predict_on_batch

    def scores(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the network's output for one prepared image; one sigmoid channel p as the two classes 1 - p and p."""
        output = np.asarray(self._predict(values[np.newaxis])[0], np.float32)
        return np.concatenate([1 - output, output], -1) if output.shape[-1] == 1 else output


@dataclass(frozen=True)
class Scored:
    """One labelled frame with what the networks said of it, on the grid of the network's input.

    Attributes
    ----------
    frame : LabelledFrame
    values : (H, W, C) float32, the prepared image
    truth : (H, W) uint8 class ids, or int
    classes : mapping of network name to (H, W) uint8 or int
    """

    frame: LabelledFrame
    values: NDArray[np.float32]
    truth: Any
    classes: dict[str, Any]


@dataclass
class Evaluation:
    """Scores of several networks on the same frames.

    Attributes
    ----------
    class_names : class 0 first
    counts : per network
    agreement : per network after the first, share of pixels or images in which it equals the first
    frames : int
    skipped : (path, why) of what could not be used
    notes : (path, sentence) of volumes that lie unusually: oblique, not axial, pixels not square
    """

    class_names: tuple[str, ...]
    counts: dict[str, Counts]
    frames: int = 0
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[tuple[Path, str]] = field(default_factory=list)
    _equal: dict[str, list[float]] = field(default_factory=dict)
    _images: dict[Path, list[int]] = field(default_factory=dict)

    @property
    def cases(self) -> dict[Path, dict[str, SegmentationCounts]]:
        """Counts per network of each volume, series or picture alone; of classifications there are none."""
        counts = {name: one for name, one in self.counts.items() if isinstance(one, SegmentationCounts)}
        return {
            case: {name: one.of(images) for name, one in counts.items()}
            for case, images in self._images.items()
            if counts
        }

    @property
    def agreement(self) -> dict[str, float]:
        """Share of pixels or images in which each network equals the first one."""
        return {name: float(np.mean(values)) for name, values in self._equal.items() if values}

    def add(self, scored: Scored) -> None:
        """Count one frame."""
        self._images.setdefault(scored.frame.frame.source, []).append(self.frames)
        self.frames += 1
        first, *_ = scored.classes
        for name, classes in scored.classes.items():
            counts = self.counts[name]
            if isinstance(counts, ClassificationCounts):
                counts.add(classes, scored.truth, _original(scored.frame, self.class_names))
            else:
                counts.add(classes, scored.truth)
                regions = _REGIONS.get(self.class_names)
                if regions is not None:
                    counts.add_regions(regions(classes), regions(scored.truth))
            if name != first:
                equal = np.asarray(classes) == np.asarray(scored.classes[first])
                self._equal.setdefault(name, []).append(float(np.mean(equal)))


def _whole_prostate(classes: NDArray[np.uint8]) -> dict[str, NDArray[np.bool_]]:
    return {"whole prostate": classes > 0}


# Unions of classes that are scored beside them.
_REGIONS: dict[tuple[str, ...], Callable[[NDArray[np.uint8]], dict[str, NDArray[np.bool_]]]] = {
    brats.CLASSES: brats.regions,
    prostate_3t.CLASSES: _whole_prostate,
}


def _original(frame: LabelledFrame, class_names: tuple[str, ...]) -> str:
    """Return what a picture was made from: blood cells are copied under their original's number."""
    source = frame.frame.source
    if class_names == bccd.CLASSES and any(letter.isdigit() for letter in source.stem):
        return f"{frame.truth} {bccd.original_number(source)}"
    return f"{source}:{frame.frame.index}"


def evaluate(
    networks: dict[str, Network],
    data: Path | str | Iterable[LabelledFrame],
    steps: Preprocessing,
    class_names: tuple[str, ...],
    *,
    segmentation: bool = True,
    covers: Sequence[int] = (),
    values_of_calibration: Mapping[str, Any] | None = None,
    skip_bad: bool = False,
    seen: Callable[[Scored], None] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Score networks on labelled data, on the grid of their input, as the paper does.

    Parameters
    ----------
    networks : by name; the first one is what the others are compared with
    data : folder as of :func:`nerone.data.labelled_frames`, or labelled frames
    steps : Preprocessing of the networks
    class_names : class 0 first
    segmentation : bool, masks or one class per image
    covers : (rows, columns) in the middle of the input that the outputs cover; all of it where empty
    values_of_calibration : what `Bundle.calibration_values` gives, for a note on scans of another modality or scale
    skip_bad : leave out what is damaged or has no labels, and list it
    seen : called with every frame, for pictures and masks
    progress : called with ("evaluating", done, total)

    Raises
    ------
    ConfigurationError
        If nothing has labels, or a label is no class of the network.
    """
    found = _turned(data, steps, skip_bad)
    total = len(found) if isinstance(found, Sized) else 0
    make = SegmentationCounts if segmentation else ClassificationCounts
    result = Evaluation(class_names, {name: make(len(class_names)) for name in networks})
    unfit: list[tuple[Path, str]] | None = [] if skip_bad else None
    geometry, unusual = GeometryNotes(), ValueNotes(values_of_calibration, steps)
    for frame, values, truth in prepared_frames(found, steps, class_names, covers=covers, skipped=unfit):
        classes = {name: network.scores(values).argmax(-1) for name, network in networks.items()}
        classes = {
            name: ids.astype(np.uint8) if segmentation else int(np.ravel(ids)[0]) for name, ids in classes.items()
        }
        scored = Scored(frame, values, truth, classes)
        result.add(scored)
        geometry.add(frame.frame)
        unusual.add(frame.frame)
        if seen is not None:
            seen(scored)
        if progress is not None:
            progress("evaluating", result.frames, max(total, result.frames))
    result.skipped = [*getattr(found, "skipped", []), *(unfit or [])]
    if not result.frames:
        raise ConfigurationError(nothing_left("no labelled frame was left to evaluate", result.skipped))
    result.notes = [*geometry.notes, *unusual.all_notes()]
    return result


def _turned(
    data: Path | str | Iterable[LabelledFrame], steps: Preprocessing, skip_bad: bool
) -> Iterable[LabelledFrame]:
    """Return labelled frames that lie as the network was trained on."""
    if isinstance(data, (str, Path)):
        return labelled_frames(data, skip_bad=skip_bad, steps=steps)
    return data.turned(steps) if isinstance(data, LabelledFrames) else data


class _WholeTruth(Iterable[LabelledFrame]):
    """Labelled frames whose classes from 1 are one."""

    def __init__(self, found: Iterable[LabelledFrame]) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found) if isinstance(self._found, Sized) else 0

    @property
    def skipped(self) -> list[tuple[Path, str]]:
        return list(getattr(self._found, "skipped", []))

    def __iter__(self) -> Iterator[LabelledFrame]:
        for item in self._found:
            whole = item.truth if isinstance(item.truth, str) else np.minimum(item.truth, 1)
            yield LabelledFrame(item.frame, whole)


def _tells_the_whole_only(bundle: Bundle) -> bool:
    known = PRESETS.get(bundle.preset)
    return (
        known is not None
        and known.output == "segmentation"
        and len(bundle.output.class_names) == 2 < len(known.class_names)
    )


def evaluate_bundle(
    bundle: Bundle,
    data: Path | str | Iterable[LabelledFrame],
    *,
    baseline: Any = None,
    device: str = "softdpu",
    skip_bad: bool = False,
    seen: Callable[[Scored], None] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Score a bundle ("INT8"), and the trained model it was made from ("FP32") where that is given.

    Parameters
    ----------
    bundle : Bundle
    data : folder, or labelled frames
    baseline : path of a .keras, .h5, .onnx or .pt2 file or a Keras model, or None
    device : "softdpu" or "board"

    Where a network knows only two classes of its preset's several (the whole gland), so does the truth.

    Raises
    ------
    ConfigurationError
        As :func:`evaluate`.
    """
    board = bundle.board_model_path if device == "board" else None
    networks: dict[str, Network] = {"INT8": XmodelNetwork(board or bundle.host_model_path, device=device)}
    if baseline is not None:
        networks["FP32"] = KerasNetwork(baseline)
    found = _turned(data, bundle.preprocessing, skip_bad)
    return evaluate(
        networks,
        _WholeTruth(found) if _tells_the_whole_only(bundle) else found,
        bundle.preprocessing,
        bundle.output.class_names,
        segmentation=bundle.output.kind == "segmentation",
        covers=bundle.output.covers,
        values_of_calibration=bundle.calibration_values(),
        skip_bad=skip_bad,
        seen=seen,
        progress=progress,
    )
