"""A folder of scans as a Ray dataset: one row a case, masks and manifests on a disk that all machines share."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nerone.bundle.bundle import Bundle
from nerone.data.sources import find_sources
from nerone.errors import ConfigurationError, Error
from nerone.ray.actors import through_actors
from nerone.runtime.prediction.case_runner import CaseRunner, Written, open_pipeline
from nerone.runtime.prediction.cases import in_shard, plan_cases
from nerone.runtime.prediction.manifest import Manifest
from nerone.runtime.prediction.options import RunOptions

__all__ = ["map_scans"]


def map_scans(
    bundle: str | Path,
    scans: str | Path,
    output: str | Path,
    *,
    workers: int = 2,
    options: RunOptions | None = None,
    resources: Mapping[str, float] | None = None,
) -> Any:
    """Return a dataset that segments every scan of a path when it is read, each by one of some actors.

    The files are those of `nerone run`, and so are the manifests, one of each actor in the output folder: with
    ``options.resume`` what an earlier run finished, by Ray or not, is left out. An actor whose process or machine is
    lost is started again, and its case with it.

    Parameters
    ----------
    bundle, scans, output : paths that mean the same on every machine
    workers : actors
    options : RunOptions; ``threads`` is also the CPUs that each actor takes, 1 where None; ``skip_bad`` concerns files
        that cannot be opened at all, any other error is one of its row
    resources : what else each actor takes of its machine, such as {"dpu": 1}

    Returns
    -------
    ray.data.Dataset, a row of each case: "case", "source", "targets" (paths), "counts" (JSON of pixels per class, a
    list of them in the order of the targets), "notes" (JSON of a list), "seconds", "resumed", and
    "error", empty where there is none

    Raises
    ------
    ConfigurationError
        If the bundle, the path or a number cannot be used, before anything runs.
    """
    import ray.cloudpickle
    import ray.data

    opened, options = Bundle.open(bundle), options or RunOptions()
    if opened.output.kind != "segmentation":
        raise ConfigurationError(
            f"'{opened.path}' is a {opened.output.kind} bundle, which makes no masks; read pictures with "
            "ray.data.read_images and use map_images"
        )
    path = Path(scans).resolve()
    root = path if path.is_dir() else path.parent
    sources, skipped = find_sources(path, skip_bad=options.skip_bad, steps=opened.preprocessing)
    folder = Path(output).resolve()
    cases = [case for case in plan_cases(sources, root, folder) if in_shard(case, options.shard)]
    manifest = Manifest(folder, opened, replace(options, manifest=True), "ray")
    for path, reason in skipped:
        manifest.left_out(path, reason)
    rows = ray.data.from_items(
        [{"case": ray.cloudpickle.dumps(case)} for case in cases], override_num_blocks=len(cases)
    )
    return through_actors(
        rows,
        _ScanActor,
        (str(opened.path.resolve()), str(root), str(folder), options),
        workers=workers,
        threads=options.threads,
        batch_size=1,
        resources=resources,
    )


class _ScanActor:
    """Runs the cases of its batches, with a pipeline and a manifest of its own."""

    def __init__(self, bundle: str, root: str, output: str, options: RunOptions) -> None:
        import ray

        opened = Bundle.open(bundle)
        options = replace(options, threads=1 if options.threads is None else options.threads)
        part = f"ray-{ray.get_runtime_context().get_actor_id()}"
        manifest = Manifest(Path(output), opened, options, part)
        self._runner = CaseRunner(
            opened, open_pipeline(opened, options), options, Path(root), Path(output), manifest=manifest
        )

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Run the cases of a batch; an error is one of its row."""
        rows = [self._row(pickle.loads(case)) for case in batch["case"]]
        return {name: [row[name] for row in rows] for name in rows[0]}

    def _row(self, case: Any) -> dict[str, Any]:
        try:
            found, error = self._runner.case(case), ""
        except (Error, OSError) as problem:
            found, error = [], str(problem)
        return {
            "case": case.key,
            "source": str(case.source.path),
            "targets": [str(one.target) for one in found],
            "counts": json.dumps([one.counts for one in found]),
            "notes": json.dumps([note for one in found for note in one.notes]),
            "seconds": _seconds(found),
            "resumed": any(one.resumed for one in found),
            "error": error,
        }


def _seconds(found: list[Written]) -> float:
    return max((one.seconds for one in found), default=0.0)
