"""Files through a bundle: volumes give masks in the format that is asked for, pictures PNG masks, classifications one
CSV.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from nerone.bundle.bundle import Bundle
from nerone.bundle.tables import write_table
from nerone.bundle.writing import check_not_read, write_error
from nerone.data.reading import nothing_left
from nerone.data.sources import find_sources
from nerone.data.value_range import ValueNotes
from nerone.errors import ConfigurationError, Error
from nerone.runtime.prediction.case_runner import CaseRunner, Progress, Written, open_pipeline
from nerone.runtime.prediction.cases import in_shard, plan_cases
from nerone.runtime.prediction.manifest import Manifest
from nerone.runtime.prediction.options import RunOptions

__all__ = ["Written", "predict_files"]


def predict_files(
    bundle: Bundle,
    scans: str | Path,
    output: str | Path,
    *,
    device: str = "softdpu",
    backend: Literal["vart", "pynq"] = "vart",
    skip_bad: bool = False,
    options: RunOptions | None = None,
    progress: Progress | None = None,
) -> tuple[list[Written], list[tuple[Path, str]]]:
    """Run every scan or picture of a path and write the results, one case after the other.

    Parameters
    ----------
    bundle : Bundle
    scans : file or folder, as `nerone.data.frames` reads them
    output : folder; for a single file also a file name
    device, backend, skip_bad : as of `RunOptions`, where no options are given
    options : RunOptions
    progress : called with ("images", done, total)

    Returns
    -------
    What was written, and (file, reason) of what was left out. NIfTI and PNG masks hold the data set's label ids where
    the bundle has them, class numbers otherwise, on the grid of the scan; NIfTI masks have its affine.

    Raises
    ------
    ConfigurationError, ShapeError, DtypeError
        naming the file; of all that were left out the last one, where nothing is left.
    """
    options = options or RunOptions(device=device, backend=backend, skip_bad=skip_bad)
    sources, skipped = find_sources(scans, skip_bad=options.skip_bad, steps=bundle.preprocessing)
    root = Path(scans) if Path(scans).is_dir() else Path(scans).parent
    single = Path(output) if len(sources) == 1 and Path(scans).is_file() else None
    if single is not None:
        check_not_read(single, [Path(scans)])
    cases = [case for case in plan_cases(sources, root, Path(output)) if in_shard(case, options.shard)]
    manifest = Manifest(Path(output), bundle, options) if options.keeps_manifest else None
    if manifest is not None and (options.shard is None or options.shard[0] == 1):
        for path, reason in skipped:
            manifest.left_out(path, reason)
    written: list[Written] = []
    total = sum(case.source.count for case in cases)
    with open_pipeline(bundle, options) as pipeline:
        work = CaseRunner(
            bundle,
            pipeline,
            options,
            root,
            Path(output),
            single=single,
            manifest=manifest,
            progress=progress,
            total=total,
        )
        for case in cases:
            try:
                written += work.case(case)
            except Error as error:
                named = str(error) if str(case.source.path) in str(error) else f"'{case.source.path}': {error}"
                if not options.skip_bad:
                    raise type(error)(named) from error
                skipped.append((case.source.path, str(error)))
            except OSError as error:
                raise write_error(Path(output), error) from error
    if cases and not written:
        raise ConfigurationError(nothing_left(f"nothing in '{scans}' could be run", skipped))
    if bundle.output.kind == "classification":
        _write_table(work, written)
    return _noted(written, work.values), skipped


def _noted(written: list[Written], values: ValueNotes) -> list[Written]:
    """Give the first result of each folder of pictures the folder's notes."""
    seen: set[Path] = set()
    noted = []
    for one in written:
        folder = one.source.parent
        noted.append(one if folder in seen else replace(one, notes=(*one.notes, *values.notes(folder))))
        seen.add(folder)
    return noted


def _write_table(work: CaseRunner, written: list[Written]) -> None:
    if not written:
        return
    write_table(written[0].target, [("image", "class", *work.bundle.output.class_names), *work.rows])
