"""The optional packages, and which extra of NERONE brings each."""

from __future__ import annotations

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


def install_command(extra: str = "") -> str:
    """Return what installs NERONE with an extra.

    Examples
    --------
    >>> from nerone.extras import install_command
    >>> install_command("live")
    "pip install 'nerone[live]'"
    """
    return f"pip install 'nerone[{extra}]'" if extra else "pip install nerone"
