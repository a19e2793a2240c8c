"""The pages build strictly, every public name is in the API reference, the pictures are there and small."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nerone

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("compilation", "data", "deployment", "errors", "evaluation", "graph", "quantization", "runtime", "zoo")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed")
    pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def public_names() -> list[tuple[str, str]]:
    """Every public class and function: the name it is reached by, and where it is defined."""
    found = [(f"nerone.{home}.{name}", getattr(nerone, name)) for name, home in nerone._PUBLIC.items()]
    for package in PACKAGES:
        module = importlib.import_module(f"nerone.{package}")
        found += [(f"nerone.{package}.{name}", getattr(module, name)) for name in module.__all__]
    return [
        (reached, f"{value.__module__}.{value.__qualname__}")
        for reached, value in found
        if inspect.isclass(value) or inspect.isfunction(value)
    ]


def test_every_public_name_is_in_the_api_reference(site: Path) -> None:
    documented = set(re.findall(r'id="(nerone[\w.]*)"', (site / "api/index.html").read_text("utf-8")))
    missing = [reached for reached, home in public_names() if not {reached, home} & documented]
    assert missing == [], "name them in docs/api.md"
    assert len(public_names()) > 40


def test_every_public_name_has_a_docstring() -> None:
    silent = [
        reached
        for reached, home in public_names()
        if not inspect.getdoc(getattr(importlib.import_module(home.rpartition(".")[0]), home.rpartition(".")[2]))
    ]
    assert silent == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    assert [page.name for page in (ROOT / "docs").glob("*.md") if page.name not in navigation] == []


def test_the_pictures_are_there_small_and_made_by_the_script() -> None:
    script = (ROOT / "scripts/pictures.py").read_text()
    pictures = sorted((ROOT / "docs/pictures").iterdir())
    for picture in pictures:
        assert picture.stat().st_size < 200_000, picture.name
        assert f'"{picture.name}"' in script, f"{picture.name} is not made by the software"
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"!\[[^]]*\]\(([^)]+)\)", document.read_text()):
            assert (document.parent / target).resolve() in pictures, f"{document.name}: {target}"


def test_a_terminal_picture_loads_nothing_from_elsewhere() -> None:
    pytest.importorskip("rich", reason="rich is not installed")
    from scripts.pictures import svg

    made = svg("$ nerone bench\n┏━┓\n┃a┃ 12.5 FPS (simulated)")
    assert "12.5" in made
    for text in (made, (ROOT / "docs/pictures/bench.svg").read_text("utf-8")):
        assert set(re.findall(r"https?://[^\s\"')]+", text)) <= {
            "http://www.w3.org/2000/svg",
            "https://www.textualize.io",
        }
        assert "@font-face" not in text
