"""VART against PYNQ-DPU, everything included: the paper's four networks on the software DPU and the simulated boards.

Excluded: reading files (frames are in memory) and loading models. Simulated boards take their time and compute nothing;
that results are equal is checked on the software DPU first.
"""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nerone.bundle.bundle import Bundle
from nerone.data.phantom_sets import write_phantoms
from nerone.evaluation.bench import Loaded, compare_backends, load_frames
from nerone.evaluation.bench_backends import pynq_runner, vart_runner
from nerone.evaluation.devices import find_device

TASKS = {"ct-org": "ct-org", "brats": "brats", "prostate": "prostate-3t", "bccd": "bccd"}
DEVICES = ("softdpu", "zcu104-sim", "kv260-sim", "ultra96v2-sim")
FRAMES = 32


@pytest.fixture(scope="session", params=TASKS)
def deployed(request: Any, work: Path) -> tuple[str, Bundle, Loaded]:
    """A network of the paper (random weights: speed does not depend on them), deployed on phantoms."""
    pytest.importorskip("keras", reason="TensorFlow is not installed")
    import keras

    from nerone import deploy
    from nerone.zoo.models import build

    task = request.param
    keras.utils.set_random_seed(3)
    scans = work / f"scans-{task}"
    write_phantoms(task, scans, count=2, slices=8, size=512 if task == "ct-org" else None)
    bundle = deploy(build(task), calibration=scans, preset=TASKS[task], images=16, output=work / f"{task}.nerone")
    loaded = load_frames(bundle, scans, limit=16)
    compare_backends(bundle, loaded.frames[:4])
    return task, bundle, loaded


@pytest.mark.parametrize("backend", ["vart", "pynq"])
@pytest.mark.parametrize("device", DEVICES)
def test_frames(benchmark: Any, deployed: tuple[str, Bundle, Loaded], device: str, backend: str) -> None:
    task, bundle, loaded = deployed
    found = find_device(device, bundle.host_model_path, preset=bundle.preset)
    opened = (
        vart_runner(bundle, found, None, compute=not found.simulated)
        if backend == "vart"
        else pynq_runner(bundle, found, compute=not found.simulated)
    )
    benchmark.group = f"{task} on {found.label}"
    benchmark.extra_info.update(model=task, device=found.label, backend=backend, frames=FRAMES)
    items = list(islice(cycle(loaded.frames), FRAMES))
    with opened as runner:
        results = benchmark.pedantic(lambda: runner.run_all(items), rounds=3, warmup_rounds=1)
    assert len(results) == FRAMES
    assert all(np.asarray(result).size for result in results)
