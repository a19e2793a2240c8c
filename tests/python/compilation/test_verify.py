"""Op graphs against instructions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import nerone
from nerone import _core
from nerone.cli.main import main
from nerone.compilation.verify import require_equal, verify
from nerone.errors import ConfigurationError, ModelError
from nerone.instructions.layers import layers_of
from nerone.instructions.program import dpu_subgraphs
from nerone.instructions.stream import Instruction, encode
from paths import GOLDEN, golden

_NAME = "nerone_prostate_sc"


_FILES = sorted(f"{folder}/{path.name}" for folder in ("compiled", "models") for path in (GOLDEN / folder).glob("*.x*"))


@pytest.mark.parametrize("name", _FILES)
def test_every_file_of_the_vendor_is_equal(name: str) -> None:
    for found in verify(golden(*name.split("/")), images=1):
        assert found.is_fine, found
        assert found.values > 0


def test_the_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(golden("models", f"{_NAME}.xmodel")), "--images", "1"]) == 0
    assert "equal" in capsys.readouterr().out


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
    with pytest.raises(ConfigurationError, match="images is 0; expected"):
        verify(path, images=0)
    assert main(["verify", str(golden("quantized", "prmittal_CNN_int.xmodel"))]) == 2


def _damaged(path: Path, code: bytes, fingerprint: int | None = None) -> Path:
    """Write the model with other instructions, and another DPU where it is given."""
    graph = _core.read_xmodel(golden("models", f"{_NAME}.xmodel"))
    ((_, child),) = dpu_subgraphs(graph)
    child["attrs"]["mc_code"] = code
    if fingerprint is not None:
        child["attrs"]["dpu_fingerprint"] = _core.UInt64(fingerprint)
    _core.write_xmodel(graph, path)
    return path


def _stream(*instructions: Instruction) -> bytes:
    return encode([*instructions, Instruction("END")], 0)


@pytest.mark.parametrize(
    ("code", "fingerprint", "message"),
    [
        (b"\0\0\0\x50", None, "instruction 0 at byte 0 has opcode 5"),
        (_stream()[:-4] + encode([Instruction("CONVINIT")], 0), None, "instruction 1 at byte 16 is missing"),
        (_stream(Instruction("LOAD", {"bank": 63})), None, "instruction 0 (LOAD): bank 63 of a B4096"),
        (_stream(Instruction("LOAD", {"reg": 7})), None, "instruction 0 (LOAD): it touches bytes 0 to 1 of register 7"),
        (_stream(), 0x1020020F6014407, "fingerprint 0x"),
    ],
    ids=["not decoded", "never ends", "bank", "register", "unknown version"],
)
def test_damaged_instructions_are_named_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: bytes, fingerprint: int | None, message: str
) -> None:
    path = _damaged(tmp_path / "damaged.xmodel", code, fingerprint)
    for words in (["verify", str(path)], ["profile", str(path), "--kernels", "isa", "--seconds", "0.1"]):
        assert main(words) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(ModelError) as error:
        nerone.Model.load(path, kernels="isa", until="dpu")
    assert message in str(error.value)
