from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from nerone.errors import ConfigurationError
from nerone.zoo import models

GOLDEN = Path(os.environ.get("NERONE_GOLDEN_DIR", Path(__file__).parents[4] / "shared" / "golden"))


def kernels(model) -> list[tuple[int, ...]]:
    """(filters, height, width, channels) of every convolution, in the order of execution."""
    found = []
    for layer in model.layers:
        if type(layer).__name__ == "Conv2D":
            height, width, channels, filters = layer.kernel.shape
            found.append((filters, height, width, channels))
    return found


def macs(model) -> int:
    total = 0
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "Conv2D":
            _, rows, columns, filters = layer.output.shape
            total += rows * columns * filters * layer.kernel.shape[0] * layer.kernel.shape[1] * layer.kernel.shape[2]
        elif kind == "DepthwiseConv2D":
            _, rows, columns, filters = layer.output.shape
            total += rows * columns * filters * layer.kernel.shape[0] * layer.kernel.shape[1]
        elif kind == "Conv2DTranspose":
            _, rows, columns, channels = layer.input.shape
            total += rows * columns * channels * layer.filters * layer.kernel.shape[0] * layer.kernel.shape[1]
    return total


@pytest.mark.parametrize(
    ("task", "classes", "file"),
    [
        ("bccd", 4, "nerone_BCCD_zcu104.xmodel"),
        ("prostate", 3, "nerone_prostate_double.xmodel"),
        ("prostate", 2, "nerone_prostate_sc.xmodel"),
    ],
)
def test_layers_are_those_of_the_published_file(task: str, classes: int, file: str) -> None:
    path = GOLDEN / "models" / file
    if not path.is_file():
        pytest.skip(f"the published model {path} is not there")
    core = pytest.importorskip("nerone._core", reason="the extension is not built")
    ops = core.read_xmodel(str(path))["ops"]
    published = Counter(
        tuple(op["output"]["shape"]) for op in ops if op["type"] == "const-fix" and len(op["output"]["shape"]) == 4
    )
    model = models.NETWORKS[task].build(classes=classes)
    assert Counter(kernels(model)) == published

    outputs = Counter(tuple(op["output"]["shape"]) for op in ops if op["type"] == "conv2d-fix")
    ours = Counter((1, *layer.output.shape[1:]) for layer in model.layers if type(layer).__name__ == "Conv2D")
    assert ours == outputs
    assert sum(op["type"] == "eltwise-fix" for op in ops) == sum(
        type(layer).__name__ == "Add" for layer in model.layers
    )
    assert sum(op["type"] == "pool-fix" for op in ops) == sum(
        type(layer).__name__ == "MaxPooling2D" for layer in model.layers
    )
    assert sum(op["type"] == "concat-fix" for op in ops) == sum(
        type(layer).__name__ == "Concatenate" for layer in model.layers
    )


@pytest.mark.parametrize(("task", "gmac"), [("prostate", 0.154), ("ct-org", 2.100), ("brats", 1.449), ("bccd", 0.476)])
def test_work_per_image_is_the_published_one(task: str, gmac: float) -> None:
    assert macs(models.build(task)) / 1e9 == pytest.approx(gmac, rel=0.01)


def test_published_prostate_network_has_its_parameters() -> None:
    assert models.vnet_prostate().count_params() == 136_219


def test_encoder_outputs_that_the_brain_network_reads() -> None:
    model = models.build("brats")
    assert [tuple(model.get_layer(f"decoder{n}_concat").input[1].shape[1:]) for n in (1, 2, 3, 4)] == [
        (30, 30, 96),
        (60, 60, 48),
        (120, 120, 48),
        (240, 240, 4),
    ]


@pytest.mark.parametrize("task", list(models.NETWORKS))
def test_variants_differ_and_end_in_softmax(task: str) -> None:
    published, paper = (models.build(task, variant=variant) for variant in models.VARIANTS)
    assert (published.count_params(), published.input_shape) != (paper.count_params(), paper.input_shape)
    for model in (published, paper):
        assert type(model.layers[-1]).__name__ == "Softmax"
        assert model.output_shape[-1] == len(models.NETWORKS[task].classes)


def test_paper_text_widths_of_the_unet() -> None:
    model = models.unet_ct_org(variant="paper")
    assert [model.get_layer(f"decoder{n}_up").filters for n in (4, 3, 2, 1)] == [64, 32, 16, 8]
    assert model.get_layer("logits").kernel.shape == (3, 3, 8, 6)


def test_wrong_requests_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="text"):
        models.build("ct-org", variant="text")
    with pytest.raises(ConfigurationError, match="ct"):
        models.build("ct")
    with pytest.raises(ConfigurationError, match="16"):
        models.unet_ct_org(input_shape=(100, 100, 1))
