"""nerone doctor: what this machine has and lacks, each lack with its remedy."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from nerone.cli.console import print_json, print_table

if TYPE_CHECKING:
    import typer

    from nerone.deployment.doctor import Finding

__all__ = ["finish", "plain_lines", "register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def doctor(as_json: bool = typer.Option(False, "--json", help="Write the findings as JSON.")) -> None:
        """Examine this machine: libraries, packages, device, firmware, sensors."""
        from nerone.deployment.doctor import examine

        findings = examine()
        if as_json:
            print_json([asdict(finding) for finding in findings])
        else:
            print_table(
                ("what", "state", "found", "remedy"),
                [(finding.what, finding.state, finding.detail, finding.remedy) for finding in findings],
            )
        if code := finish(findings):
            raise typer.Exit(code)


def plain_lines(findings: list[Finding], *, as_json: bool = False) -> list[str]:
    """Return the findings without the packages that draw tables."""
    if as_json:
        return json.dumps([asdict(finding) for finding in findings], indent=1).splitlines()
    told = [(f"{one.what}: {one.state}: {one.detail}", one.remedy) for one in findings]
    return [f"{line}; {remedy}" if remedy else line for line, remedy in told]


def finish(findings: list[Finding]) -> int:
    """Return the exit code: 1 where there is a problem."""
    from nerone.deployment.doctor import PROBLEM

    return int(any(finding.state == PROBLEM for finding in findings))
