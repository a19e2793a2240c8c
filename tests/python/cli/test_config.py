"""--config FILE: the command line wins, unknown names and wrong kinds are named; and the shell's completion."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = "import sys; from nerone.cli.main import main; sys.exit(main(sys.argv[1:]))"

if sys.version_info < (3, 11):
    pytest.importorskip("tomli", reason="tomli is not installed, and Python 3.10 reads no TOML")


@pytest.fixture
def config(tmp_path):
    def write(text: str):
        (tmp_path / "options.toml").write_text(text)
        return tmp_path / "options.toml"

    return write


def test_a_run_of_a_file_and_the_command_line_wins(run, bundle, volume, config, tmp_path):
    file = config(
        f'model = "{bundle.path}"\nscans = "{volume.parent}"\noutput = "{tmp_path / "a"}"\n'
        'format = "png"\nthreads = 1\nmanifest = true\n'
    )
    assert run("run", "--config", file)[0] == 0
    assert len(list((tmp_path / "a").glob("volume-7_mask_*.png"))) == 3
    assert (tmp_path / "a/manifest.jsonl").exists()
    code, _, err = run("run", "--config", file, "-o", tmp_path / "b", "--format", "nifti")
    assert code == 0, err
    assert [path.name for path in (tmp_path / "b").glob("*mask*")] == ["volume-7_mask.nii.gz"]


def test_a_server_and_a_node_of_a_file(run, bundle, config, tmp_path):
    file = config(f'bundles = ["{bundle.path}"]\nport = 0\nmax-bytes = 1000\npower = "none"\nlog_json = true\n')
    code, out, err = run("serve", "--config", file, "--seconds", "0.1")
    assert code == 0, err
    assert "serving net at" in out
    file = config(
        f'bundle = "{bundle.path}"\nto = "PACS@127.0.0.1:4242"\nspool = "{tmp_path / "s"}"\nallow = ["A", "B"]\n'
    )
    code, _, err = run("node", "--config", file, "--port", "0", "--seconds", "0.1")
    assert code == 0, err
    assert (tmp_path / "s/queue.sqlite").exists()


def test_what_is_wrong_is_named(refused, bundle, config, tmp_path):
    error = refused("serve", bundle.path, "--config", config("port = 0\nprot = 1\nque = 2\n"))
    assert "'prot', 'que'" in error
    assert "log-json" in error
    assert "config = " not in error
    for text, words in {
        "port = [1]": "port = [1]; expected a text or a number",
        'log-json = "yes"': "expected true or false",
        'bundles = "net.nerone"': "expected a list",
        "bundles = [1]": "expected a list",
        "[port]\nis = 1": "expected a text or a number",
        "port = true": "expected a text or a number",
        "port = ": "is no TOML",
        'port = "many"': "'--port'",
        "queue = 0": "queue is 0; expected a whole number, 1 to",
        'host = "a\\u0000b"': "null character in host",
    }.items():
        assert words in refused("serve", bundle.path, "--config", config(text)), text
    assert "cannot be read" in refused("serve", "--config", tmp_path / "nothing.toml")
    assert "does not know" in refused("run", "--config", config('config = "again.toml"'))


def test_shells_complete_verbs_and_options():
    words = {"_NERONE_COMPLETE": "complete_bash", "COMP_WORDS": "nerone serve --max", "COMP_CWORD": "2"}
    program = PROGRAM.replace("import sys;", "import sys; sys.argv = ['nerone'];")
    said = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **words}, capture_output=True, text=True, check=True
    )
    assert {"--max-bytes", "--max-scan-bytes"} <= set(said.stdout.split())
    words = {"_NERONE_COMPLETE": "source_bash"}
    said = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **words}, capture_output=True, text=True, check=True
    )
    assert subprocess.run(["bash", "-n"], input=said.stdout, text=True, check=False).returncode == 0
    assert len(said.stdout.splitlines()) > 5
