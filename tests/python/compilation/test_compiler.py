"""The written file, the device of each layer with its reason, and refusals."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from compilation.quantized_interpreter import Interpreter
from compilation.small_models import Maker
from nerone import Model, _core
from nerone.compilation import compile as compile_model
from nerone.compilation.compiler import check_memory
from nerone.dpu.boards import BOARDS, DPUS, find_board
from nerone.errors import ConfigurationError, ModelError
from nerone.graph import Op


def rows_of(compiled):
    return {row["node"]: row for row in compiled.report["layers"]}


def test_subgraphs_carry_the_vendors_attributes(tmp_path):
    maker = Maker().conv("conv", 3).add("soft", Op.SOFTMAX, (8, 8, 3), reason="the DPU has no softmax")
    compiled = compile_model(maker.model(), output=tmp_path / "net.xmodel")
    user, dpu, cpu = _core.read_xmodel(str(compiled.path))["root"]["children"]
    assert [part["attrs"]["device"] for part in (user, dpu, cpu)] == ["USER", "DPU", "CPU"]
    assert dpu["attrs"]["dpu_name"].startswith("DPUCZDX8G")
    assert dpu["attrs"]["workload"] == 2 * 8 * 8 * 3 * 9 * 4
    assert dpu["attrs"]["runner"]["run"] == "libnerone_softdpu.so"
    assert compiled.report["macs"] == 8 * 8 * 3 * 9 * 4
    assert compiled.inputs[0]["fix_point"] == 6
    assert compiled.outputs[0]["fix_point"] is None


def test_the_xir_command_reads_our_files(tmp_path):
    compiled = compile_model(Maker().conv("conv", 3).model(), output=tmp_path / "net.xmodel")
    shown = subprocess.run(["xir", "subgraph", str(compiled.path)], capture_output=True, text=True, check=True).stdout
    assert "device=DPU" in shown
    subprocess.run(["xir", "dump_txt", str(compiled.path), str(tmp_path / "net.txt")], check=True, capture_output=True)
    assert "conv2d-fix" in (tmp_path / "net.txt").read_text()


def test_a_float_island_splits_the_dpu_part(tmp_path):
    maker = Maker(shape=(6, 6, 2)).conv("first", 2, fix_point=4)
    maker.add("tanh", Op.TANH, (6, 6, 2), fix_point=7, reason="the DPU has no tanh").conv("second", 2, fix_point=5)
    quantized = maker.model()
    compiled = compile_model(quantized, output=tmp_path / "net.xmodel")
    model = Model.load(compiled.path)
    assert [part.device for part in model.subgraphs] == ["USER", "DPU", "CPU", "DPU", "CPU"]
    assert rows_of(compiled)["tanh"]["device"] == "CPU"
    assert rows_of(compiled)["tanh"]["reason"] == "the DPU has no tanh"
    image = np.random.default_rng(0).integers(-128, 128, (1, 6, 6, 2), np.int8)
    np.testing.assert_array_equal(model.run(image), Interpreter(quantized).run({"x": image})[0])


def test_a_model_that_starts_on_the_cpu_takes_float(tmp_path):
    maker = Maker(shape=(4, 4, 1))
    maker.fix_points.pop("x")
    maker.add("tanh", Op.TANH, (4, 4, 1), fix_point=7, reason="the DPU has no tanh").conv("conv", 2)
    model = Model.load(compile_model(maker.model(), output=tmp_path / "net.xmodel").path)
    assert model.inputs[0].dtype == "float32"
    assert [part.device for part in model.subgraphs] == ["USER", "CPU", "DPU", "CPU"]
    assert model.run(np.ones((1, 4, 4, 1), np.float32)).shape == (1, 4, 4, 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kernel": (17, 3)}, "kernel 17x3 is outside 1 to 16"),
        ({"strides": (9, 9)}, "stride 9x9 is outside 1 to 8"),
        ({"channels": 5000}, "5000 output channels"),
        ({"dilation": (2, 2), "depth": 3000, "kernel": (2, 2)}, "dilation"),
        ({"depth": 4000, "kernel": (3, 3)}, "weight bank"),
    ],
)
def test_a_layer_beyond_the_dpus_limits_runs_on_the_cpu(tmp_path, changes, words):
    maker = Maker(shape=(4, 4, changes.get("depth", 1)))
    channels = changes.get("channels", 2)
    changes = {key: value for key, value in changes.items() if key not in ("depth", "channels")}
    maker.add("relu", Op.RELU, maker.nodes[-1].shape, fix_point=6).conv("wide", channels, fix_point=2, **changes)
    quantized = maker.model()
    compiled = compile_model(quantized, output=tmp_path / "net.xmodel")
    assert rows_of(compiled)["wide"]["device"] == "CPU"
    assert words in rows_of(compiled)["wide"]["reason"]
    image = np.random.default_rng(1).integers(-128, 128, (1, *maker.nodes[0].shape), np.int8)
    expected = Interpreter(quantized).run({"x": image})[0]
    # Products of int8 sum exactly in float32 here, so that even the float layer agrees.
    np.testing.assert_array_equal(Model.load(compiled.path).run(image), expected)


def test_smaller_boards_have_smaller_limits(tmp_path):
    maker = Maker(shape=(4, 4, 2)).add("relu", Op.RELU, (4, 4, 2), fix_point=6).conv("wide", 3000, kernel=(1, 1))
    big = compile_model(maker.model(), board="zcu104", output=tmp_path / "a.xmodel")
    small = compile_model(maker.model(), board="ultra96v2", vitis_ai="2.5", output=tmp_path / "b.xmodel")
    assert rows_of(big)["wide"]["device"] == "DPU"
    assert "B1600" in rows_of(small)["wide"]["reason"]


def test_mapping_has_one_row_per_layer(tmp_path):
    maker = Maker().add("pad", Op.PAD, (10, 10, 4), attrs={"pad": (1, 1, 1, 1), "mode": "constant"})
    height = maker.nodes[-1].shape[0]
    kernel = np.ones((3, 3, 4, 2), np.float32)
    attrs = {"strides": (1, 1), "pad": (0, 0, 0, 0), "dilation": (1, 1)}
    maker.add("conv", Op.CONV2D, (height - 2, height - 2, 2), attrs=attrs, weights={"kernel": kernel})
    maker.add("relu", Op.RELU, (8, 8, 2), fix_point=3)
    rows = rows_of(compile_model(maker.model(), output=tmp_path / "net.xmodel"))
    assert list(rows) == ["x", "pad", "conv", "relu"]
    assert rows["pad"]["fused_into"] == rows["relu"]["fused_into"] == "conv"
    assert rows["conv"]["macs"] == 8 * 8 * 9 * 4 * 2
    assert rows["conv"]["fix_point"] == 3
    assert all(row["device"] in ("USER", "DPU") for row in rows.values())


def refused(maker, tmp_path, **options):
    with pytest.raises((ModelError, ConfigurationError)) as caught:
        compile_model(maker.model(), output=tmp_path / "net.xmodel", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "net.xmodel").exists()
    return str(caught.value)


def test_nan_weights_are_named(tmp_path):
    maker = Maker().conv("conv", 2)
    maker.nodes[-1].weights["kernel"][0, 0, 0, 0] = np.nan
    assert "layer 'conv' holds NaN" in refused(maker, tmp_path)


def test_a_layer_that_cannot_be_lowered_is_named(tmp_path):
    attrs = {"layer_class": "Lambda", "reason": "its function is Python code"}
    maker = Maker().add("magic", Op.UNSUPPORTED, (8, 8, 4), attrs=attrs, layer="my_lambda").conv("conv", 2)
    said = refused(maker, tmp_path)
    assert "'my_lambda' (Lambda)" in said
    assert "its function is Python code" in said


def test_missing_fix_points_are_named(tmp_path):
    maker = Maker().conv("conv", 2)
    del maker.weight_fix_points["conv"]["bias"]
    assert "layer 'conv' has no fix point for its bias" in refused(maker, tmp_path)


def test_a_model_without_a_dpu_layer_is_refused(tmp_path):
    maker = Maker().add("tanh", Op.TANH, (8, 8, 4), reason="the DPU has no tanh")
    assert "no layer of 'small' can run on the DPU: the DPU has no tanh" in refused(maker, tmp_path)


def test_a_model_that_computes_nothing_is_refused(tmp_path):
    assert "none of them computes anything" in refused(Maker().add("drop", Op.DROPOUT, (8, 8, 4)), tmp_path)


def test_unknown_board_and_folder(tmp_path):
    maker = Maker().conv("conv", 2)
    assert "did you mean 'zcu104'" in refused(maker, tmp_path, board="zcu14")
    with pytest.raises(ConfigurationError, match="there is no folder"):
        compile_model(maker.model(), output=tmp_path / "nowhere" / "net.xmodel")


def test_boards():
    assert find_board("Ultra96-V2").name == "ultra96v2"
    assert BOARDS["kv260"].fingerprint_of("1.4") == BOARDS["zcu104"].fingerprint_of("1.4") == 0x1000020F6014407
    assert BOARDS["ultra96v2"].dpu_of("1.4").name == "B2304"
    assert BOARDS["ultra96v2"].dpu_of("2.5").name == "B1600"
    with pytest.raises(ConfigurationError, match=r"arch\.json"):
        BOARDS["ultra96v2"].dpu_of("9.9")
    for dpu in DPUS.values():
        # The size in the vendor's name is the peak of operations, two per multiply-accumulate.
        assert 2 * dpu.peak_macs_per_cycle == int(dpu.name[1:])
    check_memory(197_000_000, BOARDS["kv260"])
    with pytest.raises(ConfigurationError, match="199 M parameters"):
        check_memory(199_000_000, BOARDS["kv260"])


def test_layer_names_that_look_like_ours(tmp_path):
    """Names that collide with the ops and tensors that lowering adds."""
    maker = (
        Maker(shape=(4, 4, 1)).conv("conv", 2).conv("conv_fix", 2).conv("conv_weights", 2).conv("conv_download_0", 1)
    )
    maker.add("conv_fix2float", Op.TANH, (4, 4, 1), reason="the DPU has no tanh")
    quantized = maker.model("conv_fix", "conv_fix2float")
    compiled = compile_model(quantized, output=tmp_path / "net.xmodel")
    image = np.random.default_rng(3).integers(-128, 128, (1, 4, 4, 1), np.int8)
    results = Model.load(compiled.path).run(image)
    expected = Interpreter(quantized).run({"x": image})
    np.testing.assert_array_equal(results[compiled.outputs[0]["name"]], expected[0])
    np.testing.assert_allclose(results[compiled.outputs[1]["name"]], expected[1], rtol=1e-6)
