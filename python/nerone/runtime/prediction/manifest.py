"""The manifest of a run: one JSON line per case, from which a run that was killed goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nerone.bundle.bundle import Bundle
from nerone.bundle.checks import versions
from nerone.bundle.writing import write_error
from nerone.runtime.prediction.cases import Case
from nerone.runtime.prediction.options import RunOptions

__all__ = ["Manifest", "file_digest"]


def file_digest(path: Path) -> str:
    """Return the digest of a file's content."""
    found = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()


class Manifest:
    """The lines of a run, kept in the output folder.

    A line has "case", "input" (digest), "outputs" (file below the folder, digest), "seconds", "error" or null,
    "made_by" (digests and settings that decide the result), "versions", and what the run said of the case in "result".

    Parameters
    ----------
    folder : the output folder; every ``manifest*.jsonl`` in it is read, those of other shards too
    bundle, options : of the run
    part : of its file's name, where several write manifests of one run; the shard's where empty
    """

    def __init__(self, folder: Path, bundle: Bundle, options: RunOptions, part: str = "") -> None:
        self.folder = folder
        shard = "" if options.shard is None else f"{options.shard[0]}-of-{options.shard[1]}"
        part = part or shard
        self.path = folder / (f"manifest-{part}.jsonl" if part else "manifest.jsonl")
        self.made_by = {
            "bundle": file_digest(bundle.path / "bundle.json"),
            "format": options.format,
            "resample": options.resample,
            **({"colours": True} if options.colours else {}),
        }
        self._versions = versions()
        self._lines = self._read() if options.resume else {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not options.resume:
                self.path.write_text("", "utf-8")
        except OSError as error:
            raise write_error(self.path, error) from error

    def _read(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for path in sorted(self.folder.glob("manifest*.jsonl")):
            for text in path.read_text("utf-8", errors="replace").splitlines():
                try:
                    line = json.loads(text)
                except ValueError:
                    continue  # the line that was being written when the run was killed
                if isinstance(line, dict) and isinstance(line.get("case"), str) and line.get("error") is None:
                    found[line["case"]] = line
        return found

    def finished(self, case: Case) -> dict[str, Any] | None:
        """Return the line of a case that is finished: input, bundle, settings and every output are as it says."""
        line = self._lines.get(case.key)
        if line is None or line.get("made_by") != self.made_by or not isinstance(line.get("outputs"), dict):
            return None
        try:
            same = all(file_digest(self.folder / name) == digest for name, digest in line["outputs"].items())
            return line if same and line.get("input") == case.digest() else None
        except OSError:
            return None

    def add(
        self, case: Case, seconds: float, outputs: list[Path], result: Mapping[str, Any], error: str | None = None
    ) -> None:
        """Write the line of a case; it is on the disk when this returns."""
        line = {
            "case": case.key,
            "source": str(case.source.path),
            "input": case.digest() if error is None else None,
            "outputs": {str(path.relative_to(self.folder)): file_digest(path) for path in outputs},
            "seconds": round(seconds, 3),
            "error": error,
            "made_by": self.made_by,
            "versions": self._versions,
            "result": result,
        }
        self._append(line)

    def left_out(self, path: Path, reason: str) -> None:
        """Write the line of a file that could not even be opened."""
        self._append({"case": path.name, "source": str(path), "error": reason, "versions": self._versions})

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as problem:
            raise write_error(self.path, problem) from problem
