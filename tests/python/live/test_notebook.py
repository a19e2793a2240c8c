"""The notebook's helpers, and the notebook itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nerone.errors import ShapeError
from nerone.live.notebook import Live, paint, show

ROOT = Path(__file__).resolve().parents[3]


def test_paint_mixes_colour_and_grey_where_the_mask_is() -> None:
    image = np.full((4, 6), 100, np.uint8)
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3, 2:4] = 1
    painted = paint(image, mask, colours=((0, 0, 0), (200, 0, 50)), opacity=0.5)
    assert painted.shape == (4, 6, 3)
    assert painted[1, 2].tolist() == [150, 50, 75]
    assert painted[0, 0].tolist() == [100, 100, 100]
    assert np.array_equal(paint(image, mask, opacity=0)[..., 0], image)
    with pytest.raises(ShapeError, match="grid"):
        paint(image, mask[:2])


def test_show_gives_a_picture_of_a_scan() -> None:
    image = np.linspace(-1000, 1000, 700 * 20).reshape(700, 20).astype(np.int16)
    picture = show(image, np.ones((700, 20), np.uint8), opacity=1, colours=((0, 0, 0), (1, 2, 3)))
    assert max(picture.size) <= 640
    assert picture.getpixel((3, 3)) == (1, 2, 3)


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_run(notebook: Path, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("keras", reason="TensorFlow is not installed")
    book = nbformat.read(notebook, as_version=4)
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) or output.get("name") == "stdout" for output in outputs)
    assert any("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in outputs)


def test_live_has_a_mime_bundle() -> None:
    assert callable(Live._repr_mimebundle_)
