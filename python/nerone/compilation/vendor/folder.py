"""The folder that the vendor's compiler works in: the quantized model, arch.json and one script."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from nerone.compilation.export import export_quantized_xir
from nerone.compilation.vendor.arch import Arch
from nerone.dpu.boards import Board
from nerone.errors import ConfigurationError
from nerone.quantization.model import QuantizedModel

__all__ = ["FOR_H5", "FOR_XIR", "SCRIPT", "VendorFolder", "check_name", "prepare_folder"]

SCRIPT = "compile.sh"
FOR_XIR, FOR_H5 = "vai_c_xir", "vai_c_tensorflow2"
COMPILED = "compiled"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class VendorFolder:
    """A folder that is ready for the vendor's compiler.

    Attributes
    ----------
    path : Path
    command : words of the compiler, run in that folder
    xmodel : Path, what the compiler will write
    """

    path: Path
    command: tuple[str, ...]
    xmodel: Path

    @property
    def tool(self) -> str:
        """The compiler: vai_c_xir, or vai_c_tensorflow2 for a model that the vendor's quantizer made."""
        return self.command[0]

    @property
    def script(self) -> Path:
        """The script that does it all."""
        return self.path / SCRIPT


def prepare_folder(
    quantized: QuantizedModel, board: Board, arch: Arch, path: Path, *, name: str, image: str, q_model: Path | None
) -> VendorFolder:
    """Fill a folder; what an earlier compilation left there goes.

    Parameters
    ----------
    q_model : h5 of vai_q that ``quantized`` was read from, where there is one: the compiler takes it as it is

    Raises
    ------
    ConfigurationError
        for a name that the compiler could not take, or a folder that cannot be written.
    """
    check_name(name)
    source = f"{name}_int.xmodel" if q_model is None else f"{name}_q.h5"
    tool = (FOR_XIR, "-x") if q_model is None else (FOR_H5, "-m")
    command = (*tool, source, "-a", "arch.json", "-o", COMPILED, "-n", name)
    try:
        path.mkdir(parents=True, exist_ok=True)
        if (path / COMPILED).is_dir():
            shutil.rmtree(path / COMPILED)
        (path / "arch.json").write_text(arch.text(), "utf-8")
        export_quantized_xir(quantized, path / f"{name}_int.xmodel")
        if q_model is not None:
            shutil.copyfile(q_model, path / source)
        script = path / SCRIPT
        script.write_text(_script(board, image, command), "utf-8")
        script.chmod(0o755)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the folder '{path}' for the vendor's compiler: {error.strerror or error}; choose another one"
        ) from error
    return VendorFolder(path, command, path / COMPILED / f"{name}.xmodel")


def check_name(name: str) -> None:
    """Refuse a name that the compiler could not take."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"'{name}' is no name for a network; take letters, digits, '.', '_' and '-' only (--net_name)"
        )


def _script(board: Board, image: str, command: tuple[str, ...]) -> str:
    tool, words = command[0], " ".join(shlex.quote(word) for word in command)
    return f"""#!/bin/bash
# Compiles this folder's model for {board.title}, into {COMPILED}/. Needs the vendor's tools and finds them by itself:
# {tool} in PATH, the conda environments of the vendor's container, or docker or podman with that container's image.
# NERONE_VITIS_AI_IMAGE names another image.
cd "$(dirname "$0")" || exit 2
tools=/opt/vitis_ai/conda/etc/profile.d/conda.sh
if ! command -v {tool} >/dev/null && [ -f "$tools" ]; then
  . "$tools"
  for environment in vitis-ai-tensorflow2 vitis-ai-pytorch; do
    command -v {tool} >/dev/null || conda activate "$environment" 2>/dev/null
  done
fi
if command -v {tool} >/dev/null; then
  exec {words}
fi
image=${{NERONE_VITIS_AI_IMAGE:-{shlex.quote(image)}}}
run=(run --rm --volume "$PWD":/workspace --workdir /workspace --env HOME=/tmp --env NERONE_IN_CONTAINER=1)
if [ -z "$NERONE_IN_CONTAINER" ] && command -v docker >/dev/null; then
  exec docker "${{run[@]}}" --user "$(id -u):$(id -g)" "$image" bash {SCRIPT}
elif [ -z "$NERONE_IN_CONTAINER" ] && command -v podman >/dev/null; then
  exec podman "${{run[@]}}" --security-opt label=disable "$image" bash {SCRIPT}
fi
echo "compile.sh: no {tool} here, and neither docker nor podman; run it where the vendor's tools are ($image)" >&2
exit 127
"""
