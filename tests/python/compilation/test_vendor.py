"""The vendor's compiler, played by a stand-in that takes exactly its arguments and compiles with the software DPU's."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import numpy as np
import pytest

from compilation.small_models import Maker
from nerone import _core
from nerone.compilation import compile as compile_model
from nerone.compilation.quantized_xir import load_quantized_xir
from nerone.compilation.vendor import check_vendor_model, read_arch, vendor_compile
from nerone.errors import ConfigurationError, ModelError

STAND_IN = """#!{python}
import json, pathlib, sys
sys.path.insert(0, {package!r})
assert sys.argv[1::2] == ["-x", "-a", "-o", "-n"], sys.argv
model, arch, out, name = sys.argv[2::2]
if {fails}:
    sys.exit("[VAI_C] out of luck")
from nerone import _core
from nerone.compilation import compile
from nerone.compilation.quantized_xir import load_quantized_xir
pathlib.Path(out).mkdir(exist_ok=True)
target = pathlib.Path(out) / (name + ".xmodel")
compile(load_quantized_xir(model), output=target)
graph = _core.read_xmodel(str(target))
for part in graph["root"]["children"]:
    part["attrs"]["workload"] = _core.UInt64(part["attrs"]["workload"])
    for child in part["children"]:
        child["attrs"]["workload"] = _core.UInt64(child["attrs"]["workload"])
    if part["attrs"]["device"] == "DPU":
        fingerprint = json.loads(pathlib.Path(arch).read_text())["fingerprint"]
        part["attrs"]["dpu_fingerprint"] = _core.UInt64(int(fingerprint, 16))
graph["root"]["attrs"]["workload"] = _core.UInt64(graph["root"]["attrs"]["workload"])
_core.write_xmodel(graph, str(target))
print("compiled", name)
"""


@pytest.fixture
def quantized():
    return Maker(shape=(6, 6, 2)).conv("first", 4).conv("second", 3, position=4).model()


def install(tmp_path, monkeypatch, *, fails=False):
    from paths import REPOSITORY

    tool = tmp_path / "bin" / "vai_c_xir"
    tool.parent.mkdir()
    tool.write_text(STAND_IN.format(python=sys.executable, package=str(REPOSITORY / "python"), fails=fails))
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")


def test_without_the_compiler_a_ready_folder_is_left(tmp_path, monkeypatch, quantized):
    monkeypatch.setenv("PATH", "/nowhere")
    made = vendor_compile(quantized, board="kv260", output=tmp_path / "out", name="net")
    assert made.xmodel is None
    assert json.loads((made.folder / "arch.json").read_text()) == {"fingerprint": "0x1000020f6014407"}
    assert os.access(made.script, os.X_OK)
    monkeypatch.undo()
    # The script does the whole job once a compiler is there.
    install(tmp_path, monkeypatch)
    subprocess.run([made.script], check=True, capture_output=True, cwd=tmp_path)
    check_vendor_model(made.folder / "compiled" / "net.xmodel", quantized, 0x1000020F6014407)


def test_the_compiler_is_run_and_checked(tmp_path, monkeypatch, quantized):
    install(tmp_path, monkeypatch)
    made = vendor_compile(quantized, board="zcu104", vitis_ai="2.5", output=tmp_path / "out", name="net")
    assert made.xmodel == tmp_path / "out" / "compiled" / "net.xmodel"
    assert "compiled net" in made.log
    dpu = _core.read_xmodel(str(made.xmodel))["root"]["children"][1]
    assert dpu["attrs"]["dpu_fingerprint"] == 0x101000016010407


def test_a_compiler_that_fails(tmp_path, monkeypatch, quantized):
    install(tmp_path, monkeypatch, fails=True)
    with pytest.raises(ConfigurationError, match=r"exit code 1.*out of luck.*compile\.log") as caught:
        vendor_compile(quantized, board="zcu104", output=tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_board_model_that_is_another(tmp_path, quantized):
    other = Maker(shape=(6, 6, 2)).conv("first", 4).conv("second", 3, position=3).model()
    path = compile_model(other, output=tmp_path / "other.xmodel").path
    with pytest.raises(ModelError, match=r"fingerprint 0x0, the board has 0x1000020f6014407"):
        check_vendor_model(path, quantized, 0x1000020F6014407)
    with pytest.raises(ModelError, match=r"fix_point of op 'second' is 4, of 'second' 3"):
        check_vendor_model(path, quantized, None)
    weights = Maker(shape=(6, 6, 2)).conv("first", 4).conv("second", 3, position=4).model()
    weights.graph["first"].weights["kernel"][:] += 0.5
    path = compile_model(weights, output=tmp_path / "weights.xmodel").path
    with pytest.raises(ModelError, match="weights or the padding differ"):
        check_vendor_model(path, quantized, None)


def test_arch_files(tmp_path):
    path = tmp_path / "arch.json"
    path.write_text('{"fingerprint":"0X1000020F6014407"}')
    assert read_arch(path) == 0x1000020F6014407
    path.write_text('{"target": "DPUCZDX8G_ISA0_B4096_MAX_BG2"}')
    assert read_arch(path) is None
    for text in ("[]", "{}", '{"fingerprint": 7}', "nonsense"):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=r"is no arch\.json"):
            read_arch(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_arch(tmp_path / "none.json")


def test_the_host_has_no_vendor_compiler(tmp_path, quantized):
    with pytest.raises(ConfigurationError, match="the host needs no vendor compiler"):
        vendor_compile(quantized, board="host", output=tmp_path)


def test_the_exported_form(tmp_path, quantized):
    """Float ops with a fix behind every constant and activation, and no device yet: the vendor's uncompiled form."""
    from nerone.compilation.export import export_quantized_xir

    graph = _core.read_xmodel(str(export_quantized_xir(quantized, tmp_path / "net_int.xmodel")))
    assert graph["root"]["children"] == []
    kinds = [op["type"] for op in graph["ops"]]
    assert kinds.count("conv2d") == 2
    assert kinds.count("fix") == 1 + 2 + 4
    fixes = {op["name"]: op["attrs"] for op in graph["ops"] if op["type"] == "fix"}
    assert fixes["first_weights_fix"]["round_mode"] == "PY3_ROUND"
    assert fixes["first_fix"]["round_mode"] == "DPU_ROUND"
    weights = next(op for op in graph["ops"] if op["name"] == "first_weights")
    values = np.frombuffer(bytes(weights["attrs"]["data"]), np.float32)
    assert weights["output"]["shape"] == [4, 3, 3, 2]
    assert load_quantized_xir(tmp_path / "net_int.xmodel").positions == quantized.positions
    np.testing.assert_array_equal(values * 2**7, np.rint(values * 2**7))
