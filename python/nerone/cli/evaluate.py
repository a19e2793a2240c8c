"""nerone evaluate NAME.nerone --data DIR [--baseline MODEL | --paths]."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nerone.cli.console import chosen, file_argument, print_json, print_left_out, print_table, progress_bars
from nerone.compat import zip

if TYPE_CHECKING:
    import typer

    from nerone.bundle.bundle import Bundle
    from nerone.evaluation.evaluate import Evaluation
    from nerone.evaluation.metrics import SegmentationCounts

__all__ = ["register", "scores_of"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def evaluate(
        bundle: str = typer.Argument(None, help="Bundle NAME.nerone."),
        model_option: str = typer.Option(None, "-m", "--model", help="The bundle, as an option."),
        data: str = typer.Option(..., "--data", "--image_dir", help="Folder of images with labels."),
        baseline: str = typer.Option(None, "--baseline", help="The trained .keras, .h5, .onnx or .pt2 file, to score."),
        device: str = typer.Option("softdpu", "--device", help="softdpu or board."),
        minimum: float = typer.Option(None, "--minimum", help="Exit with 1 where the score (percent) is below this."),
        paths: bool = typer.Option(
            False,
            "--paths",
            help="Compare VART with PYNQ-DPU, and C++ with numpy preprocessing, instead; needs no labels.",
        ),
        skip_bad: bool = typer.Option(False, "--skip-bad", help="Leave out files that cannot be read."),
        as_json: bool = typer.Option(False, "--json", help="Write the result as JSON."),
        csv: str = typer.Option(None, "--csv", help="Write the scores, each case's too, to this file, as shares."),
    ) -> None:
        """Score a bundle on labelled data: Dice, or accuracy, of each class and of all."""
        from nerone.bundle.bundle import Bundle
        from nerone.evaluation.evaluate import evaluate_bundle

        opened = Bundle.open(file_argument(chosen(bundle, model_option, "bundle"), "bundle"))
        if paths:
            raise typer.Exit(0 if _compare_paths(opened, data, skip_bad, as_json) else 1)
        if baseline is not None:
            file_argument(baseline, "model")
        if csv:
            _make_folder(Path(csv))
        with progress_bars(quiet=as_json) as progress:
            result = evaluate_bundle(
                opened, data, baseline=baseline, device=device, skip_bad=skip_bad, progress=progress
            )
        segmentation = opened.output.kind == "segmentation"
        scores = {name: scores_of(result, name, segmentation) for name in result.counts}
        cases = _cases_of(result)
        if csv:
            _write_csv(Path(csv), scores, cases)
        if as_json:
            found = {"agreement": result.agreement, "skipped": result.skipped, "notes": result.notes}
            print_json({"frames": result.frames, "scores": scores, "cases": cases, **found})
        else:
            _print(result, scores, cases)
        if minimum is not None and not scores["INT8"]["score"] * 100 >= minimum:
            raise typer.Exit(1)


def _compare_paths(bundle: Bundle, data: str, skip_bad: bool, as_json: bool) -> bool:
    import dataclasses

    from nerone.evaluation.identity import compare_paths

    with progress_bars(quiet=as_json) as progress:
        found = compare_paths(bundle, data, skip_bad=skip_bad, progress=progress)
    if as_json:
        print_json({**dataclasses.asdict(found), "identical": found.identical})
        return found.identical
    print(f"{found.frames} frames, {found.pixels} pixels of masks")
    print(f"VART and PYNQ-DPU on the same input: {found.same_input} pixels differ")
    print(
        f"preprocessing in C++ and in numpy: at most {found.different_steps} step of the int8 input apart "
        f"(stated: {found.allowed_steps}), {found.different_inputs} values differ, {found.across} pixels of masks"
    )
    for path, reason in found.skipped:
        print_left_out(path, reason)
    return found.identical


def scores_of(result: Evaluation, network: str, segmentation: bool) -> dict[str, Any]:
    """Return a network's measure, its score over all, and its score of each class: shares from 0 to 1."""
    counts: Any = result.counts[network]
    if segmentation:
        return _of_masks(counts, result.class_names)
    right = dict(zip(result.class_names, (float(value) for value in counts.class_accuracy()), strict=True))
    return {"measure": "accuracy", "score": float(counts.accuracy()), "classes": right}


def _of_masks(counts: SegmentationCounts, class_names: Sequence[str]) -> dict[str, Any]:
    dice = dict(zip(class_names[1:], (float(value) for value in counts.dice()[1:]), strict=True))
    overall = {"score": float(counts.weighted_dice()), "mean_dice": float(counts.mean_dice())}
    return {"measure": "weighted Dice", **overall, "classes": dice}


def _cases_of(result: Evaluation) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the scores of each case alone, per network."""
    return {
        str(case): {name: _of_masks(counts, result.class_names) for name, counts in networks.items()}
        for case, networks in result.cases.items()
    }


def _make_folder(target: Path) -> None:
    from nerone.bundle.writing import write_error

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(target, error) from error


def _write_csv(target: Path, scores: dict[str, dict[str, Any]], cases: dict[str, dict[str, dict[str, Any]]]) -> None:
    from nerone.bundle.tables import write_table

    rows: list[tuple[Any, ...]] = [("network", "measure", "class", "score", "case")]
    for case, of_networks in {"": scores, **cases}.items():
        for network, found in of_networks.items():
            rows += [(network, *row, case) for row in _rows_of(found)]
    write_table(target, rows)


def _rows_of(found: dict[str, Any]) -> list[tuple[str, str, float]]:
    """Return (measure, class or "", share) of each score."""
    from nerone.quantization.metrics import METRIC_NAMES

    rows = [(found["measure"].removeprefix("weighted "), name, value) for name, value in found["classes"].items()]
    if "mean_dice" in found:
        rows.append((METRIC_NAMES["mean_dice"], "", found["mean_dice"]))
    return [*rows, (found["measure"], "", found["score"])]


def _print(result: Evaluation, scores: dict[str, dict[str, Any]], cases: dict[str, dict[str, dict[str, Any]]]) -> None:
    from nerone.quantization.metrics import METRIC_NAMES, percent

    networks = list(scores)
    first = scores[networks[0]]
    rows = [(name, *(percent(scores[network]["classes"][name]) for network in networks)) for name in first["classes"]]
    if "mean_dice" in first:
        rows.append((METRIC_NAMES["mean_dice"], *(percent(scores[network]["mean_dice"]) for network in networks)))
    rows.append((first["measure"], *(percent(scores[network]["score"]) for network in networks)))
    if len(cases) > 1:
        for key, measure in (("mean_dice", METRIC_NAMES["mean_dice"]), ("score", first["measure"])):
            of_cases = [[one[network][key] for one in cases.values()] for network in networks]
            rows.append((f"{measure}, mean of {len(cases)} cases", *(percent(_mean(values)) for values in of_cases)))
    print_table(
        ("%", *networks),
        rows,
        title=f"{result.frames} images" + (f", {len(result.skipped)} files left out" if result.skipped else ""),
    )
    for name, share in result.agreement.items():
        print(f"{networks[0]} equals {name} in {share:.3%}")
    for path, note in result.notes:
        print(f"note: {path}: {note}")
    for path, reason in result.skipped:
        print_left_out(path, reason)


def _mean(values: list[float]) -> float:
    """Return the mean of the values that are numbers; NaN of none."""
    found = [value for value in values if value == value]
    return sum(found) / len(found) if found else float("nan")
