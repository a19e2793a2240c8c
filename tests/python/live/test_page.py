"""The page in a real Chromium: frames advance, the overlay has the classes' colours, the controls act."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.python.live.browser import CHROMIUM, SCREENSHOTS, open_page, pixel, set_range
from tests.python.live.conftest import SIDE, Running

from waiting import wait_for

if CHROMIUM is None:
    pytest.skip("Chromium is not installed", allow_module_level=True)


@pytest.fixture
def page(browser: Any, live: Running) -> Iterator[Any]:
    opened = open_page(browser, live.url)
    yield opened
    opened.context.close()


def test_frames_advance_and_charts_fill(page: Any) -> None:
    first = page.evaluate("Number(document.body.dataset.sequence)")
    page.wait_for_function(f"Number(document.body.dataset.sequence) > {first + 5}")
    page.wait_for_function("Number(document.getElementById('chart-fps').dataset.points) >= 2")
    page.wait_for_function("parseFloat(document.getElementById('fps').textContent) > 1")
    assert page.text_content("#watts") == "n/a"
    assert page.text_content("#drop-text").startswith("Drop scans on the page")
    assert "device" in page.text_content("#stages")
    page.screenshot(path=SCREENSHOTS / "viewer.png")
    assert page.problems == []


def test_a_note_on_the_source_is_on_the_page(page: Any, live: Running) -> None:
    assert page.is_hidden("#note")
    live.session.source.note = "scan.nii.gz: its values <b>run</b>"
    page.wait_for_selector("#note:not([hidden])")
    assert page.text_content("#note") == "scan.nii.gz: its values <b>run</b>"


def test_overlay_has_the_class_colours(page: Any) -> None:
    set_range(page, "opacity", 100)
    quarter = SIDE // 4
    assert pixel(page, quarter, quarter) == [0xD5, 0x5E, 0x00]
    assert pixel(page, 3 * quarter, 3 * quarter) == [0xF0, 0xE4, 0x42]
    page.uncheck("input[data-class='1']")
    hidden = pixel(page, quarter, quarter)
    assert hidden[0] == hidden[1] == hidden[2]
    page.check("input[data-class='1']")
    assert pixel(page, quarter, quarter) == [0xD5, 0x5E, 0x00]


def test_opacity_zero_shows_the_input(page: Any) -> None:
    set_range(page, "opacity", 0)
    red, green, blue = pixel(page, SIDE // 4, SIDE // 4)
    assert red == green == blue


def test_pause_seek_and_keyboard(page: Any, live: Running) -> None:
    page.click("#play")
    page.wait_for_function("document.getElementById('play').textContent === 'Play'")
    set_range(page, "position", 7)
    page.wait_for_function("document.getElementById('position-text').textContent.startsWith('8 /')")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.getElementById('position-text').textContent.startsWith('9 /')")
    page.keyboard.press(" ")
    page.wait_for_function("document.getElementById('play').textContent === 'Pause'")
    assert live.session.playing
    assert page.problems == []


def test_side_by_side_and_swipe(page: Any) -> None:
    page.select_option("#mode", "side")
    page.wait_for_function("document.querySelectorAll('#views canvas').length === 2")
    page.select_option("#mode", "swipe")
    set_range(page, "opacity", 100)
    set_range(page, "swipe", 50)
    quarter = SIDE // 4
    left = pixel(page, quarter, quarter)
    assert left[0] == left[1] == left[2]
    assert pixel(page, 3 * quarter, 3 * quarter) == [0xF0, 0xE4, 0x42]


def test_window_preset_changes_the_picture(page: Any) -> None:
    set_range(page, "opacity", 0)
    page.click("#play")
    set_range(page, "position", 3)
    page.wait_for_function("document.getElementById('position-text').textContent.startsWith('4 /')")
    mean = """(() => {
      const c = document.querySelector('canvas[data-view=int8]');
      const values = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      return values.filter((_, i) => i % 4 === 0).reduce((a, b) => a + b, 0) / (values.length / 4);
    })()"""
    before = page.evaluate(mean)
    page.select_option("#window", label="soft tissue")
    page.wait_for_function(f"Math.abs({mean} - {before}) > 10")


def test_backend_switch(page: Any, live: Running) -> None:
    page.select_option("#backend", "pynq")
    page.wait_for_function("document.getElementById('backend').value === 'pynq'")
    wait_for(lambda: live.session.backend == "pynq")
    assert live.made[-1] == ("pynq", 1)
    before = live.session.statistics()["frames"]
    wait_for(lambda: live.session.statistics()["frames"] > before)


def test_device_failure_is_told_and_recovers(page: Any, live: Running) -> None:
    live.switches["fail"] = "the device stopped answering; power-cycle the board"
    page.wait_for_function("!document.getElementById('message').hidden")
    assert "power-cycle" in page.text_content("#message")
    live.switches["fail"] = ""
    page.wait_for_function("document.getElementById('message').hidden")
    assert page.problems == []


def test_page_works_under_its_own_content_policy(browser: Any, live: Running) -> None:
    opened = browser.new_page()
    problems: list[str] = []
    opened.on("console", lambda m: problems.append(m.text))
    answer = opened.goto(live.url)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    # The policy forbids the script with which the browser would wait.
    wait_for(lambda: opened.evaluate("Number(document.body.dataset.sequence)") > 0)
    assert problems == []
    opened.close()
