"""The notebook's helpers, and the notebook itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nerone.errors import ConfigurationError, ShapeError
from nerone.live.notebook import Live, paint, show
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


def require_weights(code: str) -> None:
    from nerone.zoo import shipped_model

    for task in re.findall(r'shipped_model\("([\w-]+)"\)', code):
        try:
            shipped_model(task)
        except ConfigurationError:
            pytest.skip(f"no trained network for {task} comes with this release")


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
