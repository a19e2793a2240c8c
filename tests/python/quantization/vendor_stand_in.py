"""A stand-in for the vendor's quantizer: packages of its names that note each call, and a q_model.h5 to return."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import h5py
import numpy as np

_TENSORFLOW = """
import json, os, pathlib
def note(**facts):
    place = pathlib.Path(os.environ["STAND_IN"]) / "calls.json"
    calls = json.loads(place.read_text()) if place.exists() else []
    place.write_text(json.dumps([*calls, facts]))
class keras:
    class models:
        @staticmethod
        def load_model(path, **settings):
            import h5py
            with h5py.File(path) as file:
                config = json.loads(file.attrs["model_config"])
                weights = {}
                file["model_weights"].visititems(
                    lambda name, item: weights.update({name: list(item.shape)}) if hasattr(item, "shape") else None
                )
            names = [layer["name"] for layer in config["config"]["layers"]]
            note(call="load_model", name=pathlib.Path(path).name, settings=settings, layers=names, weights=weights)
            return "the float model"
"""
_VITIS = """
import os, pathlib, shutil, sys, time
import numpy as np
from tensorflow import note
class VitisQuantizer:
    def __init__(self, model, *rest, **settings):
        note(call="VitisQuantizer", model=model, rest=list(rest), settings=settings)
    def quantize_model(self, calib_dataset=None, **settings):
        arrays = calib_dataset if isinstance(calib_dataset, list) else [calib_dataset]
        facts = [[str(a.dtype), list(a.shape), float(a.sum(dtype=np.float64))] for a in arrays]
        note(call="quantize_model", data=facts, settings=settings)
        print("[VAI INFO] Start Quantization...", flush=True)
        mode = os.environ.get("STAND_IN_MODE", "")
        if mode == "raise":
            raise ValueError("Cannot quantize layer 'conv'")
        if mode == "hang":
            time.sleep(600)
        return Model()
class Model:
    def save(self, path):
        note(call="save", name=pathlib.Path(path).name)
        mode = os.environ.get("STAND_IN_MODE", "")
        source = pathlib.Path(os.environ["STAND_IN"]) / "q_model.h5"
        if mode == "garbage":
            pathlib.Path(path).write_bytes(b"not an h5 file")
        elif mode != "no file":
            shutil.copyfile(source, path)
"""


def make(folder: Path, model) -> Path:
    """Return an interpreter that has the stand-in; its calls are noted in calls.json of ``folder``."""
    packages = folder / "packages"
    keras = packages / "tensorflow_model_optimization" / "quantization" / "keras"
    keras.mkdir(parents=True)
    for place in (keras, keras.parent, keras.parent.parent):
        (place / "__init__.py").write_text("")
    (packages / "tensorflow.py").write_text(_TENSORFLOW)
    (keras / "vitis_quantize.py").write_text(_VITIS)
    write_q_model(model, folder / "q_model.h5")
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nSTAND_IN={folder} PYTHONPATH={packages} exec {sys.executable} "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def calls(folder: Path) -> list[dict]:
    return json.loads((folder / "calls.json").read_text())


def write_q_model(model, path: Path) -> None:
    """Write convolutions in a row, each with a ReLU or bare, and a final softmax as vai_q stores them."""
    graph, layers, weights = model.graph, [], {}
    (source,) = graph.inputs

    def add(kind, name, config, variables):
        inbound = [[[layers[-1]["name"], 0, 0, {}]]] if layers else []
        layers.append({"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": inbound})
        weights[name] = variables

    add("InputLayer", source, {"batch_input_shape": [None, *graph[source].shape], "dtype": "float32"}, {})
    add("Vitis>VitisQuantize", f"quant_{source}", {}, {f"{source}_pos": model.fix_points[source]})
    for node in graph:
        if node.op.value == "conv2d":
            fix_points = {f"{key}_pos": fix_point for key, fix_point in model.weight_fix_points[node.name].items()}
            if node.name in model.fix_points:
                fix_points["post_activation_pos"] = model.fix_points[node.name]
            config = {
                "name": node.name,
                "filters": node.shape[-1],
                "kernel_size": list(node.weights["kernel"].shape[:2]),
                "padding": "same",
                "activation": {"class_name": "Vitis>NoQuantizeActivation", "config": {}},
            }
            inner = {"layer": {"class_name": "Conv2D", "config": config}}
            add("Vitis>QuantizeWrapper", f"quant_{node.name}", inner, {**node.weights, **fix_points})
        elif node.op.value == "relu":
            inner = {"layer": {"class_name": "Activation", "config": {"name": node.name, "activation": "relu"}}}
            fix_point = {"post_activation_pos": model.fix_points[node.name]}
            add("Vitis>QuantizeWrapper", f"quant_{node.name}", inner, fix_point)
        elif node.op.value == "softmax":
            add("Activation", node.name, {"activation": "softmax"}, {})
    ends = {"input_layers": [[source, 0, 0]], "output_layers": [[layers[-1]["name"], 0, 0]]}
    config = {"name": "q", "layers": layers, **ends}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        for name, variables in weights.items():
            group = file.create_group(f"model_weights/{name}")
            for key, value in variables.items():
                group.create_dataset(f"{name}/{key}:0", data=np.asarray(value, np.float32))
