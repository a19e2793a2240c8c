"""One experiment per task of the paper: trained networks, their bundles, scores and speed, on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nerone.bundle.bundle import Bundle
from nerone.data import bccd
from nerone.data.frame import Frame
from nerone.data.labelled import LabelledFrame, labelled_frames
from nerone.data.pictures import read_picture
from nerone.deployment.make_bundle import deploy
from nerone.deployment.wrap_xmodel import wrap_compiled
from nerone.errors import ConfigurationError, Error
from nerone.evaluation.evaluate import Evaluation, Scored, evaluate_bundle
from nerone.evaluation.identity import PathsReport, compare_paths
from nerone.evaluation.paper import PublishedModel
from nerone.evaluation.settings import Settings, phantom_folder
from nerone.evaluation.throughput import Measured, measure_published, measure_task
from nerone.graph import load
from nerone.graph.trained import load_keras_model
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.presets import preset
from nerone.zoo.augment import augment_blood
from nerone.zoo.models import NETWORKS, VARIANTS
from nerone.zoo.shipped import SHIPPED, shipped_model
from nerone.zoo.tasks import train

__all__ = [
    "CALIBRATION_IMAGES",
    "BloodFrames",
    "Experiment",
    "published_file",
    "run_published",
    "run_task",
    "scored_folder",
    "scored_frames",
]

CALIBRATION_IMAGES = 128

Progress = Callable[[str, int, int], None]
Seen = Callable[[Scored], None]


@dataclass
class Experiment:
    """Measurements of one task.

    Attributes
    ----------
    task : str
    network, data : str, in words: where the network comes from, what it was scored on
    runs : one Evaluation per trained network, all on the same frames
    speeds : rows of Table I
    paths : PathsReport or None, the same scans through VART, PYNQ, C++ and numpy
    published : bool, whether the network is the paper's own
    deploy_seconds : float or None, from the trained file to the bundle; None where nothing was quantized
    """

    task: str
    network: str
    data: str
    runs: list[Evaluation]
    speeds: list[Measured] = field(default_factory=list)
    paths: PathsReport | None = None
    published: bool = False
    deploy_seconds: float | None = None

    @property
    def evaluation(self) -> Evaluation:
        """The first network's."""
        return self.runs[0]


@dataclass(frozen=True)
class _Trained:
    """Trained networks of one task, the preset that fits them, where they come from, and what training left out."""

    files: tuple[Path, ...]
    preset: str
    words: str
    skipped: tuple[tuple[Path, str], ...] = ()


def _preset_for(task: str, model: Path) -> str:
    """Return the preset of the variant whose input the network has."""
    graph = load(model)
    shape = graph[graph.inputs[0]].shape
    names = [NETWORKS[task].preset_of(variant) for variant in VARIANTS]
    return next((name for name in names if _ends_at(preset(name).preprocessing, shape)), NETWORKS[task].preset)


def _ends_at(steps: Preprocessing, shape: tuple[int, ...]) -> bool:
    return steps.output_shape(300, 300, shape[-1]) == tuple(shape)


def _trained(settings: Settings, task: str, progress: Progress | None) -> _Trained:
    given = settings.weights.get(task)
    if given:
        count = f"{len(given)} trained networks" if len(given) > 1 else "trained network"
        return _Trained(given, _preset_for(task, given[0]), f"{count} given: {', '.join(str(path) for path in given)}")
    # The blood cell network that comes trained has learned from photographs and says nothing about drawn cells.
    if task in SHIPPED and (task != "bccd" or "bccd" in settings.data):
        model = shipped_model(task)
        return _Trained((model,), _preset_for(task, model), "comes trained with NERONE")
    options = settings.training_of(task)
    real = settings.data.get(task) if task == "bccd" else None  # its train and test images are apart
    data = real or phantom_folder(settings, task, "training")
    said = None if progress is None else lambda done, total: progress(f"preparing {task}", done, total)
    skipped: list[tuple[Path, str]] | None = [] if settings.skip_bad else None
    result = train(task, data, settings.output / "networks" / task, options, skipped=skipped, progress=said)
    steps = f"{options.epochs} epochs" + (f" of {options.steps} steps" if options.steps else "")
    words = f"trained here on {'real data' if real else 'phantoms'}, {steps}, seed {options.seed}"
    return _Trained((result.model,), NETWORKS[task].preset_of(options.variant), words, tuple(skipped or ()))


class BloodFrames(Iterable[LabelledFrame]):
    """Photographs of blood cells to score on: those below a folder "test" where there is one.

    Parameters
    ----------
    copies : int, of each class by the published recipe in place of the photographs; 0 for the photographs
    seed : int, of the copies
    skip_bad : leave out files that cannot be read, and list them in ``skipped``
    """

    def __init__(self, folder: Path, *, copies: int = 0, seed: int = 0, skip_bad: bool = False) -> None:
        found = bccd.images(folder)
        self._images = [image for image in found if image.part == "test"] or found
        self._copies, self._seed, self._skip_bad = copies, seed, skip_bad
        self.skipped: list[tuple[Path, str]] = []

    def __len__(self) -> int:
        return self._copies * len(bccd.CLASSES) if self._copies else len(self._images)

    def __iter__(self) -> Iterator[LabelledFrame]:
        self.skipped.clear()
        readable = self._readable()
        return self._drawn(list(readable)) if self._copies else readable

    def _readable(self) -> Iterator[LabelledFrame]:
        for image in self._images:
            try:
                yield LabelledFrame(Frame(read_picture(image.path), image.path), image.label)
            except Error as error:
                if not self._skip_bad:
                    raise
                self.skipped.append((image.path, str(error)))

    def _drawn(self, originals: list[LabelledFrame]) -> Iterator[LabelledFrame]:
        rng = np.random.default_rng([self._seed, 0xAB])
        for name in bccd.CLASSES:
            members = [item for item in originals if item.truth == name]
            for number in range(self._copies if members else 0):
                chosen = members[number % len(members)].frame
                copy, _ = augment_blood(chosen.image.astype(np.float32), np.zeros((), np.uint8), rng)
                yield LabelledFrame(Frame(np.clip(np.rint(copy), 0, 255).astype(np.uint8), chosen.source), name)


