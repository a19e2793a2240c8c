"""The files that the vendor's compiler takes, and the published pairs of quantized and compiled models."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from compilation.random_quantized import random_model
from compilation.small_models import Maker
from nerone import _core
from nerone.compilation import compile as compile_model
from nerone.compilation.export import export_quantized_xir
from nerone.compilation.quantized_xir import load_quantized_xir
from nerone.compilation.vendor.arch import Arch, arch_for
from nerone.compilation.vendor.compiler import check_vendor_model, read_arch
from nerone.dpu.boards import find_board
from nerone.errors import ConfigurationError, ModelError
from nerone.quantization.vendor.vai_q import load_vai_q
from paths import golden


def test_arch_files(tmp_path):
    path = tmp_path / "arch.json"
    path.write_text('{"fingerprint":"0X1000020F6014407"}')
    assert read_arch(path) == 0x1000020F6014407
    path.write_text('{"target": "DPUCZDX8G_ISA0_B4096_MAX_BG2"}')
    assert read_arch(path) is None
    assert arch_for(find_board("kv260"), path, None).text() == '{"target": "DPUCZDX8G_ISA0_B4096_MAX_BG2"}\n'
    for text in ("[]", "{}", '{"fingerprint": 7}', "nonsense", '{"fingerprint": "0xzz"}', '{"target": ""}', "[" * 9999):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=r"is no arch\.json"):
            read_arch(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"is no arch\.json"):
        read_arch(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_arch(tmp_path / "none.json")


def test_the_arch_of_another_board_is_refused(tmp_path):
    path = tmp_path / "arch.json"
    path.write_text('{"fingerprint": "0x1000020F6014405"}')
    with pytest.raises(ConfigurationError, match=r"0x1000020f6014405 of ultra96v2, not of kv260"):
        arch_for(find_board("kv260"), path, None)
    assert arch_for(find_board("ultra96v2"), path, None) == Arch(0x1000020F6014405)
    # KV260 and ZCU104 carry the same DPU; an unknown fingerprint may be the user's own overlay.
    path.write_text('{"fingerprint": "0x1000020F6014407"}')
    assert arch_for(find_board("zcu104"), path, None) == arch_for(find_board("kv260"), path, None)
    path.write_text('{"fingerprint": "0x123"}')
    assert arch_for(find_board("kv260"), path, "3.0") == Arch(0x123)


def test_the_exported_form(tmp_path):
    """Float ops with a fix behind every constant and activation, and no device yet: the vendor's uncompiled form."""
    quantized = Maker(shape=(6, 6, 2)).conv("first", 4).conv("second", 3, fix_point=4).model()
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
    assert load_quantized_xir(tmp_path / "net_int.xmodel").fix_points == quantized.fix_points
    np.testing.assert_array_equal(values * 2**7, np.rint(values * 2**7))


PUBLISHED = [
    ("prostate_double_q.h5", "nerone_prostate_double.xmodel", 0x1000020F6014407, "1.4"),
    ("bccd_q.h5", "nerone_BCCD_zcu104.xmodel", 0x1000020F6014407, "1.4"),
    ("prmittal_CNN_int.xmodel", "prmittal_CNN_zcu104.xmodel", 0x101000056010407, "3.0"),
]


def published(name):
    if name.endswith(".h5"):
        return load_vai_q(golden("h5", name))
    return load_quantized_xir(golden("quantized", name))


@pytest.mark.parametrize(("source", "compiled", "fingerprint", "version"), PUBLISHED)
def test_what_the_vendors_compiler_really_made(source, compiled, fingerprint, version):
    quantized, path = published(source), golden("models", compiled)
    found = check_vendor_model(path, quantized, fingerprint, board="zcu104", vitis_ai=version)
    assert (found.fingerprint, found.dpu_subgraphs, found.host_dpu_subgraphs) == (fingerprint, 1, 1)


@pytest.mark.parametrize(("source", "compiled", "fingerprint", "version"), PUBLISHED[:2])
def test_the_exported_graph_of_a_published_model_is_what_was_compiled(source, compiled, fingerprint, version, tmp_path):
    path = export_quantized_xir(published(source), tmp_path / "net_int.xmodel")
    found = check_vendor_model(golden("models", compiled), load_quantized_xir(path), fingerprint, board="zcu104")
    assert found.dpu_subgraphs == 1


def test_a_changed_weight_is_found_in_what_the_vendors_compiler_made():
    quantized = published("prostate_double_q.h5")
    quantized.graph["conv2d_5"].weights["kernel"][0, 0, 0, 0] += 0.02
    words = r"layer 'conv2d_5' is the first that differs, in \d+ of 16384 values.*; 1 of its 73728 weights differ"
    with pytest.raises(ModelError, match=words):
        check_vendor_model(golden("models", "nerone_prostate_double.xmodel"), quantized, None, board="zcu104")


def shifted(quantized, name):
    """The same model with every weight of one layer moved by eight steps towards the other sign."""
    node = quantized.graph[name]
    step = 8 * 2.0 ** -quantized.weight_fix_points[name]["kernel"]
    kernel = node.weights["kernel"]
    moved = replace(node, weights={**node.weights, "kernel": (kernel - step * np.sign(kernel)).astype(np.float32)})
    nodes = tuple(moved if other.name == name else other for other in quantized.graph)
    return replace(quantized, graph=replace(quantized.graph, nodes=nodes))


def test_random_models_pass_and_their_changed_layer_is_named(tmp_path):
    seeds, said = range(40, 56), {}
    for seed in seeds:
        quantized = random_model(seed)
        path = compile_model(quantized, output=tmp_path / "net.xmodel").path
        check_vendor_model(path, quantized, None)
        weighted = [node.name for node in quantized.graph if "kernel" in node.weights]
        if not weighted:
            continue
        name = weighted[seed % len(weighted)]
        # Of some the change drowns in saturation.
        with contextlib.suppress(ModelError):
            check_vendor_model(path, shifted(quantized, name), None)
            continue
        with pytest.raises(ModelError, match=f"layer '{name}' is the first that differs"):
            check_vendor_model(path, shifted(quantized, name), None)
        said[seed] = name
    assert len(said) > len(seeds) / 2, said
