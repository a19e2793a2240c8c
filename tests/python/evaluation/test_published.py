"""The paper's published models on real data, through the same functions as everyone's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nerone.evaluation.experiments import run_published
from nerone.evaluation.paper import PUBLISHED_MODELS
from nerone.evaluation.settings import Settings
from paths import golden, shared

pytest.importorskip("nerone._core", reason="the extension is not built")


def find(task: str, classes: int):
    return next(m for m in PUBLISHED_MODELS if m.task == task and m.classes == classes)


def test_blood_cells(tmp_path: Path) -> None:
    settings = Settings(tmp_path, {"bccd": shared("data", "bccd")}, seconds=0.05, power="none")
    path = golden("models", "nerone_BCCD_zcu104.xmodel")
    found = run_published(find("bccd", 4), path, settings)
    counts = found.evaluation.counts["INT8"]
    assert len(counts) == 71
    interval = counts.accuracy_interval()
    assert interval.value == pytest.approx(60 / 71), "60 of the 71 test originals"
    assert interval.low < 0.9205 < interval.high + 0.02
    copies = run_published(find("bccd", 4), path, settings, augmented=10).evaluation
    assert copies.frames == 40
    assert copies.counts["INT8"].accuracy() > 0.6


def test_organs() -> None:
    """Kidneys at 14 % was what a network executed without the instructions' reading of its weights gave."""
    from nerone.evaluation.evaluate import XmodelNetwork, evaluate
    from nerone.runtime.presets import preset

    chosen = preset("paper-ct-org")
    path = golden("compiled", "nerone_ctorg_isa0_b4096.xmodel")
    scans = shared("data", "ct_totalseg")
    counts = evaluate({"INT8": XmodelNetwork(path)}, scans, chosen.preprocessing, chosen.class_names).counts["INT8"]
    dice = dict(zip(chosen.class_names, counts.dice(), strict=True))
    expected = {"liver": 0.938, "bladder": 0.882, "lungs": 0.864, "kidneys": 0.772, "bone": 0.852}
    assert {name: dice[name] for name in expected} == pytest.approx(expected, abs=0.01)
    assert counts.weighted_dice() == pytest.approx(0.888, abs=0.01)


def test_prostate_beside_its_float_model(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="the FP32 model needs TensorFlow")
    from nerone.evaluation.evaluate import KerasNetwork, XmodelNetwork, evaluate
    from nerone.runtime.presets import preset

    chosen = preset("paper-prostate")
    networks = {
        "INT8": XmodelNetwork(golden("models", "nerone_prostate_double.xmodel")),
        "FP32": KerasNetwork(golden("h5", "prostate_double_float.h5")),
    }
    gland: dict[str, list[float]] = {}

    def seen(scored) -> None:
        patient = next(part for part in scored.frame.frame.source.parts if part.startswith("ProstateX-"))
        both = np.count_nonzero((scored.classes["INT8"] > 0) & (scored.truth > 0))
        size = np.count_nonzero(scored.classes["INT8"]) + np.count_nonzero(scored.truth)
        total = gland.setdefault(patient, [0, 0])
        total[0] += both
        total[1] += size

    result = evaluate(
        networks, shared("data", "prostate_prostatex"), chosen.preprocessing, chosen.class_names, seen=seen
    )
    dice = {patient: 2 * both / size for patient, (both, size) in gland.items()}
    assert dice["ProstateX-0000"] == pytest.approx(0.49, abs=0.04), "whole gland"
    assert dice["ProstateX-0001"] == pytest.approx(0.68, abs=0.04), "whole gland"
    assert result.agreement["FP32"] > 0.995
    whole = 2 * sum(both for both, _ in gland.values()) / sum(size for _, size in gland.values())
    assert result.counts["INT8"].regions["whole prostate"] == pytest.approx(whole)


def test_brain_network_by_a_stand_in(tmp_path: Path) -> None:
    """The published BraTS file is not at hand: a compiled network of the same input and output takes its name."""
    pytest.importorskip("tensorflow", reason="the stand-in is made by Keras")
    from keras import Input, Model, layers

    from nerone.data.phantom_sets import write_phantoms
    from nerone.deployment import deploy
    from nerone.evaluation.experiments import published_file

    write_phantoms("brats", tmp_path / "scans", count=1, seed=4, slices=3)
    image = Input((240, 240, 4))
    x = layers.UpSampling2D(4)(layers.Conv2D(8, 3, strides=4, padding="same", activation="relu")(image))
    network = Model(image, layers.Softmax()(layers.Conv2D(4, 1)(x)))
    made = deploy(network, calibration=tmp_path / "scans", preset="brats", output=tmp_path / "net.nerone", images=2)
    model = find("brats", 4)
    made.host_model_path.rename(tmp_path / model.names[-1])
    path = published_file(model.names, tmp_path)
    settings = Settings(tmp_path / "out", {"brats": tmp_path / "scans"}, runs=1, seconds=0.02, power="none")
    found = run_published(model, path, settings)
    assert found.evaluation.frames == 3
    assert set(found.evaluation.counts["INT8"].regions) == {"whole tumour", "tumour core", "enhancing tumour"}
    assert found.paths.identical
    assert found.speeds[0].fps.mean > 0
