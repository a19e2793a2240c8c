"""A small bundle, and what the tests of deployment over ssh look at."""

from __future__ import annotations

import contextlib

import pytest

from nerone.bundle.declaration import OutputDeclaration, TensorDeclaration
from nerone.compilation import compile as compile_model
from nerone.deployment import Bundle
from nerone.graph import Graph, Node, Op
from nerone.quantization.model import QuantizedModel
from nerone.runtime.preprocessing import Channels, Preprocessing, Resize, ScaleOffset
from waiting import wait_for

SHAPE = (4, 6, 2)
NAMES = {"bundle.json", "model.xmodel", "report.json", "run.sh", "run.ipynb"}
FINGERPRINT = 0x1000020F6014407


def make_bundle(folder, *, fix_point=3, fingerprint=None, name="net", board_model=False):
    """A network that doubles its input, of (4, 6) images with two channels."""
    folder.mkdir(parents=True, exist_ok=True)
    nodes = (Node("x", Op.INPUT, (), SHAPE), Node("y", Op.ADD, ("x", "x"), SHAPE))
    model = QuantizedModel(Graph("net", nodes, ("x",), ("y",)), {"x": fix_point, "y": 3}, {})
    xmodel = compile_model(model, output=folder / "source.xmodel").path
    return Bundle.create(
        folder / name,
        xmodel=xmodel,
        preprocessing=Preprocessing((Channels(2), Resize(4, 6), ScaleOffset((1 / 255,)))),
        input=TensorDeclaration("x", (1, *SHAPE), fix_point),
        output_tensor=TensorDeclaration("y", (1, *SHAPE), 3),
        output=OutputDeclaration("segmentation", ("no", "yes"), ((0, 0, 0), (9, 9, 9)), (0, 1)),
        board="zcu104" if fingerprint else "host",
        fingerprint=fingerprint,
        board_xmodel=xmodel if board_model else None,
        report={"fix_point": fix_point},
    )


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".deployed.json"}


def only(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def wait_for_arrival(stage, big):
    """Wait for the first bytes of a file, under whichever name its copy has while it grows."""

    def has_begun():
        with contextlib.suppress(OSError):
            return any(path.stat().st_size for path in stage.glob(f"*{big.name}*"))
        return False

    wait_for(has_begun)


def failing(kind, words, run):
    with pytest.raises(kind, match=words) as caught:
        run()
    assert "\n" not in str(caught.value)
    return str(caught.value)
