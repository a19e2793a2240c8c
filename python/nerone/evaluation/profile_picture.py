"""The picture of a profile: one bar per layer, with the time that the processor's limits allow."""

from __future__ import annotations

from pathlib import Path

from nerone.compat import zip
from nerone.evaluation.profile import Profile

__all__ = ["draw_profile"]

_BLUE, _ORANGE, _GREY = "#0072B2", "#E69F00", "#666666"


def draw_profile(profile: Profile, path: str | Path, *, title: str = "") -> Path:
    """Draw time per layer, the roofline's limit of each, and the fraction of the peak.

    Parameters
    ----------
    profile : Profile
    path : of the picture; its suffix chooses the format (.png, .svg, .pdf)
    title : str, written above
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Steps below a thousandth of the whole would only be lines.
    layers = [layer for layer in profile.layers if layer.seconds > 1e-3 * profile.seconds]
    figure = Figure(figsize=(9, 1.2 + 0.22 * len(layers)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    rows = range(len(layers))
    colours = [_BLUE if layer.macs else _ORANGE for layer in layers]
    axes.barh(rows, [layer.seconds * 1e6 for layer in layers], color=colours)
    axes.plot([profile.limit_seconds(layer) * 1e6 for layer in layers], rows, "|", color="black", markersize=9)
    for row, layer in zip(rows, layers, strict=True):
        share = f"{layer.gmacs / profile.peak_gmacs:.0%} of peak" if layer.macs and profile.peak_gmacs else ""
        axes.annotate(
            share or f"{layer.gbs:.0f} GB/s",
            (layer.seconds * 1e6, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=6,
            color=_GREY,
        )
    axes.set_yticks(rows, [f"{layer.name[-28:]}  {layer.kind}" for layer in layers], fontsize=6)
    axes.invert_yaxis()
    axes.set_xlabel("microseconds; bar: measured (blue convolutions, orange the rest), line: the processor's limit")
    share = "" if profile.fraction_of_peak is None else f", {profile.fraction_of_peak:.0%} of the peak"
    axes.set_title(f"{title}  {1 / profile.seconds:.0f} images/s on one thread{share}".strip(), fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    target = Path(path)
    figure.savefig(target, dpi=150)
    return target
