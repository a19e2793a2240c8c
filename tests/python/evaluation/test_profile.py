"""The profile names every layer, adds up, and says what is wrong with a file."""

from __future__ import annotations

import json

import pytest

from compilation.small_models import Maker
from nerone import _core
from nerone.cli.main import main
from nerone.compilation import compile
from nerone.errors import ConfigurationError, ModelError
from nerone.evaluation.profile import LayerProfile, Profile, peak_gmacs, profile
from nerone.evaluation.profile_picture import draw_profile
from paths import golden


@pytest.fixture
def model(tmp_path):
    """Two convolutions of 4 x 9 x 1 and 3 x 9 x 4 weights on 16x16 pixels."""
    quantized = Maker(shape=(16, 16, 1)).conv("conv", 4, fix_point=5).conv("head", 3, fix_point=4).model()
    return compile(quantized, output=tmp_path / "small.xmodel").path


def test_layers_add_up(model):
    found = profile(model, seconds=0.05)
    convolutions = [layer for layer in found.layers if layer.macs]
    assert [layer.macs for layer in convolutions] == [16 * 16 * 9 * 4, 16 * 16 * 9 * 12]
    assert found.macs == 16 * 16 * 9 * 16
    assert all(layer.computed_macs == layer.macs for layer in found.layers)
    assert all(layer.bytes > 0 and layer.seconds >= 0 for layer in found.layers)
    assert 0 < found.seconds < 1
    assert found.arena_bytes > 0
    assert 0 < found.cache_gbs < 1e4
    # Nothing is faster than the limit that was measured in the same moment.
    if found.peak_gmacs:
        assert found.fraction_of_peak < 1.1


@pytest.mark.parametrize(
    ("macs", "peak_ratio", "moved", "bound"),
    [
        (10**9, 1.0, 10**6, "multiplication"),  # 10 ms of 15
        (10**9, 2.0, 10**6, "overhead"),  # 5 ms, as chains of byte products allow
        (10**8, 1.0, 10**8, "memory"),  # 1 ms of products, 10 ms of copying
        (0, 1.0, 10**6, "overhead"),
    ],
)
def test_what_a_layer_is_bound_by(macs, peak_ratio, moved, bound):
    layer = LayerProfile("conv", "conv 3x3", "avx2", macs, macs, peak_ratio, moved, seconds=0.015)
    found = Profile("jit-avx2", (layer,), 0.015, 0.0, 0, peak_gmacs=100.0, cache_gbs=10.0, memory_gbs=5.0)
    assert found.bound_of(layer) == bound
    assert found.to_dict()["layers"][0]["bound"] == bound


@pytest.mark.parametrize("kernels", ["portable", "scalar"])
def test_other_kernels(model, kernels):
    assert profile(model, kernels=kernels, seconds=0.02).kernels == kernels


def test_instructions_are_timed_layer_by_layer(capsys):
    path = golden("compiled", "squeezenet_b4096.xmodel")
    found = profile(path, kernels="isa", seconds=0.1)
    convolutions = {op["name"] for op in _core.read_xmodel(path)["ops"] if op["type"] == "conv2d-fix"}
    assert {layer.name for layer in found.layers if layer.macs} == convolutions
    assert all(layer.kernel == "isa" and layer.seconds > 0 for layer in found.layers)
    assert 0.2 * found.seconds < sum(layer.seconds for layer in found.layers) < 5 * found.seconds
    assert main(["profile", str(path), "--kernels", "isa", "--seconds", "0.1"]) == 0
    assert min(convolutions)[-40:] in capsys.readouterr().out


def test_peak_is_positive_or_absent():
    assert peak_gmacs(0.01) >= 0


def test_refuses_what_cannot_be_profiled(model, tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        profile(tmp_path / "none.xmodel")
    broken = tmp_path / "broken.xmodel"
    broken.write_bytes(model.read_bytes()[:100])
    with pytest.raises(ModelError):
        profile(broken)
    with pytest.raises(ConfigurationError, match="kernels 'fast'"):
        profile(model, kernels="fast")
    with pytest.raises(ConfigurationError, match="seconds is 0; expected"):
        profile(model, seconds=0)


def test_command_line(model, tmp_path, capsys):
    picture = tmp_path / "bars.png"
    assert main(["profile", str(model), "--seconds", "0.02", "--json", "-o", str(picture)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["macs"] == 16 * 16 * 9 * 16
    assert found["layers"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["profile", str(model), "--seconds", "0.02"]) == 0
    table = capsys.readouterr().out
    assert "images/s on one thread" in table
    assert "bound by" in table


def test_picture_of_a_model(model, tmp_path):
    assert draw_profile(profile(model, seconds=0.02), tmp_path / "bars.svg", title="small").stat().st_size > 1000
