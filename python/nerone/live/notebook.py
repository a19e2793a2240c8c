"""For notebooks: a picture with its mask, and a live view in the habit of PYNQ users."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.data.frame import Frame
from nerone.errors import ConfigurationError, ShapeError
from nerone.live.encoding import to_display, upright
from nerone.live.session import Session
from nerone.runtime.preprocessing import Spacing
from nerone.runtime.preprocessing.image_grid import on_image_grid
from nerone.runtime.presets import PALETTE

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["Live", "paint", "show"]

Colour = tuple[int, int, int]
_COLOURS: tuple[Colour, ...] = PALETTE


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


def show(
    image: Frame | NDArray[Any],
    mask: NDArray[np.uint8] | None = None,
    bundle: Bundle | str | Path | None = None,
    *,
    mask_grid: Literal["network", "image"] | None = None,
    spacing_mm: Spacing = None,
    colours: Sequence[Colour] | None = None,
    opacity: float = 0.5,
    window: tuple[float, float] | None = None,
) -> Picture:
    """Return an image with its mask in colour as a PIL picture, which a notebook displays and ``save`` writes.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array as it was given to the pipeline, or a `nerone.data.Frame`, which knows its spacing
        and is shown as radiologists look at it
    mask : uint8 class numbers, as `nerone.Pipeline` gives them; None shows the image alone
    bundle : Bundle or path, whose preprocessing places the mask on the image and whose colours are taken
    mask_grid : "network", the default where there is a bundle: the mask lies as the network gives it; or "image", the
        default without one
    spacing_mm : float or (row, column), as given to the pipeline; of a frame its own
    colours : (R, G, B) per class, in place of the bundle's
    opacity, window : as for `paint`

    Returns
    -------
    PIL.Image.Image, RGB, at most 640 pixels a side

    Raises
    ------
    ShapeError, ConfigurationError
        where the mask is not on the grid it is said to be on, or lies on the network's and there is no bundle.

    Examples
    --------
    >>> import numpy as np
    >>> from nerone.live.notebook import show
    >>> show(np.zeros((8, 8), np.uint8), np.ones((8, 8), np.uint8), opacity=1).size
    (8, 8)
    """
    from PIL import Image

    opened = bundle if bundle is None or isinstance(bundle, Bundle) else Bundle.open(bundle)
    affine = None
    if isinstance(image, Frame):
        spacing_mm, affine = image.spacing_mm if spacing_mm is None else spacing_mm, image.affine
        image = image.image
    size = (int(image.shape[0]), int(image.shape[1]))
    placed = np.zeros(size, np.uint8) if mask is None else _placed(mask, size, opened, mask_grid, spacing_mm)
    chosen = colours or (opened.output.colours if opened else _COLOURS)
    painted = paint(upright(image, affine), upright(placed, affine), colours=chosen, opacity=opacity, window=window)
    return Image.fromarray(painted)


def _placed(
    mask: NDArray[np.uint8], size: tuple[int, int], bundle: Bundle | None, grid: str | None, spacing_mm: Spacing
) -> NDArray[np.uint8]:
    if grid not in (None, "network", "image"):
        raise ConfigurationError(f"mask_grid is {grid!r}; expected network or image")
    if grid == "image" or (grid is None and bundle is None):
        if mask.shape != size:
            raise ShapeError(
                f"the mask has shape {mask.shape}, the image {size}; give the bundle, whose preprocessing places it "
                'from the network\'s grid, or run Pipeline(bundle, result_grid="image")'
            )
        return mask
    if bundle is None:
        raise ConfigurationError("a mask on the network's grid is placed by a bundle's preprocessing; give the bundle")
    output, wanted = bundle.output_tensor.shape[1:3], mask.shape
    if tuple(output) != wanted:
        raise ShapeError(
            f"the mask has shape {wanted}, the network's masks {tuple(output)}; where it lies on the image's grid, "
            'give mask_grid="image"'
        )
    steps, covers = bundle.preprocessing, bundle.output.covers
    return on_image_grid(steps, mask, size, spacing_mm=spacing_mm, covers=covers)


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
        """Return the line under the picture: frames per second, latency, the most probable class, notes."""
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
        note = f"; note: {self.session.source.note}" if self.session.source.note else ""
        self._numbers.value = f"frame {shown.index + 1}, {numbers['fps']:.0f} FPS{latency}{best}{note}"

    def close(self) -> None:
        """Stop playing and give the device back."""
        self._stop.set()
        self._thread.join()
        self.session.close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.widget._repr_mimebundle_(**options)
