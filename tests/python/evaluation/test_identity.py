"""Scans through VART and PYNQ-DPU, prepared in C++ and in numpy, for the paper's four tasks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nerone.data.phantom_sets import PHANTOM_TASKS, write_phantoms
from nerone.errors import ConfigurationError
from paths import golden, shared

pytest.importorskip("nerone._core", reason="the extension is not built")

from nerone.bundle.bundle import Bundle
from nerone.cli.main import main
from nerone.deployment import deploy
from nerone.evaluation import identity
from nerone.evaluation.identity import PathsReport, compare_paths
from nerone.zoo.models import NETWORKS
from nerone.zoo.shipped import SHIPPED, shipped_model

SCANS = {"ct-org": "ct_totalseg", "brats": "brain_tcga_lgg", "prostate": "prostate_prostatex", "bccd": "bccd"}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Bundle, Path]]:
    """A network of each task, of its true shape (untrained where none comes trained), and phantoms of the task."""
    pytest.importorskip("tensorflow", reason="the networks are made by Keras")
    made = {}
    for task in PHANTOM_TASKS:
        folder = tmp_path_factory.mktemp(task)
        write_phantoms(task, folder / "scans", count=1, seed=5, slices=3)
        variant = "published" if task == "bccd" else "paper"
        model = shipped_model(task) if task in SHIPPED else NETWORKS[task].build(variant=variant)
        bundle = deploy(
            model,
            calibration=folder / "scans",
            preset=NETWORKS[task].preset_of(variant),
            output=folder / "network.nerone",
            images=4,
        )
        made[task] = bundle, folder / "scans"
    return made


def check(found: PathsReport) -> None:
    assert found.same_input == 0, "equal inputs give equal masks"
    assert found.different_steps <= found.allowed_steps
    if found.allowed_steps == 0:
        assert found.across == 0
    assert found.across <= 1e-4 * found.pixels
    assert found.identical


@pytest.mark.parametrize("task", PHANTOM_TASKS)
def test_phantoms(bundles: dict[str, tuple[Bundle, Path]], task: str) -> None:
    bundle, scans = bundles[task]
    found = compare_paths(bundle, scans)
    check(found)
    assert found.frames == (4 if task == "bccd" else 3)
    assert found.pixels == found.frames * {"ct-org": 256**2, "brats": 240**2, "prostate": 256**2, "bccd": 1}[task]
    assert found.allowed_steps == (1 if task == "ct-org" else 0), "CT is resampled, then halved"


@pytest.mark.parametrize("task", PHANTOM_TASKS)
def test_real_scans(bundles: dict[str, tuple[Bundle, Path]], task: str) -> None:
    folder = shared("data", SCANS[task])
    found = compare_paths(bundles[task][0], folder, limit=24)
    check(found)
    assert 10 <= found.frames <= 24


def test_published_network_on_all_real_slices(tmp_path: Path) -> None:
    bundle = deploy(golden("h5", "prostate_double_q.h5"), preset="paper-prostate", output=tmp_path / "prostate.nerone")
    found = compare_paths(bundle, shared("data", "prostate_prostatex"))
    check(found)
    assert (found.frames, found.across, found.different_inputs) == (38, 0, 0)


def test_a_path_that_differs_is_seen(
    bundles: dict[str, tuple[Bundle, Path]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, scans = bundles["prostate"]
    real = identity.quantize
    monkeypatch.setattr(identity, "quantize", lambda values, fix_point: np.maximum(real(values, fix_point), -50))
    found = compare_paths(bundle, scans)
    assert found.different_inputs > 0
    assert found.different_steps > 0
    assert not found.identical
    assert main(["evaluate", str(bundle.path), "--data", str(scans), "--paths"]) == 1
    monkeypatch.setattr(identity, "quantize", real)
    capsys.readouterr()
    assert main(["evaluate", str(bundle.path), "--data", str(scans), "--paths", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["identical"] is True


def test_bad_files(bundles: dict[str, tuple[Bundle, Path]], tmp_path: Path) -> None:
    bundle, _ = bundles["bccd"]
    write_phantoms("bccd", tmp_path, count=1, seed=8)
    broken = next(tmp_path.rglob("*.jpg"))
    broken.write_bytes(broken.read_bytes()[:500])
    with pytest.raises(ConfigurationError, match=broken.name):
        compare_paths(bundle, tmp_path)
    found = compare_paths(bundle, tmp_path, skip_bad=True)
    assert (found.frames, [path for path, _ in found.skipped]) == (3, [broken])
