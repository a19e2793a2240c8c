"""For notebooks: a picture with its mask, and a live view in the habit of PYNQ users."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.errors import ShapeError
from nerone.live.encoding import to_display, upright
from nerone.live.session import Session
from nerone.runtime.presets import PRESETS

__all__ = ["Live", "paint", "show"]

Colour = tuple[int, int, int]
# Okabe and Ito's palette, as the presets use it; class 0 is not painted.
_COLOURS: tuple[Colour, ...] = PRESETS["ct-org"].colours


def paint(
    image: NDArray[Any],
    mask: NDArray[np.uint8],
    *,
    colours: Sequence[Colour] = _COLOURS,
    opacity: float = 0.5,
    window: tuple[float, float] | None = None,
) -> NDArray[np.uint8]:
    """Return an image with its mask's classes in colour.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
    mask : (H, W) uint8 class numbers; 0 is not painted
    colours : (R, G, B) per class, taken in turn where there are more classes
    opacity : 0 (image alone) to 1 (colour alone)
    window : (low, high) of the grey values to show, or None to choose it from the image

    Returns
    -------
    (H', W', 3) uint8, at most 640 pixels a side

    Raises
    ------
    ShapeError
        where image and mask are not on one grid.
    """
    if mask.shape != image.shape[:2]:
        raise ShapeError(f"the mask has shape {mask.shape}, the image {image.shape[:2]}; they must be on one grid")
    picture = to_display(image, window)
    rows = np.linspace(0, mask.shape[0] - 1, picture.shape[0]).round().astype(np.intp)
    columns = np.linspace(0, mask.shape[1] - 1, picture.shape[1]).round().astype(np.intp)
    shown = mask[rows[:, np.newaxis], columns]
    grey = picture if picture.ndim == 3 else np.repeat(picture[:, :, np.newaxis], 3, axis=2)
    table = np.asarray(colours, np.float32)[np.arange(256) % len(colours)]
    mixed = (1 - opacity) * grey + opacity * table[shown]
    return np.where((shown > 0)[:, :, np.newaxis], mixed.round(), grey).astype(np.uint8)


def show(image: NDArray[Any], mask: NDArray[np.uint8], **options: Any) -> Any:
    """Return a picture that a notebook displays: the image with its mask, as `paint` draws it.

    Parameters
    ----------
    image, mask, options : as for `paint`

    Examples
    --------
    >>> import numpy as np
    >>> from nerone.live.notebook import show
    >>> show(np.zeros((8, 8), np.uint8), np.ones((8, 8), np.uint8), opacity=1).size
    (8, 8)
    """
    from PIL import Image

    return Image.fromarray(paint(image, mask, **options))


class Live:
    """A Jupyter widget that plays a source through a bundle: picture, numbers, play and pause.

    Parameters
    ----------
    bundle : Bundle or path
    source : as for `nerone live`: file or folder of scans or pictures, a video, "camera", or "phantoms"
    rate_hz : pictures a second at most

    The widget is ``widget``; a notebook shows it when this object is a cell's last line.
    """

    def __init__(
        self, bundle: Bundle | str | Path, source: str | Path, *, threads: int = 2, rate_hz: float = 10
    ) -> None:
        import ipywidgets

        from nerone.live.view import open_session

        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        self.session: Session = open_session(self.bundle, source, threads=threads)
        self._picture = ipywidgets.Image(format="png")
        self._numbers = ipywidgets.Label()
        self._playing = ipywidgets.ToggleButton(value=True, description="Play")
        self._playing.observe(self._switch, names="value")
        self.widget = ipywidgets.VBox([self._picture, ipywidgets.HBox([self._playing, self._numbers])])
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._refresh, args=(1.0 / rate_hz,), name="nerone-notebook", daemon=True
        )
        self._thread.start()

    @property
    def text(self) -> str:
        """Return the line under the picture: frames per second, latency, the most probable class."""
        return str(self._numbers.value)

    def _switch(self, change: Any) -> None:
        if change["new"]:
            self.session.play()
        else:
            self.session.pause()

    def _refresh(self, interval_s: float) -> None:
        drawn = 0
        while not self._stop.wait(interval_s):
            shown = self.session.shown
            if shown is not None and shown.sequence > drawn:
                drawn = shown.sequence
                self._draw(shown)

    def _draw(self, shown: Any) -> None:
        from PIL import Image

        mask, colours, affine = shown.result.mask, self.bundle.output.colours, shown.frame.stored.affine
        image = upright(shown.frame.image, affine)
        painted = to_display(image, None) if mask is None else paint(image, upright(mask, affine), colours=colours)
        data = io.BytesIO()
        Image.fromarray(painted).save(data, "PNG", compress_level=1)
        self._picture.value = data.getvalue()
        numbers = self.session.statistics()
        best = ""
        if shown.result.probabilities is not None:
            number = int(shown.result.probabilities.argmax())
            best = f", {self.bundle.output.class_names[number]} {100 * shown.result.probabilities[number]:.0f} %"
        p50 = numbers["latency_ms"]["p50"]
        latency = "" if p50 is None else f", {p50:.1f} ms"
        self._numbers.value = f"frame {shown.index + 1}, {numbers['fps']:.0f} FPS{latency}{best}"

    def close(self) -> None:
        """Stop playing and give the device back."""
        self._stop.set()
        self._thread.join()
        self.session.close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.widget._repr_mimebundle_(**options)
