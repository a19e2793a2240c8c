"""Stand-ins of the vendor's compiler and of a container engine, which take exactly the real ones' arguments."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from nerone import _core
from nerone.compilation import compile as compile_model

# What the compiler does: writes a file that was made for it, or fails in one of the ways of the real one.
COMPILER = """#!{python} -SI
import json, os, pathlib, subprocess, sys, time
mode = {mode!r}
flag = "-x" if sys.argv[0].endswith("vai_c_xir") else "-m"
assert sys.argv[1::2] == [flag, "-a", "-o", "-n"], sys.argv
model, arch, out, name = sys.argv[2::2]
assert model == name + ("_int.xmodel" if flag == "-x" else "_q.h5"), sys.argv
assert pathlib.Path(model).is_file() and arch == "arch.json" and not pathlib.Path(out).exists(), os.getcwd()
print("[UNILOG][INFO] begin", name, flush=True)
if mode == "fails":
    print("[UNILOG][FATAL] ops of type x are not supported", file=sys.stderr)
    sys.exit("[VAI_C] out of luck")
if mode == "hangs":
    child = subprocess.Popen(["sleep", "120"])
    pathlib.Path("pids").write_text(json.dumps([os.getpid(), child.pid]))
    print("hanging", flush=True)
    time.sleep(120)
if mode == "waits":
    for _ in range(600):
        if pathlib.Path("go").exists():
            break
        time.sleep(0.1)
    else:
        sys.exit("nobody saw the log")
if mode == "nothing":
    sys.exit(0)
pathlib.Path(out).mkdir()
(pathlib.Path(out) / (name + ".xmodel")).write_bytes(pathlib.Path({result!r}).read_bytes())
print("compiled", name)
"""

# Answers `image inspect`, runs the script in the mounted folder with the container's programs, and keeps its words.
ENGINE = """#!{python} -SI
import json, os, pathlib, re, sys
words = sys.argv[1:]
with open({record!r}, "a") as record:
    record.write(json.dumps(words) + "\\n")
if words[:2] == ["image", "inspect"]:
    sys.exit(0 if words[2] in {images!r} else 1)
if words[0] == "rm":
    sys.exit(0)
assert words[0] == "run", words
if {fails!r}:
    print("docker: permission denied while trying to connect to the Docker daemon socket", file=sys.stderr)
    sys.exit(125)
os.chdir(re.search('"source=(.*?)",target=/workspace', words[words.index("--mount") + 1])[1].replace('""', '"'))
assert words[-2:] == ["bash", "compile.sh"], words
os.environ["PATH"] = {tools!r} + ":" + os.environ["PATH"]
os.environ["NERONE_IN_CONTAINER"] = "1"
os.execvp("bash", ["bash", "compile.sh"])
"""


def write_result(quantized: Any, path: Path, fingerprint: int) -> None:
    """Write what a compiler without mistakes would make for a board."""
    compile_model(quantized, output=path)
    graph = _core.read_xmodel(str(path))
    for part in graph["root"]["children"]:
        if part["attrs"]["device"] == "DPU":
            part["attrs"]["dpu_fingerprint"] = _core.UInt64(fingerprint)
    _core.write_xmodel(graph, str(path))


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


class StandIns:
    """Programs on the PATH of one test."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch, self._home = folder, monkeypatch, os.environ["PATH"]
        self.record = folder / "engine.jsonl"
        self._use(folder / "bin")

    def _use(self, *folders: Path) -> None:
        self._monkeypatch.setenv("PATH", os.pathsep.join([*map(str, folders), self._home]))

    def compiler(
        self,
        result: Any = None,
        mode: str = "fine",
        *,
        tool: str = "vai_c_xir",
        folder: str = "bin",
        fingerprint: int = 0x1000020F6014407,
    ) -> None:
        """Install the compiler; ``result`` is the quantized model that its file computes."""
        path = self.folder / f"{tool}.xmodel"
        write_program(self.folder / folder / tool, COMPILER.format(python=sys.executable, mode=mode, result=str(path)))
        if result is not None:
            write_result(result, path, fingerprint)

    def engine(self, name: str = "docker", *, images: tuple[str, ...] = (), fails: bool = False) -> None:
        text = ENGINE.format(
            python=sys.executable,
            record=str(self.record),
            images=images,
            fails=fails,
            tools=str(self.folder / "container"),
        )
        write_program(self.folder / "bin" / name, text)

    def engine_words(self) -> list[list[str]]:
        return [json.loads(line) for line in self.record.read_text().splitlines()]
