"""nerone doctor: what this machine has and lacks, each lack with its remedy."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from nerone.cli.console import print_json, print_table

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def doctor(as_json: bool = typer.Option(False, "--json", help="Write the findings as JSON.")) -> None:
        """Examine this machine: libraries, packages, device, firmware, sensors."""
        from nerone.deployment.doctor import PROBLEM, examine

        findings = examine()
        if as_json:
            print_json([asdict(finding) for finding in findings])
        else:
            print_table(
                ("what", "state", "found", "remedy"),
                [(finding.what, finding.state, finding.detail, finding.remedy) for finding in findings],
            )
        if any(finding.state == PROBLEM for finding in findings):
            raise typer.Exit(1)
