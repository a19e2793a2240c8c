"""Op graphs against instructions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from nerone import _core
from nerone.cli.main import main
from nerone.compilation.verify import require_equal, verify
from nerone.errors import ConfigurationError, ModelError
from nerone.instructions.layers import layers_of
from nerone.instructions.program import dpu_subgraphs
from nerone.instructions.stream import encode
from paths import golden

_NAME = "nerone_prostate_sc"


@pytest.mark.parametrize("folder_and_name", [("models", _NAME), ("compiled", "zdce_b4096")])
def test_a_vendors_file_is_equal(folder_and_name: tuple[str, str]) -> None:
    folder, name = folder_and_name
    for found in verify(golden(folder, f"{name}.xmodel"), images=1):
        assert found.is_fine
        assert found.values > 0


def _with_other_shift(path: Path) -> tuple[Path, str]:
    """Write the model with one convolution's result shifted by one bit more; return the layer."""
    graph = _core.read_xmodel(golden("models", f"{_NAME}.xmodel"))
    ((program, child),) = dpu_subgraphs(graph)
    instructions = program.instructions()
    layers = layers_of(program, instructions, graph, child["ops"])
    saved = {layer for layer, each in zip(layers, instructions, strict=True) if each.name == "SAVE"}
    inits = [i for i, each in enumerate(instructions) if each.name == "CONVINIT" and layers[i] in saved]
    index = inits[len(inits) // 2]
    fields = {**instructions[index].fields, "shift_cut": instructions[index].fields["shift_cut"] + 1}
    instructions[index] = dataclasses.replace(instructions[index], fields=fields)
    child["attrs"]["mc_code"] = encode(instructions, program.version)
    _core.write_xmodel(graph, path)
    return path, layers[index]


def test_the_first_layer_that_differs_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, layer = _with_other_shift(tmp_path / "changed.xmodel")
    (found,) = verify(path, images=1)
    assert found.difference.startswith(f"layer '{layer}' is the first saved one that differs, in ")
    assert main(["verify", str(path), "--images", "1"]) == 1
    assert layer in capsys.readouterr().out
    with pytest.raises(ModelError, match="compile the model again"):
        require_equal(path)


def test_real_inputs_are_one_more_image() -> None:
    path = golden("models", f"{_NAME}.xmodel")
    with np.load(golden("models", f"{_NAME}.npz")) as arrays:
        value = arrays["input"]
    (child,) = [each for each in _core.read_xmodel(path)["root"]["children"] if each["attrs"].get("mc_code")]
    runner = _core.Runner(_core.XmodelFile(path), child["name"], _core.DeviceOptions())
    (found,) = verify(path, images=1, inputs={runner.inputs[0].name: value})
    assert found.is_fine
    assert found.images == 2


def test_what_cannot_be_compared_is_refused() -> None:
    path = golden("models", f"{_NAME}.xmodel")
    with pytest.raises(ConfigurationError, match="0 images"):
        verify(path, images=0)
    assert main(["verify", str(golden("quantized", "prmittal_CNN_int.xmodel"))]) == 2
