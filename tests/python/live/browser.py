"""Chromium as the tests of the page use it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from waiting import PATIENT_S

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = Path(os.environ.get("NERONE_SCREENSHOTS", "build/screenshots"))


def open_page(browser: Any, url: str, *, width: int = 1280, height: int = 800) -> Any:
    """Open the viewer and wait for its first frame; console errors are collected in ``problems``."""
    context = browser.new_context(viewport={"width": width, "height": height}, bypass_csp=True, accept_downloads=True)
    context.set_default_timeout(1e3 * PATIENT_S)
    opened = context.new_page()
    opened.problems = []
    opened.on("console", lambda m: opened.problems.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda e: opened.problems.append(str(e)))
    opened.goto(url)
    opened.wait_for_function("Number(document.body.dataset.sequence) > 0")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return opened


def pixel(page: Any, x: int, y: int, view: str = "int8") -> list[int]:
    script = """([v, x, y]) => {
      const canvas = document.querySelector(`canvas[data-view=${v}]`);
      return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data];
    }"""
    return page.evaluate(script, [view, x, y])[:3]


def set_range(page: Any, identity: str, value: int) -> None:
    script = """([id, v]) => {
      const element = document.getElementById(id);
      element.value = v;
      element.dispatchEvent(new Event('input'));
      element.dispatchEvent(new Event('change'));
    }"""
    page.evaluate(script, [identity, value])
