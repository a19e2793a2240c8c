"""The installed C++ package: the example outside of the source tree finds, builds and runs with it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from nerone.runtime.pipeline import Pipeline
from preset_bundles import preset_bundle, preset_images

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build/test"
SECONDS = 500

if not (BUILD / "cpp/package").is_dir() or shutil.which("cmake") is None:
    pytest.skip("the C++ package is not built; make test-cpp builds it", allow_module_level=True)


def _run(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, timeout=SECONDS, **options)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done


def _noting(folder):
    """Return the environment of a program whose libraries are noted in the folder."""
    return {**os.environ, "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(folder / "loaded")}


def _loaded(folder, prefix):
    """Return the names of NERONE's libraries that a program loaded, all of them the installed ones."""
    noted = "".join(path.read_text() for path in folder.glob("loaded*"))
    ours = {Path(found) for found in re.findall(r"calling init: (\S*libnerone\S*)", noted)}
    for path in ours:
        assert path.resolve().is_relative_to(prefix), f"'{path}' was taken instead of the installed one"
    return {path.name for path in ours}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    _run("cmake", "--install", BUILD, "--component", "cpp", "--prefix", folder)
    return folder


@pytest.fixture(scope="module")
def example(prefix, tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(ROOT / "examples/cpp", folder / "source")
    build = folder / "build"
    _run("cmake", "-S", folder / "source", "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    _run("cmake", "--build", build)
    return build / "segment"


def test_example_segments_with_the_installed_package(prefix, example, tmp_path):
    bundle, image = preset_bundle(tmp_path, "ct-org"), preset_images("ct-org", 1)
    done = _run(example, bundle.path, 300, 280, input=image.tobytes(), env=_noting(tmp_path))
    with Pipeline(bundle.path, threads=1) as pipeline:
        wanted = pipeline.run(image)
    np.testing.assert_array_equal(np.frombuffer(done.stdout, np.uint8).reshape(wanted.shape), wanted)
    assert done.stderr.decode() == "ct-org: a mask of shape (1, 256, 256)\n"
    assert _loaded(tmp_path, prefix) >= {"libnerone.so.0", "libnerone_softdpu.so", "libnerone_vart_entry.so"}


def test_library_has_a_versioned_soname_and_needs_no_vart(prefix):
    (library,) = prefix.glob("lib*/**/libnerone.so.*.*.*")
    said = _run("readelf", "-d", library).stdout.decode()
    assert "Library soname: [libnerone.so.0]" in said
    assert not re.search(r"NEEDED.*(vart|xir|unilog|glog|python)", said)
    version = re.search(r"project\(nerone VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())
    assert library.name == f"libnerone.so.{version[1]}"


def test_library_exports_only_what_the_headers_declare(prefix):
    (library,) = prefix.glob("lib*/**/libnerone.so.*.*.*")
    said = _run("nm", "-DC", "--defined-only", library).stdout.decode()
    names = [line.split(" ", 2)[2] for line in said.splitlines()]
    assert any(name.startswith("nerone::Bundle::open(") for name in names)
    assert any(name.startswith("nerone::pipeline::open(") for name in names)
    foreign = [name for name in names if "nerone::" not in name]
    assert foreign == []
    inner = [name for name in names if re.search(r"nerone::(door|cpu|vart|bundle|softdpu|run)::", name)]
    assert inner == []


def test_a_program_with_another_version_is_refused(prefix, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(x LANGUAGES CXX)\nfind_package(nerone 99 CONFIG REQUIRED)\n"
    )
    done = subprocess.run(
        ["cmake", "-S", str(tmp_path), "-B", str(tmp_path / "build"), f"-DCMAKE_PREFIX_PATH={prefix}"],
        capture_output=True,
        timeout=SECONDS,
    )
    assert done.returncode != 0
    assert b"version" in done.stderr


def test_installed_program_runs_from_any_folder(prefix, tmp_path):
    bundle = preset_bundle(tmp_path, "ct-org")
    np.save(tmp_path / "scan.npy", preset_images("ct-org", 2))
    environment = {**_noting(tmp_path), "PATH": f"{prefix}/bin:{os.environ['PATH']}"}
    command = ["nerone-run", bundle.path, "scan.npy", "-o", "masks"]
    done = subprocess.run([*map(str, command)], cwd=tmp_path, env=environment, capture_output=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr.decode()
    assert len(list((tmp_path / "masks").glob("*.png"))) == 2
    assert _loaded(tmp_path, prefix) >= {"libnerone_softdpu.so", "libnerone_vart_entry.so"}
