"""Settings of ``nerone reproduce``: data, weights, published models, and how much of everything."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from nerone.data.check import data_kind
from nerone.data.phantom_sets import write_phantoms
from nerone.data.sources import find_sources
from nerone.errors import ConfigurationError, Error, check_real, check_whole
from nerone.zoo.training import TrainingOptions

__all__ = ["Settings", "find_data", "phantom_folder"]

TRAINING_SEED, TEST_SEED = 1_000, 90_000
_KINDS = {"CT-ORG": "ct-org", "BraTS": "brats", "Prostate-3T": "prostate", "BCCD": "bccd"}


@dataclass(frozen=True)
class Settings:
    """How much is done.

    Attributes
    ----------
    output : folder for phantoms, networks and bundles
    data : mapping of task to a folder of real data; phantoms take its place where there is none
    weights : mapping of task to trained networks, one per seed; where there is none, the one that comes with the
        project, or one that is trained here
    published : folder with the paper's compiled models, or None
    published_only : bool, train and deploy nothing: only the paper's compiled models are scored and timed
    boards : folder with results of ``nerone bench --json`` from boards, TASK-BOARD.json, or None
    quick : bool, a few minutes in all: small phantom sets, short training of networks that do not come trained
    training : TrainingOptions of networks that do not come trained, or None for the usual ones
    runs : int, independent runs of a throughput measurement
    seconds : float, of each run
    power : str, power meter as of :func:`nerone.evaluation.power.open_meter`
    skip_bad : bool, leave out files that are damaged or have no labels, and count them

    Raises
    ------
    ConfigurationError
        If a number cannot be, before any work.
    """

    output: Path
    data: dict[str, Path] = field(default_factory=dict)
    weights: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    published: Path | None = None
    published_only: bool = False
    boards: Path | None = None
    quick: bool = False
    training: TrainingOptions | None = None
    runs: int = 5
    seconds: float = 1.0
    power: str = "auto"
    skip_bad: bool = False

    def __post_init__(self) -> None:
        check_whole("runs", self.runs, 1, 10_000)
        check_real("seconds", self.seconds, 1e-3, 86400)

    def training_of(self, task: str) -> TrainingOptions:
        """Return the options for a network that is trained here."""
        if self.training is not None:
            return self.training
        from nerone._core import usable_cores

        threads = usable_cores()
        if self.quick:
            steps = 40 if task == "prostate" else 25
            return TrainingOptions(epochs=3, steps=steps, batch_size=4, last_rate=1e-4, threads=threads)
        return TrainingOptions(threads=threads)

    @property
    def compared_frames(self) -> int | None:
        """How many frames are sent through every path; None for all."""
        return 24 if self.quick else None


def phantom_folder(settings: Settings, task: str, part: str) -> Path:
    """Return the folder of a task's phantoms, "training" or "test"; they are drawn where they are not there yet."""
    folder = settings.output / "phantoms" / f"{task}-{part}"
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    training = part == "training"
    count = {"bccd": 40 if training else 15}.get(task, (6 if settings.quick else 24) if training else 2)
    slices = {"ct-org": 24, "brats": 24, "prostate": 12, "bccd": 1}[task]
    write_phantoms(task, folder, count=count, seed=TRAINING_SEED if training else TEST_SEED, slices=slices)
    return folder


def find_data(folder: Path | str) -> dict[str, Path]:
    """Tell the tasks of the data sets that lie in a folder, one in each subfolder, or in the folder itself.

    Returns
    -------
    dict of task to folder; folders that hold no data set of the four tasks are left out

    Raises
    ------
    ConfigurationError
        If there is none at all, or two of one task.
    """
    root = Path(folder)
    places = [place for place in sorted(root.iterdir()) if place.is_dir()] if root.is_dir() else []
    found = _tasks(places) or _tasks([root])
    if not found:
        raise ConfigurationError(
            f"'{folder}' holds no data set of the four tasks; nerone data check says what is there"
        )
    return found


def _tasks(places: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for place in places:
        try:
            sources, _ = find_sources(place, skip_bad=True)
        except Error:
            continue
        task = _KINDS.get(data_kind(sources, place))
        if task in found:
            raise ConfigurationError(f"'{found[task]}' and '{place}' are both data of {task}; name one with --{task}")
        if task is not None:
            found[task] = place
    return found
