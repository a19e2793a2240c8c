"""The mapping report as a table: what runs where, why, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nerone.cli.console import print_table

__all__ = ["print_mapping"]


def print_mapping(report: Mapping[str, Any]) -> None:
    """Write the mapping report of a compilation to stdout: one row per layer, then the sums and the DPU's limits."""
    if not report.get("layers"):
        # A bundle of a compiled file: what its compiler decided stands in the file.
        print(f"{report['macs'] / 1e9:.3f} GMAC per image, {report['on_dpu']:.1%} on the DPU")
        return
    columns = ("layer", "op", "device", "MMAC", "time", "fix point", "why")
    print_table(columns, [_cells(row) for row in report["layers"]])
    share = f"{report['on_dpu']:.1%} on the {report['dpu']} of {report['board']}"
    # A bundle of an earlier version has no estimate.
    time = f"; about {report['estimated_ms']:.2f} ms of a DPU core, estimated" if "estimated_ms" in report else ""
    print(f"{report['macs'] / 1e9:.3f} GMAC per image, {share}{time}")
    limits = report.get("limits")
    if limits:
        print(
            f"the {report['dpu']} takes kernels to {limits['kernel']}x{limits['kernel']}, strides to "
            f"{limits['stride']}, windows to {limits['window']}x{limits['window']}, {limits['channels']} channels and "
            f"{limits['bank_words']} words per weight bank; {report['weight_bytes'] / 1e6:.3g} M of about "
            f"{limits['parameters'] / 1e6:.0f} M parameters that {report['board']} holds"
        )


def _cells(row: Mapping[str, Any]) -> tuple[Any, ...]:
    share = row.get("time_share")
    inside = row["fused_into"]
    return (
        row["layer"],
        row["op"],
        row["device"],
        "" if inside else f"{row['macs'] / 1e6:.2f}",
        "" if share is None or inside else f"{share:.1%}",
        row["fix_point"],
        f"in the op of {inside}" if inside and row["device"] == "DPU" else row["reason"],
    )
