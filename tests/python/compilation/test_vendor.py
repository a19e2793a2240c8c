"""The vendor's compiler, played by stand-ins: what is run, what is checked, and what each failure says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from compilation.small_models import Maker
from nerone import _core
from nerone.compilation import compile as compile_model
from nerone.compilation.quantized_xir import load_quantized_xir
from nerone.compilation.vendor.compiler import check_vendor_model, vendor_compile
from nerone.errors import ConfigurationError, ModelError, TimeoutError

IMAGE = "xilinx/vitis-ai-cpu:1.4.1.978"


@pytest.fixture
def quantized():
    return Maker(shape=(6, 6, 2)).conv("first", 4).conv("second", 3, fix_point=4).conv("third", 3, fix_point=4).model()


def compiled(quantized, folder, **options):
    return vendor_compile(
        quantized, output=folder / "out", name="net", **{"board": "kv260", "vitis_ai": "1.4", **options}
    )


def test_without_the_compiler_a_ready_folder_is_left(tmp_path, stand_ins, quantized):
    made = compiled(quantized, tmp_path, compiler="none")
    assert made.xmodel is None
    assert made.compiler == ""
    assert json.loads((made.folder / "arch.json").read_text()) == {"fingerprint": "0x1000020f6014407"}
    assert sorted(path.name for path in made.folder.iterdir()) == ["arch.json", "compile.sh", "net_int.xmodel"]
    # What the compiler is given is the whole model.
    given = load_quantized_xir(made.folder / "net_int.xmodel")
    path = compile_model(given, output=tmp_path / "given.xmodel").path
    assert check_vendor_model(path, quantized, None).images == 3
    # The script does the whole job once a compiler is there, from any folder.
    stand_ins.compiler(quantized)
    subprocess.run([made.script], check=True, capture_output=True, cwd=tmp_path, timeout=300)
    found = check_vendor_model(made.folder / "compiled" / "net.xmodel", quantized, 0x1000020F6014407)
    assert (found.dpu_subgraphs, found.host_dpu_subgraphs, found.images) == (1, 1, 3)
    assert found.notes() == ()


def test_the_script_finds_a_container_engine(tmp_path, stand_ins, quantized):
    made = compiled(quantized, tmp_path, compiler="none")
    (tmp_path / "programs/bin").mkdir(parents=True)
    record = tmp_path / "words"
    engine = tmp_path / "programs/bin/docker"
    engine.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {record}\n')
    engine.chmod(0o755)
    subprocess.run([made.script], check=True, capture_output=True, cwd=tmp_path, timeout=300)
    words = record.read_text().splitlines()
    assert words[0] == "run"
    assert words[-3:] == [IMAGE, "bash", "compile.sh"]
    assert f"{made.folder.resolve()}:/workspace" in words
    # In the container itself it does not start another one.
    environment = {**os.environ, "NERONE_IN_CONTAINER": "1"}
    done = subprocess.run([made.script], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 127
    assert "no vai_c_xir here" in done.stderr


def test_the_compiler_is_run_and_checked(tmp_path, stand_ins, quantized):
    stand_ins.compiler(quantized, fingerprint=0x101000016010407)
    lines = []
    made = compiled(quantized, tmp_path, board="zcu104", vitis_ai="2.5", log=lines.append)
    assert made.xmodel == tmp_path / "out" / "compiled" / "net.xmodel"
    assert made.compiler.endswith("vai_c_xir")
    assert lines == ["[UNILOG][INFO] begin net", "compiled net"]
    assert (made.folder / "compile.log").read_text().splitlines() == lines
    assert made.check.fingerprint == 0x101000016010407
    # An earlier result is never taken for the new one.
    stand_ins.compiler(mode="nothing")
    with pytest.raises(ConfigurationError, match=r"ended well but wrote no 'net\.xmodel'"):
        compiled(quantized, tmp_path, board="zcu104")


def test_a_model_of_vai_q_goes_as_it_is(tmp_path, stand_ins, quantized):
    source = tmp_path / "q_model.h5"
    source.write_bytes(b"as it is")
    stand_ins.compiler(quantized, tool="vai_c_tensorflow2")
    made = compiled(quantized, tmp_path, q_model=source)
    assert made.compiler.endswith("vai_c_tensorflow2")
    assert (made.folder / "net_q.h5").read_bytes() == b"as it is"
    assert "vai_c_tensorflow2 -m net_q.h5 -a arch.json -o compiled -n net" in made.script.read_text()
    # A machine that has the other compiler alone can do it too.
    (tmp_path / "programs/bin/vai_c_tensorflow2").unlink()
    stand_ins.compiler(quantized)
    assert compiled(quantized, tmp_path, q_model=source).compiler.endswith("vai_c_xir")


def test_the_log_comes_while_the_compiler_runs(tmp_path, stand_ins, quantized):
    stand_ins.compiler(quantized, "waits")
    made = compiled(quantized, tmp_path, log=lambda line: (tmp_path / "out" / "go").touch(), time_limit_s=100)
    assert made.xmodel is not None


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_from_the_vendors_image(tmp_path, stand_ins, quantized, engine):
    folder = tmp_path / 'a, "b":c'
    folder.mkdir()
    stand_ins.compiler(quantized, folder="container")
    stand_ins.engine(engine, images=(IMAGE,))
    made = compiled(quantized, folder)
    assert made.compiler == f"{engine} image {IMAGE}"
    assert made.check.images == 3
    inspected, words = stand_ins.engine_words()
    assert inspected == ["image", "inspect", IMAGE]
    source = str((folder / "out").resolve()).replace('"', '""')
    user = ["--user", f"{os.getuid()}:{os.getgid()}"] if engine == "docker" else ["--security-opt", "label=disable"]
    assert re.fullmatch("nerone-[0-9a-f]{12}", words[3])
    assert words == [
        *("run", "--rm", "--name", words[3], "--mount", f'type=bind,"source={source}",target=/workspace'),
        *("--workdir", "/workspace", *user, "--env", "HOME=/tmp", "--env", "NERONE_IN_CONTAINER=1"),
        *(IMAGE, "bash", "compile.sh"),
    ]


def test_an_image_is_fetched_only_where_it_was_asked_for(tmp_path, stand_ins, quantized):
    stand_ins.compiler(quantized, folder="container")
    stand_ins.engine()
    assert compiled(quantized, tmp_path).xmodel is None
    assert stand_ins.engine_words() == [["image", "inspect", IMAGE]]
    made = compiled(quantized, tmp_path, compiler="docker", image="mine:1")
    assert made.xmodel is not None
    assert stand_ins.engine_words()[-1][-3:] == ["mine:1", "bash", "compile.sh"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"compiler": "podman"}, "podman is not in PATH; install it"),
        ({"compiler": "path"}, "vai_c_xir is not in PATH; activate"),
        ({"compiler": "dokcer"}, "no compiler 'dokcer'; give one of auto, path, docker, podman, none"),
        ({"board": "host"}, "the host needs no vendor compiler"),
        ({"time_limit_s": -1.0}, "a time limit of -1 s cannot be"),
        ({"name": "a/../b"}, "'a/../b' is no name for a network"),
        ({"vitis_ai": "9"}, "no entry for Vitis AI 9"),
    ],
)
def test_what_cannot_be_asked_for(tmp_path, stand_ins, quantized, monkeypatch, options, words):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=words):
        vendor_compile(quantized, output=tmp_path / "out", **{"board": "kv260", **options})


def test_a_compiler_that_fails(tmp_path, stand_ins, quantized):
    stand_ins.compiler(mode="fails")
    words = r"exit code 1: .*x are not supported / \[VAI_C\] out of luck; the whole log is .*compile\.log'"
    with pytest.raises(ConfigurationError, match=words) as caught:
        compiled(quantized, tmp_path)
    assert "\n" not in str(caught.value)


def test_an_engine_that_fails(tmp_path, stand_ins, quantized):
    stand_ins.engine(fails=True)
    with pytest.raises(ConfigurationError, match=rf"exit code 125: .*permission denied.*the image {IMAGE} can be run"):
        compiled(quantized, tmp_path, compiler="docker")


def test_a_program_that_cannot_be_run(tmp_path, stand_ins, quantized):
    tool = tmp_path / "programs/bin/vai_c_xir"
    tool.parent.mkdir(parents=True)
    tool.write_bytes(b"\x7fELF nonsense")
    tool.chmod(0o755)
    with pytest.raises(ConfigurationError, match="vai_c_xir cannot be run: Exec format error"):
        compiled(quantized, tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path, stand_ins, quantized):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"cannot write the folder '.*out' .*File exists; choose another"):
        compiled(quantized, tmp_path)


def alive(pid):
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split(")")[-1].split()[0] != "Z"
    return False


def gone(folder):
    """Whether nothing of the compiler runs any more; on a slow machine it may have been stopped before it began."""
    kept = folder / "out" / "pids"
    pids = json.loads(kept.read_text() or "[]") if kept.exists() else []
    for _ in range(100):
        if not any(map(alive, pids)):
            return True
        time.sleep(0.05)
    return False


def test_a_compiler_that_hangs_is_stopped(tmp_path, stand_ins, quantized):
    stand_ins.compiler(mode="hangs")
    with pytest.raises(TimeoutError, match=r"vai_c_xir did not finish in 2 s and was stopped; raise --time-limit"):
        compiled(quantized, tmp_path, time_limit_s=2)
    assert gone(tmp_path)
    assert (tmp_path / "out" / "compile.log").exists()


def test_a_container_that_hangs_is_removed(tmp_path, stand_ins, quantized):
    stand_ins.compiler(mode="hangs", folder="container")
    stand_ins.engine(images=(IMAGE,))
    with pytest.raises(TimeoutError):
        compiled(quantized, tmp_path, time_limit_s=2)
    assert gone(tmp_path)
    words = stand_ins.engine_words()
    started = [word[3] for word in words if word[0] == "run"]
    assert words[-1][:2] == ["rm", "--force"]
    assert started in ([], [words[-1][2]])


def test_ctrl_c_stops_the_compiler(tmp_path, stand_ins, quantized):
    stand_ins.compiler(mode="hangs")

    def press(line):
        if line == "hanging":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compiled(quantized, tmp_path, log=press)
    assert gone(tmp_path)


def test_a_result_for_another_board_is_rejected(tmp_path, stand_ins, quantized):
    stand_ins.compiler(quantized, fingerprint=0x1000020F6014408)
    with pytest.raises(ModelError, match=r"for fingerprint 0x1000020f6014408, the board has 0x1000020f6014407"):
        compiled(quantized, tmp_path)
    assert [path.name for path in (tmp_path / "out/compiled").iterdir()] == ["net.xmodel.rejected"]


@pytest.mark.parametrize("layer", ["first", "second", "third"])
def test_the_layer_that_differs_is_named(tmp_path, stand_ins, quantized, layer):
    weights = {key: values.copy() for key, values in quantized.graph[layer].weights.items()}
    weights["kernel"][0, 0, 0, 0] += 0.5
    nodes = tuple(replace(node, weights=weights) if node.name == layer else node for node in quantized.graph)
    stand_ins.compiler(replace(quantized, graph=replace(quantized.graph, nodes=nodes)))
    words = rf"layer '{layer}' is the first that differs, in \d+ of \d+ values, by \d+ steps.*; 1 of its \d+ weights"
    with pytest.raises(ModelError, match=words):
        compiled(quantized, tmp_path)


def test_a_board_model_that_is_another(tmp_path, quantized):
    def refused(words, model, fingerprint=None, **options):
        path = compile_model(model, output=tmp_path / "other.xmodel").path
        with pytest.raises(ModelError, match=words):
            check_vendor_model(path, quantized, fingerprint, **options)

    moved = replace(quantized, fix_points={**quantized.fix_points, "second": 3})
    refused(r"fingerprint 0x0, the board has 0x1000020f6014407", moved, 0x1000020F6014407)
    refused(r"layer 'second' is the first that differs, its fix_point is 3 instead of 4", moved)
    refused(r"input 'x_fix' .* has fix point 5", replace(quantized, fix_points={**quantized.fix_points, "x": 5}))
    refused("has inputs of shapes .*made of another model", Maker(shape=(5, 5, 2)).conv("first", 4).model())
    refused("has outputs of shapes .*made of another model", Maker(shape=(6, 6, 2)).conv("first", 4).model())
    refused("for the DPU 'DPUCZDX8G_NERONE', arch.json names 'B1'", quantized, target="B1")
    renamed = Maker(shape=(6, 6, 2)).conv("a", 4).conv("b", 3, fix_point=3).conv("c", 3, fix_point=4).model()
    refused("no layer of the same name differs", renamed)
    with pytest.raises(ConfigurationError, match="there is no xmodel"):
        check_vendor_model(tmp_path / "none.xmodel", quantized, None)


def test_a_file_without_a_dpu_subgraph(tmp_path, quantized):
    from nerone.compilation.export import export_quantized_xir

    path = export_quantized_xir(quantized, tmp_path / "net_int.xmodel")
    with pytest.raises(ModelError, match="has no DPU subgraph; give what the vendor's compiler made"):
        check_vendor_model(path, quantized, None)


def test_more_subgraphs_than_ours_are_told(tmp_path, quantized):
    """The vendor may leave a layer to the CPU that we keep on the DPU; the values are the same all the same."""
    reason = replace(quantized, float_nodes={"second": "for this test"})
    path = compile_model(reason, output=tmp_path / "split.xmodel").path
    parts = [part["attrs"]["device"] for part in _core.read_xmodel(str(path))["root"]["children"]]
    assert parts.count("DPU") == 2
    found = check_vendor_model(path, quantized, None)
    assert "2 DPU subgraphs, the host compilation has 1" in found.notes()[0]
