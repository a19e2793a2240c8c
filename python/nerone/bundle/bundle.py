"""The bundle: a folder NAME.nerone with the compiled model, what happens before and after it, and the report.

It is the one artefact that is deployed; it reads with numpy alone, so that a board needs nothing else.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nerone.bundle.checks import check_files, check_fit, json_ready, sha256, versions
from nerone.bundle.declaration import OutputDeclaration, TensorDeclaration
from nerone.bundle.fields import Fields, read_json
from nerone.bundle.writing import recover_folder, replacing_folder
from nerone.errors import ConfigurationError
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.presets import PRESETS

__all__ = ["SCHEMA", "Bundle", "fingerprint_text"]

SCHEMA = 1
SUFFIX = ".nerone"
MANIFEST = "bundle.json"
MODEL = "model.xmodel"
REPORT = "report.json"


def fingerprint_text(fingerprint: int | None) -> str | None:
    """Return a fingerprint as the vendor writes it, "0x1000020f6014407"."""
    return None if fingerprint is None else f"0x{fingerprint:x}"


@dataclass(frozen=True)
class Bundle:
    """A deployed model.

    Attributes
    ----------
    path : Path of the folder
    name : str
    board : str, the board it was made for
    preprocessing : Preprocessing, from an image to the network's input
    preset : str, name of the preset it came from, or ""
    input, output_tensor : TensorDeclaration
    output : OutputDeclaration
    fingerprint : int, of the DPU it was compiled for; None for the software DPU
    board_model : str, file that the vendor's compiler made for the board; "" where only the host's is there
    checksums : mapping of file name to sha256
    versions : mapping of program to version, of the machine that made the bundle
    """

    path: Path
    name: str
    board: str
    preprocessing: Preprocessing
    input: TensorDeclaration
    output_tensor: TensorDeclaration
    output: OutputDeclaration
    fingerprint: int | None = None
    preset: str = ""
    board_model: str = ""
    checksums: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def host_model_path(self) -> Path:
        """The xmodel that the software DPU runs, on any machine."""
        return self.path / MODEL

    @property
    def board_model_path(self) -> Path | None:
        """The xmodel that the vendor's compiler made for the board, where there is one."""
        return self.path / self.board_model if self.board_model else None

    def report(self) -> dict[str, Any]:
        """Read report.json: what quantization and compilation did."""
        return read_json(self.path / REPORT)

    def calibration_values(self) -> dict[str, list[float]] | None:
        """Read the ranges of the calibration images' stored values, by name; None where the report does not say."""
        quantization = self.report().get("quantization")
        calibration = quantization.get("calibration") if isinstance(quantization, dict) else None
        values: Any = calibration.get("values") if isinstance(calibration, dict) else None
        try:
            return {str(name): [float(low), float(high)] for name, (low, high) in values.items()}
        except (AttributeError, TypeError, ValueError):
            return None

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        xmodel: str | Path,
        preprocessing: Preprocessing,
        input: TensorDeclaration,
        output_tensor: TensorDeclaration,
        output: OutputDeclaration,
        board: str = "host",
        fingerprint: int | None = None,
        preset: str = "",
        board_xmodel: str | Path | None = None,
        report: Mapping[str, Any] | None = None,
    ) -> Bundle:
        """Write a bundle; one of that name is replaced when the new one is complete.

        Parameters
        ----------
        path : folder to make; ".nerone" is added where it is missing
        xmodel : file for the software DPU; copied
        board_xmodel : file that the vendor's compiler made for ``board``; copied
        report : JSON-ready values for report.json

        Raises
        ------
        ConfigurationError
            where declarations do not fit together, the target is no bundle, or nothing can be written.
        """
        target = bundle_path(path)
        check_fit(preprocessing, input, output_tensor, output)
        board_name = f"model_{board}.xmodel" if board_xmodel else ""
        sources = {MODEL: Path(xmodel)} | ({board_name: Path(board_xmodel)} if board_xmodel else {})
        for source in sources.values():
            if not source.is_file():
                raise ConfigurationError(f"there is no model file '{source}'; compile first")
        bundle = cls(
            target,
            target.name.removesuffix(SUFFIX),
            board,
            preprocessing,
            input,
            output_tensor,
            output,
            fingerprint,
            preset,
            board_name,
            {},
            versions(),
        )
        with replacing_folder(target, is_bundle) as folder:
            for name, source in sources.items():
                shutil.copyfile(source, folder / name)
            (folder / REPORT).write_text(json.dumps(json_ready(report or {}), indent=1) + "\n", "utf-8")
            checksums = {name: sha256(folder / name) for name in (*sources, REPORT)}
            (folder / MANIFEST).write_text(json.dumps(bundle._manifest(checksums), indent=1) + "\n", "utf-8")
        return cls.open(target)

    def _manifest(self, checksums: Mapping[str, str]) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "name": self.name,
            "board": self.board,
            "fingerprint": fingerprint_text(self.fingerprint),
            "preset": self.preset,
            "preprocessing": self.preprocessing.to_dict(),
            "input": self.input.to_dict(),
            "output_tensor": self.output_tensor.to_dict(),
            "output": self.output.to_dict(),
            "board_model": self.board_model,
            "checksums": dict(checksums),
            "versions": dict(self.versions),
        }

    @classmethod
    def open(cls, path: str | Path, *, verify: bool = True) -> Bundle:
        """Read and check a bundle.

        Parameters
        ----------
        path : the folder; ".nerone" may be left out
        verify : compare every file with its checksum

        Raises
        ------
        ConfigurationError
            one sentence with what is wrong and what to do.

        Examples
        --------
        >>> Bundle.open("unet.nerone").board  # doctest: +SKIP
        'zcu104'
        """
        folder = _existing(Path(path))
        fields = Fields(read_json(folder / MANIFEST), f"'{folder / MANIFEST}'")
        _check_schema(fields)
        bundle = cls(
            folder,
            fields.get("name", str, "a string"),
            fields.get("board", str, "a string"),
            _preprocessing(fields),
            TensorDeclaration.read(fields.object("input")),
            TensorDeclaration.read(fields.object("output_tensor")),
            _output(fields),
            _fingerprint(fields),
            fields.get("preset", str, "a string"),
            fields.get("board_model", str, "a string"),
            _texts(fields, "checksums"),
            _texts(fields, "versions"),
        )
        check_fit(bundle.preprocessing, bundle.input, bundle.output_tensor, bundle.output)
        expected = [MODEL, REPORT, *([bundle.board_model] if bundle.board_model else [])]
        check_files(folder, expected, bundle.checksums, verify=verify)
        return bundle


