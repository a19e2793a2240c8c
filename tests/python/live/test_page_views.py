"""The page in a real Chromium: FP32 beside INT8, files in and out, failures of the source, classes, layout, keys."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.python.live.browser import CHROMIUM, SCREENSHOTS, open_page, pixel, set_range
from tests.python.live.conftest import AFFINE, LABELS, SIDE, QuarterModel, Running, start, stop, write_volume

from nerone.evaluation.power_watch import PowerWatch
from nerone.live.sources import open_source
from nerone.live.watched import WatchedFolder
from nerone.web.access import Access

if CHROMIUM is None:
    pytest.skip("Chromium is not installed", allow_module_level=True)

QUARTER = SIDE // 4
ORANGE, YELLOW = [0xD5, 0x5E, 0x00], [0xF0, 0xE4, 0x42]


class FiveWatts:
    name = "meter of the tests"

    def read_watts(self) -> float:
        return 5.0


@pytest.fixture
def both(browser: Any, tmp_path: Path) -> Iterator[tuple[Any, Running]]:
    """A run with a float model and a power meter, and its page."""
    source = open_source(write_volume(tmp_path / "scan.nii.gz"))
    meter = PowerWatch(FiveWatts(), interval_s=0.05)
    running = start(tmp_path, source, Access(port=0), float_model=QuarterModel(), meter=meter)  # type: ignore[arg-type]
    page = open_page(browser, running.url)
    yield page, running
    page.context.close()
    stop(running)


def pause(page: Any) -> None:
    page.click("#play")
    page.wait_for_function("document.getElementById('play').textContent === 'Play'")
    # Frames that were on their way may still come; behind two that are asked for there are none.
    for position in (7, 3):
        set_range(page, "position", position)
        page.wait_for_function(f"document.getElementById('position-text').textContent.startsWith('{position + 1} /')")


def test_fp32_stands_beside_int8_of_the_same_frame(both: tuple[Any, Running]) -> None:
    page, _ = both
    set_range(page, "opacity", 100)
    page.select_option("#mode", "side")
    pause(page)
    page.wait_for_function(
        "document.querySelector('[data-view=fp32] + figcaption').textContent.includes('equal to INT8')"
    )
    assert pixel(page, QUARTER, QUARTER, "int8") == ORANGE
    assert pixel(page, QUARTER, 3 * QUARTER, "fp32") == ORANGE
    grey = pixel(page, QUARTER, QUARTER, "fp32")
    assert grey[0] == grey[1] == grey[2]
    # Three of the four quarters differ: INT8's two and FP32's one.
    assert "25.0 %" in page.text_content("[data-view=fp32] + figcaption")
    page.screenshot(path=SCREENSHOTS / "side-by-side.png")
    page.select_option("#mode", "swipe")
    page.select_option("#left", "fp32")
    set_range(page, "swipe", 50)
    assert pixel(page, QUARTER, 3 * QUARTER) == ORANGE, "left of the swipe is FP32"
    assert pixel(page, 3 * QUARTER, 3 * QUARTER) == YELLOW, "right of it is INT8"
    page.select_option("#mode", "overlay")
    page.select_option("#right", "fp32")
    assert pixel(page, QUARTER, 3 * QUARTER, "fp32") == ORANGE
    assert page.problems == []


def test_watts_are_shown_and_drawn(both: tuple[Any, Running]) -> None:
    page, _ = both
    page.wait_for_function("document.getElementById('watts').textContent === '5.0'")
    page.wait_for_function("parseFloat(document.getElementById('efficiency').textContent) > 0")
    page.wait_for_function("Number(document.getElementById('chart-power').dataset.measured) >= 4")
    assert page.text_content("#utilisation") == "50 %"
    assert page.text_content("#queue") == "1"
    coloured = """(id) => {
      const c = document.getElementById(id);
      const p = c.getContext('2d').getImageData(0, 27, c.width, c.height - 27).data;
      return p.filter((v, i) => i % 4 === 3 && v > 0).length;
    }"""
    for chart in ("chart-fps", "chart-latency", "chart-power", "chart-load"):
        assert page.evaluate(coloured, chart) > 10, f"{chart} has no line"


def fetched(page: Any, button: str) -> bytes:
    with page.expect_download() as waiting:
        page.click(button)
    return Path(waiting.value.path()).read_bytes()


def test_snapshot_masks_and_numbers_are_files(both: tuple[Any, Running]) -> None:
    import nibabel

    page, _ = both
    page.wait_for_function("Number(document.getElementById('frames').textContent) > 30")
    set_range(page, "opacity", 100)
    pause(page)
    page.select_option("#mode", "side")
    page.wait_for_function("document.querySelectorAll('#views canvas').length === 3")
    picture = np.asarray(Image.open(io.BytesIO(fetched(page, "#snapshot"))))
    assert picture.shape[:2] == (SIDE, 3 * SIDE)
    assert picture[QUARTER, SIDE + QUARTER, :3].tolist() == ORANGE
    volume = nibabel.Nifti1Image.from_bytes(gzip.decompress(fetched(page, "#masks")))
    assert np.allclose(volume.affine, AFFINE)
    masks = np.asarray(volume.dataobj)
    assert masks.shape == (SIDE, SIDE, 12)
    assert (masks[: SIDE // 2, : SIDE // 2] == 1).all()
    assert (masks[SIDE // 2 :, : SIDE // 2] == 0).all()
    rows = list(csv.DictReader(io.StringIO(fetched(page, "#statistics").decode())))
    assert float(rows[-1]["watts"]) == 5.0
    assert int(rows[-1]["frames"]) > 0


def drop(page: Any, files: dict[str, bytes]) -> None:
    script = """(files) => {
      const transfer = new DataTransfer();
      for (const [name, bytes] of files) transfer.items.add(new File([new Uint8Array(bytes)], name));
      document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));
    }"""
    page.evaluate(script, [[name, list(data)] for name, data in files.items()])


def test_scans_dropped_on_the_page_are_played(both: tuple[Any, Running]) -> None:
    from tests.python.live.test_uploads import dicom_slice

    page, _ = both
    drop(page, {f"IM{n}": dicom_slice(n) for n in range(5)})
    page.wait_for_function("document.getElementById('position-text').textContent.endsWith('/ 5')")
    page.wait_for_function("document.getElementById('device').textContent.startsWith('IM0 and 4 more')")
    drop(page, {"bad.exe": b"MZ"})
    page.wait_for_function("document.getElementById('message').textContent.includes('not accepted')")
    page.set_input_files("#upload", {"name": "b.dcm", "mimeType": "", "buffer": dicom_slice(0)})
    page.wait_for_function("document.getElementById('position-text').textContent.endsWith('/ 1')")
    drop(page, {"broken.nii.gz": b"no scan"})
    page.wait_for_function("document.getElementById('message').textContent.includes('NIfTI')")
    first = page.evaluate("Number(document.body.dataset.sequence)")
    page.wait_for_function(f"Number(document.body.dataset.sequence) > {first + 3}")


def test_a_source_that_vanishes_is_told_and_comes_back(browser: Any, tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(folder / "a.png")
    running = start(tmp_path, WatchedFolder(folder), Access(port=0))
    page = open_page(browser, running.url)
    try:
        shutil.move(folder, tmp_path / "away")
        page.wait_for_function("document.getElementById('message').textContent.includes('not there any more')")
        page.screenshot(path=SCREENSHOTS / "source-vanished.png")
        shutil.move(tmp_path / "away", folder)
        page.wait_for_function("document.getElementById('message').hidden")
        (folder / "b.png").write_bytes(b"damaged")
        page.wait_for_function("document.getElementById('message').textContent.includes('b.png')")
        first = page.evaluate("Number(document.body.dataset.sequence)")
        page.wait_for_function(f"Number(document.body.dataset.sequence) > {first + 3}")
        (folder / "b.png").unlink()
        page.wait_for_function("document.getElementById('message').hidden")
        assert page.problems == []
    finally:
        page.context.close()
        stop(running)


def test_classes_have_probabilities(browser: Any, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((SIDE, SIDE, 3), np.uint8)).save(tmp_path / "cell.png")
    labels = dataclasses.replace(LABELS, kind="classification", class_names=tuple("abcdefg"), colours=("#000000",) * 7)
    switches = {"probabilities": [0.02, 0.6, 0.03, 0.05, 0.2, 0.04, 0.06]}
    running = start(tmp_path, open_source(tmp_path / "cell.png"), Access(port=0), labels=labels, switches=switches)
    page = open_page(browser, running.url)
    try:
        rows = page.eval_on_selector_all("#probabilities li", "all => all.map(e => e.textContent)")
        assert rows == ["b60.0 %", "e20.0 %", "g6.0 %", "d5.0 %", "f4.0 %"]
        assert page.text_content("#drop-text").startswith("Drop pictures on the page")
        assert not page.is_visible("#class-controls")
        assert not page.is_visible("#mode")
        widths = page.eval_on_selector_all(
            "#probabilities .bar", "all => all.map(e => e.getBoundingClientRect().width)"
        )
        assert widths[0] == pytest.approx(3 * widths[1], rel=0.02)
        assert page.evaluate("document.documentElement.scrollHeight <= window.innerHeight")
        page.screenshot(path=SCREENSHOTS / "classification.png")
        assert page.problems == []
    finally:
        page.context.close()
        stop(running)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (820, 1180), (1180, 820)])
def test_everything_fits(browser: Any, live: Running, width: int, height: int) -> None:
    page = open_page(browser, live.url, width=width, height=height)
    page.wait_for_timeout(600)
    page.screenshot(path=SCREENSHOTS / f"viewer-{width}x{height}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if width > 900:
        assert page.evaluate("document.documentElement.scrollHeight") <= height
        for mode in ("side", "swipe"):
            page.select_option("#mode", mode)
            assert page.evaluate("document.documentElement.scrollHeight") <= height, mode
    else:
        heights = page.eval_on_selector_all(
            "button, select", "all => all.map(e => e.getBoundingClientRect().height).filter(h => h > 0)"
        )
        assert min(heights) >= 40, "large enough for a finger"
    page.context.close()


def test_every_control_is_reached_by_the_keyboard(browser: Any, live: Running) -> None:
    page = open_page(browser, live.url)
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.dataset.class || ''"))
    for name in ("play", "previous", "position", "next", "mode", "right", "opacity", "window", "backend", "threads"):
        assert name in reached, f"{name} is not reached"
    for name in ("0", "1", "2", "snapshot", "masks", "statistics", "upload"):
        assert name in reached, f"{name} is not reached"
    page.focus("#play")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('play').textContent === 'Play'")
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, select, input')].filter(e => "
        "!(e.textContent.trim() || e.ariaLabel || (e.labels && e.labels.length))).map(e => e.id)"
    )
    assert unnamed == [], "what a screen reader cannot name"
    page.context.close()


CONTRASTS = """() => {
  const level = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const luminance = (c) => 0.2126 * level(c[0]) + 0.7152 * level(c[1]) + 0.0722 * level(c[2]);
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const back = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const found = {};
  for (const e of document.querySelectorAll('body *')) {
    const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!text || !e.getClientRects().length) continue;
    const [a, b] = [parse(getComputedStyle(e).color), back(e)].map((c) => luminance(c.map((v) => v / 255)));
    found[e.id || e.tagName + ' ' + e.textContent.trim()] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }
  return found;
}"""


def test_text_has_contrast(browser: Any, live: Running) -> None:
    """At least 4.5 : 1, WCAG 2.1, 1.4.3."""
    page = open_page(browser, live.url)
    live.switches["fail"] = "the device failed"
    page.wait_for_function("!document.getElementById('message').hidden")
    found = page.evaluate(CONTRASTS)
    assert "message" in found
    assert len(found) > 20
    assert {name: value for name, value in found.items() if value < 4.5} == {}
    page.context.close()