def scored_frames(task: str, folder: Path, *, skip_bad: bool = False) -> Iterable[LabelledFrame]:
    """Return the labelled frames a task is scored on: of blood cells the folder "test" where there is one."""
    return BloodFrames(folder, skip_bad=skip_bad) if task == "bccd" else labelled_frames(folder, skip_bad=skip_bad)


def scored_folder(task: str, folder: Path) -> Path:
    """Return the part of a data set that is scored on: of blood cells the folder "test" where there is one."""
    return _part(folder, "test") if task == "bccd" else folder


def _part(folder: Path, name: str) -> Path:
    inside = [path for path in sorted(folder.rglob("*")) if path.is_dir() and path.name.lower() == name]
    return inside[0] if inside else folder


def run_task(
    task: str, settings: Settings, *, seen: Seen | None = None, progress: Progress | None = None
) -> Experiment:
    """Deploy and score the project's own networks of a task, INT8 beside FP32, and measure the first one's speed.

    Parameters
    ----------
    task : "ct-org", "brats", "prostate" or "bccd"
    settings : Settings
    seen : called with every frame of the first network
    """
    trained = _trained(settings, task, progress)
    real = settings.data.get(task)
    if task == "bccd" and real is not None:
        calibration = _part(real, "train")
    else:
        calibration = phantom_folder(settings, task, "training")
    folder = real or phantom_folder(settings, task, "test")
    words = f"real data in '{folder.name}'" if real else "phantoms"
    found = Experiment(task, trained.words, words, [])
    (settings.output / "bundles").mkdir(parents=True, exist_ok=True)
    for number, model in enumerate(trained.files):
        name = f"{task}.nerone" if number == 0 else f"{task}-{number + 1}.nerone"
        began = time.perf_counter()
        bundle = deploy(
            model,
            calibration=calibration,
            preset=trained.preset,
            output=settings.output / "bundles" / name,
            images=CALIBRATION_IMAGES,
            progress=progress,
        )
        if number == 0:
            found.deploy_seconds = time.perf_counter() - began
        frames = scored_frames(task, folder, skip_bad=settings.skip_bad)
        found.runs.append(
            evaluate_bundle(
                bundle,
                frames,
                baseline=model,
                skip_bad=settings.skip_bad,
                seen=seen if number == 0 else None,
                progress=progress,
            )
        )
    found.evaluation.skipped += trained.skipped
    first = Bundle.open(settings.output / "bundles" / f"{task}.nerone")
    scans = scored_folder(task, folder)
    found.paths = _compare(first, scans, settings, progress)
    # Speed does not depend on what the images show, and phantoms are always whole.
    steady = phantom_folder(settings, task, "test")
    loaded = load_keras_model(trained.files[0])
    found.speeds = measure_task(first, steady, settings, trained=loaded, progress=progress)
    return found


def _compare(bundle: Bundle, scans: Path, settings: Settings, progress: Progress | None) -> PathsReport:
    return compare_paths(bundle, scans, limit=settings.compared_frames, skip_bad=settings.skip_bad, progress=progress)


def published_file(names: Iterable[str], folder: Path | None) -> Path | None:
    """Return the first file of one of these names below a folder, or None."""
    if folder is None:
        return None
    for name in names:
        found = sorted(folder.rglob(name))
        if found:
            return found[0]
    return None


def run_published(
    model: PublishedModel,
    path: Path,
    settings: Settings,
    *,
    augmented: int = 0,
    seen: Seen | None = None,
    progress: Progress | None = None,
) -> Experiment:
    """Score one of the paper's compiled models as it is, with what is known of its preprocessing, and beside it the
    published float model where that is there.

    Parameters
    ----------
    augmented : int, blood cells: that many copies of each class by the published recipe, in place of the originals

    Raises
    ------
    ConfigurationError
        If there is no real data for its task: its scores on phantoms would mean nothing.
    """
    if model.task not in settings.data:
        raise ConfigurationError(f"the published {model.task} network is scored on real data only; give its folder")
    folder = settings.data[model.task]
    (settings.output / "bundles").mkdir(parents=True, exist_ok=True)
    bundle = wrap_compiled(path, preset=model.preset, output=settings.output / "bundles" / f"{path.stem}.nerone")
    if augmented:
        frames: Iterable[LabelledFrame] = BloodFrames(folder, copies=augmented, skip_bad=settings.skip_bad)
    else:
        frames = scored_frames(model.task, folder, skip_bad=settings.skip_bad)
    baseline = published_file(model.float_names, settings.published)
    evaluation = evaluate_bundle(
        bundle, frames, baseline=baseline, skip_bad=settings.skip_bad, seen=seen, progress=progress
    )
    words = f"real data in '{folder.name}'" + (f", {augmented} augmented copies of each class" if augmented else "")
    found = Experiment(model.task, f"published with the paper: {path.name}", words, [evaluation], published=True)
    if not augmented:
        steady = phantom_folder(settings, model.task, "test")
        found.speeds = measure_published(bundle, path, steady, settings)
        found.paths = _compare(bundle, scored_folder(model.task, folder), settings, progress)
    return found
