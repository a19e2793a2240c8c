"""The cases of a run: each scan with the place of its result, identical on every machine and in every shard."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nerone.data.dicom import DicomSeries
from nerone.data.labelled import VOLUME_ENDINGS
from nerone.data.source import Source

__all__ = ["Case", "in_shard", "plan_cases"]


@dataclass(frozen=True)
class Case:
    """A scan and where its result goes.

    Attributes
    ----------
    source : Source
    key : str, its path below the folder that is run, with slashes; unique
    stem : Path of the result without "_mask" and ending
    """

    source: Source
    key: str
    stem: Path

    def files(self) -> list[Path]:
        """Return the files the scan is read from, sorted."""
        detail = self.source.detail
        if isinstance(detail, DicomSeries):
            return sorted(set(detail.files))
        if detail is not None:
            return sorted(detail.modalities)
        return [self.source.path]

    def digest(self) -> str:
        """Return the digest of the files' contents."""
        found = hashlib.blake2b(digest_size=16)
        for path in self.files():
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    found.update(chunk)
        return found.hexdigest()


def plan_cases(sources: Sequence[Source], root: Path, output: Path) -> list[Case]:
    """Give every source its place in the output; names that would meet are numbered, in the order of the sources."""
    used: set[tuple[Path, bool]] = set()
    keys: set[str] = set()
    cases = []
    for source in sources:
        path = source.path
        relative = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
        name = relative.name or path.name
        endings = (*VOLUME_ENDINGS, path.suffix.lower()) if path.is_file() else ()
        ending = next((known for known in endings if known and name.lower().endswith(known)), "")
        stem = name[: len(name) - len(ending)]
        place, number = output / relative.parent / stem, 1
        volume = source.grid is not None
        while (place, volume) in used:
            number += 1
            place = output / relative.parent / f"{stem}_{number}"
        used.add((place, volume))
        key, number = relative.as_posix(), 1
        while key in keys:
            number += 1
            key = f"{relative.as_posix()}#{number}"
        keys.add(key)
        cases.append(Case(source, key, place))
    return cases


def in_shard(case: Case, shard: tuple[int, int] | None) -> bool:
    """Tell whether a case belongs to part i of n: by its key, so that a new file moves no other."""
    if shard is None:
        return True
    index, count = shard
    return int.from_bytes(hashlib.sha256(case.key.encode()).digest()[:8], "big") % count == index - 1
