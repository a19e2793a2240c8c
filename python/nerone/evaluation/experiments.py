"""One experiment per task of the paper: a trained network, its bundle, its scores and its speed, on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nerone.data import bccd
from nerone.data.frame import Frame
from nerone.data.labelled import LabelledFrame, labelled_frames
from nerone.data.phantom_sets import write_phantoms
from nerone.data.pictures import read_picture
from nerone.deployment.bundle import Bundle
from nerone.deployment.deploy import deploy
from nerone.errors import ConfigurationError
from nerone.evaluation.evaluate import Evaluation, Scored, XmodelNetwork, evaluate, evaluate_bundle
from nerone.evaluation.paper import PublishedModel
from nerone.evaluation.power import open_meter
from nerone.evaluation.speed import Speed, float_speed, integer_speed
from nerone.runtime.presets import preset
from nerone.zoo.augment import augment_blood
from nerone.zoo.models import NETWORKS
from nerone.zoo.shipped import SHIPPED, shipped_model
from nerone.zoo.tasks import train
from nerone.zoo.training import TrainingOptions

__all__ = ["Experiment", "Settings", "augmented_blood", "published_file", "run_published", "run_task", "test_frames"]

TRAINING_SEED, TEST_SEED = 1_000, 90_000

Progress = Callable[[str, int, int], None]
Seen = Callable[[Scored], None]


@dataclass(frozen=True)
class Settings:
    """How much is done.

    Attributes
    ----------
    output : folder for phantoms, networks and bundles
    data : mapping of task to a folder of real data; phantoms take its place where there is none
    published : folder with the paper's compiled models, or None
    quick : bool, a few minutes in all: small phantom sets, short training of networks that do not come trained
    training : TrainingOptions of networks that do not come trained, or None for the usual ones
    seconds : float, of each of five runs of a throughput measurement
    power : str, power meter as of :func:`nerone.evaluation.power.open_meter`
    """

    output: Path
    data: dict[str, Path] = field(default_factory=dict)
    published: Path | None = None
    quick: bool = False
    training: TrainingOptions | None = None
    seconds: float = 1.0
    power: str = "auto"

    def training_of(self, task: str) -> TrainingOptions:
        """Return the options for a network that is trained here."""
        if self.training is not None:
            return self.training
        if self.quick:
            return TrainingOptions(epochs=3, steps=40 if task == "prostate" else 25, batch_size=4, last_rate=1e-4)
        return TrainingOptions()


@dataclass
class Experiment:
    """What was measured of one task.

    Attributes
    ----------
    task : str
    network, data : str, in words: where the network comes from, what it was scored on
    evaluation : Evaluation
    integer, floating : Speed or None, of INT8 on the software DPU and FP32 on the CPU
    """

    task: str
    network: str
    data: str
    evaluation: Evaluation
    integer: Speed | None = None
    floating: Speed | None = None


def _phantoms(settings: Settings, task: str, part: str) -> Path:
    folder = settings.output / "phantoms" / f"{task}-{part}"
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    training = part == "training"
    count = {"bccd": 40 if training else 15}.get(task, (6 if settings.quick else 24) if training else 2)
    slices = {"ct-org": 24, "brats": 24, "prostate": 12, "bccd": 1}[task]
    write_phantoms(task, folder, count=count, seed=TRAINING_SEED if training else TEST_SEED, slices=slices)
    return folder


def _trained(settings: Settings, task: str, progress: Progress | None) -> tuple[Path, str, str]:
    """Return the network's file, its variant and where it comes from."""
    if task in SHIPPED:
        return shipped_model(task), "paper", "comes trained with NERONE"
    options = settings.training_of(task)
    real = settings.data.get(task) if task == "bccd" else None  # its train and test images are apart
    data = real or _phantoms(settings, task, "training")
    said = None if progress is None else lambda done, total: progress(f"preparing {task}", done, total)
    result = train(task, data, settings.output / "networks" / task, options, progress=said)
    steps = f"{options.epochs} epochs" + (f" of {options.steps} steps" if options.steps else "")
    return (
        result.model,
        options.variant,
        f"trained here on {'real data' if real else 'phantoms'}, {steps}, seed {options.seed}",
    )


