"""The notebook's helpers, and the notebook itself."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nerone.data.frame import Frame
from nerone.errors import ConfigurationError, ShapeError
from nerone.live.notebook import Live, paint, show
from nerone.runtime.preprocessing import Channels, CropOrPad, Preprocessing, Window
from waiting import wait_for

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


STEPS = Preprocessing((Channels(1), CropOrPad(16, 16), Window(-500, 1000)))


@pytest.fixture
def segmenter(tmp_path: Path) -> Any:
    from cli.conftest import segmentation_model
    from nerone.deployment import deploy

    names = ["air", "liver", "bone"]
    return deploy(segmentation_model(), preprocessing=STEPS, class_names=names, output=tmp_path / "net.nerone")


def test_show_places_a_mask_of_the_network_in_the_bundles_colours(segmenter: Any) -> None:
    image = np.zeros((20, 24), np.uint8)
    mask = np.zeros((16, 16), np.uint8)
    mask[0, 0], mask[15, 15] = 1, 2
    for bundle in (segmenter, segmenter.path, str(segmenter.path)):
        picture = show(image, mask, bundle, opacity=1)
        assert picture.size == (24, 20)
        # Two rows and four columns were cut away at each side.
        assert picture.getpixel((4, 2)) == segmenter.output.colours[1]
        assert picture.getpixel((19, 17)) == segmenter.output.colours[2]
        assert np.count_nonzero(np.asarray(picture).any(-1)) == 2
    placed = np.zeros((20, 24), np.uint8)
    placed[2, 4] = 1
    by_image = show(image, placed, segmenter, mask_grid="image", opacity=1)
    assert by_image.getpixel((4, 2)) == segmenter.output.colours[1]
    own = show(image, mask, segmenter, colours=((0, 0, 0), (9, 8, 7), (0, 0, 0)), opacity=1)
    assert own.getpixel((4, 2)) == (9, 8, 7)


def test_show_takes_a_frame_and_turns_it_upright(segmenter: Any) -> None:
    affine = np.diag([1.0, 1.0, 1.0, 1.0])  # rows to the right, columns to the front
    frame = Frame(np.arange(20 * 24, dtype=np.int16).reshape(20, 24), Path("scan.nii"), 0, 1, (1.0, 1.0), affine)
    mask = np.zeros((16, 16), np.uint8)
    mask[0, 0] = 1
    picture = show(frame, mask, segmenter, opacity=1)
    assert picture.size == (20, 24)
    # The patient's right is on the left and the front is up: row 2 is third from the right, column 4 fifth from below.
    assert picture.getpixel((19 - 2, 23 - 4)) == segmenter.output.colours[1]
    alone = np.asarray(show(frame))
    assert alone.shape == (24, 20, 3)
    assert len(np.unique(alone)) > 100


def test_show_says_what_it_needs_to_place_a_mask(segmenter: Any) -> None:
    image, mask = np.zeros((20, 24), np.uint8), np.zeros((16, 16), np.uint8)
    with pytest.raises(ShapeError, match="give the bundle"):
        show(image, mask)
    with pytest.raises(ConfigurationError, match="give the bundle"):
        show(image, mask, mask_grid="network")
    with pytest.raises(ShapeError, match="mask_grid"):
        show(image, np.zeros((20, 24), np.uint8), segmenter)
    with pytest.raises(ConfigurationError, match="mask_grid is 'scan'"):
        show(image, mask, segmenter, mask_grid="scan")  # type: ignore[arg-type]


def require_weights(code: str) -> None:
    from nerone.zoo import shipped_model

    for task in re.findall(r'shipped_model\("([\w-]+)"\)', code):
        try:
            shipped_model(task)
        except ConfigurationError:
            pytest.skip(f"no trained network for {task} comes with this release")


def shown_levels(outputs: list[Any]) -> int:
    """Return how many levels the pictures that a notebook shows have; those of a mask are few."""
    levels = [0]
    for output in outputs:
        if data := output.get("data", {}).get("image/png"):
            levels.append(len(np.unique(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))))))
    return max(levels)


def lines_of_code(book: Any) -> list[str]:
    code = "\n".join(cell.source for cell in book.cells if cell.cell_type == "code")
    return [line for line in code.splitlines() if line.strip() and not line.startswith(("import ", "from "))]


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_run(notebook: Path, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("keras", reason="TensorFlow is not installed")
    book = nbformat.read(notebook, as_version=4)
    require_weights("\n".join(cell.source for cell in book.cells if cell.cell_type == "code"))
    nbclient.NotebookClient(
        book, timeout=500, startup_timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) or output.get("name") == "stdout" for output in outputs)
    assert shown_levels(outputs) > 100, "the notebook shows the mask, not the image"
    assert any("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in outputs)


def test_the_two_notebooks_of_the_paper_are_ten_lines_each() -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    books = {path.stem: path for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert set(books) == {"segmentation", "classification"}
    for name, path in books.items():
        assert len(lines_of_code(nbformat.read(path, as_version=4))) <= 10, name


def test_live_shows_the_most_probable_class(classifier_bundle: Any, tmp_path: Path) -> None:
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
    np.save(tmp_path / "cell.npy", np.full((20, 20, 3), 90, np.uint8))
    live = Live(classifier_bundle, tmp_path / "cell.npy", threads=1, rate_hz=50)
    try:
        wait_for(lambda: "%" in live.text)
        assert any(f"{name} " in live.text for name in "abcd")
    finally:
        live.close()


@pytest.fixture
def classifier_bundle(tmp_path: Path) -> Any:
    from cli.conftest import CLASSIFICATION, classification_model
    from nerone.deployment import deploy

    output = tmp_path / "cells.nerone"
    return deploy(classification_model(), preprocessing=CLASSIFICATION, class_names=list("abcd"), output=output)


def test_live_has_a_mime_bundle() -> None:
    assert callable(Live._repr_mimebundle_)
