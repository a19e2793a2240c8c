"""The optional packages, and which extra of NERONE brings each."""

from __future__ import annotations

import sys

__all__ = ["EXTRAS", "install_command"]

EXTRAS = {
    "typer": "cli",
    "rich": "cli",
    "tomli": "cli",
    "nibabel": "data",
    "pydicom": "data",
    "highdicom": "data",
    "gdcm": "data",
    "jpeg_ls": "data",
    "SimpleITK": "data",
    "PIL": "data",
    "tensorflow": "quantize",
    "keras": "quantize",
    "h5py": "quantize",
    "onnx": "quantize",
    "torch": "torch",
    "onnxscript": "torch",
    "matplotlib": "pictures",
    "aiohttp": "live",
    "prometheus_client": "serve",
    "pynetdicom": "node",
    "ray": "ray",
    "cv2": "video",
    "ipywidgets": "notebook",
}
"""Name of the extra by the name under which a package is imported."""


# Keras, pydicom and what builds on them run on no older Python.
_NEED_PYTHON_3_10 = ("quantize", "data", "node")


def install_command(extra: str = "", *, python: tuple[int, int] | None = None) -> str:
    """Return what installs NERONE with an extra, and which Python that takes where ``python``, this one, is older.

    Examples
    --------
    >>> from nerone.extras import install_command
    >>> install_command("live")
    "pip install 'nerone[live]'"
    """
    command = f"pip install 'nerone[{extra}]'" if extra else "pip install nerone"
    if extra in _NEED_PYTHON_3_10 and (python or sys.version_info[:2]) < (3, 10):
        return f"{command}, in Python 3.10 or newer, which it needs"
    return command