def _blood_images(folder: Path) -> list[bccd.BloodImage]:
    found = bccd.images(folder)
    return [image for image in found if image.part == "test"] or found


def test_frames(task: str, folder: Path) -> Iterator[LabelledFrame]:
    """Yield the labelled frames a task is scored on: of blood cells the folder "test" where there is one."""
    if task != "bccd":
        yield from labelled_frames(folder)
        return
    for image in _blood_images(folder):
        yield LabelledFrame(Frame(read_picture(image.path), image.path), image.label)


def augmented_blood(folder: Path, per_class: int, seed: int = 0) -> Iterator[LabelledFrame]:
    """Yield copies of the test originals by the published recipe, as many of each class."""
    images = _blood_images(folder)
    rng = np.random.default_rng([seed, 0xAB])
    for name in bccd.CLASSES:
        members = [image for image in images if image.label == name]
        for number in range(per_class if members else 0):
            image = members[number % len(members)]
            copy, _ = augment_blood(read_picture(image.path).astype(np.float32), np.zeros((), np.uint8), rng)
            yield LabelledFrame(Frame(np.clip(np.rint(copy), 0, 255).astype(np.uint8), image.path), name)


def run_task(
    task: str, settings: Settings, *, seen: Seen | None = None, progress: Progress | None = None
) -> Experiment:
    """Deploy and score the project's own network of a task, INT8 beside FP32.

    Parameters
    ----------
    task : "ct-org", "brats", "prostate" or "bccd"
    settings : Settings
    seen : called with every frame
    """
    import keras

    model, variant, source = _trained(settings, task, progress)
    network = NETWORKS[task]
    (settings.output / "bundles").mkdir(exist_ok=True)
    bundle: Bundle = deploy(
        model,
        calibration=_phantoms(settings, task, "training") if task != "bccd" else _blood_calibration(settings),
        preset=network.preset_of(variant),
        output=settings.output / "bundles" / f"{task}.nerone",
        images=128,
        progress=progress,
    )
    folder = settings.data.get(task) or _phantoms(settings, task, "test")
    words = f"real data in '{folder.name}'" if task in settings.data else "phantoms"
    evaluation = evaluate_bundle(bundle, test_frames(task, folder), baseline=model, seen=seen, progress=progress)
    found = Experiment(task, source, words, evaluation)
    meter, loaded = open_meter(settings.power), keras.models.load_model(model, compile=False)
    found.integer = integer_speed(bundle.host_model_path, seconds=settings.seconds, meter=meter)
    found.floating = float_speed(loaded, seconds=settings.seconds, meter=meter)
    return found


def _blood_calibration(settings: Settings) -> Path:
    folder = settings.data.get("bccd")
    if folder is None:
        return _phantoms(settings, "bccd", "training")
    inside = [path for path in sorted(folder.rglob("*")) if path.is_dir() and path.name.lower() == "train"]
    return inside[0] if inside else folder


def published_file(model: PublishedModel, folder: Path | None) -> Path | None:
    """Return the file of a published model below a folder, or None."""
    if folder is None:
        return None
    for name in model.names:
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
    """Score one of the paper's compiled models as it is, with what is known of its preprocessing.

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
    folder, chosen = settings.data[model.task], preset(model.preset)
    network = XmodelNetwork(path)
    height, width, _ = network.input_shape
    frames = augmented_blood(folder, augmented) if augmented else test_frames(model.task, folder)
    names = chosen.class_names
    if model.classes < len(names):  # the two-class prostate network knows the whole gland only
        names = ("background", "prostate")
        frames = (
            LabelledFrame(item.frame, np.minimum(item.truth, 1)) for item in frames if not isinstance(item.truth, str)
        )
    evaluation = evaluate(
        {"INT8": network},
        frames,
        chosen.preprocessing.with_output_size(height, width),
        names,
        segmentation=NETWORKS[model.task].segmentation,
        seen=seen,
        progress=progress,
    )
    words = f"real data in '{folder.name}'" + (f", {augmented} augmented copies a class" if augmented else "")
    speed = integer_speed(path, seconds=settings.seconds, meter=open_meter(settings.power))
    return Experiment(model.task, f"published with the paper: {path.name}", words, evaluation, speed)
