"""The pictures of the README, made by the software: python scripts/pictures.py [--only overlay|viewer|bench].

Deploys the U-Net that comes trained, on generated CT volumes; needs Debian's Chromium for the picture of the viewer.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

__all__ = ["bench", "main", "overlay", "svg", "viewer"]

ROOT = Path(__file__).resolve().parents[1]
SEED, SLICES, SHOWN = 80_000, 48, 38
NERONE = [sys.executable, "-m", "nerone.cli.main"]


def prepare(folder: Path) -> tuple[Path, Path, Path]:
    """Draw volumes and deploy; return the bundle, the scans and the trained model."""
    import nerone
    from nerone.data.phantom_sets import write_phantoms
    from nerone.zoo.shipped import shipped_model

    trained = shipped_model("ct-org")
    write_phantoms("ct-org", folder / "calibration", count=4, seed=70_000, slices=16)
    write_phantoms("ct-org", folder / "scans", count=1, seed=SEED, slices=SLICES)
    nerone.deploy(
        trained, calibration=folder / "calibration", preset="ct-org", output=folder / "unet.nerone", images=64
    )
    return folder / "unet.nerone", folder / "scans", trained


def overlay(target: Path, bundle_path: Path, scans: Path, trained: Path) -> None:
    """Draw the two slices with most classes: input, ground truth, INT8, FP32."""
    from nerone.bundle.bundle import Bundle
    from nerone.evaluation.evaluate import Scored, evaluate_bundle
    from nerone.evaluation.overlay import OverlayRow, write_overlay

    bundle = Bundle.open(bundle_path)
    kept: list[Scored] = []
    evaluate_bundle(bundle, scans, baseline=trained, seen=kept.append)
    kept.sort(key=lambda one: (len(np.unique(one.truth)), (one.truth > 0).sum()), reverse=True)
    apart = [one for one in kept if abs((one.frame.frame.index or 0) - (kept[0].frame.frame.index or 0)) >= 6]
    best = [kept[0], *apart[:1]]
    rows = [
        OverlayRow(
            np.clip(one.values[:, :, 0], -0.55, -0.01),  # the soft-tissue window of prepared values
            {"ground truth": one.truth, **one.classes},
            f"phantom, slice {one.frame.frame.index}",
        )
        for one in best
    ]
    write_overlay(target, rows, class_names=bundle.output.class_names, colours=bundle.output.colours, turn=1)
    shrink(target)


def viewer(target: Path, bundle: Path, scans: Path, trained: Path) -> None:
    """Take the picture of the page at 1280 x 800, FP32 beside INT8, paused."""
    from playwright.sync_api import sync_playwright

    command = [*NERONE, "live", str(bundle), str(scans), "--port", "0", "--float", str(trained), "--power", "none"]
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as p:
        try:
            assert server.stdout is not None
            address = re.search(r"http://\S+", server.stdout.readline())
            assert address is not None, "nerone live did not start"
            browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True).new_page()
            page.goto(address[0])
            page.wait_for_function("Number(document.getElementById('chart-fps').dataset.points) > 4", timeout=60_000)
            page.select_option("#window", label="soft tissue")
            page.select_option("#mode", "side")
            page.click("#play")
            page.wait_for_function("document.getElementById('play').textContent === 'Play'")
            equal = "document.querySelector('[data-view=fp32] + figcaption').textContent.includes('equal')"
            for number in range(SLICES):  # FP32 of every slice, so that it is there while they play
                page.evaluate(f"document.getElementById('position').value = {number}")
                page.dispatch_event("#position", "input")
                page.dispatch_event("#position", "change")
                shown = f"document.getElementById('position-text').textContent.startsWith('{number + 1} /')"
                page.wait_for_function(f"{shown} && {equal}", timeout=600_000)
            page.click("#play")
            page.wait_for_timeout(10_000)
            page.wait_for_function("parseFloat(document.getElementById('fps').textContent) > 0")
            near = f"{equal} && Math.abs(document.getElementById('position').value - {SHOWN}) <= 4"
            for _ in range(60):  # the frames go on while the picture is taken
                page.wait_for_function(near, timeout=600_000)
                page.screenshot(path=target)
                if page.evaluate(near):
                    break
            browser.close()
        finally:
            server.terminate()
    shrink(target)


def shrink(path: Path) -> None:
    """Write a PNG with 256 colours, among them exactly those of the classes."""
    from PIL import Image

    from nerone.runtime.presets import PRESETS

    picture = Image.open(path).convert("RGB")
    exact = [level for colour in PRESETS["ct-org"].colours for level in colour]
    palette = Image.new("P", (1, 1))
    palette.putpalette((exact + (picture.quantize(256).getpalette() or []))[:768])
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


def bench(target: Path, bundle: Path, scans: Path, trained: Path) -> None:
    """Set what nerone bench prints for a simulated ZCU104."""
    words = ["bench", "unet.nerone", "scans", "--device", "zcu104-sim", "--backend", "vart,pynq", "--runs", "5"]
    environment = {**os.environ, "COLUMNS": "128"}
    done = subprocess.run(
        [*NERONE, *words], cwd=bundle.parent, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    target.write_text(svg(f"$ nerone {' '.join(words)}\n{done.stdout}"), "utf-8")


def svg(text: str) -> str:
    """Return terminal output as SVG that loads nothing from elsewhere."""
    from rich._export_format import CONSOLE_SVG_FORMAT
    from rich.console import Console
    from rich.text import Text

    lines = text.rstrip().splitlines()
    console = Console(record=True, width=max(map(len, lines)) + 1, file=io.StringIO())
    for line in lines:
        console.print(Text(line), no_wrap=True, crop=False)
    style = re.sub(r"@font-face\s*{{.*?}}", "", CONSOLE_SVG_FORMAT, flags=re.S)
    style = style.replace("Fira Code", "DejaVu Sans Mono")
    return console.export_svg(title="nerone bench", code_format=style, unique_id="bench")


PICTURES = {"overlay.png": overlay, "viewer.png": viewer, "bench.svg": bench}


def main() -> None:
    """Make all pictures, or one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[name.split(".")[0] for name in PICTURES])
    parser.add_argument("--output", type=Path, default=ROOT / "docs/pictures")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="nerone-pictures-") as folder:
        prepared = prepare(Path(folder))
        for name, make in PICTURES.items():
            if options.only in (None, name.split(".")[0]):
                make(options.output / name, *prepared)
                print(options.output / name)


if __name__ == "__main__":
    main()
