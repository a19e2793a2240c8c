"""Model files from strangers: nothing in them runs, nothing outside them is read, nothing huge is made."""

from __future__ import annotations

import base64
import io
import json
import marshal
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from nerone.errors import ModelError
from nerone.graph import load
from nerone.graph.trained import load_keras_model
from paths import REPOSITORY, shared


def lambda_config(marker):
    """A Sequential model whose Lambda makes the file ``marker`` when it is called."""
    code = compile(f"lambda x: (open({str(marker)!r}, 'w').close(), x)[1]", "model", "eval").co_consts[0]
    stored = base64.b64encode(marshal.dumps(code)).decode()
    function = {"class_name": "__lambda__", "config": {"code": stored, "defaults": None, "closure": None}}
    layers = [
        {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 4, 4, 1], "name": "x"}},
        {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "trick", "function": function}},
    ]
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": layers}}


def write_h5(path, config, arrays=(), version="2.12.0"):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(config), version
        group = file.create_group("model_weights")
        for name, array in arrays:
            group[name] = array
    return path


def write_keras(path, config, weights=None):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, array in (weights or {}).items():
            file[name] = array
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.12.0"}))
        archive.writestr("model.weights.h5", content.getvalue())
    return path


def conv_config(shape=(4, 4, 1), **settings):
    conv = {"name": "conv", "filters": 2, "kernel_size": [1, 1], "padding": "same", "use_bias": False, **settings}
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, *shape], "name": "x"}},
        {"class_name": "Conv2D", "config": conv},
    ]
    return {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}


KERNEL = np.ones((1, 1, 1, 2), np.float32)


