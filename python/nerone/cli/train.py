"""nerone train TASK --data DIR -o OUT."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nerone.cli.console import print_left_out, progress_bars
from nerone.cli.process import PLAIN_LINES, log_on_stderr

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def train(
        task: str = typer.Argument(..., help="ct-org, brats, prostate or bccd."),
        data: str = typer.Option(..., "--data", help="The data set's folder."),
        output: str = typer.Option(..., "-o", "--output", help="Folder for checkpoints, weights, log and curve."),
        epochs: int = typer.Option(30, "--epochs"),
        steps: int = typer.Option(None, "--steps", help="Batches per epoch; all samples once by default."),
        batch: int = typer.Option(8, "--batch"),
        seed: int = typer.Option(0, "--seed"),
        seeds: int = typer.Option(1, "--seeds", help="Runs, with this seed and the following ones."),
        variant: str = typer.Option("published", "--variant", help="published or paper."),
        first_rate: float = typer.Option(1e-3, "--first-rate", help="Learning rate of the first epoch."),
        last_rate: float = typer.Option(1e-6, "--last-rate", help="Learning rate of the last epoch."),
        validation: float = typer.Option(0.1, "--validation", help="Share of patients or originals held out."),
        augment: bool = typer.Option(True, "--augment/--no-augment"),
        balance: float = typer.Option(0.0, "--balance", help="Share of slices drawn class by class: rare organs more."),
        count_absent: bool = typer.Option(
            False, "--count-absent", help="Classes absent from a batch count in the loss."
        ),
        start: str = typer.Option("", "--start", help="Weights (.keras) to start from."),
        stop_after: int = typer.Option(None, "--stop-after", help="End after so many epochs of the schedule."),
        half_size: int = typer.Option(
            0, "--half-size", help="Classification: first epochs at half the image size, four times as fast."
        ),
        skip_bad: bool = typer.Option(False, "--skip-bad", help="Leave out files that cannot be read, and count them."),
        frozen: int = typer.Option(0, "--frozen", help="Last epochs with the batch statistics that are used later."),
        plain: float = typer.Option(0.0, "--plain", help="Classification: share of copies that are only flipped."),
        threads: int = typer.Option(1, "--threads", help="TensorFlow threads; the same give the same weights."),
    ) -> None:
        """Train a network of the paper; run again to go on where it stopped."""
        from pathlib import Path

        from nerone.errors import ConfigurationError
        from nerone.zoo.tasks import train as train_task
        from nerone.zoo.training import TrainingOptions

        if seeds < 1:
            raise ConfigurationError(f"--seeds is {seeds}; expected 1 or more")
        for run in range(seeds):
            options = TrainingOptions(
                epochs=epochs,
                steps=steps,
                batch_size=batch,
                seed=seed + run,
                variant=variant,
                first_rate=first_rate,
                last_rate=last_rate,
                validation_share=validation,
                augment=augment,
                threads=threads,
                balance=balance,
                half_size_epochs=half_size,
                frozen_epochs=frozen,
                plain=plain,
                count_absent=count_absent,
                start=start,
                stop_after=stop_after,
            )
            place = Path(output) if seeds == 1 else Path(output) / f"seed{seed + run}"
            with progress_bars() as progress, log_on_stderr("nerone.zoo", PLAIN_LINES, logging.INFO):
                skipped: list[tuple[Path, str]] | None = [] if skip_bad else None
                result = train_task(
                    task, data, place, options, skipped=skipped, progress=lambda d, t: progress("preparing", d, t)
                )
            for path, reason in skipped or []:
                print_left_out(path, reason)
            if skipped:
                print(f"{len(skipped)} files left out")
            print(f"{result.model}: score {result.best_score:.4f} in epoch {result.best_epoch + 1}")
