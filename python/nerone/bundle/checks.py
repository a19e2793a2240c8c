"""Checks that a bundle's parts fit together, and the values that are written into it."""

from __future__ import annotations

import hashlib
import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from nerone.bundle.declaration import OutputDeclaration, TensorDeclaration
from nerone.compat import zip
from nerone.errors import ConfigurationError, ShapeError
from nerone.runtime.preprocessing import Preprocessing

__all__ = ["check_files", "check_fit", "json_ready", "sha256", "versions"]

_CHUNK = 1 << 20


def check_fit(
    preprocessing: Preprocessing, input: TensorDeclaration, output_tensor: TensorDeclaration, output: OutputDeclaration
) -> None:
    """Refuse declarations that contradict each other."""
    output.check_classes(output_tensor.shape[-1])
    if len(input.shape) != 4:
        raise ConfigurationError(f"the network's input has shape {input.shape}; a bundle takes images (N, H, W, C)")
    channels = preprocessing.input_channels or input.shape[3]
    try:
        # A preprocessing that ends at a fixed size gives the same one for two different images.
        first, second = (preprocessing.output_shape(size, 2 * size, channels) for size in (96, 160))
    except ShapeError as error:
        raise ConfigurationError(f"the preprocessing cannot work: {error}") from error
    if any(size > whole for size, whole in zip(output.covers, input.shape[1:3], strict=False)):
        raise ConfigurationError(
            f"the output covers {list(output.covers)} of the network's input {input.shape}, which is smaller; "
            "deploy again"
        )
    wanted = input.shape[1:]
    if first[2] != wanted[2] or (first == second and first != wanted):
        raise ConfigurationError(
            f"the preprocessing gives images of shape {first}, the network expects {wanted}; "
            "take the preset of this network or change the preprocessing"
        )


def check_files(folder: Path, expected: Sequence[str], checksums: Mapping[str, str], *, verify: bool) -> None:
    """Refuse a folder whose files are missing, outside of it, or not what the checksums say."""
    for name in (*expected, *checksums):
        if PurePosixPath(name).name != name:
            raise ConfigurationError(f"'{folder}' names the file '{name}' outside of itself; deploy again")
    for name in dict.fromkeys((*expected, *checksums)):
        file = folder / name
        if not file.is_file():
            raise ConfigurationError(f"'{file}' is missing; the bundle is incomplete: copy it again or deploy again")
        if name not in checksums:
            raise ConfigurationError(f"'{folder}' has no checksum of '{name}'; deploy again")
        if verify and sha256(file) != checksums[name].lower():
            raise ConfigurationError(
                f"'{file}' does not fit its checksum: it was changed or damaged; copy the bundle again or deploy again"
            )


def sha256(path: Path) -> str:
    """Return the checksum of a file in hexadecimal."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_CHUNK):
                digest.update(block)
    except PermissionError as error:
        raise ConfigurationError(f"'{path}' cannot be read: permission denied; change its permissions") from error
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of the programs that made a bundle."""
    from importlib import metadata

    found = {"python": platform.python_version(), "numpy": np.__version__}
    for package in ("nerone", "tensorflow", "keras"):
        for name in (package, f"{package}-cpu"):
            try:
                found[package] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
            break
    return found


def json_ready(value: Any) -> Any:
    """Return a value in JSON's types: numpy's become plain, numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_ready(item) for item in value]
    if isinstance(value, np.ndarray):
        return json_ready(value.tolist())
    if isinstance(value, np.generic):
        return json_ready(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)