@pytest.mark.parametrize("write", [write_h5, write_keras])
@pytest.mark.parametrize("read", [load, load_keras_model])
def test_code_in_a_file_is_refused_by_name_and_does_not_run(write, read, tmp_path):
    path = write(tmp_path / ("m.h5" if write is write_h5 else "m.keras"), lambda_config(tmp_path / "ran"))
    with pytest.raises(ModelError, match=r"'trick' \(Lambda\)"):
        read(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_models_are_read_without_keras(suffix, tmp_path):
    """Whatever Keras is installed has no say in what a file means."""
    path = tmp_path / f"m{suffix}"
    if suffix == ".h5":
        write_h5(path, conv_config(), [("conv/conv/kernel:0", KERNEL)])
    else:
        write_keras(path, conv_config(), {"layers/conv2d/vars/0": KERNEL})
    code = (
        "import sys\nfor name in ('keras', 'tf_keras', 'tensorflow'): sys.modules[name] = None\n"
        f"from nerone.graph import load; print([node.name for node in load({str(path)!r})])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "['x', 'conv']"


def test_case_of_the_report():
    with pytest.raises(ModelError, match="Lambda"):
        load(shared("cases", "lambda_code.h5"))


@pytest.mark.parametrize("module", ["os", "subprocess", "my_package.layers"])
def test_classes_of_other_modules_are_named(module, tmp_path):
    config = conv_config()
    config["config"]["layers"][1].update(module=module, class_name="Popen")
    for path in (write_h5(tmp_path / "m.h5", config), write_keras(tmp_path / "m.keras", config)):
        with pytest.raises(ModelError, match=r"'conv' \(Popen\)"):
            load(path)


def test_functions_around_the_layers_never_reach_keras(tmp_path):
    config = conv_config(kernel_initializer={"module": "keras.utils", "class_name": "get_file", "config": {"x": 1}})
    path = write_keras(tmp_path / "m.keras", config, {"layers/conv2d/vars/0": KERNEL})
    assert load(path)["conv"].shape == (4, 4, 2)
    with pytest.raises(ModelError, match=r"'get_file' of 'keras\.utils'"):
        load_keras_model(path)


def elsewhere(group):
    group.create_dataset("conv/conv/kernel:0", (1, 1, 1, 2), "f4", external=[("/etc/hostname", 0, 8)])


def linked(group):
    group["conv"] = h5py.ExternalLink("/etc/hostname", "conv")


def soft(group):
    group["conv"] = h5py.SoftLink("/nowhere")


def virtual(group):
    layout = h5py.VirtualLayout((1, 1, 1, 2), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "kernel", (1, 1, 1, 2))
    group.create_group("conv").create_virtual_dataset("kernel:0", layout)


def sparse(group):
    group.create_dataset("conv/conv/kernel:0", (1, 1, 1 << 16, 1 << 16), "f4", chunks=(1, 1, 64, 64))


def bomb(group):
    array = group.create_dataset("conv/conv/kernel:0", (1, 1, 1 << 16, 1 << 16), "f4", chunks=(1, 1, 64, 64))
    array[0, 0, 0, 0] = 1


def words(group):
    group.create_dataset("conv/conv/kernel:0", data=np.array([b"a", b"b"]))


@pytest.mark.parametrize(
    ("add", "reason"),
    [
        (elsewhere, "another file"),
        (linked, "is a link"),
        (soft, "is a link"),
        (virtual, "another file"),
        (sparse, "nothing was written"),
        (bomb, "over 2 GiB"),
        (words, "no numbers"),
    ],
)
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_arrays_that_are_not_in_the_file(add, reason, suffix, tmp_path):
    path = tmp_path / f"m{suffix}"
    if suffix == ".h5":
        write_h5(path, conv_config())
        with h5py.File(path, "r+") as file:
            add(file["model_weights"])
    else:
        with h5py.File(tmp_path / "weights.h5", "w") as file:
            add(file.create_group("layers/conv2d/vars"))
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(conv_config()))
            archive.write(tmp_path / "weights.h5", "model.weights.h5")
    with pytest.raises(ModelError, match=reason):
        load(path)


def test_external_storage_of_the_report():
    with pytest.raises(ModelError, match="another file"):
        load(shared("cases", "external_storage.h5"))


def test_config_that_unpacks_to_too_much(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (65 << 20))
    with pytest.raises(ModelError, match="unpacks to more than 64 MiB"):
        load(tmp_path / "m.keras")


def odd_configs():
    yield "strides of nothing", conv_config(strides=[0, 0])
    yield "negative strides", conv_config(strides=[-1, 1])
    yield "no groups", conv_config(groups=0)
    yield "groups that do not divide", conv_config(groups=5)
    yield "dilation of nothing", conv_config(dilation_rate=0)
    yield "a word for a number", conv_config(strides="two")
    yield "endless sizes", conv_config(shape=(1 << 40, 1 << 40, 1))
    yield "sizes below nothing", conv_config(shape=(-4, 4, 1))
    yield "a list", []
    yield "a number", 7
    yield "no layers", {"class_name": "Sequential", "config": {"name": "m", "layers": []}}
    yield "no config", {"class_name": "Sequential"}
    deep = conv_config()
    for _ in range(2000):
        deep = {"class_name": "Sequential", "config": {"name": "m", "layers": [deep]}}
    yield "nested without end", deep


@pytest.mark.parametrize(("what", "config"), list(odd_configs()))
def test_odd_configurations_are_one_sentence(what, config, tmp_path):
    try:
        h5 = write_h5(tmp_path / "m.h5", config, [("conv/conv/kernel:0", KERNEL)])
        archive = write_keras(tmp_path / "m.keras", config, {"layers/conv2d/vars/0": KERNEL})
    except RecursionError:
        text = '{"class_name": "Sequential", "config": {"layers": [' * 2000 + "]}}" * 2000
        h5 = write_h5(tmp_path / "m.h5", {})
        with h5py.File(h5, "r+") as file:
            file.attrs["model_config"] = text
        archive = tmp_path / "m.keras"
        with zipfile.ZipFile(archive, "w") as stored:
            stored.writestr("config.json", text)
    for path in (h5, archive):
        with pytest.raises(ModelError) as caught:
            load(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("inside", [False, True])
def test_a_model_without_layers_is_named(inside, tmp_path):
    empty = {"class_name": "Sequential", "config": {"name": "hollow", "layers": []}}
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [empty]}} if inside else empty
    with pytest.raises(ModelError, match="has no layers; build it and save it again"):
        load(write_h5(tmp_path / "m.h5", config))


def test_no_reader_of_ours_unpickles_or_lets_keras_read_first():
    """Pickles and Keras's loader run code; only ``load_keras_model``, which looks first, may call the latter."""
    wanted = re.compile(r"allow_pickle\s*=\s*True|pickle\.loads?\(|\bload_model\(|safe_mode\s*=\s*False|torch\.load\(")
    allowed = {
        "graph/trained.py",
        "quantization/vendor_script.py",  # runs in the vendor's interpreter, on a file of our own
        "quantization/vendor/script.py",
        "backends/pynq/overlay.py",  # PYNQ's method of this name
        "backends/pynq/loop.py",
        "ray/scans.py",  # cases that the same program wrote, on their way to its actors
    }
    sources = Path(REPOSITORY, "python", "nerone")
    found = {
        file.relative_to(sources).as_posix() for file in sources.rglob("*.py") if wanted.search(file.read_text("utf-8"))
    }
    assert found <= allowed
    notebooks = list(Path(REPOSITORY, "notebooks").glob("*.ipynb"))
    assert notebooks
    assert not [file for file in notebooks if wanted.search(file.read_text("utf-8"))]
