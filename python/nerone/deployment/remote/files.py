"""The files sent to a board: the bundle's, and a script and a notebook that run it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nerone.bundle.bundle import MANIFEST, Bundle
from nerone.deployment.remote.ssh import shell_python
from nerone.ownership import temporary_folder

__all__ = ["NOTEBOOK", "SCRIPT", "notebook", "run_script", "travelling_files"]

SCRIPT = "run.sh"
NOTEBOOK = "run.ipynb"


@contextlib.contextmanager
def travelling_files(bundle: Bundle, *, device: str, remote_python: str) -> Iterator[dict[str, Path]]:
    """Give the files to have on the board, by name; what is generated lives as long as the block."""
    files = {name: bundle.path / name for name in (MANIFEST, *bundle.checksums)}
    with temporary_folder("deploy") as scratch:
        for name, text in ((SCRIPT, run_script(device, remote_python)), (NOTEBOOK, notebook(bundle, device))):
            files[name] = Path(scratch) / name
            files[name].write_text(text, "utf-8")
        files[SCRIPT].chmod(0o755)
        yield files


def run_script(device: str, remote_python: str) -> str:
    """Return the shell script that runs the bundle on scans: sh run.sh SCANS -o OUT."""
    return f"""#!/bin/sh
# Runs this bundle on a file or folder of scans: sh run.sh SCANS -o OUT
# NERONE_PYTHON names another Python that has NERONE.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 2
nerone_python=${{NERONE_PYTHON:-}}
[ -n "$nerone_python" ] || nerone_python={shell_python(remote_python)}
exec "$nerone_python" -m nerone.cli.main run --device {device} "$here" "$@"
"""


def notebook(bundle: Bundle, device: str) -> str:
    """Return a Jupyter notebook (nbformat 4.5) that opens the bundle, times the network and predicts a scan."""
    shape = bundle.input.shape[1:]
    cells = [
        ("markdown", f"# {bundle.name}\n\nRuns on device `{device}`. Start Jupyter in this folder."),
        (
            "code",
            "from nerone.deployment import Bundle\n"
            "from nerone.runtime.prediction.inference import Inference\n\n"
            'bundle = Bundle.open(".")\n'
            f'inference = Inference(bundle, device="{device}")\n'
            "bundle.output.class_names",
        ),
        (
            "code",
            "import time\n\nimport numpy as np\n\nfrom nerone.runtime import Model\n\n"
            f'with Model.load(inference.path, device="{device}") as model:\n'
            f"    image = np.zeros((1, {', '.join(map(str, shape))}), model.inputs[0].dtype)\n"
            "    model.run(image)\n"
            "    start = time.perf_counter()\n"
            "    for _ in range(10):\n"
            "        model.run(image)\n"
            "    seconds = (time.perf_counter() - start) / 10\n"
            'print(f"{seconds * 1e3:.2f} ms for one image at a time")',
        ),
        (
            "code",
            "from nerone.runtime.prediction.files import predict_files\n\n"
            'scans = ""  # a file or folder of scans; the bundle declares how they are prepared\n'
            "if scans:\n"
            f'    predict_files(bundle, scans, "predictions", device="{device}")',
        ),
    ]
    content: dict[str, Any] = {
        "cells": [_cell(number, kind, text) for number, (kind, text) in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1) + "\n"


def _cell(number: int, kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text.splitlines(True)}
    return {**cell, "execution_count": None, "outputs": []} if kind == "code" else cell
