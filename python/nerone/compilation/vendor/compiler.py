"""The vendor's closed compiler: run it, or leave a folder that is ready for it, and check what it made."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nerone.compilation.vendor.arch import Arch, arch_for, read_arch
from nerone.compilation.vendor.check import VendorCheck, check_vendor_model
from nerone.compilation.vendor.folder import FOR_H5, FOR_XIR, SCRIPT, VendorFolder, check_name, prepare_folder
from nerone.compilation.vendor.run import Feed
from nerone.compilation.vendor.tools import Compiler, check_choice, find_compiler, run_compiler
from nerone.dpu.boards import board_names, find_board, vitis_ai_image
from nerone.errors import ConfigurationError, Error, ModelError
from nerone.quantization.model import QuantizedModel

__all__ = [
    "TIME_LIMIT_S",
    "VendorCompilation",
    "check_request",
    "check_vendor_model",
    "read_arch",
    "vendor_compile",
]

TIME_LIMIT_S = 1800.0
_LONGEST_S = 7 * 24 * 3600.0
_LAST_LINES = 4

Log = Callable[[str], None]


@dataclass(frozen=True)
class VendorCompilation:
    """Result of the vendor's compiler.

    Attributes
    ----------
    folder : Path with the quantized model, arch.json, the script, and what the compiler made
    xmodel : Path, or None where the compiler was not there: then ``script`` makes it
    script : Path
    log : str, what the compiler said
    compiler : str, what ran: a path, or an image; "" where nothing did
    check : VendorCheck, or None without an xmodel
    """

    folder: Path
    xmodel: Path | None
    script: Path
    log: str = ""
    compiler: str = ""
    check: VendorCheck | None = None


def vendor_compile(
    quantized: QuantizedModel,
    *,
    board: str,
    output: str | Path,
    name: str = "model",
    arch: str | Path | Arch | None = None,
    vitis_ai: str | None = None,
    q_model: str | Path | None = None,
    compiler: str = "auto",
    image: str | None = None,
    time_limit_s: float = TIME_LIMIT_S,
    images: Sequence[Sequence[Feed]] = (),
    log: Log | None = None,
    log_file: Path | None = None,
) -> VendorCompilation:
    """Compile a quantized model for a board with the vendor's compiler, or leave a ready folder.

    The result is checked: fingerprint, DPU subgraphs, and that the software DPU computes with it what it computes with
    the host compilation, bit for bit. A file that fails the check is renamed to NAME.xmodel.rejected.

    Parameters
    ----------
    quantized : QuantizedModel
    board : str, a board of the table, not the host
    output : folder to make or fill
    name : name of the network, as the compiler's -n takes it
    arch : arch.json of the board; written from the board table where not given
    vitis_ai : version of the board's overlay, for the table
    q_model : h5 of vai_q that ``quantized`` was read from: compiled by ``vai_c_tensorflow2``; else, or where PATH has
        ``vai_c_xir`` alone, that is given the exported graph
    compiler : "auto", "path", "docker", "podman" or "none", see `nerone.compilation.vendor.tools.find_compiler`
    image : container image in place of the board table's for that version
    time_limit_s : after which the compiler is stopped
    images : to compare the results on, besides random ones
    log : called with each line of the compiler's as it comes
    log_file : for these lines; compile.log in the folder where not given

    Raises
    ------
    ConfigurationError
        for the host, an unreadable arch.json, or a compiler that fails; its last lines are in the message.
    TimeoutError
        where the compiler takes longer than the limit.
    ModelError
        where the compiled model is for another DPU, or does not compute what the host compilation computes.
    """
    target = find_board(board)
    if target.is_host:
        raise ConfigurationError(f"the host needs no vendor compiler; name a board: {board_names(host=False)}")
    check_request(name, compiler, time_limit_s)
    known = arch if isinstance(arch, Arch) else arch_for(target, arch, vitis_ai)
    found_image = image or vitis_ai_image(vitis_ai or target.vitis_ai)
    source = Path(q_model) if q_model is not None else None
    if source is not None and compiler in ("auto", "path") and not shutil.which(FOR_H5) and shutil.which(FOR_XIR):
        source = None  # the exported graph says the same
    folder = prepare_folder(quantized, target, known, Path(output), name=name, image=found_image, q_model=source)
    tool = find_compiler(folder.tool, found_image, compiler)
    if tool is None:
        return VendorCompilation(folder.path, None, folder.script)
    text = _run(folder, tool, time_limit_s, log or (lambda line: None), log_file or folder.path / "compile.log")
    try:
        check = check_vendor_model(
            folder.xmodel,
            quantized,
            known.fingerprint,
            board=board,
            vitis_ai=vitis_ai,
            target=known.target,
            images=images,
            title=f"what {folder.tool} made",
        )
    except ModelError:
        shutil.move(folder.xmodel, folder.xmodel.with_name(f"{folder.xmodel.name}.rejected"))
        raise
    return VendorCompilation(folder.path, folder.xmodel, folder.script, text, str(tool), check)


def check_request(name: str, compiler: str, time_limit_s: float) -> None:
    """Refuse what `vendor_compile` could not do, before the work that leads to it begins.

    Raises
    ------
    ConfigurationError
        for a name, a compiler or a time limit that cannot be.
    """
    check_name(name)
    check_choice(compiler)
    if not 0 < time_limit_s <= _LONGEST_S:
        raise ConfigurationError(f"a time limit of {time_limit_s:g} s cannot be; give 1 to {_LONGEST_S:.0f} seconds")


def _run(folder: VendorFolder, tool: Compiler, time_limit_s: float, log: Log, log_file: Path) -> str:
    try:
        code = run_compiler(tool, folder.path, folder.command, SCRIPT, log_file, time_limit_s, log)
    except Error:
        raise
    except OSError as error:
        raise ConfigurationError(
            f"{tool.program} cannot be run: {error.strerror or error}; check it by hand"
        ) from error
    text = log_file.read_text("utf-8")
    if code == 0 and folder.xmodel.is_file():
        return text
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    last = " / ".join(lines[-_LAST_LINES:]) or "it said nothing"
    how = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
    how = how if code else f"ended well but wrote no '{folder.xmodel.name}'"
    remedy = f"; check that the image {tool.image} can be run" if tool.image and code in (125, 126, 127) else ""
    raise ConfigurationError(f"{folder.tool} {how}: {last}; the whole log is '{log_file}'{remedy}")