def bundle_path(path: str | Path) -> Path:
    """Return the folder's name with its ending."""
    folder = Path(path)
    if not folder.name or folder.name in (".", ".."):
        raise ConfigurationError(f"'{path}' is no name for a bundle; give something like unet{SUFFIX}")
    return folder if folder.suffix == SUFFIX else folder.with_name(folder.name + SUFFIX)


def is_bundle(path: Path) -> bool:
    """Whether a folder is a bundle, or empty."""
    return path.is_dir() and ((path / MANIFEST).is_file() or not any(path.iterdir()))


def _existing(path: Path) -> Path:
    if not path.exists() and path.name not in ("", ".", ".."):
        named = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
        recover_folder(named)
        path = named if named.is_dir() else path
    if not path.exists():
        raise ConfigurationError(f"there is no bundle '{path}'; make one with nerone deploy, or check the path")
    if not path.is_dir():
        raise ConfigurationError(f"'{path}' is a file, a bundle is a folder NAME{SUFFIX}; give the folder")
    if not (path / MANIFEST).is_file():
        raise ConfigurationError(f"'{path}' is no bundle: it has no {MANIFEST}; make one with nerone deploy")
    return path


def _check_schema(fields: Fields) -> None:
    schema = fields.get("schema", int, f"{SCHEMA}")
    if schema != SCHEMA:
        raise ConfigurationError(
            f"the bundle has schema {schema}, this NERONE reads {SCHEMA}; use the release that wrote it or deploy again"
        )


def _fingerprint(fields: Fields) -> int | None:
    text = fields.optional("fingerprint", str, "a hexadecimal number or null")
    if text is None:
        return None
    try:
        value = int(text, 16)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 64:
        raise fields.fail("fingerprint", text, "a hexadecimal number of 64 bit")
    return value


def _preprocessing(fields: Fields) -> Preprocessing:
    """Read the preprocessing; of a bundle from before orientations were declared, DICOM lies as its preset says."""
    steps = Preprocessing.from_dict(fields.get("preprocessing", dict, "an object"))
    known = PRESETS.get(fields.get("preset", str, "a string"))
    if steps.orientation or known is None:
        return steps
    return replace(steps, dicom_orientation=known.preprocessing.orientation)


def _output(fields: Fields) -> OutputDeclaration:
    """Read the classes; of a bundle from before classes were coded, with the codes of its preset."""
    output = OutputDeclaration.read(fields.object("output"))
    known = PRESETS.get(fields.get("preset", str, "a string"))
    if output.codes or known is None or known.class_names != output.class_names:
        return output
    return replace(output, codes=known.codes)


def _texts(fields: Fields, key: str) -> dict[str, str]:
    inner = fields.object(key)
    return {name: inner.get(name, str, "a string") for name in inner.keys()}  # noqa: SIM118
